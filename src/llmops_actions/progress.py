"""Progress on standard error: one live line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TextIO

from llmops_actions.platforms.ports import RunProgress
from llmops_actions.reporting.text import counted, one_line

NARROW = 80
"""Columns of a terminal that does not say how many it has."""

SHOWN_RUNS = 5
"""Runs that have a line of their own each time."""

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
    """For logs: a line when a phase starts, when a run ends, and every ``interval`` seconds in between.

    A thread of its own sees to the time, for rows that take longer than that.
    """

    def __init__(self, stream: TextIO, clock: Clock = time.monotonic, interval: float = 10.0) -> None:
        self._stream = stream
        self._clock = clock
        self._interval = interval
        self._next = clock() + interval
        self._runs: dict[str, RunProgress] = {}
        self._lock = threading.RLock()
        self._closed = threading.Event()
        self._timer: threading.Thread | None = None

    def phase(self, title: str) -> None:
        """Write the title."""
        with self._lock:
            self._runs.clear()
            self._next = self._clock() + self._interval
            self._title(title)

    def run(self, progress: RunProgress) -> None:
        """Write how far a run is, if it ended, has something to say, or it is time."""
        with self._lock:
            if progress.note:
                self.note(f"{progress.name}: {progress.note}")
            before = self._runs.get(progress.name)
            if before is not None and before.ended == before.total:
                return
            self._runs[progress.name] = progress
            if progress.ended == progress.total:
                self._write(f"    {describe(progress)}")
            self.tick()
        if self._timer is None and not self._closed.is_set():
            self._timer = threading.Thread(target=self._keep_time, name="progress", daemon=True)
            self._timer.start()

    def tick(self) -> None:
        """If it is time, write how far the runs are that have not ended; of those that wait, only how many."""
        with self._lock:
            left = [each for each in self._runs.values() if each.ended < each.total]
            if not left or self._clock() < self._next:
                return
            self._next = self._clock() + self._interval
            shown = [each for each in left if each.ended][:SHOWN_RUNS] or left[:1]
            for each in shown:
                self._write(f"    {describe(each)}")
            if len(left) > len(shown):
                self._write(f"    {counted(len(left) - len(shown), 'other run')} not ended")

    def note(self, text: str) -> None:
        """Write the note."""
        with self._lock:
            self._write(f"    {one_line(text, 500)}")

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._timer is not None:
            self._timer.join()

    def _keep_time(self) -> None:
        while not self._closed.wait(self._interval / 4):
            self.tick()

    def _title(self, title: str) -> None:
        self._write(f"==> {one_line(title)}")

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
