"""Ctrl-C and SIGTERM, turned into a word that the runner's loop hears between two steps."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from types import FrameType
from typing import Any

from llmops_actions.errors import InterruptedRunError


class Interruption:
    """Listens while it is entered (in the main thread; elsewhere nothing is caught). A second Ctrl-C ends at once.

    ``wake_up`` becomes readable when a signal comes.
    """

    def __init__(self) -> None:
        self.wake_up, self._write = socket.socketpair()
        self.wake_up.setblocking(False)
        self._write.setblocking(False)
        self._signal: int | None = None
        self._before: dict[int, Any] = {}
        self._wake_up_before: int | None = None

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._wake_up_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._wake_up_before is not None:
            signal.set_wakeup_fd(self._wake_up_before)
        self.wake_up.close()
        self._write.close()

    def check(self) -> None:
        """Stop if someone wants that.

        Raises:
            InterruptedRunError: then.
        """
        with contextlib.suppress(BlockingIOError):
            self.wake_up.recv(1024)
        if self._signal is not None:
            name = signal.Signals(self._signal).name
            raise InterruptedRunError(f"Stopped by {name}. The rows that ended are kept: go on with --resume.")

    def _stop(self, number: int, _: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number
