"""The fallback runner: prompt flow's own process pool, for flows that are not safe in threads.

Slow and hungry, but the reference: the local runner must give the same outputs and metrics. Prompt flow does not
tell attempts and usage of model calls: they stay zero, and the cost is not known. Nothing is retried but by prompt flow
itself, and requests per minute are not observed. A run that aggregates starts anew on ``resume``: the pool adds up only
what it ran itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from llmops_actions.platforms.local import watchdog
from llmops_actions.platforms.local.children import Child, shared_fork_server
from llmops_actions.platforms.local.interruption import Interruption
from llmops_actions.platforms.local.messages import Aggregated, LoadFailed, Message, RowEnded, RunRow, Setup, Stop
from llmops_actions.platforms.local.records import RowError
from llmops_actions.platforms.local.redaction import redactor_of
from llmops_actions.platforms.local.run_state import PendingRow, RunState
from llmops_actions.platforms.local.runner import LocalRunner
from llmops_actions.platforms.local.setup import setup_for
from llmops_actions.platforms.local.user_environment import child_environment
from llmops_actions.platforms.ports import BulkRun, ProgressListener, RunProgress, RunResult, RunSettings

_START = (
    "import sys; sys.path.insert(0, sys.argv[2]);"
    "from llmops_actions.platforms.local.promptflow_pool_child import serve; serve(int(sys.argv[1]))"
)
_TICK_SECONDS = 0.5
_EXIT_SECONDS = 10.0
_LONGEST_LAST_WORDS = 1_000


class PromptFlowPoolRunner:
    """The ``Runner`` that leaves all work to prompt flow, one run after another."""

    def prepare(self) -> None:
        """Nothing: the pool starts with its run."""

    def run(self, runs: Sequence[BulkRun], settings: RunSettings, listener: ProgressListener) -> Sequence[RunResult]:
        """Run all of ``runs``; see ``Runner.run``. Python functions are no prompt flow: the local runner runs them."""
        return [self._run_one(run, settings, listener) for run in runs]

    def _run_one(self, run: BulkRun, settings: RunSettings, listener: ProgressListener) -> RunResult:
        if run.program.kind == "function":
            return LocalRunner().run([run], settings, listener)[0]
        if run.program.aggregates:
            settings = replace(settings, resume=False)
        folder = Path(tempfile.mkdtemp(prefix="llmops-pool-"))
        shared_fork_server().adopt(folder)
        try:
            with Interruption() as interruption:
                return _Pool(run, settings, listener, folder).run(interruption)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Pool:
    """One run in prompt flow's pool."""

    def __init__(self, run: BulkRun, settings: RunSettings, listener: ProgressListener, folder: Path) -> None:
        self._state = RunState(run, settings, folder / "aggregation")
        self._settings = settings
        self._listener = listener
        self._folder = folder
        self._errors = folder / "errors.txt"
        self._rows: dict[int, PendingRow] = {}

    def run(self, interruption: Interruption) -> RunResult:
        """Run what is left, and wait for its end."""
        while (row := self._state.next_row()) is not None:
            self._rows[row.line] = row
        try:
            if self._rows or self._state.needs_aggregation:
                self._in_process(interruption)
            return replace(self._state.finish(), cost=None)
        finally:
            self._state.close()
            self._tell()

    def _in_process(self, interruption: Interruption) -> None:
        ours, theirs = socket.socketpair()
        with theirs, self._errors.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), str(Path(__file__).parents[3])],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=child_environment(os.environ),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        child = Child(ours)
        child.process = process.pid
        try:
            self._talk(child, interruption)
            process.wait(timeout=_EXIT_SECONDS)
        except EOFError:
            process.wait(timeout=_EXIT_SECONDS)
            self._fail_rest(
                "ChildDied", f"While the pool ran, {watchdog.exit_text(process.returncode)}.{self._last_words()}"
            )
        except subprocess.TimeoutExpired:
            self._state.outcome.notes.append("prompt flow's pool did not end by itself")
        finally:
            child.kill()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _last_words(self) -> str:
        """Where a fatal error happened, or else the end of what the dead process wrote to its standard error."""
        run = self._state.run
        text = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        for stack in watchdog.parse_stacks(text):
            if stack.current and (place := watchdog.where(stack, run.program.folder.absolute())):
                return f" It was at {place}."
        tail = redactor_of(run.connections, run.environment).text(text)[-_LONGEST_LAST_WORDS:]
        return f" {tail}" if tail else ""

    def _talk(self, child: Child, interruption: Interruption) -> None:
        run = self._state.run
        setup = setup_for(run, self._settings, self._folder, self._folder / "promptflow-home")
        child.send(Setup(payload=pickle.dumps((setup, self._settings.concurrency, self._settings.run_timeout))))
        for row in self._rows.values():
            child.send(RunRow(0, row.line, row.key, payload=row.inputs))
        child.send(Stop())
        started = self._state.started_at = time.monotonic()
        limit = self._settings.run_timeout
        with selectors.DefaultSelector() as selector:
            selector.register(interruption.wake_up, selectors.EVENT_READ)
            selector.register(child.connection, selectors.EVENT_READ)
            while True:
                writing = selectors.EVENT_WRITE if child.wants_to_write else 0
                selector.modify(child.connection, selectors.EVENT_READ | writing)
                selector.select(_TICK_SECONDS)
                interruption.check()
                child.flush()
                last = False
                for message in child.receive():
                    last = self._take(message) or last
                if last:
                    return
                if limit and time.monotonic() - started > limit:
                    self._fail_rest("RunTimeout", f"The run took longer than {limit:g} seconds.")
                    return

    def _take(self, message: Message) -> bool:
        """Take a message; whether it is the last."""
        if isinstance(message, RowEnded):
            self._state.end_row(message)
            self._rows.pop(message.line, None)
            self._tell()
            return False
        if isinstance(message, LoadFailed):
            self._fail_rest("ProgramNotLoaded", f"{message.type}: {message.message}")
        elif isinstance(message, Aggregated):
            self._state.aggregated(message)
            error = RowError("NoResult", "Prompt flow gave no result for this row.")
            for row in self._rows.values():
                self._state.fail_row(row, error)
        return True

    def _fail_rest(self, kind: str, text: str) -> None:
        for row in self._rows.values():
            self._state.give_back(row)
        self._rows.clear()
        self._state.fail_rest("timed-out" if kind == "RunTimeout" else "failed", RowError(kind, text))

    def _tell(self) -> None:
        totals, run = self._state.rows.totals, self._state.run
        self._listener(RunProgress(run.name, totals.ended, totals.failed, run.row_count))
