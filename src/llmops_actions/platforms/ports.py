"""The ports: what a step asks of a platform, whatever the platform is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from llmops_actions.experiment.connections import Connection
from llmops_actions.experiment.prices import PriceTable
from llmops_actions.experiment.program import FunctionReference, Program

__all__ = [
    "BulkRun",
    "Connection",
    "FunctionReference",
    "Program",
    "ProgressListener",
    "Row",
    "RunProgress",
    "RunResult",
    "RunSettings",
    "Runner",
    "Usage",
]

RowStatus = Literal["completed", "failed"]
RunStatus = Literal["completed", "failed", "timed-out"]


@dataclass(frozen=True)
class Row:
    """One row to run. ``line`` counts from 0; ``key`` identifies the row by its content, not by its position.

    ``error`` is set where the row cannot be run at all (its input is missing): it ends as failed with that error.
    """

    line: int
    key: str
    inputs: Mapping[str, Any]
    error: str | None = None


@dataclass(frozen=True)
class BulkRun:
    """One program over many rows. ``rows`` can be iterated again and streams; it may be longer than memory.

    ``folder`` is where the run's files go (``rows.jsonl`` among them). Two bulk runs with the same ``fingerprint``
    are the same run: a resumed one keeps the rows that ended and runs the others.
    """

    name: str
    program: Program
    rows: Iterable[Row]
    row_count: int
    folder: Path
    fingerprint: str
    connections: Mapping[str, Connection] = field(default_factory=dict)
    environment: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class RunSettings:
    """How to run. Times in seconds; 0 means no limit.

    ``concurrency``: rows in flight, all runs together. ``processes``: child processes at once, all runs together
    (0: as many as this machine has processors). ``attempts``: how often one model call is tried at most;
    ``call_timeout``: how long one try may take, never longer than what is left of the row's time.
    ``resume``: keep the rows of an earlier run with the same fingerprint; ``retry_failed``: of those, run the
    failed ones again.
    """

    concurrency: int = 64
    processes: int = 0
    line_timeout: float = 600.0
    call_timeout: float = 120.0
    run_timeout: float = 0.0
    attempts: int = 6
    resume: bool = False
    retry_failed: bool = False
    prices: PriceTable = field(default_factory=PriceTable)


@dataclass(frozen=True)
class Usage:
    """What calls to one model cost: the number of calls that succeeded, and their tokens."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True)
class RunResult:
    """How a bulk run ended. ``completed + failed`` is the number of rows, always.

    ``metrics`` are those that the program itself logged; ``usage`` is by model name; ``cost`` in USD, ``None``
    where the price of a model is not known or the calls were not counted; ``duration`` in seconds. ``error`` says why
    a run as a whole failed (the flow does not load, time is up, aggregation failed), ``None`` when only rows failed or
    none did.
    """

    name: str
    status: RunStatus
    completed: int
    failed: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    cost: float | None = None
    duration: float = 0.0
    attempts: int = 0
    error: str | None = None
    reused: int = 0
    """Rows kept from an earlier, interrupted run."""


@dataclass(frozen=True)
class RunProgress:
    """A run moved on: rows that ended and failed so far. ``note`` is a remark worth showing (throttled, hung …)."""

    name: str
    ended: int
    failed: int
    total: int
    note: str | None = None


ProgressListener = Callable[[RunProgress], None]


class Runner(Protocol):
    """Runs programs over rows. Every row ends, as completed or failed, or the run says why not."""

    def prepare(self) -> None:
        """Get ready in the background for a run that is about to come; costs nothing if none does."""
        ...

    def run(self, runs: Sequence[BulkRun], settings: RunSettings, listener: ProgressListener) -> Sequence[RunResult]:
        """Run all of ``runs`` and return one result for each, in the same order.

        Writes ``rows.jsonl`` into each run's folder (see ``docs/work-folder.md``).

        Raises:
            PlatformError: the platform itself failed; rows that ended are kept.
            InterruptedRunError: someone stopped it; rows that ended are kept and can be resumed.
        """
        ...
