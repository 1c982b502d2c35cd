"""``rows.jsonl`` of one run, written by the parent alone: each row that ended is one line, and is there at once.

While the run is under way the lines are in the order in which rows ended; ``finish`` puts them into line order. What is
kept in memory is 8 bytes a row: where its line begins, and whether it failed.
"""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from llmops_actions.platforms.local.messages import UsageNumbers

ROWS_FILE = "rows.jsonl"
NOT_OF_THE_ROW = frozenset({"RunTimeout", "ProgramNotLoaded", "ChildrenKeepDying"})
"""Types of error that say nothing about a row itself: a resumed run tries such a row again."""

_NOT_ENDED = -1


@dataclass
class Totals:
    """Sums over the rows that ended."""

    completed: int = 0
    failed: int = 0
    attempts: int = 0
    usage: dict[str, UsageNumbers] = field(default_factory=dict)

    @property
    def ended(self) -> int:
        """All rows that ended."""
        return self.completed + self.failed

    def add(self, failed: bool, attempts: int, usage: Mapping[str, UsageNumbers]) -> None:
        """Count one row."""
        self.completed += not failed
        self.failed += failed
        self.add_calls(attempts, usage)

    def add_calls(self, attempts: int, usage: Mapping[str, UsageNumbers]) -> None:
        """Count model calls that belong to no row (aggregation)."""
        self.attempts += attempts
        for model, (calls, prompt, completion) in usage.items():
            before = self.usage.get(model, (0, 0, 0))
            self.usage[model] = (before[0] + calls, before[1] + prompt, before[2] + completion)


class RowsFile:
    """The rows of one run. ``totals`` counts those that ended, reused ones included."""

    def __init__(self, folder: Path, row_count: int) -> None:
        self.path = folder / ROWS_FILE
        self.totals = Totals()
        self._offsets = array("q", [_NOT_ENDED]) * row_count
        self._file: IO[bytes] = self.path.open("ab", buffering=0)
        self._size = self._file.tell()

    @classmethod
    def start(cls, folder: Path, row_count: int) -> RowsFile:
        """An empty file, whatever was there."""
        (folder / ROWS_FILE).unlink(missing_ok=True)
        return cls(folder, row_count)

    @classmethod
    def resume(cls, folder: Path, row_count: int, retry_failed: bool, usable: Callable[[int], bool]) -> RowsFile:
        """What an earlier run left, without a torn last line.

        ``usable`` says whether a completed line can be kept; with ``retry_failed`` no failed row is.
        """
        path = folder / ROWS_FILE
        path.touch()
        whole = sum(size for _, size, _ in _entries(path))
        os.truncate(path, whole)
        rows = cls(folder, row_count)
        for offset, _, entry in _entries(path):
            if entry is not None and _is_kept(entry, retry_failed, usable):
                rows._set(entry["line"], offset, entry["status"] == "failed")
            elif entry is not None:
                rows._set(entry["line"], None)
        rows._count_kept()
        return rows

    def has_ended(self, line: int) -> bool:
        """Whether the row has ended, now or in the run that this one resumes."""
        return line < len(self._offsets) and self._offsets[line] != _NOT_ENDED

    def has_completed(self, line: int) -> bool:
        """Whether the row has ended, and well."""
        return self.has_ended(line) and not self._offsets[line] & 1

    def append(self, line: int, record: bytes, failed: bool, attempts: int, usage: Mapping[str, UsageNumbers]) -> None:
        """Write the record of a row that ended."""
        offset = self._size
        self._write(record)
        self._set(line, offset, failed)
        self.totals.add(failed, attempts, usage)

    def finish(self) -> None:
        """Put the lines into line order, each row once, and close the file."""
        self.close()
        if self._is_in_order():
            return
        ordered = self.path.with_name(ROWS_FILE + ".new")
        with self.path.open("rb") as source, ordered.open("wb") as target:
            for offset in self._offsets:
                if offset != _NOT_ENDED:
                    source.seek(offset >> 1)
                    target.write(source.readline())
            target.flush()
            os.fsync(target.fileno())
        ordered.replace(self.path)

    def close(self) -> None:
        """Close the file; what is written stays."""
        self._file.close()

    def _count_kept(self) -> None:
        for offset, _, entry in _entries(self.path):
            if entry is not None and self._offsets[entry["line"]] >> 1 == offset:
                usage = {
                    model: (numbers["calls"], numbers["prompt_tokens"], numbers["completion_tokens"])
                    for model, numbers in entry["usage"].items()
                }
                self.totals.add(entry["status"] == "failed", entry["attempts"], usage)

    def _write(self, record: bytes) -> None:
        written = 0
        while written < len(record):
            written += self._file.write(record[written:]) or 0
        self._size += len(record)

    def _set(self, line: int, offset: int | None, failed: bool = False) -> None:
        if line >= len(self._offsets):
            self._offsets.extend([_NOT_ENDED] * (line + 1 - len(self._offsets)))
        self._offsets[line] = _NOT_ENDED if offset is None else offset << 1 | failed

    def _is_in_order(self) -> bool:
        size = 0
        with self.path.open("rb") as source:
            for offset in self._offsets:
                if offset == _NOT_ENDED:
                    continue
                if offset >> 1 != size:
                    return False
                size += len(source.readline())
        return size == self._size


def _is_kept(entry: dict[str, Any], retry_failed: bool, usable: Callable[[int], bool]) -> bool:
    if entry["status"] == "failed":
        return not retry_failed and entry["error"]["type"] not in NOT_OF_THE_ROW
    return usable(entry["line"])


def _entries(path: Path) -> Iterator[tuple[int, int, dict[str, Any] | None]]:
    """Offset, size and content of each line; ``None`` for a line that is no record."""
    offset = 0
    with path.open("rb") as stream:
        for text in stream:
            if not text.endswith(b"\n"):
                return
            entry = None
            try:
                entry = json.loads(text)
                valid = isinstance(entry, dict) and {"status", "error", "usage", "attempts"} <= entry.keys()
                valid = valid and type(entry.get("line")) is int and entry["line"] >= 0
            except ValueError:
                valid = False
            yield offset, len(text), entry if valid else None
            offset += len(text)
