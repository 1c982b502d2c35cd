"""What a row's model calls used: counted per row, wherever in the row's threads and tasks a call is made."""

from __future__ import annotations

import concurrent.futures
import functools
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from llmops_actions.experiment.prices import PriceTable
from llmops_actions.platforms.local.messages import UsageNumbers


class RowAbandonedError(BaseException):
    """Raised inside a row whose time is up, to end its thread. Not an ``Exception``: user code must not keep it."""


class Meter:
    """Counts for one row, or for one aggregation. Threads of one row may share it.

    ``deadline`` is on ``time.monotonic``'s clock (``None``: no limit); ``nodes`` are the flow's nodes that run now.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self.deadline = deadline
        self.abandoned = False
        self.attempts = 0
        self.usage: dict[str, UsageNumbers] = {}
        self.hosts: dict[str, tuple[int, int]] = {}
        self.nodes: dict[str, int] = {}
        self._lock = threading.Lock()

    def remaining(self) -> float | None:
        """Seconds until the deadline, ``None`` when there is none.

        Raises:
            RowAbandonedError: the row has ended already.
        """
        if self.abandoned:
            raise RowAbandonedError
        return None if self.deadline is None else self.deadline - time.monotonic()

    def count_attempt(self, host: str) -> None:
        """One more call is tried."""
        with self._lock:
            self.attempts += 1
            calls, tokens = self.hosts.get(host, (0, 0))
            self.hosts[host] = (calls + 1, tokens)

    def count_success(self, host: str, model: str, prompt_tokens: int, completion_tokens: int) -> None:
        """A call was answered, at this price in tokens."""
        with self._lock:
            calls, prompt, completion = self.usage.get(model, (0, 0, 0))
            self.usage[model] = (calls + 1, prompt + prompt_tokens, completion + completion_tokens)
            host_calls, tokens = self.hosts.get(host, (0, 0))
            self.hosts[host] = (host_calls, tokens + prompt_tokens + completion_tokens)

    def cost(self, prices: PriceTable) -> float | None:
        """US dollars so far, ``None`` where a price is not known."""
        return prices.total({model: (prompt, completion) for model, (_, prompt, completion) in self.usage.items()})


_current: ContextVar[Meter | None] = ContextVar("llmops_meter", default=None)
_unattributed = Meter()


def current_meter() -> Meter:
    """The meter of the row that this code runs for; one for the whole process outside of any row."""
    return _current.get() or _unattributed


def use_meter(meter: Meter) -> None:
    """From here on, this context works for ``meter``'s row."""
    _current.set(meter)


def follow_threads() -> None:
    """Let threads that user code starts count for the row that started them."""
    start: Any = threading.Thread.start
    submit: Any = concurrent.futures.ThreadPoolExecutor.submit
    if hasattr(start, "__wrapped__"):
        return

    @functools.wraps(start)
    def start_for_row(self: threading.Thread) -> None:
        meter = _current.get()
        if meter is not None:
            self.run = _with_meter(meter, self.run)  # type: ignore[method-assign]
        start(self)

    @functools.wraps(submit)
    def submit_for_row(
        self: concurrent.futures.ThreadPoolExecutor, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        meter = _current.get()
        return submit(self, fn if meter is None else _with_meter(meter, fn), *args, **kwargs)

    for kind, name, replacement in (
        (threading.Thread, "start", start_for_row),
        (concurrent.futures.ThreadPoolExecutor, "submit", submit_for_row),
    ):
        setattr(kind, name, replacement)


def _with_meter(meter: Meter, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        token = _current.set(meter)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)

    return call
