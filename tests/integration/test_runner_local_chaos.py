"""Kills everything at bad moments, and looks for what is left behind."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.integration import runner_programs as programs
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.platforms.local.offline_model.process import start
from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.platforms.local.runner import LocalRunner
from llmops_actions.platforms.ports import Program

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("runner_driver.py")
PATIENCE = 20.0
WORK = """
    from promptflow.core import tool

    @tool
    def work(number: int, text: str, ask: str = "") -> dict:
        with open("started.txt", "a") as file:
            file.write(f"{number}\\n")
        return {"number": number, "ask": ask}
"""
COUNT = """
    from typing import List
    from promptflow.core import log_metric, tool

    @tool
    def count(work: List[dict]) -> None:
        log_metric("sum", sum(item["number"] for item in work))
"""


def model_program(folder: Path, aggregates: bool = False) -> Program:
    """A model node and a Python node; with ``aggregates`` a third one that adds up."""
    programs.write(folder, {"ask.jinja2": "# user:\n{{text}}\n", "work.py": WORK, "count.py": COUNT})
    inputs = {"number": "${inputs.number}", "text": "${inputs.text}", "ask": "${ask.output}"}
    definition = {
        "inputs": {"number": {"type": "int"}, "text": {"type": "string"}},
        "outputs": {"answer": {"type": "object", "reference": "${work.output}"}},
        "nodes": [
            {
                "name": "ask",
                "type": "llm",
                "source": {"type": "code", "path": "ask.jinja2"},
                "inputs": {"model": "gpt-35-turbo", "temperature": 0.0, "text": "${inputs.text}"},
                "provider": "OpenAI",
                "connection": "model",
                "api": "chat",
            },
            programs.python_node("work", inputs),
        ],
    }
    if aggregates:
        definition["nodes"].append(programs.python_node("count", {"work": "${work.output}"}, aggregation=True))  # type: ignore[attr-defined]
    (folder / "flow.dag.yaml").write_text(yaml.safe_dump(definition))
    return Program("dag", folder, "flow.dag.yaml", definition=definition, aggregates=aggregates)


def processes_with(mark: str) -> list[int]:
    """The processes whose environment or working directory holds ``mark``, but not this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if mark.encode() in (entry / "environ").read_bytes() and state != "Z":
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def wait_until_gone(mark: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while left := processes_with(mark):
        assert time.monotonic() < deadline, f"processes are left behind: {left}"
        os.sched_yield()


class Driver:
    """The driver in a process of its own, marked so that all that it starts can be found."""

    def __init__(self, work: Path, count: int, url: str, *options: str, **environment: str) -> None:
        self.mark = f"LLMOPS_TEST_MARK={work.name}-{random.getrandbits(64):x}"
        name, _, value = self.mark.partition("=")
        path = os.pathsep.join([environment.pop("first_on_path", ""), str(ROOT / "src")]).strip(os.pathsep)
        temporary = work / "temporary"
        temporary.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(work), str(count), url, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary), **environment, name: value, "PYTHONPATH": path},
        )

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_all()

    def wait_for(self, ended: int) -> None:
        """Until so many rows have ended, or it is over."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            word, number = line.split()[:2]
            if word != "ended" or int(number) >= ended:
                return

    def wait_for_children(self) -> None:
        """Until the fork server is there: the program is about to load."""
        deadline = time.monotonic() + PATIENCE
        while len(processes_with(self.mark)) < 2:
            assert time.monotonic() < deadline
            os.sched_yield()

    def kill_all(self) -> None:
        """As a machine that goes down does."""
        for process in [self.process.pid, *processes_with(self.mark)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def result(self) -> list[str]:
        output, errors = self.process.communicate(timeout=120)
        last = output.strip().splitlines()[-1] if output.strip() else ""
        assert last.startswith("result "), output + errors
        return last.split(" ", 5)[1:]


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with start(Settings(latency=0.02)) as server:
        yield server.url


def kill_and_resume(work: Path, url: str, moments: list[int], rows: int) -> None:
    model_program(work / "flow", aggregates=True)
    for moment in [0, *moments]:
        with Driver(work, rows, url, "aggregates", "resume") as driver:
            driver.wait_for(moment) if moment else driver.wait_for_children()
        wait_until_gone(driver.mark)
    before = len({json.loads(line)["line"] for line in whole_lines(work / "run" / "rows.jsonl")})
    with Driver(work, rows, url, "aggregates", "resume") as driver:
        status, completed, failed, reused, metrics = driver.result()
    assert (status, int(completed), int(failed), int(reused)) == ("completed", rows, 0, before)
    assert metrics == str({"sum": float(sum(range(rows)))})
    ended = programs.records(work / "run")
    assert [row["line"] for row in ended] == list(range(rows))
    wait_until_gone(driver.mark)


def whole_lines(file: Path) -> list[bytes]:
    return [line for line in file.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def test_killed_tree_resumes(tmp_path: Path, model: str) -> None:
    kill_and_resume(tmp_path, model, [1, 40, 80], rows=80)


@pytest.mark.slow
def test_killed_tree_resumes_at_any_moment(tmp_path: Path, model: str) -> None:
    draw = random.Random(7)
    kill_and_resume(tmp_path, model, [*sorted(draw.randrange(1, 1950) for _ in range(20)), 1999, 2000], rows=2000)


@pytest.mark.parametrize("engine", ["threads", "pool"])
def test_killed_parent_leaves_no_process_and_no_folder(tmp_path: Path, model: str, engine: str) -> None:
    model_program(tmp_path / "flow")
    temporary = tmp_path / "temporary"
    with Driver(tmp_path, 5000, model, engine) as driver:
        driver.wait_for(20)
        last = (tmp_path / "run" / "rows.jsonl").read_text().splitlines()[-1:]
        assert len(processes_with(driver.mark)) >= 3, last
        assert list(temporary.glob("llmops-*"))
        driver.process.kill()
        wait_until_gone(driver.mark)
    assert not list(temporary.glob("llmops-*")), "what prompt flow's pool leaves behind has names of its own"


def test_killed_fork_server_is_an_error_that_says_so(tmp_path: Path, model: str) -> None:
    model_program(tmp_path / "flow")
    with Driver(tmp_path, 5000, model) as driver:
        driver.wait_for(20)
        [server] = [process for process in processes_with(driver.mark) if parent_of(process) == driver.process.pid]
        os.kill(server, signal.SIGKILL)
        _, errors = driver.process.communicate(timeout=PATIENCE)
        assert "The process that starts children ended" in errors
        wait_until_gone(driver.mark)


def parent_of(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


RECORD_CONNECTIONS = """
    import os, sys

    def record(event, arguments):
        if event == "socket.connect":
            with open(os.environ["CONNECTIONS_FILE"], "a") as file:
                file.write(f"{arguments[1]!r}\\n")

    sys.addaudithook(record)
