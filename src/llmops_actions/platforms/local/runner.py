"""The local runner: bulk runs on this machine, each in child processes of its own.

One thread, one loop. It reads rows, hands them to children, writes down what they answer, watches the clock, and
replaces children that die or hang. It imports neither prompt flow nor pandas nor openai.
"""

from __future__ import annotations

import itertools
import os
import selectors
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from llmops_actions.errors import PlatformError
from llmops_actions.platforms.local import supervision, watchdog
from llmops_actions.platforms.local.children import ForkServer, shared_fork_server
from llmops_actions.platforms.local.hands import MOST_ABANDONED, Hand, InFlight
from llmops_actions.platforms.local.host_limits import HostLimits
from llmops_actions.platforms.local.interruption import Interruption
from llmops_actions.platforms.local.messages import (
    Aggregate,
    Aggregated,
    LoadFailed,
    Message,
    Ready,
    RowEnded,
    SlotStarted,
    Started,
    Throttled,
)
from llmops_actions.platforms.local.records import RowError
from llmops_actions.platforms.local.run_state import PendingRow, RunState
from llmops_actions.platforms.local.setup import setup_for
from llmops_actions.platforms.ports import BulkRun, ProgressListener, RunProgress, RunResult, RunSettings, RunStatus

ROWS_FOR_ANOTHER_CHILD = 200
"""Rows that must be left before a run gets one more child."""

_LOAD_SECONDS = 300.0
_GRACE_SECONDS = 5.0
"""How long a child may take to end a row whose time is up, before it counts as stuck."""
_END_SECONDS = 5.0
"""How long a child that is told to end may take."""
_AGGREGATION_FACTOR = 10
"""How much longer than a row aggregation may take."""
_MOST_DEATHS_IN_A_ROW = 10
_PROGRESS_SECONDS = 0.1
_TICK_SECONDS = 0.1
_IDLE_SECONDS = 1.0


