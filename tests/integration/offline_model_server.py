"""Runs the stand-in with an answer of the test's own, in a thread, on a free port."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmops_actions.platforms.local.offline_model.server import serve
from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.platforms.local.offline_model.statistics import Statistics, from_json
from llmops_actions.platforms.local.offline_model.types import Answer, ChatRequest

WAIT_SECONDS = 20.0


def repeat(request: ChatRequest) -> str:
    """Say again what the last message said."""
    return f"You said: {request.messages[-1].content}"


@contextmanager
def running(settings: Settings | None = None, answer: Answer = repeat) -> Iterator[str]:
    """The address of a server that ends with the block."""
    addresses: queue.Queue[str] = queue.Queue()
    stops: queue.Queue[Callable[[], object]] = queue.Queue()

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.put(lambda: loop.call_soon_threadsafe(stop.set))
        await serve(answer, settings or Settings(), addresses.put, stop)

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        yield addresses.get(timeout=WAIT_SECONDS)
    finally:
        stops.get(timeout=WAIT_SECONDS)()
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()


def statistics_of(url: str) -> Statistics:
    with urllib.request.urlopen(f"{url}/stats") as response:  # noqa: S310 - loopback
        return from_json(response.read().decode())


def wait_for(url: str, condition: Callable[[Statistics], bool]) -> Statistics:
    """Ask for the statistics until they fulfil the condition."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        counted = statistics_of(url)
        if condition(counted):
            return counted
        assert time.monotonic() < deadline, json.dumps(counted, default=vars)
