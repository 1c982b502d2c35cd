"""The fork server: a process that imports what every child needs once, and forks a child on each request.

It is started as ``python -c`` so that ``__main__`` is nobody's script, runs one thread only, and ends when the socket
to its parent closes, however the parent ended. Requests are one byte, with the child's socket attached; answers are
lines ``<process> <status>`` for each child that ended.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

_WORKER = "llmops_actions.platforms.local.worker"

ADOPTED = "adopted.txt"
"""In the scratch folder: other folders to remove at the end."""

PLAIN = b"p"
"""Fork a child that needs no prompt flow."""
PROMPT_FLOW = b"f"
"""Fork a child that runs prompt flow: import it first, if that has not happened yet."""
PRELOAD = b"l"
"""Import prompt flow now."""


def serve(descriptor: int, scratch: str, import_path: list[str]) -> NoReturn:
    """Serve requests on the socket ``descriptor`` until its other end closes."""
    control = socket.socket(fileno=descriptor)
    sys.path[:] = import_path
    wake_up, wake_up_write = os.pipe()
    os.set_blocking(wake_up_write, False)
    os.set_blocking(wake_up, False)
    signal.set_wakeup_fd(wake_up_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _Server(control, Path(scratch), (wake_up, wake_up_write))
    code = 1
    try:
        server.run(wake_up)
        code = 0
    except BaseException:  # noqa: BLE001 - it goes to the log, and the process ends
        traceback.print_exc()
    finally:
        server.kill_all()
        sys.stderr.flush()
        _clean_up(Path(scratch))
        save_coverage()
        os._exit(code)


def _clean_up(scratch: Path) -> None:
    """Remove what the parent may no longer be there to remove."""
    with contextlib.suppress(OSError):
        for folder in (scratch / ADOPTED).read_text(encoding="utf-8").splitlines():
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(scratch, ignore_errors=True)


class _Server:
    def __init__(self, control: socket.socket, scratch: Path, own: tuple[int, int]) -> None:
        self._control = control
        self._scratch = scratch
        self._own = own
        self._children: set[int] = set()
        self._loaded = False

    def run(self, wake_up: int) -> None:
        """Answer requests until the parent is gone."""
        importlib.import_module(_WORKER)
        while True:
            ready, _, _ = select.select([self._control.fileno(), wake_up], [], [])
            if wake_up in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_up, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._answer():
                return

    def kill_all(self) -> None:
        """Kill every child with all that it started."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)

    def _answer(self) -> bool:
        request, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not request:
            return False
        if request in (PROMPT_FLOW, PRELOAD) and not self._loaded:
            self._load()
        if request != PRELOAD:
            self._fork(descriptors[0])
        return True

    def _load(self) -> None:
        self._loaded = True
        try:
            from llmops_actions.platforms.local import preloading

            preloading.preload(self._scratch)
        except Exception:  # noqa: BLE001 - a child that misses something says so in its own words
            traceback.print_exc()

    def _fork(self, descriptor: int) -> None:
        child = os.fork()
        if child == 0:
            self._become_child(descriptor)
        self._children.add(child)
        os.close(descriptor)

    def _become_child(self, descriptor: int) -> NoReturn:
        code = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()
            self._control.close()
            for own in self._own:
                os.close(own)
            code = importlib.import_module(_WORKER).run(socket.socket(fileno=descriptor))
        except BaseException:  # noqa: BLE001 - it goes to the log, and the process ends
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            save_coverage()
            os._exit(code)

    def _reap(self) -> None:
        while self._children:
            try:
                child, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if child == 0:
                return
            if child in self._children:
                self._children.discard(child)
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    self._control.sendall(f"{child} {os.waitstatus_to_exitcode(status)}\n".encode("ascii"))


def save_coverage() -> None:
    """Write what coverage measured in this process, if it measures at all: ``os._exit`` would lose it."""
    module = sys.modules.get("coverage")
    if module is not None and (measurement := module.Coverage.current()) is not None:
        measurement.stop()
        measurement.save()