def _processors() -> int:
    """The processors that this process may use (a container or ``taskset`` may grant fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalRunner:
    """The ``Runner`` of this machine."""

    def prepare(self) -> None:
        """Start importing prompt flow in the background, so that the first run need not wait for it."""
        shared_fork_server().preload()

    def run(self, runs: Sequence[BulkRun], settings: RunSettings, listener: ProgressListener) -> Sequence[RunResult]:
        """Run all of ``runs``; see ``Runner.run``."""
        names = [run.name for run in runs]
        if len(set(names)) != len(names):
            raise PlatformError(f"Two bulk runs have the same name: {', '.join(sorted(names))}.")
        with Interruption() as interruption, _Session(settings, listener, interruption) as session:
            return session.run(runs)


class _Session:
    """One call of ``run``."""

    def __init__(self, settings: RunSettings, listener: ProgressListener, interruption: Interruption) -> None:
        self._settings = settings
        self._listener = listener
        self._interruption = interruption
        self._processes = settings.processes or _processors()
        self._folder = Path(tempfile.mkdtemp(prefix="llmops-run-"))
        self._selector = selectors.DefaultSelector()
        self._selector.register(interruption.wake_up, selectors.EVENT_READ, interruption)
        self._server: ForkServer | None = None
        self._numbers = itertools.count()
        self._states: list[RunState] = []
        self._limits = HostLimits([], settings.concurrency)
        self._hands: list[Hand] = []
        self._dismissed: dict[Hand, float] = {}
        self._results: dict[RunState, RunResult] = {}
        self._shown: dict[RunState, float] = {}
        self._in_flight = 0
        self._next_check = 0.0

    def __enter__(self) -> _Session:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind: no child, no open file."""
        for hand in [*self._hands]:
            self._remove(hand)
        for state in self._states:
            state.close()
        if self._server is not None:
            self._selector.unregister(self._server.control)
        deadline = time.monotonic() + _END_SECONDS
        while self._dismissed and time.monotonic() < deadline:
            self._receive(deadline - time.monotonic())
        for hand in [*self._dismissed]:
            self._end(hand)
        self._selector.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, runs: Sequence[BulkRun]) -> list[RunResult]:
        """Work until every run has its result."""
        self._limits = HostLimits(runs, self._settings.concurrency)
        for number, run in enumerate(runs):
            self._states.append(RunState(run, self._settings, self._folder / f"aggregation-{number}"))
        while True:
            self._settle()
            if len(self._results) == len(self._states):
                return [self._results[state] for state in self._states]
            self._admit()
            self._receive(self._dispatch())
            self._interruption.check()
            if (now := time.monotonic()) >= self._next_check:
                self._next_check = now + _TICK_SECONDS
                self._check_clocks(now)

    # Which run gets a child.

    def _settle(self) -> None:
        """Finish the runs that have nothing left, or let them aggregate."""
        for state in self._states:
            if state.finished or state.has_rows or any(hand.in_flight for hand in self._hands_of(state)):
                continue
            if not state.needs_aggregation:
                self._finish(state)
            elif not state.aggregating:
                hand = next((hand for hand in self._hands_of(state) if hand.ready and not hand.draining), None)
                if hand is not None:
                    state.aggregating, hand.aggregating = True, time.monotonic()
                    hand.send(Aggregate(str(state.spool), str(state.private)))

    def _finish(self, state: RunState) -> None:
        for hand in self._hands_of(state):
            self._dismiss(hand)
        self._results[state] = state.finish()
        for note in state.outcome.notes:
            self._tell(state, note)
        self._tell(state, None)

    def _fail(self, state: RunState, status: RunStatus, error: RowError) -> None:
        """End a run with all rows that are left."""
        now = time.monotonic()
        for hand in self._hands_of(state):
            for flight in hand.in_flight.values():
                state.fail_row(flight.row, error, now - flight.started)
            self._remove(hand)
        state.fail_rest(status, error)
        self._finish(state)

    def _admit(self) -> None:
        """Start children: one for each run in turn, then more for runs with many rows left."""
        at_work = sum(not hand.draining for hand in self._hands)
        for state in self._states:
            if at_work >= self._processes:
                return
            if not state.finished and not self._working_hands(state) and (state.has_rows or state.needs_aggregation):
                self._start_child(state)
                at_work += 1
        while at_work < self._processes and (largest := self._largest()) is not None:
            self._start_child(largest)
            at_work += 1

    def _largest(self) -> RunState | None:
        """The run that gains most from another child, if one does."""
        best, most = None, ROWS_FOR_ANOTHER_CHILD / 2 - 1
        for state in self._states:
            share = state.left / (len(self._working_hands(state)) + 1)
            if not state.finished and not state.suspects and share > most and state.has_rows:
                best, most = state, share
        return best

    def _start_child(self, state: RunState) -> None:
        if self._server is None or not self._server.alive:
            self._server = shared_fork_server()
            self._server.forget_exits()
            self._server.adopt(self._folder)
            self._selector.register(self._server.control, selectors.EVENT_READ, self._server)
        scratch = self._folder / f"child-{next(self._numbers)}"
        scratch.mkdir()
        setup = setup_for(state.run, self._settings, scratch, self._server.scratch / "promptflow-home")
        child = self._server.fork(with_prompt_flow=state.run.program.kind != "function")
        hand = Hand(child, state, setup, time.monotonic())
        self._selector.register(child.connection, selectors.EVENT_READ, hand)
        self._hands.append(hand)
        state.started_at = state.started_at or hand.started
        hand.begin()
        self._watch(hand)

    # Rows.

    def _dispatch(self) -> float:
        """Start as many rows as may be in flight; give the seconds until another may start."""
        now = time.monotonic()
        wait = 60.0
        hands = [hand for hand in self._hands if hand.ready and not hand.draining and not hand.aggregating]
        while hands and self._in_flight < self._settings.concurrency:
            hand = min(hands, key=lambda hand: len(hand.in_flight))
            throttles = self._limits.of(hand.run.run.name)
            pause = max((throttle.wait(now) for throttle in throttles), default=0.0)
            row = self._take_row(hand) if pause <= 0 else None
            if row is None:
                hands.remove(hand)
                wait = min(wait, pause) if pause > 0 else wait
                continue
            hand.start_row(row, now, throttles)
            self._in_flight += 1
            self._watch(hand)
        return wait

    def _take_row(self, hand: Hand) -> PendingRow | None:
        state = hand.run
        hand.alone = bool(state.suspects) and not any(
            other.alone for other in self._working_hands(state) if other is not hand
        )
        if not hand.alone:
            return None if hand.suspect else state.next_row()
        if hand.in_flight:
            return None
        hand.suspect = True
        return state.suspects.popleft()

    # What children say.

    def _receive(self, wait: float) -> None:
        busy = bool(self._in_flight or self._settings.run_timeout or not all(hand.ready for hand in self._hands))
        for key, mask in self._selector.select(min(wait, _TICK_SECONDS if busy else _IDLE_SECONDS)):
            if isinstance(key.data, ForkServer):
                self._hear_server(key.data)
            elif isinstance(key.data, Hand):
                hand = key.data
                if mask & selectors.EVENT_WRITE and hand in self._hands:
                    hand.child.flush()
                    self._watch(hand)
                if mask & selectors.EVENT_READ:
                    self._hear(hand)

    def _watch(self, hand: Hand) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if hand.child.wants_to_write else 0)
        if self._selector.get_key(hand.child.connection).events != events:
            self._selector.modify(hand.child.connection, events, hand)

    def _hear(self, hand: Hand) -> None:
        try:
            for message in hand.child.receive():
                if hand in self._hands:
                    self._handle(hand, message)
        except EOFError:
            if hand in self._hands:
                self._bury(hand)
            elif hand in self._dismissed:
                self._end(hand)

    def _handle(self, hand: Hand, message: Message) -> None:
        match message:
            case RowEnded():
                self._row_ended(hand, message)
            case SlotStarted():
                hand.threads[message.slot] = message
            case Throttled():
                self._throttled(hand, message)
            case Started():
                hand.child.process = message.process
            case Ready():
                hand.ready = True
            case LoadFailed():
                self._fail(hand.run, "failed", RowError("ProgramNotLoaded", f"{message.type}: {message.message}"))
            case Aggregated():
                hand.aggregating, hand.run.aggregating = None, False
                hand.run.aggregated(message)
                self._finish(hand.run)
            case _:
                raise PlatformError(f"A child said {message.kind}, which it never should.")

    def _row_ended(self, hand: Hand, ended: RowEnded) -> None:
        flight = hand.take_row(ended.slot, ended.line)
        if flight is None:
            return
        state = hand.run
        self._land(flight, ended.hosts)
        self._limits.saw(state.run.name, ended.hosts)
        state.end_row(ended)
        if ended.abandoned:
            hand.abandoned += 1
            hand.draining = hand.draining or hand.abandoned >= MOST_ABANDONED
        if hand.draining and not hand.in_flight:
            self._remove(hand)
        now = time.monotonic()
        if now - self._shown.get(state, 0.0) >= _PROGRESS_SECONDS:
            self._shown[state] = now
            self._tell(state, None)

    def _land(self, flight: InFlight, hosts: Mapping[str, tuple[int, int]]) -> None:
        self._in_flight -= 1
        for throttle in flight.throttles:
            throttle.ended(*self._limits.used(throttle, hosts))

    def _throttled(self, hand: Hand, message: Throttled) -> None:
        throttle = self._limits.get(message.host)
        self._limits.saw(hand.run.run.name, [message.host])
        for other in self._hands:
            if self._limits.calls(other.run.run.name, message.host):
                for flight in other.in_flight.values():
                    flight.join(throttle)
        smaller = throttle.throttled(time.monotonic(), message.seconds)
        if message.asked:
            text = f"{message.host} answers 429 and asks to wait {message.asked:g} s: rows that cannot wait fail"
            self._tell(hand.run, text)
        elif smaller:
            text = f"{message.host} answers 429 (too many requests): at most {throttle.window} rows in flight now"
            self._tell(hand.run, text)

    # Children that die, hang, or must go.

    def _hear_server(self, server: ForkServer) -> None:
        if not server.drain_exits():
            raise PlatformError(
                f"The process that starts children ended. {server.log()} The rows that ended are kept: "
                "go on with --resume."
            )

    def _bury(self, hand: Hand) -> None:
        """A child is gone, and nobody sent it away."""
        process = hand.child.process
        code = self._server.exit_code(process, patience=1.0) if process is not None and self._server else None
        how = watchdog.exit_text(code)
        if not hand.ready:
            self._fail(hand.run, "failed", RowError("ProgramNotLoaded", f"While the program loaded, {how}."))
            return
        if hand.aggregating:
            hand.run.fail_as_a_whole(f"Aggregation failed: {how}.")
        self._tell(hand.run, f"a child process was replaced: {how}")
        self._blame(hand, supervision.examine_dead(hand, how))

    def _blame(self, hand: Hand, findings: supervision.Findings) -> None:
        """End the guilty rows; give the others another try, alone where nobody knows who it was."""
        state, now = hand.run, time.monotonic()
        for slot, flight in hand.in_flight.items():
            if (error := findings.guilty.get(slot)) is not None:
                state.fail_row(flight.row, error, now - flight.started)
            elif findings.conclusive:
                state.give_back(flight.row)
            else:
                state.suspects.append(flight.row)
        self._remove(hand)
        state.deaths_in_a_row += 1
        if state.deaths_in_a_row >= _MOST_DEATHS_IN_A_ROW:
            text = f"{state.deaths_in_a_row} child processes died in a row, and no row was completed in between."
            self._fail(state, "failed", RowError("ChildrenKeepDying", text))

    def _remove(self, hand: Hand) -> None:
        """End a child now, whatever it does."""
        self._let_go(hand)
        self._end(hand)

    def _dismiss(self, hand: Hand) -> None:
        """Let a child end by itself."""
        self._let_go(hand)
        hand.dismiss()
        self._dismissed[hand] = time.monotonic() + _END_SECONDS

    def _let_go(self, hand: Hand) -> None:
        for flight in hand.in_flight.values():
            self._land(flight, {})
        hand.in_flight.clear()
        self._hands.remove(hand)

    def _end(self, hand: Hand) -> None:
        self._dismissed.pop(hand, None)
        self._selector.unregister(hand.child.connection)
        hand.end()

    # The clock.

    def _check_clocks(self, now: float) -> None:
        for hand in [*self._hands]:
            if hand in self._hands:
                self._check_hand(hand, now)
        for hand, deadline in [*self._dismissed.items()]:
            if now >= deadline:
                self._end(hand)
        limit = self._settings.run_timeout
        for state in self._states:
            if limit and not state.finished and state.started_at and now - state.started_at >= limit:
                self._fail(state, "timed-out", RowError("RunTimeout", f"The run took longer than {limit:g} seconds."))

    def _check_hand(self, hand: Hand, now: float) -> None:
        if not hand.ready and now - hand.started > _LOAD_SECONDS:
            text = f"The program did not load within {_LOAD_SECONDS:g} seconds."
            self._fail(hand.run, "failed", RowError("ProgramNotLoaded", text))
            return
        limit = self._settings.line_timeout
        if not limit:
            return
        if hand.aggregating and now - hand.aggregating > limit * _AGGREGATION_FACTOR:
            seconds = limit * _AGGREGATION_FACTOR
            hand.run.fail_as_a_whole(f"Aggregation took longer than {seconds:g} seconds (ten times the line time-out).")
            self._remove(hand)
            return
        overdue = []
        for slot, flight in hand.in_flight.items():
            if flight.cancelled is not None and now - flight.cancelled > _GRACE_SECONDS:
                overdue.append(slot)
            elif flight.cancelled is None and now - flight.started > limit:
                hand.cancel(slot, now, limit)
        self._watch(hand)
        if overdue:
            self._tell(hand.run, "a child process no longer answers and is replaced")
            self._blame(hand, supervision.examine_stuck(hand, overdue, limit))

    def _tell(self, state: RunState, note: str | None) -> None:
        totals = state.rows.totals
        self._listener(RunProgress(state.run.name, totals.ended, totals.failed, state.run.row_count, note))

    def _hands_of(self, state: RunState) -> list[Hand]:
        return [hand for hand in self._hands if hand.run is state]

    def _working_hands(self, state: RunState) -> list[Hand]:
        return [hand for hand in self._hands_of(state) if not hand.draining]
