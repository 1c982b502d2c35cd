"""The parent's side of its child processes: one fork server, and a socket to each child."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from llmops_actions.errors import PlatformError
from llmops_actions.platforms.local import fork_server
from llmops_actions.platforms.local.messages import Decoder, Message, encode
from llmops_actions.platforms.local.user_environment import child_environment

_START = (
    "import sys; sys.path.insert(0, sys.argv[3]);"
    "from llmops_actions.platforms.local.fork_server import serve;"
    "serve(int(sys.argv[1]), sys.argv[2], sys.argv[4:])"
)


class ForkServer:
    """The fork server of this process. ``scratch`` is a private folder that lives as long as it does."""

    def __init__(self) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="llmops-"))
        ours, theirs = socket.socketpair()
        package_root = Path(__file__).parents[3]
        import_path = [str(Path(entry or ".").absolute()) for entry in sys.path]
        with theirs, (self.scratch / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _START,
                    str(theirs.fileno()),
                    str(self.scratch),
                    str(package_root),
                    *import_path,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.scratch,
                env=child_environment(os.environ),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.control = ours
        self._exits: dict[int, int] = {}
        self._partial = b""
        self._owner = os.getpid()
        self._has_forked = False

    @property
    def alive(self) -> bool:
        """Whether it can still fork."""
        return self._owner == os.getpid() and self._process.poll() is None and self.control.fileno() >= 0

    def preload(self) -> None:
        """Let it import prompt flow now, in the background."""
        self._send(fork_server.PRELOAD, None)

    def fork(self, with_prompt_flow: bool) -> Child:
        """A new child. Returns at once: the child says ``Started`` when it runs.

        Raises:
            PlatformError: the fork server is gone.
        """
        self._has_forked = True
        ours, theirs = socket.socketpair()
        with theirs:
            self._send(fork_server.PROMPT_FLOW if with_prompt_flow else fork_server.PLAIN, theirs)
        return Child(ours)

    def exit_code(self, process: int, patience: float) -> int | None:
        """How a child ended (negative: by that signal), waiting up to ``patience`` seconds; ``None``: not known."""
        deadline = time.monotonic() + patience
        while process not in self._exits:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._read_exits(remaining):
                return None
        return self._exits.pop(process)

    def adopt(self, folder: Path) -> None:
        """Let it remove ``folder`` when it ends: this process may be killed before it can."""
        with (self.scratch / fork_server.ADOPTED).open("a", encoding="utf-8") as adopted:
            adopted.write(f"{folder}\n")

    def forget_exits(self) -> None:
        """Forget children of earlier sessions: their process ids may come again."""
        self.drain_exits()
        self._exits.clear()

    def drain_exits(self) -> bool:
        """Take what it says about children that ended; ``False`` when it has ended itself."""
        return self._read_exits(0.0)

    def close(self) -> None:
        """End it, and with it every child; remove its folder."""
        self.control.close()
        if self._owner != os.getpid():
            return
        if not self._has_forked:
            self._process.kill()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def log(self) -> str:
        """What the fork server printed: only ever about its own failures."""
        with contextlib.suppress(OSError):
            return (self.scratch / "server.log").read_text(encoding="utf-8", errors="replace").strip()
        return ""

    def _send(self, request: bytes, attached: socket.socket | None) -> None:
        try:
            socket.send_fds(self.control, [request], [attached.fileno()] if attached else [])
        except OSError as error:
            raise PlatformError(f"The process that starts children is gone ({error}). {self.log()}".strip()) from error

    def _read_exits(self, patience: float) -> bool:
        """Take what is there within ``patience`` seconds; ``False`` when nothing will ever come again."""
        ready, _, _ = select.select([self.control], [], [], patience)
        if not ready:
            return True
        data = self.control.recv(65536)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            process, status = line.split()
            self._exits[int(process)] = int(status)
        return bool(data)


class Child:
    """A child process as the parent sees it: a socket that never blocks, and a process group to kill."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.process: int | None = None
        self._decoder = Decoder()
        self._unsent = bytearray()

    @property
    def wants_to_write(self) -> bool:
        """Whether bytes wait until the child reads."""
        return bool(self._unsent)

    def send(self, message: Message) -> None:
        """Send ``message`` as soon as the child takes it. A dead child is noticed by ``receive``."""
        self._unsent += encode(message)
        self.flush()

    def flush(self) -> None:
        """Send what the child takes now."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            while self._unsent:
                sent = self.connection.send(self._unsent)
                del self._unsent[:sent]

    def receive(self) -> Iterator[Message]:
        """The messages that are there.

        Raises:
            EOFError: the child's end is closed.
        """
        try:
            data = self.connection.recv(1 << 20)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            raise EOFError
        yield from self._decoder.feed(data)

    def signal(self, number: int) -> None:
        """Send a signal to the child alone."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self.process, number)

    def kill(self) -> None:
        """Kill the child with all that it started, and close its socket."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process, signal.SIGKILL)
        self.connection.close()


_shared_lock = threading.Lock()
_shared: list[ForkServer] = []


def shared_fork_server() -> ForkServer:
    """The fork server of this process: started when first asked for, and again should it have died."""
    with _shared_lock:
        if not _shared:
            atexit.register(_close_shared)
        elif not _shared[0].alive:
            _shared.pop().close()
        if not _shared:
            _shared.append(ForkServer())
        return _shared[0]


def _close_shared() -> None:
    with _shared_lock:
        while _shared:
            _shared.pop().close()
