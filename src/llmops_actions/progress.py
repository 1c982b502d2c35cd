"""Progress on standard error: one live line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from llmops_actions.platforms.ports import RunProgress
from llmops_actions.reporting.text import one_line

NARROW = 80
"""Columns of a terminal that does not say how many it has."""

Clock = Callable[[], float]


class SilentProgress:
    """Shows nothing (``--quiet``)."""

    def phase(self, title: str) -> None:
        """Nothing."""

    def run(self, progress: RunProgress) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class LineProgress:
    """For logs: a line when a phase starts, when a run ends, and every ``interval`` seconds in between."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, interval: float = 10.0) -> None:
        self._stream = stream
        self._clock = clock
        self._interval = interval
        self._next = clock() + interval
        self._ended: set[str] = set()

    def phase(self, title: str) -> None:
        """Write the title."""
        self._write(f"==> {one_line(title)}")
        self._ended.clear()
        self._next = self._clock() + self._interval

    def run(self, progress: RunProgress) -> None:
        """Write how far a run is, if it ended, has something to say, or it is time."""
        if progress.note:
            self.note(f"{progress.name}: {progress.note}")
        if progress.name in self._ended:
            return
        ended = progress.ended == progress.total
        if ended:
            self._ended.add(progress.name)
        if ended or self._clock() >= self._next:
            self._write(f"    {describe(progress)}")
            self._next = self._clock() + self._interval

    def note(self, text: str) -> None:
        """Write the note."""
        self._write(f"    {one_line(text, 500)}")

    def close(self) -> None:
        """Nothing is left open."""

    def _write(self, text: str) -> None:
        self._stream.write(f"{text}\n")
        self._stream.flush()


class LiveProgress:
    """For a terminal: one line for all runs that is rewritten, at most ten times a second."""

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, interval: float = 0.1) -> None:
        self._stream = stream
        self._clock = clock
        self._interval = interval
        self._next = 0.0
        self._runs: dict[str, RunProgress] = {}

    def phase(self, title: str) -> None:
        """Leave the line of the last phase, and start anew."""
        self.close()
        self._runs = {}
        self._stream.write(f"==> {one_line(title)}\n")
        self._stream.flush()

    def run(self, progress: RunProgress) -> None:
        """Rewrite the line."""
        self._runs[progress.name] = progress
        if progress.note:
            self.note(f"{progress.name}: {progress.note}")
        if self._clock() >= self._next or progress.ended == progress.total:
            self._next = self._clock() + self._interval
            self._draw()

    def note(self, text: str) -> None:
        """Write the note above the live line."""
        self._stream.write(f"\r\x1b[K    {one_line(text, 500)}\n")
        self._stream.flush()

    def close(self) -> None:
        """End the live line."""
        if self._runs:
            self._draw()
            self._stream.write("\n")
            self._stream.flush()
            self._runs = {}

    def _draw(self) -> None:
        ended = sum(each.ended for each in self._runs.values())
        failed = sum(each.failed for each in self._runs.values())
        total = sum(each.total for each in self._runs.values())
        done = sum(each.ended == each.total for each in self._runs.values())
        share = ended / total if total else 1.0
        bar = "█" * round(20 * share)
        trouble = f", {failed} failed" if failed else ""
        text = f"    {bar:░<20} {ended}/{total} rows{trouble}, {done}/{len(self._runs)} runs"
        self._stream.write(f"\r{text[: self._columns() - 1]}\x1b[K")
        self._stream.flush()

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or NARROW
        except (OSError, ValueError):
            return NARROW


def describe(progress: RunProgress) -> str:
    """How far a run is, in words."""
    trouble = f", {progress.failed} failed" if progress.failed else ""
    return f"{progress.name}: {progress.ended}/{progress.total} rows{trouble}"
