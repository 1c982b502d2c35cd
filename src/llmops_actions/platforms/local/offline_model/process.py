"""Runs the stand-in model server as a child process, which ends with this one however this one ends."""

from __future__ import annotations

import http.client
import json
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import IO
from urllib.parse import urlsplit

import llmops_actions
from llmops_actions.errors import PlatformError
from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.platforms.local.offline_model.statistics import Statistics, from_json

START_SECONDS = 30.0
STOP_SECONDS = 5.0
MODULE = "llmops_actions.platforms.local.offline_model"


class OfflineModel:
    """A running stand-in. Leaving it as a context manager stops it."""

    def __init__(self, child: subprocess.Popen[str], url: str) -> None:
        self._child = child
        self.url = url

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._child.pid

    def stats(self) -> Statistics:
        """What it has counted so far. Raises `PlatformError` if it does not answer."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=STOP_SECONDS)
        try:
            connection.request("GET", "/stats")
            return from_json(connection.getresponse().read().decode())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise PlatformError(f"the offline model at {self.url} does not answer: {error}") from error
        finally:
            connection.close()

    def stop(self) -> None:
        """End the server, and wait for it. A second call does nothing."""
        _end(self._child)

    def __enter__(self) -> OfflineModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start(settings: Settings, deadline: float = START_SECONDS) -> OfflineModel:
    """Start the server and wait until it listens.

    Raises `PlatformError` with what the child said if it does not listen within `deadline` seconds.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE, *_arguments(settings), "--until-stdin-closes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            encoding="utf-8",
            # `-m` looks into the working directory first: nothing in a user's folder may shadow a module.
            cwd=Path(llmops_actions.__file__).parent.parent,
            # Ctrl-C is for the parent, which may still need answers while it winds up.
            start_new_session=True,
        )
        try:
            return OfflineModel(child, _first_line(child, deadline))
        except queue.Empty:
            child.kill()
            _end(child)
            said = f"it did not listen within {deadline:g} s"
        except (ValueError, KeyError, TypeError):
            _end(child)
            complaints.seek(0)
            said = complaints.read().strip()
        except BaseException:
            _end(child)
            raise
    raise PlatformError(f"the offline model could not be started: {said}")


def _arguments(settings: Settings) -> list[str]:
    options = {
        "--host": settings.host,
        "--port": settings.port,
        "--latency": settings.latency,
        "--jitter": settings.jitter,
        "--seed": settings.seed,
        "--retry-after": settings.retry_after,
    }
    faults = [f"--fault={name}={probability!r}" for name, probability in settings.faults.items()]
    return [
        f"{name}={value!r}" if isinstance(value, float) else f"{name}={value}" for name, value in options.items()
    ] + faults


def _first_line(child: subprocess.Popen[str], deadline: float) -> str:
    """The address that the child announces. Raises `queue.Empty` or `ValueError` if it does not."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_pass_on, args=(child.stdout, lines), daemon=True).start()
    announcement: dict[str, object] = json.loads(lines.get(timeout=deadline))
    return str(announcement["url"])


def _pass_on(stream: IO[str] | None, lines: queue.Queue[str]) -> None:
    lines.put(stream.readline() if stream else "")


def _end(child: subprocess.Popen[str]) -> None:
    """Close the child's input, which ends it; kill it if that does not."""
    if child.stdin:
        child.stdin.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdout:
        child.stdout.close()
