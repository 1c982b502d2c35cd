"""A child process: loads one run's program and runs rows in threads until the parent says stop, or is gone.

The main thread reads the parent's socket; every row runs in a thread of its own slot. The process ends by
``os._exit``: a thread that hangs cannot keep it alive.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import faulthandler
import gc
import json
import os
import pickle
import queue
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from llmops_actions.platforms.local import aggregation, user_frames
from llmops_actions.platforms.local.executors.protocol import Executor, LineOutput, NodeFailedError, ProgramError
from llmops_actions.platforms.local.late_imports import after_import
from llmops_actions.platforms.local.messages import (
    Aggregate,
    Aggregated,
    CancelRow,
    Decoder,
    LoadFailed,
    Message,
    Ready,
    RowEnded,
    RunRow,
    Setup,
    SlotStarted,
    Started,
    Stop,
    Throttled,
    encode,
)
from llmops_actions.platforms.local.metering import Meter, RowAbandonedError, follow_threads, use_meter
from llmops_actions.platforms.local.output_log import redirect_output
from llmops_actions.platforms.local.records import RowError, RowRecord
from llmops_actions.platforms.local.redaction import Redactor, redactor_of
from llmops_actions.platforms.local.setup import ChildSetup
from llmops_actions.platforms.local.user_errors import describe, innermost
from llmops_actions.platforms.local.worker_files import STACKS_FILE

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def run(connection: socket.socket) -> int:
    """Serve the parent behind ``connection``; the process's exit code."""
    _die_with_fork_server()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    link = _Link(connection)
    link.send(Started(os.getpid()))
    messages = link.messages()
    setup_message = next(messages, None)
    if not isinstance(setup_message, Setup):
        return 0
    setup: ChildSetup = pickle.loads(setup_message.payload)  # noqa: S301 - from our own parent
    redactor = redactor_of(setup.connections, setup.environment)
    _prepare_process(setup, redactor)
    try:
        executor = _load(setup, link)
    except BaseException as error:  # noqa: BLE001 - the parent is told
        traceback.print_exc()
        cause = innermost(error)
        link.send(LoadFailed(type(cause).__name__, redactor.text(describe(cause, setup.program.folder))))
        next(messages, None)
        return 0
    gc.collect()
    gc.freeze()
    link.send(Ready())
    worker = _Worker(setup, executor, link, redactor)
    for message in messages:
        if isinstance(message, Stop):
            break
        worker.handle(message)
    return 0


