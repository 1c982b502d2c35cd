"""Takes what user code prints into the run's ``log.txt``, up to a bound and without secrets."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

from llmops_actions.platforms.local.redaction import RedactedStream, Redactor

_LONGEST_LOG = 2_000_000
_CUT = b"\n... the log is full; what follows is left out ...\n"


def redirect_output(log: Path, redactor: Redactor) -> None:
    """Send standard output and standard error, of this process and of what it starts, to ``log``."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    read_end, write_end = os.pipe()
    for standard in (1, 2):
        os.dup2(write_end, standard)
    os.close(write_end)
    drained = _BoundedLog(descriptor, redactor.stream())
    threading.Thread(target=_drain, args=(read_end, drained), daemon=True, name="log").start()
    printed = _BoundedLog(descriptor, redactor.stream())
    sys.stdout = sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(printed, 1024), encoding="utf-8", errors="backslashreplace", line_buffering=True
    )


class _BoundedLog(io.RawIOBase):
    def __init__(self, descriptor: int, stream: RedactedStream) -> None:
        super().__init__()
        self._stream = stream
        self._descriptor = descriptor
        self._full = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        if not self._full:
            kept = self._stream.feed(bytes(data))
            room = _LONGEST_LOG - os.fstat(self._descriptor).st_size
            os.write(self._descriptor, kept[: max(0, room)])
            if len(kept) > room:
                self._full = True
                os.write(self._descriptor, _CUT)
        return len(data)


def _drain(read_end: int, target: _BoundedLog) -> None:
    while data := os.read(read_end, 65536):
        target.write(data)
