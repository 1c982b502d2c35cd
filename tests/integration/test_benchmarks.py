"""The benchmarks still run, each as a smoke test; and they measure memory as they say. No test looks at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks import __main__ as command
from benchmarks.cases import CASES
from benchmarks.measure import BenchmarkError, measure
from benchmarks.memory import TreeMemory

ROOT = Path(__file__).parents[2]
BLOCK = 40_000_000
PARENT_AND_CHILD = f"""
import os, sys
block = b"x" * {BLOCK}
if os.fork() == 0:
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
os.wait()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks read /proc, which only Linux has")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_case_runs(case: str) -> None:
    before = [file.read_bytes() if file.exists() else None for file in (command.README, command.RESULTS)]
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", case],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"### {case}: " in ended.stdout
    assert [file.read_bytes() if file.exists() else None for file in (command.README, command.RESULTS)] == before


def test_pages_that_processes_share_count_once() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT_AND_CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        found = TreeMemory(process.pid, interval=1.0).sample()
    finally:
        process.communicate()
    assert found is not None
    assert found.processes == 2
    assert found.rss > 2 * BLOCK / 1e6
    assert BLOCK / 1e6 < found.pss < found.rss - BLOCK / 1e6 / 2


def test_tree_that_is_gone_has_no_memory() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    assert TreeMemory(process.pid, interval=1.0).sample() is None


def test_failing_process_is_no_measurement(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "raise SystemExit('no rows came out')"]
    with pytest.raises(BenchmarkError, match="no rows came out"):
        measure(words, tmp_path, {}, memory_interval=None)


def test_processor_time_of_children_counts(tmp_path: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    words = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"]
    assert measure(words, tmp_path, {}).cpu >= 0.3


def test_unknown_case_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["sweeps"])
    assert ended.value.code == 2
    assert "there is no case 'sweeps'; there are one-run, sweep" in capsys.readouterr().err
