"""Runs ``llmops`` as a process of its own, marked, so that everything that it starts can be found."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.integration.test_runner_local_chaos import PATIENCE, processes_with, wait_until_gone

ROOT = Path(__file__).resolve().parents[2]

AZURE = {"AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "AOAI_API_KEY", "OPENAI_API_KEY", "LLMOPS_OFFLINE_MODEL_URL"}


class Llmops:
    """``llmops <words>`` in ``folder``. Leaving it as a context manager ends what is left."""

    def __init__(self, folder: Path, *words: str, **environment: str) -> None:
        self.mark = f"LLMOPS_TEST_MARK={folder.name}-{random.getrandbits(64):x}"
        name, _, value = self.mark.partition("=")
        path = os.pathsep.join([environment.pop("first_on_path", ""), str(ROOT / "src")]).strip(os.pathsep)
        clean = {key: each for key, each in os.environ.items() if key not in AZURE}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "llmops_actions.cli", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd=folder,
            start_new_session=True,
            env={**clean, **environment, name: value, "PYTHONPATH": path},
        )

    def __enter__(self) -> Llmops:
        return self

    def __exit__(self, *_: object) -> None:
        for process in [self.process.pid, *processes_with(self.mark)]:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.communicate()

    def processes(self) -> list[int]:
        """All that it started and that runs, and itself."""
        return processes_with(self.mark)

    def until(self, condition: Callable[[], bool]) -> None:
        """Look again and again until ``condition`` holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            os.sched_yield()

    def end(self) -> tuple[int, str, str]:
        """Wait until it has ended, and all that it started; exit code, output and errors."""
        output, errors = self.process.communicate(timeout=180)
        wait_until_gone(self.mark)
        return self.process.returncode, output, errors


def llmops(folder: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Run a step to its end: exit code, output, errors."""
    with Llmops(folder, *words, **environment) as running:
        return running.end()


def llmops_json(folder: Path, *words: str, **environment: str) -> dict[str, Any]:
    """Run a step to its end; its outcome."""
    code, output, errors = llmops(folder, *words, "--format", "json", **environment)
    document: dict[str, Any] = json.loads(output)
    assert document["exit_code"] == code, errors
    return document


def read_json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def whole_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows that ended, of all runs below ``folder``, as far as they are whole."""
    return [row for file in folder.rglob("rows.jsonl") for row in rows_of(file)]


def rows_of(file: Path) -> Iterator[dict[str, Any]]:
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield json.loads(line)


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder
