"""A child at work on one run: which rows are in its hands, in which thread, until when."""

from __future__ import annotations

import heapq
import pickle
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from llmops_actions.platforms.local.children import Child
from llmops_actions.platforms.local.messages import CancelRow, Message, RunRow, Setup, SlotStarted, Stop
from llmops_actions.platforms.local.run_state import PendingRow, RunState
from llmops_actions.platforms.local.setup import ChildSetup
from llmops_actions.platforms.local.throttle import Throttle
from llmops_actions.platforms.local.worker_files import STACKS_FILE

MOST_ABANDONED = 8
"""Threads that a child may have given up before it is replaced."""


@dataclass(eq=False)
class InFlight:
    """A row that a child runs. Times are on ``time.monotonic``'s clock."""

    row: PendingRow
    started: float
    throttles: tuple[Throttle, ...]
    cancelled: float | None = None

    def join(self, throttle: Throttle) -> None:
        """The row turns out to count for ``throttle``, too."""
        if throttle not in self.throttles:
            self.throttles = (*self.throttles, throttle)
            throttle.in_flight += 1


@dataclass(eq=False)
class Hand:
    """A child and what it is doing.

    ``alone``: it runs suspects, one at a time; ``suspect``: one of them, now. ``aggregating``: since when.
    """

    child: Child
    run: RunState
    setup: ChildSetup
    started: float
    alone: bool = False
    suspect: bool = False
    ready: bool = False
    draining: bool = False
    aggregating: float | None = None
    abandoned: int = 0
    in_flight: dict[int, InFlight] = field(default_factory=dict)
    threads: dict[int, SlotStarted] = field(default_factory=dict)
    _free: list[int] = field(default_factory=list)
    _slots: int = 0

    @property
    def stacks(self) -> Path:
        """Where the child's ``faulthandler`` writes."""
        return self.setup.scratch / STACKS_FILE

    @property
    def folder(self) -> Path:
        """The user's own folder."""
        return self.setup.program.folder

    def begin(self) -> None:
        """Tell the child what it is for."""
        self.child.send(Setup(payload=pickle.dumps(self.setup)))

    def start_row(self, row: PendingRow, now: float, throttles: tuple[Throttle, ...]) -> None:
        """Give the child another row, in its lowest free thread."""
        if self._free:
            slot = heapq.heappop(self._free)
        else:
            slot, self._slots = self._slots, self._slots + 1
        self.in_flight[slot] = InFlight(row, now, throttles)
        for throttle in throttles:
            throttle.started(now)
        self.child.send(RunRow(slot, row.line, row.key, payload=row.inputs))

    def take_row(self, slot: int, line: int) -> InFlight | None:
        """The row that ended in ``slot``; ``None`` for a late answer."""
        flight = self.in_flight.get(slot)
        if flight is None or flight.row.line != line:
            return None
        del self.in_flight[slot]
        self.suspect = False
        heapq.heappush(self._free, slot)
        return flight

    def cancel(self, slot: int, now: float, seconds: float) -> None:
        """Its time is up: let the child end the row."""
        flight = self.in_flight[slot]
        flight.cancelled = now
        self.child.send(CancelRow(slot, flight.row.line, seconds))

    def send(self, message: Message) -> None:
        """Send the child a message."""
        self.child.send(message)

    def dismiss(self) -> None:
        """Tell the child that there is no more to do; it ends by itself."""
        self.child.send(Stop())

    def end(self) -> None:
        """End the child, whatever it does, and remove its folder."""
        self.child.kill()
        shutil.rmtree(self.setup.scratch, ignore_errors=True)
