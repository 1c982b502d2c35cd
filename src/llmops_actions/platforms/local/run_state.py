"""One bulk run on its way: its rows, its files, what is left of it."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from llmops_actions.platforms.local import aggregation
from llmops_actions.platforms.local.messages import Aggregated, RowEnded
from llmops_actions.platforms.local.records import RowError, RowRecord, strict_json
from llmops_actions.platforms.local.rows_file import RowsFile
from llmops_actions.platforms.ports import BulkRun, Row, RunResult, RunSettings, RunStatus, Usage

STATE_FILE = "state.json"
STATE_VERSION = 1


@dataclass(frozen=True)
class PendingRow:
    """A row that waits. ``inputs`` is its JSON object."""

    line: int
    key: str
    inputs: bytes


@dataclass
class Outcome:
    """What a run as a whole came to."""

    status: RunStatus = "completed"
    error: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class RunState:
    """A run: rows come from ``next_row`` and go through ``end_row`` exactly once."""

    def __init__(self, run: BulkRun, settings: RunSettings, private: Path) -> None:
        self.run = run
        self.outcome = Outcome()
        self.finished = False
        self.aggregating = False
        self.suspects: deque[PendingRow] = deque()
        self.deaths_in_a_row = 0
        self.started_at: float | None = None
        self.private = private
        self._settings = settings
        self._returned: deque[PendingRow] = deque()
        self._source: Iterator[Row] = iter(run.rows)
        self._created = time.monotonic()
        run.folder.mkdir(parents=True, exist_ok=True)
        self._spool_path = run.folder / aggregation.SPOOL_FILE
        resumed = settings.resume and _has_fingerprint(run.folder, run.fingerprint)
        if resumed:
            self.rows = RowsFile.resume(run.folder, run.row_count, settings.retry_failed, self._usable_lines())
            self._keep_in_spool(self.rows.has_completed)
        else:
            self._spool_path.unlink(missing_ok=True)
            self.rows = RowsFile.start(run.folder, run.row_count)
        self.reused = self.rows.totals.ended
        self._known_metrics = _metrics_of(run.folder) if resumed and self.reused >= run.row_count else None
        _write_state(run.folder, {"fingerprint": run.fingerprint, "name": run.name, "metrics": None})
        self._spool: IO[bytes] | None = None
        self._private: IO[bytes] | None = None
        if run.program.aggregates:
            self._spool = self._spool_path.open("ab", buffering=0)
            self._private = private.open("ab", buffering=0)

    @property
    def left(self) -> int:
        """Rows that have not ended."""
        return max(0, self.run.row_count - self.rows.totals.ended)

    @property
    def spool(self) -> Path:
        """The file with what aggregation needs."""
        return self._spool_path

    @property
    def has_rows(self) -> bool:
        """Whether a row waits. Rows that cannot run end here."""
        if not self.suspects and not self._returned and (row := self._read_row()) is not None:
            self._returned.append(row)
        return bool(self.suspects or self._returned)

    def next_row(self) -> PendingRow | None:
        """The next row to run, ``None`` when there is none for now."""
        return self._returned.popleft() if self._returned else self._read_row()

    def _read_row(self) -> PendingRow | None:
        for row in self._source:
            if self.rows.has_ended(row.line):
                continue
            pending = self._prepared(row)
            if pending is not None:
                return pending
        return None

    def give_back(self, row: PendingRow) -> None:
        """The row is still to be run."""
        self._returned.append(row)

    def end_row(self, ended: RowEnded) -> None:
        """A child finished a row. One that has ended already (a late answer) is left out."""
        if self.rows.has_ended(ended.line):
            return
        record, kept = ended.payload[: ended.record_size], ended.payload[ended.record_size :]
        if ended.aggregation != "none" and self._spool is not None and self._private is not None:
            line, private = aggregation.spool_line(ended.line, kept, ended.aggregation)
            if private:
                self._private.write(private)
            self._spool.write(line)
        self.rows.append(ended.line, record, ended.failed, ended.attempts, ended.usage)
        if not ended.failed:
            self.deaths_in_a_row = 0

    def fail_row(self, row: PendingRow, error: RowError, duration: float = 0.0) -> None:
        """End a row as failed from here."""
        if self.rows.has_ended(row.line):
            return
        record = RowRecord(row.line, row.key, row.inputs, error=error, duration=duration).encode()
        self.rows.append(row.line, record, True, 0, {})

    def fail_rest(self, status: RunStatus, error: RowError) -> None:
        """End every row that is left, and the run with it."""
        self.outcome.status, self.outcome.error = status, error.message
        for row in (*self.suspects, *self._returned):
            self.fail_row(row, error)
        self.suspects.clear()
        self._returned.clear()
        while (pending := self.next_row()) is not None:
            self.fail_row(pending, error)

    def aggregated(self, message: Aggregated) -> None:
        """Aggregation ended."""
        self.rows.totals.add_calls(message.attempts, message.usage)
        self.outcome.metrics = dict(message.metrics)
        self.outcome.notes.extend(message.notes)
        if message.error is not None:
            self.fail_as_a_whole(f"Aggregation failed: {message.error}")

    def fail_as_a_whole(self, error: str) -> None:
        """The run failed, whatever its rows came to."""
        self.outcome.status, self.outcome.error = "failed", error

    @property
    def needs_aggregation(self) -> bool:
        """Whether the program still has to run over all rows."""
        program_aggregates = self.run.program.aggregates and self.rows.totals.completed > 0
        return program_aggregates and self.outcome.error is None and self._known_metrics is None

    def finish(self) -> RunResult:
        """Bring the files into their last form; the run's result."""
        self.finished = True
        self.close()
        self.rows.finish()
        if self._known_metrics is not None:
            self.outcome.metrics = self._known_metrics
        totals = self.rows.totals
        if self.outcome.error is None:
            _write_state(
                self.run.folder,
                {"fingerprint": self.run.fingerprint, "name": self.run.name, "metrics": self.outcome.metrics},
            )
        missing = self.run.row_count - totals.ended
        if missing and self.outcome.error is None:
            self.fail_as_a_whole(f"{self.run.row_count} rows were announced, but {totals.ended} came.")
        # The price of a run is that of its tokens, reused rows and aggregation included.
        tokens = {model: (prompt, completion) for model, (_, prompt, completion) in totals.usage.items()}
        return RunResult(
            name=self.run.name,
            status=self.outcome.status,
            completed=totals.completed,
            failed=totals.failed,
            metrics=self.outcome.metrics,
            usage={model: Usage(*numbers) for model, numbers in totals.usage.items()},
            cost=self._settings.prices.total(tokens),
            duration=time.monotonic() - (self.started_at or self._created),
            attempts=totals.attempts,
            error=self.outcome.error,
            reused=self.reused,
        )

    def close(self) -> None:
        """Close the files; what is written stays."""
        self.rows.close()
        for file in (self._spool, self._private):
            if file is not None:
                file.close()

    def _prepared(self, row: Row) -> PendingRow | None:
        try:
            inputs = strict_json(dict(row.inputs))
        except (TypeError, ValueError, RecursionError) as error:
            readable = strict_json({str(name): str(value) for name, value in row.inputs.items()})
            pending = PendingRow(row.line, row.key, readable)
            self.fail_row(pending, RowError("InputNotJson", f"The inputs are not JSON: {error}"))
            return None
        pending = PendingRow(row.line, row.key, inputs)
        if row.error is None:
            return pending
        self.fail_row(pending, RowError("InputMissing", row.error))
        return None

    def _keep_in_spool(self, is_kept: Callable[[int], bool]) -> None:
        """Leave out of the spool what belongs to rows that run again: they may end otherwise."""
        if not self._spool_path.exists():
            return
        new = self._spool_path.with_suffix(".new")
        with self._spool_path.open("rb") as old, new.open("wb") as kept:
            kept.writelines(text for text in old if is_kept(json.loads(text)["line"]))
        new.replace(self._spool_path)

    def _usable_lines(self) -> Any:
        """Which completed rows of an earlier run can be kept: those whose part in aggregation is at hand."""
        if not self.run.program.aggregates:
            return lambda _: True
        lines = bytearray(self.run.row_count)
        if self._spool_path.exists():
            whole = 0
            with self._spool_path.open("rb") as spool:
                for text in spool:
                    if not text.endswith(b"\n"):
                        break
                    whole += len(text)
                    entry = json.loads(text)
                    if entry["line"] < len(lines):
                        lines[entry["line"]] = "private" not in entry
            os.truncate(self._spool_path, whole)
        return lambda line: line < len(lines) and bool(lines[line])


def _has_fingerprint(folder: Path, fingerprint: str) -> bool:
    return _read_state(folder).get("fingerprint") == fingerprint


def _metrics_of(folder: Path) -> dict[str, float] | None:
    metrics = _read_state(folder).get("metrics")
    return metrics if isinstance(metrics, dict) else None


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) and state.get("schema_version") == STATE_VERSION else {}


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    new = folder / f"{STATE_FILE}.new"
    new.write_text(json.dumps({"schema_version": STATE_VERSION, **state}) + "\n", encoding="utf-8")
    new.replace(folder / STATE_FILE)
