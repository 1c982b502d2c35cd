"""Serves the stand-in in this process until somebody stops it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable

from llmops_actions.platforms.local.offline_model.settings import Settings


def serve_until_stopped(
    settings: Settings, announce: Callable[[str], None], *, until_stdin_closes: bool = False
) -> None:
    """Serve until SIGTERM, SIGINT, or with `until_stdin_closes` the end of standard input.

    `announce` is called with the address once the server listens. Raises `PlatformError` if it cannot listen.
    """
    asyncio.run(_serve(settings, announce, until_stdin_closes))


async def _serve(settings: Settings, announce: Callable[[str], None], until_stdin_closes: bool) -> None:
    from llmops_actions.platforms.local.offline_model.rules import answer
    from llmops_actions.platforms.local.offline_model.server import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_stdin, args=(loop, stop), daemon=True).start()
    await serve(answer, settings, announce, stop)


def _wait_for_end_of_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Read standard input to its end; not through `sys.stdin`, whose lock would block the exit."""
    while os.read(0, 4096):
        pass
    loop.call_soon_threadsafe(stop.set)