"""


def test_no_connection_leaves_the_machine_and_nothing_stays(tmp_path: Path, model: str) -> None:
    programs.write(tmp_path / "first", {"sitecustomize.py": RECORD_CONNECTIONS})
    model_program(tmp_path / "flow", aggregates=True)
    seen = tmp_path / "connections.txt"
    environment = {"CONNECTIONS_FILE": str(seen), "first_on_path": str(tmp_path / "first")}
    with Driver(tmp_path, 10, model, "aggregates", **environment) as driver:
        assert driver.result()[0] == "completed"
        wait_until_gone(driver.mark)
    targets = set(seen.read_text().splitlines())
    assert targets, "the hook saw nothing: it was not installed"
    assert all(target.startswith("('127.0.0.1'") for target in targets), targets
    assert not (Path.home() / ".promptflow").exists() or not any(
        path.stat().st_mtime > tmp_path.stat().st_mtime for path in (Path.home() / ".promptflow").iterdir()
    )


def all_faults(rows: int, work: Path, concurrency: int) -> None:
    faults = {"429": 0.1, "500": 0.05, "reset": 0.02, "hang": 0.01}
    program = model_program(work / "flow")
    with start(Settings(latency=0.01, faults=faults, retry_after=0.1, seed=3)) as server:
        run = bulk_run(program, work / "run", rows, connections={"model": programs.connection(server.url)})
        result, heard = run_one(
            LocalRunner(), run, line_timeout=30, call_timeout=2, attempts=8, concurrency=concurrency, processes=2
        )
        counted = server.stats()
    ended = assert_accounted(result, work / "run", rows)
    assert result.completed > 0.97 * rows
    assert result.attempts > result.usage["gpt-35-turbo"].calls >= result.completed
    assert sum(row["attempts"] for row in ended) == result.attempts
    assert any("429" in (progress.note or "") for progress in heard)
    assert counted is not None


def test_every_fault_of_a_model(tmp_path: Path) -> None:
    all_faults(200, tmp_path, concurrency=24)


@pytest.mark.slow
def test_every_fault_of_a_model_on_2000_rows(tmp_path: Path) -> None:
    all_faults(2000, tmp_path, concurrency=64)
