"""Fake services for steps: a runner that calls a Python function for each row, a clock that stands still."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from llmops_actions.outcome import Outcome
from llmops_actions.platforms.local.records import RowError, RowRecord
from llmops_actions.platforms.ports import BulkRun, ProgressListener, Row, RunProgress, RunResult, RunSettings, Usage
from llmops_actions.steps import load_step
from llmops_actions.steps.execution import execute
from llmops_actions.steps.services import Services

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
URL = "http://127.0.0.1:1"

Behaviour = Callable[[BulkRun, Row], Mapping[str, Any]]
"""What a program returns for a row. Raises for a row that fails."""


class NodeError(Exception):
    """A row fails in a node."""

    def __init__(self, message: str, node: str | None = None) -> None:
        super().__init__(message)
        self.node = node


def echo(run: BulkRun, row: Row) -> Mapping[str, Any]:
    """A flow that answers with its inputs, and an evaluator that finds every answer right."""
    return {"correct": True} if "/" in run.name else {"answer": "because", **row.inputs}


@dataclass
class FakeRunner:
    """A runner in this process: every row ends, in line order, as ``behaviour`` says.

    ``change`` alters the result of a run as a whole. What is not resumed starts anew, as in the real one.
    """

    behaviour: Behaviour = echo
    change: Callable[[RunResult], RunResult] = lambda result: result
    prepared: bool = False
    runs: list[BulkRun] = field(default_factory=list)
    settings: list[RunSettings] = field(default_factory=list)

    def prepare(self) -> None:
        self.prepared = True

    def run(self, runs: Sequence[BulkRun], settings: RunSettings, listener: ProgressListener) -> Sequence[RunResult]:
        self.runs.extend(runs)
        self.settings.append(settings)
        return [self._run_one(run, settings, listener) for run in runs]

    def _run_one(self, run: BulkRun, settings: RunSettings, listener: ProgressListener) -> RunResult:
        run.folder.mkdir(parents=True, exist_ok=True)
        failed = ended = 0
        with (run.folder / "rows.jsonl").open("wb") as file:
            for row in run.rows:
                record = self._ended(run, row)
                file.write(record.encode())
                ended += 1
                failed += record.error is not None
                listener(RunProgress(run.name, ended, failed, run.row_count))
        usage = {"gpt": Usage(calls=ended, prompt_tokens=10 * ended, completion_tokens=ended)}
        result = RunResult(
            name=run.name,
            status="completed",
            completed=ended - failed,
            failed=failed,
            usage=usage,
            cost=settings.prices.total({"gpt": (10 * ended, ended)}),
            duration=1.5,
            attempts=ended,
        )
        return self.change(result)

    def _ended(self, run: BulkRun, row: Row) -> RowRecord:
        record = RowRecord(row.line, row.key, json.dumps(dict(row.inputs)).encode(), usage={"gpt": (1, 10, 1)})
        if row.error is not None:
            return replace(record, error=RowError("InputMissing", row.error))
        try:
            return replace(record, outputs=dict(self.behaviour(run, row)), attempts=1)
        except NodeError as error:
            return replace(record, error=RowError("NodeError", str(error), error.node))


class RecordingProgress:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.notes: list[str] = []
        self.heard: list[RunProgress] = []
        self.closed = False

    def phase(self, title: str) -> None:
        self.phases.append(title)

    def run(self, progress: RunProgress) -> None:
        self.heard.append(progress)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True)
class FakeModel:
    """The address of a stand-in that nobody calls."""

    url: str


class FakeModels:
    """Starts fake stand-ins, each at another port, and counts them."""

    def __init__(self) -> None:
        self.started = 0
        self.stopped = 0

    def __call__(self) -> AbstractContextManager[FakeModel]:
        return self._running()

    @contextmanager
    def _running(self) -> Iterator[FakeModel]:
        self.started += 1
        try:
            yield FakeModel(f"http://127.0.0.1:{self.started}")
        finally:
            self.stopped += 1


@dataclass
class House:
    """A working directory with fake services; ``run`` runs a step in it, from words."""

    directory: Path
    environ: dict[str, str] = field(default_factory=dict)
    runner: FakeRunner = field(default_factory=FakeRunner)
    models: FakeModels = field(default_factory=FakeModels)
    progress: RecordingProgress = field(default_factory=RecordingProgress)
    engines: list[str] = field(default_factory=list)

    def services(self) -> Services:
        def runner(engine: str) -> FakeRunner:
            self.engines.append(engine)
            return self.runner

        return Services(
            environ=self.environ,
            progress=self.progress,
            runner=runner,
            offline_model=self.models,
            directory=self.directory,
            now=lambda: NOW,
        )

    def run(self, step: str, **words: str) -> Outcome[Any]:
        return execute(load_step(step), {"use_case": "support", **words}, self.services())


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def messages(outcome: Outcome[Any]) -> str:
    """The findings, one a line, as they are shown."""
    return "\n".join(f"{each.level}: {each}" for each in outcome.findings)
