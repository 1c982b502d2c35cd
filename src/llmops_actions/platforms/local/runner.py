"""The local runner: bulk runs on this machine, each in child processes of its own.

One thread, one loop. It reads rows, hands them to children, writes down what they answer, watches the clock, and
replaces children that die or hang. It imports neither prompt flow nor pandas nor openai.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from llmops_actions.errors import InterruptedRunError, PlatformError
from llmops_actions.platforms.local import preloading, watchdog
from llmops_actions.platforms.local.children import ForkServer, shared_fork_server
from llmops_actions.platforms.local.hands import MOST_ABANDONED, Hand, InFlight
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
from llmops_actions.platforms.local.setup import ChildSetup
from llmops_actions.platforms.local.throttle import Throttle
from llmops_actions.platforms.ports import (
    BulkRun,
    Connection,
    Program,
    ProgressListener,
    RunProgress,
    RunResult,
    RunSettings,
)

ROWS_FOR_ANOTHER_CHILD = 200
"""Rows that must be left before a run gets one more child."""

_LOAD_TIMEOUT = 300.0
_GRACE = 5.0
"""Seconds that a child has to end a row whose time is up, before it counts as stuck."""
_MOST_DEATHS_IN_A_ROW = 10
_PROGRESS_INTERVAL = 0.1
_TICK = 0.1


class LocalRunner:
    """The ``Runner`` of this machine."""

    def prepare(self) -> None:
        """Start importing prompt flow in the background: the first run then need not wait for it."""
        shared_fork_server().preload()

    def run(self, runs: Sequence[BulkRun], settings: RunSettings, listener: ProgressListener) -> Sequence[RunResult]:
        """Run all of ``runs``; see ``Runner.run``."""
        if not runs:
            return []
        with _Stopper() as stopper:
            session = _Session(runs, settings, listener, stopper)
            try:
                return session.run()
            finally:
                session.close()


class _Session:
    """One call of ``run``."""

    def __init__(
        self, runs: Sequence[BulkRun], settings: RunSettings, listener: ProgressListener, stopper: _Stopper
    ) -> None:
        self._settings = settings
        self._listener = listener
        self._stopper = stopper
        self._selector = selectors.DefaultSelector()
        self._selector.register(stopper.wake_up, selectors.EVENT_READ, None)
        self._processes = settings.processes or os.cpu_count() or 1
        self._folder = Path(tempfile.mkdtemp(prefix="llmops-run-"))
        self._numbers = itertools.count()
        self._server: ForkServer | None = None
        self._hands: list[Hand] = []
        self._throttles: dict[str, Throttle] = {}
        self._hosts: dict[str, set[str]] = {}
        self._results: dict[str, RunResult] = {}
        self._next_rows: dict[str, PendingRow] = {}
        self._shown: dict[str, float] = {}
        self._next_check = 0.0
        self._in_flight = 0
        names = [run.name for run in runs]
        if len(set(names)) != len(names):
            raise PlatformError(f"Two bulk runs have the same name: {sorted(names)}")
        self._states: list[RunState] = []
        for number, run in enumerate(runs):
            self._states.append(RunState(run, settings, self._folder / f"aggregation-{number}"))

    def run(self) -> list[RunResult]:
        """Work until every run has its result."""
        for state in self._states:
            self._hosts[state.run.name] = set(_limited_hosts(state.run.connections))
            for host, connection in _limited_hosts(state.run.connections).items():
                self._throttles.setdefault(
                    host,
                    Throttle(self._settings.concurrency, connection.requests_per_minute, connection.tokens_per_minute),
                )
        while True:
            self._settle()
            if len(self._results) == len(self._states):
                return [self._results[state.run.name] for state in self._states]
            self._admit()
            wait = self._dispatch()
            self._receive(wait)
            self._stopper.check()
            if (now := time.monotonic()) >= self._next_check:
                self._next_check = now + _TICK
                self._check_clocks(now)

    def close(self) -> None:
        """Leave nothing behind: no child, no open file."""
        for hand in [*self._hands]:
            self._remove(hand, by_force=True)
        for state in self._states:
            state.close()
        self._selector.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    # Which run gets a child.

    def _settle(self) -> None:
        """Finish the runs that have nothing left, or let them aggregate."""
        for state in self._states:
            if state.finished or self._has_rows(state) or any(hand.in_flight for hand in self._hands_of(state)):
                continue
            if state.needs_aggregation:
                self._aggregate(state)
            elif not state.aggregating:
                self._finish(state)

    def _aggregate(self, state: RunState) -> None:
        if state.aggregating:
            return
        hand = next((hand for hand in self._hands_of(state) if hand.ready and not hand.draining), None)
        if hand is not None:
            state.aggregating = hand.aggregating = True
            hand.send(Aggregate(str(state.spool), str(state.private)))

    def _finish(self, state: RunState) -> None:
        for hand in self._hands_of(state):
            self._remove(hand, by_force=False)
        self._results[state.run.name] = state.finish()
        for note in state.outcome.notes:
            self._note(state, note)
        self._show(state, force=True)

    def _admit(self) -> None:
        """Start children: one for each run in turn, then more for runs with many rows left."""
        at_work = sum(not hand.draining for hand in self._hands)
        for state in self._states:
            if at_work >= self._processes:
                return
            if not state.finished and not self._working_hands(state) and self._wants_child(state):
                self._start_child(state)
                at_work += 1
        while at_work < self._processes:
            rows_left = {
                state.run.name: state.left / (len(self._working_hands(state)) + 1)
                for state in self._states
                if not state.finished and not state.suspects and self._has_rows(state)
            }
            best = max(self._states, key=lambda state: rows_left.get(state.run.name, 0.0))
            if rows_left.get(best.run.name, 0.0) * 2 < ROWS_FOR_ANOTHER_CHILD:
                return
            self._start_child(best)
            at_work += 1

    def _wants_child(self, state: RunState) -> bool:
        return self._has_rows(state) or (state.needs_aggregation and not state.aggregating)

    def _start_child(self, state: RunState) -> None:
        server = self._fork_server()
        run = state.run
        scratch = self._folder / f"child-{next(self._numbers)}"
        scratch.mkdir()
        home = server.scratch / "promptflow-home"
        of_definition = run.program.definition.get("environment_variables")
        setup = ChildSetup(
            run_name=run.name,
            program=_plain_program(run.program),
            connections=dict(run.connections),
            environment={
                **os.environ,
                **preloading.quiet_environment(home),
                **{str(key): str(value) for key, value in _mapping(of_definition).items()},
                **run.environment,
            },
            import_path=tuple(str(Path(entry or ".").absolute()) for entry in sys.path),
            scratch=scratch,
            log=run.folder.absolute() / "log.txt",
            line_timeout=self._settings.line_timeout,
            attempts=self._settings.attempts,
            prices=self._settings.prices,
        )
        child = server.fork(with_prompt_flow=run.program.kind != "function")
        hand = Hand(child, state, setup, time.monotonic(), alone=self._needs_suspects_run(state))
        self._selector.register(child.connection, selectors.EVENT_READ, hand)
        self._hands.append(hand)
        state.started_at = state.started_at or hand.started
        hand.begin()

    def _needs_suspects_run(self, state: RunState) -> bool:
        return bool(state.suspects) and not any(hand.alone for hand in self._working_hands(state))

    def _fork_server(self) -> ForkServer:
        if self._server is None or not self._server.alive:
            self._server = shared_fork_server()
            self._selector.register(self._server.control, selectors.EVENT_READ, self._server)
        return self._server

    # Rows.

    def _has_rows(self, state: RunState) -> bool:
        return bool(state.suspects) or self._peek(state) is not None

    def _peek(self, state: RunState) -> PendingRow | None:
        name = state.run.name
        if name not in self._next_rows and (row := state.next_row()) is not None:
            self._next_rows[name] = row
        return self._next_rows.get(name)

    def _take_row(self, hand: Hand) -> PendingRow | None:
        if hand.alone:
            if hand.run.suspects:
                return None if hand.in_flight else hand.run.suspects.popleft()
            if hand.in_flight:
                return None
            hand.alone = False
        self._peek(hand.run)
        return self._next_rows.pop(hand.run.run.name, None)

    def _dispatch(self) -> float:
        """Start as many rows as may be in flight; seconds until another may start."""
        now = time.monotonic()
        wait = 60.0
        hands = [hand for hand in self._hands if hand.ready and not hand.draining and not hand.aggregating]
        while hands and self._in_flight < self._settings.concurrency:
            hand = min(hands, key=lambda hand: len(hand.in_flight))
            throttles = self._throttles_of(hand.run)
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

    def _throttles_of(self, state: RunState) -> tuple[Throttle, ...]:
        hosts = self._hosts[state.run.name]
        return tuple(self._throttles[host] for host in hosts if host in self._throttles)

    # What children say.

    def _receive(self, wait: float) -> None:
        busy = self._in_flight or any(not hand.ready for hand in self._hands) or self._settings.run_timeout
        for key, mask in self._selector.select(min(wait, _TICK if busy else 1.0)):
            if isinstance(key.data, ForkServer):
                self._hear_server(key.data)
            elif isinstance(key.data, Hand) and key.data in self._hands:
                if mask & selectors.EVENT_WRITE:
                    key.data.child.flush()
                    self._watch(key.data)
                if mask & selectors.EVENT_READ:
                    self._hear(key.data)

    def _watch(self, hand: Hand) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if hand.child.wants_to_write else 0)
        if self._selector.get_key(hand.child.connection).events != events:
            self._selector.modify(hand.child.connection, events, hand)

    def _hear(self, hand: Hand) -> None:
        try:
            for message in hand.child.receive():
                self._handle(hand, message)
                if hand not in self._hands:
                    return
        except EOFError:
            self._bury(hand)

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
                self._load_failed(hand.run, RowError("ProgramNotLoaded", f"{message.type}: {message.message}"))
            case Aggregated():
                hand.aggregating = hand.run.aggregating = False
                hand.run.aggregated(message)
                self._finish(hand.run)
            case _:
                raise PlatformError(f"A child said {message.kind}, which it never should.")

    def _row_ended(self, hand: Hand, ended: RowEnded) -> None:
        flight = hand.take_row(ended.slot, ended.line)
        if flight is None:
            return
        self._land(flight, ended.hosts)
        state = hand.run
        for host in ended.hosts:
            self._hosts[state.run.name].add(host)
        state.end_row(ended)
        if ended.abandoned:
            hand.abandoned += 1
            hand.draining = hand.draining or hand.abandoned >= MOST_ABANDONED
        if hand.draining and not hand.in_flight:
            self._remove(hand, by_force=True)
        self._show(state)

    def _land(self, flight: InFlight, hosts: Mapping[str, tuple[int, int]]) -> None:
        self._in_flight -= 1
        by_throttle = {id(self._throttles[host]): used for host, used in hosts.items() if host in self._throttles}
        for throttle in flight.throttles:
            calls, tokens = by_throttle.get(id(throttle), (0, 0))
            throttle.ended(calls, tokens)

    def _throttled(self, hand: Hand, message: Throttled) -> None:
        throttle = self._throttles.get(message.host)
        if throttle is None:
            throttle = self._throttles[message.host] = Throttle(self._settings.concurrency)
        if message.host not in self._hosts[hand.run.run.name]:
            self._hosts[hand.run.run.name].add(message.host)
        for other in self._hands:
            if message.host in self._hosts[other.run.run.name]:
                for flight in other.in_flight.values():
                    if throttle not in flight.throttles:
                        flight.throttles = (*flight.throttles, throttle)
                        throttle.in_flight += 1
        if throttle.throttled(time.monotonic(), message.seconds):
            self._note(
                hand.run,
                f"{message.host} answers 429 (too many requests): {throttle.window} rows in flight from now on",
            )

    def _load_failed(self, state: RunState, error: RowError) -> None:
        if (row := self._next_rows.pop(state.run.name, None)) is not None:
            state.give_back(row)
        state.fail_rest("failed", error)
        self._end_flights(state, error)
        self._finish(state)

    def _end_flights(self, state: RunState, error: RowError) -> None:
        for hand in self._hands_of(state):
            for flight in hand.in_flight.values():
                state.fail_row(flight.row, error, time.monotonic() - flight.started)

    # Children that die, hang, or must go.

    def _hear_server(self, server: ForkServer) -> None:
        if server.drain_exits():
            return
        self._selector.unregister(server.control)
        if server is self._server:
            self._server = None
        log = server.log()
        for hand in [*self._hands]:
            self._give_rows_back(hand)
            self._remove(hand, by_force=True)
        raise PlatformError(
            f"The process that starts children ended. {log} Rows that ended are kept; resume with --resume.".strip()
        )

    def _bury(self, hand: Hand) -> None:
        """A child is gone, and nobody sent it away."""
        code = None
        if hand.child.process is not None and self._server is not None:
            code = self._server.exit_code(hand.child.process, patience=1.0)
        how = watchdog.exit_text(code)
        stacks = watchdog.parse_stacks(watchdog.read_stacks(hand.stacks))
        crashed = {stack.thread: stack for stack in stacks if stack.current}
        guilty = {
            slot: watchdog.where(crashed[thread.thread], Path(hand.run.run.program.folder))
            for slot, thread in hand.threads.items()
            if thread.thread in crashed and slot in hand.in_flight
        }
        if not hand.ready:
            self._load_failed(hand.run, RowError("ProgramNotLoaded", f"While the program loaded, {how}."))
            return
        if hand.aggregating:
            hand.run.aggregating = False
            hand.run.fail_as_a_whole(f"Aggregation failed: {how}.")
        self._blame(hand, guilty, "ChildDied", f"While this row ran, {how}")

    def _stuck(self, hand: Hand, overdue: list[int]) -> None:
        """A child does not answer: find out which row holds it up."""
        text = watchdog.dump_stacks(hand.stacks, hand.child.signal)
        stacks = {stack.thread: stack for stack in watchdog.parse_stacks(text)}
        natives = {hand.threads[slot].native: slot for slot in hand.in_flight if slot in hand.threads}
        busy = watchdog.busy_threads(hand.child.process or 0, natives)
        slots = [natives[native] for native in busy]
        if not slots and len(overdue) == len(hand.in_flight) == 1:
            slots = overdue
        folder = Path(hand.run.run.program.folder)
        guilty: dict[int, str | None] = {}
        for slot in slots:
            stack = stacks.get(hand.threads[slot].thread) if slot in hand.threads else None
            guilty[slot] = watchdog.where(stack, folder) if stack else None
        seconds = self._settings.line_timeout
        self._note(hand.run, "a child process no longer answered and was replaced")
        self._blame(
            hand, guilty, "LineTimeout", f"The row took longer than {seconds:g} seconds and held up its process"
        )

    def _blame(self, hand: Hand, guilty: Mapping[int, str | None], kind: str, text: str) -> None:
        """End the guilty rows; give the others another try, alone where nobody knows who it was."""
        state, now = hand.run, time.monotonic()
        known = bool(guilty) or len(hand.in_flight) == 1
        for slot, flight in [*hand.in_flight.items()]:
            if slot in guilty or len(hand.in_flight) == 1:
                place = guilty.get(slot)
                message = f"{text}; it was at {place}." if place else f"{text}."
                state.fail_row(flight.row, RowError(kind, message), now - flight.started)
            else:
                again = PendingRow(flight.row.line, flight.row.key, flight.row.inputs, flight.row.deaths + 1)
                if known and again.deaths < 2:
                    state.give_back(again)
                else:
                    state.suspects.append(again)
        state.deaths_in_a_row += 1
        self._remove(hand, by_force=True)
        if state.suspects:
            for other in self._working_hands(state):
                other.draining = other.draining or not other.in_flight
        if state.deaths_in_a_row >= _MOST_DEATHS_IN_A_ROW:
            self._load_failed(
                state, RowError("ChildrenKeepDying", f"{state.deaths_in_a_row} child processes died in a row: {text}.")
            )

    def _give_rows_back(self, hand: Hand) -> None:
        for flight in hand.in_flight.values():
            hand.run.give_back(flight.row)

    def _remove(self, hand: Hand, by_force: bool) -> None:
        if hand not in self._hands:
            return
        for flight in hand.in_flight.values():
            self._land(flight, {})
        hand.in_flight.clear()
        self._hands.remove(hand)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(hand.child.connection)
        hand.end(by_force)

    # The clock.

    def _check_clocks(self, now: float) -> None:
        for hand in [*self._hands]:
            if hand in self._hands:
                self._check_hand(hand, now)
        limit = self._settings.run_timeout
        for state in self._states:
            if limit and not state.finished and state.started_at and now - state.started_at >= limit:
                self._time_is_up(state, limit)

    def _check_hand(self, hand: Hand, now: float) -> None:
        if not hand.ready and now - hand.started > _LOAD_TIMEOUT:
            self._load_failed(
                hand.run, RowError("ProgramNotLoaded", f"It did not load within {_LOAD_TIMEOUT:g} seconds.")
            )
            return
        limit = self._settings.line_timeout
        if not limit:
            return
        overdue = []
        for slot, flight in hand.in_flight.items():
            if flight.cancelled is not None:
                if now - flight.cancelled > _GRACE:
                    overdue.append(slot)
            elif now - flight.started > limit:
                hand.cancel(slot, now, limit)
        self._watch(hand)
        if overdue:
            self._stuck(hand, overdue)

    def _time_is_up(self, state: RunState, limit: float) -> None:
        error = RowError("RunTimeout", f"The run took longer than {limit:g} seconds.")
        if (row := self._next_rows.pop(state.run.name, None)) is not None:
            state.give_back(row)
        self._end_flights(state, error)
        state.fail_rest("timed-out", error)
        self._finish(state)

    # What the listener hears.

    def _show(self, state: RunState, force: bool = False) -> None:
        now = time.monotonic()
        if force or now - self._shown.get(state.run.name, 0.0) >= _PROGRESS_INTERVAL:
            self._shown[state.run.name] = now
            self._tell(state, None)

    def _note(self, state: RunState, note: str) -> None:
        self._tell(state, note)

    def _tell(self, state: RunState, note: str | None) -> None:
        totals = state.rows.totals
        self._listener(RunProgress(state.run.name, totals.ended, totals.failed, state.run.row_count, note))

    def _hands_of(self, state: RunState) -> list[Hand]:
        return [hand for hand in self._hands if hand.run is state]

    def _working_hands(self, state: RunState) -> list[Hand]:
        return [hand for hand in self._hands_of(state) if not hand.draining]


class _Stopper:
    """Turns Ctrl-C and SIGTERM into a word that the loop hears between two steps; a second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self.wake_up, self._write = socket.socketpair()
        self.wake_up.setblocking(False)
        self._write.setblocking(False)
        self._signal: int | None = None
        self._before: dict[int, Any] = {}
        self._wake_up_before = -1

    def __enter__(self) -> _Stopper:
        if threading.current_thread() is threading.main_thread():
            self._wake_up_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self._wake_up_before)
        self.wake_up.close()
        self._write.close()

    def check(self) -> None:
        """Raise if someone wants it to stop.

        Raises:
            InterruptedRunError: then.
        """
        with contextlib.suppress(BlockingIOError):
            self.wake_up.recv(1024)
        if self._signal is not None:
            name = signal.Signals(self._signal).name
            raise InterruptedRunError(f"Stopped by {name}. What ended is kept: go on with --resume.")

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number


def _limited_hosts(connections: Mapping[str, Connection]) -> dict[str, Connection]:
    """The hosts of the connections with a known limit; of two connections to one host, the tighter one counts."""
    hosts: dict[str, Connection] = {}
    for connection in connections.values():
        limit = connection.requests_per_minute or connection.tokens_per_minute
        if not limit:
            continue
        address = connection.configs.get("api_base") or connection.configs.get("base_url") or "https://api.openai.com"
        host = urlsplit(address).hostname or address
        known = hosts.get(host)
        if known is None or (connection.requests_per_minute or 0) < (known.requests_per_minute or 0):
            hosts[host] = connection
    return hosts


def _plain_program(program: Program) -> Program:
    """``program`` with absolute paths, and nothing inside that only this process knows."""
    return Program(
        kind=program.kind,
        folder=program.folder.absolute(),
        file=program.file,
        definition=_plain(program.definition),
        init=_plain(program.init),
        includes=tuple(path.absolute() for path in program.includes),
        functions=program.functions,
        aggregates=program.aggregates,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
