"""Child processes of a check: with a time-out, without a shell, their output kept only up to a bound."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from llmops_actions.errors import InterruptedRunError

MOST_OUTPUT = 20_000
"""Bytes of output that are kept: the last ones."""
_PATIENCE = 2.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Ended:
    """How a child ended. ``code`` is ``None`` when its time was up; ``output`` the end of what it printed."""

    code: int | None
    output: str


@dataclass
class ChildProcesses:
    """Runs children, from any thread. Leaving it as a context manager kills those that still run."""

    _running: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def __enter__(self) -> ChildProcesses:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill_group(process)

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        timeout: float,
        request: bytes = b"",
    ) -> Ended:
        """Run ``command`` in ``folder`` with ``request`` as its input; whatever it started ends with it."""
        child = self._start(command, folder, environment)
        tail = bytearray()
        threads = [
            threading.Thread(target=_feed, args=(child, request), daemon=True),
            threading.Thread(target=_drain, args=(child, tail), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            code: int | None = child.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _kill_group(child.pid)
            child.wait()
            with self._lock:
                self._running.discard(child.pid)
        for thread in threads:
            thread.join(_PATIENCE)
        return Ended(code, bytes(tail).decode("utf-8", "replace"))

    def _start(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise InterruptedRunError("Stopped before everything was checked.")
            child = subprocess.Popen(
                list(command),
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(child.pid)
            return child


def end_with_parent() -> None:
    """Ask Linux, from within a child, to kill it when its parent ends, however that happens."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _kill_group(process: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _feed(child: subprocess.Popen[bytes], request: bytes) -> None:
    if child.stdin is not None:
        with contextlib.suppress(BrokenPipeError), child.stdin:
            child.stdin.write(request)


def _drain(child: subprocess.Popen[bytes], tail: bytearray) -> None:
    if child.stdout is not None:
        with child.stdout:
            while data := os.read(child.stdout.fileno(), 65536):
                tail += data
                del tail[:-MOST_OUTPUT]