class _Link:
    """The socket to the parent. Any thread may send; when the parent is gone, so are we."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        data = encode(message)
        try:
            with self._lock:
                self._connection.sendall(data)
        except OSError:
            _die()

    def messages(self) -> Iterator[Message]:
        decoder = Decoder()
        while True:
            try:
                data = self._connection.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                _die()
            yield from decoder.feed(data)


def _die() -> NoReturn:
    """The parent is gone: end, with everything that user code started."""
    from llmops_actions.platforms.local.fork_server import save_coverage

    save_coverage()
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


class _Row:
    """A row under way."""

    def __init__(self, message: RunRow, setup: ChildSetup, redactor: Redactor) -> None:
        self.message = message
        self.started = time.monotonic()
        self.meter = Meter(self.started + setup.line_timeout if setup.line_timeout else None)
        self._prices = setup.prices
        self._redactor = redactor

    def record(self, outputs: Mapping[str, Any] | None, error: RowError | None) -> bytes:
        """The row's record, without secrets.

        Raises:
            NotJsonError: the outputs are not JSON.
        """
        encoded = self._encode(outputs, error)
        if outputs is None or not self._redactor.is_in(encoded):
            return encoded
        return self._encode({name: self._redactor.value(value) for name, value in outputs.items()}, error)

    def _encode(self, outputs: Mapping[str, Any] | None, error: RowError | None) -> bytes:
        record = RowRecord(
            line=self.message.line,
            key=self.message.key,
            inputs=self.message.payload,
            outputs=outputs,
            error=error,
            usage=dict(self.meter.usage),
            cost=self.meter.cost(self._prices),
            duration=time.monotonic() - self.started,
            attempts=self.meter.attempts,
        )
        try:
            return record.encode()
        except (TypeError, ValueError, RecursionError) as problem:
            raise NotJsonError(outputs or {}, problem) from problem

    def ended(self, record: bytes, failed: bool) -> RowEnded:
        """What the parent is told."""
        return RowEnded(
            slot=self.message.slot,
            line=self.message.line,
            failed=failed,
            usage=dict(self.meter.usage),
            hosts=dict(self.meter.hosts),
            attempts=self.meter.attempts,
            duration=time.monotonic() - self.started,
            record_size=len(record),
            payload=record,
        )


class _Slot:
    """One worker thread, and the row that it runs."""

    def __init__(self) -> None:
        self.rows: queue.SimpleQueue[RunRow | None] = queue.SimpleQueue()
        self.row: _Row | None = None
        self.thread: threading.Thread | None = None


class _Worker:
    """Runs rows. ``handle`` is called by the main thread only."""

    def __init__(self, setup: ChildSetup, executor: Executor, link: _Link, redactor: Redactor) -> None:
        self._setup = setup
        self._redactor = redactor
        self._executor = executor
        self._link = link
        self._slots: dict[int, _Slot] = {}
        self._lock = threading.Lock()

    def handle(self, message: Message) -> None:
        if isinstance(message, RunRow):
            slot = self._slots.get(message.slot) or self._open_slot(message.slot)
            slot.rows.put(message)
        elif isinstance(message, CancelRow):
            self._cancel(message)
        elif isinstance(message, Aggregate):
            threading.Thread(target=self._aggregate, args=(message,), daemon=True).start()

    def _open_slot(self, number: int) -> _Slot:
        slot = _Slot()
        self._slots[number] = slot
        slot.thread = threading.Thread(target=self._work, args=(number, slot), daemon=True, name=f"row-{number}")
        slot.thread.start()
        return slot

    def _work(self, number: int, slot: _Slot) -> None:
        self._link.send(SlotStarted(number, threading.get_ident(), threading.get_native_id()))
        while (message := slot.rows.get()) is not None:
            row = _Row(message, self._setup, self._redactor)
            slot.row = row
            try:
                ended = self._run(row)
            except RowAbandonedError:
                return
            with self._lock:
                if row.meter.abandoned:
                    return
                slot.row = None
            self._link.send(ended)

    def _run(self, row: _Row) -> RowEnded:
        try:
            output = contextvars.copy_context().run(self._execute, row)
            kept, kept_as = self._pack(output.aggregation)
            ended = row.ended(row.record(output.outputs, None), failed=False)
            return replace(ended, aggregation=kept_as, payload=ended.payload + kept) if kept else ended
        except RowAbandonedError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a row raises is its error
            return row.ended(row.record(None, self._explain(error)), failed=True)

    def _pack(self, value: Any) -> tuple[bytes, str]:
        """What aggregation needs. What is spooled as JSON lies beside the rows: no secrets there."""
        kept, kept_as = aggregation.pack(value)
        if kept_as == "json" and self._redactor.is_in(kept):
            return aggregation.pack(self._redactor.value(value))
        return kept, kept_as

    def _execute(self, row: _Row) -> LineOutput:
        use_meter(row.meter)
        return self._executor.execute(json.loads(row.message.payload), row.message.line, row.meter)

    def _explain(self, error: BaseException) -> RowError:
        node = None
        if isinstance(error, NodeFailedError):
            node, error = error.node, error.cause
        if isinstance(error, NotJsonError):
            return RowError("OutputNotJson", self._redactor.text(str(error)), node)
        cause = innermost(error)
        return RowError(type(cause).__name__, self._redactor.text(describe(cause, Path.cwd())), node)

    def _cancel(self, message: CancelRow) -> None:
        """End the row as failed, saying where it hangs, and leave its thread to itself."""
        slot = self._slots.get(message.slot)
        if slot is None:
            return
        with self._lock:
            row, thread = slot.row, slot.thread
            if row is None or row.message.line != message.line or thread is None:
                return
            row.meter.abandoned = True
            slot.row = None
        del self._slots[message.slot]
        running = dict(row.meter.nodes)
        node, threads = next(iter(running), None), [*running.values(), thread.ident or 0]
        where = user_frames.where_threads_are(threads, Path.cwd())
        text = f"The row took longer than {message.seconds:g} seconds"
        text += f" in node {node}" if node else ""
        text += f"; it hung at {where}" if where else ""
        error = RowError("LineTimeout", text, node)
        self._link.send(replace(row.ended(row.record(None, error), failed=True), abandoned=True))
        for identifier in threads:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(identifier), ctypes.py_object(RowAbandonedError))

    def _aggregate(self, message: Aggregate) -> None:
        meter = Meter()
        use_meter(meter)
        metrics: dict[str, float] = {}
        notes: list[str] = []
        problem = None
        try:
            rows = aggregation.read(Path(message.spool), Path(message.private))
            metrics, notes = aggregation.finite_metrics(self._executor.aggregate(rows).values)
        except BaseException as error:  # noqa: BLE001 - the parent is told
            traceback.print_exc()
            explained = self._explain(error)
            problem = f"{explained.type}: {explained.message}"
        self._link.send(Aggregated(metrics, notes, dict(meter.usage), meter.attempts, problem))


class NotJsonError(Exception):
    """The outputs of a row are not JSON; says which, and why."""

    def __init__(self, outputs: Mapping[str, Any], problem: Exception) -> None:
        for name, value in outputs.items():
            try:
                json.dumps({name: value}, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as error:
                super().__init__(f"Output {name!r} is not JSON: {error}")
                return
        super().__init__(f"The outputs are not JSON: {problem}")


def _load(setup: ChildSetup, link: _Link) -> Executor:
    from llmops_actions.platforms.local.executors.loading import load

    follow_threads()
    if setup.program.kind != "function":
        import openai  # noqa: F401 - the fork server has it already
    after_import("openai", lambda: _install_model_calls(setup, link))
    return load(setup)


def _install_model_calls(setup: ChildSetup, link: _Link) -> None:
    from llmops_actions.platforms.local import model_calls

    gates = model_calls.HostGates(lambda host, seconds, asked: link.send(Throttled(host, seconds, asked)))
    model_calls.install(model_calls.CallPolicy(setup.attempts, setup.call_timeout, setup.prices, gates))
    model_calls.share_http_clients()


def _prepare_process(setup: ChildSetup, redactor: Redactor) -> None:
    """Make this process the run's own: environment, imports, output, and a way to see where it hangs."""
    os.environ.clear()
    os.environ.update(setup.environment)
    sys.path[:] = [entry for entry in setup.import_path if entry]
    sys.argv[:] = [""]
    stacks = (setup.scratch / STACKS_FILE).open("w")
    faulthandler.enable(stacks, all_threads=True)
    faulthandler.register(signal.SIGUSR1, stacks, all_threads=True, chain=False)
    redirect_output(setup.log, redactor)
    _refuse_to_end()


def _refuse_to_end() -> None:
    """Turn ``os._exit`` in a row into an error of that row: it would take the other rows with it."""
    end, process = os._exit, os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() == process and threading.current_thread() is not threading.main_thread():
            raise ProgramError(f"the row called os._exit({status})")
        end(status)

    os._exit = refuse


def _die_with_fork_server() -> None:
    """Ask Linux to kill this process when the fork server ends, however that happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
