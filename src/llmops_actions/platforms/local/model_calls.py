"""The one place through which every call to a model goes: it counts, retries and holds back.

Put into ``openai``'s request method, below every client that prompt flow, its tools and user code build. The retries
of the SDK are off, and what finally fails is marked so that prompt flow's own retries (up to 100) let it pass.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import openai
from openai import _base_client as base_client

from llmops_actions.experiment.prices import PriceTable
from llmops_actions.platforms.local.metering import current_meter

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 60.0
LONGEST_RETRY_AFTER = 120.0
"""Seconds of ``Retry-After`` that are waited for; a call that is asked to wait longer fails at once."""
_PATIENCE_WITH_HOST = 3
"""How often in a row a host may ask for longer before its calls are no longer held back, and each fails at once."""
_RETRIED_STATUS = frozenset({408, 409, 429})


class UnusableAnswerError(openai.APIError):
    """The service answered with success, but not with what the API promises (no JSON, cut short)."""


class HostClosedError(openai.APIError):
    """The host takes no call before the row's time is up."""


class HostGates:
    """Until when a host wants no call. ``report`` is told of each 429: host, seconds closed, seconds asked for.

    The seconds asked for are 0 where the row that heard them waits; it fails otherwise.
    """

    def __init__(self, report: Callable[[str, float, float], None]) -> None:
        self._report = report
        self._until: dict[str, float] = {}
        self._refusals: dict[str, int] = {}
        self._lock = threading.Lock()

    def close(self, host: str, seconds: float, fails: bool = False) -> None:
        """``host`` answered 429 and asks for ``seconds``; ``fails``: the row that heard it does not wait."""
        closed = min(seconds, LONGEST_RETRY_AFTER)
        with self._lock:
            now = time.monotonic()
            is_open = now >= self._until.get(host, 0.0)
            if seconds > LONGEST_RETRY_AFTER and is_open:
                self._refusals[host] = self._refusals.get(host, 0) + 1
            refusals = self._refusals.get(host, 0)
            if refusals > _PATIENCE_WITH_HOST:
                closed = 0.0
            self._until[host] = max(self._until.get(host, 0.0), now + closed)
        is_news = fails and is_open and refusals <= _PATIENCE_WITH_HOST + 1
        self._report(host, closed, seconds if is_news else 0.0)

    def answered(self, host: str) -> None:
        """``host`` took a call."""
        self._refusals.pop(host, None)

    def wait(self, host: str) -> float:
        """Seconds until ``host`` may be called."""
        return max(0.0, self._until.get(host, 0.0) - time.monotonic())


@dataclass(frozen=True)
class CallPolicy:
    """How calls are made: ``attempts`` at most for one call, ``call_timeout`` seconds for one (0: the row's time)."""

    attempts: int
    call_timeout: float
    prices: PriceTable
    gates: HostGates


def install(policy: CallPolicy) -> None:
    """Let every model call of this process follow ``policy``."""
    request = base_client.SyncAPIClient.request
    request_async = base_client.AsyncAPIClient.request
    if hasattr(request, "__wrapped__"):
        raise RuntimeError("the policy for model calls is installed already")

    @functools.wraps(request)
    def call(self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        attempt = _Call(policy, self, options, stream)
        while True:
            attempt.pause(time.sleep)
            try:
                answer = request(self, cast_to, attempt.prepare(), stream=stream, stream_cls=stream_cls)
                return attempt.succeeded(answer, cast_to)
            except (openai.APIError, ValueError) as error:
                attempt.failed(error)

    @functools.wraps(request_async)
    async def call_async(self: Any, cast_to: Any, options: Any, *, stream: bool = False, stream_cls: Any = None) -> Any:
        attempt = _Call(policy, self, options, stream)
        while True:
            if (seconds := attempt.pause_seconds()) > 0:
                await asyncio.sleep(seconds)
            try:
                answer = await request_async(self, cast_to, attempt.prepare(), stream=stream, stream_cls=stream_cls)
                return attempt.succeeded(answer, cast_to)
            except (openai.APIError, ValueError) as error:
                attempt.failed(error)

    base_client.SyncAPIClient.request = call  # type: ignore[method-assign]
    base_client.AsyncAPIClient.request = call_async  # type: ignore[method-assign]


class _Call:
    """One model call with its attempts."""

    def __init__(self, policy: CallPolicy, client: Any, options: Any, stream: bool) -> None:
        self._policy = policy
        self._meter = current_meter()
        self._options = options
        self._stream = stream
        self._host = client.base_url.host
        self._client_timeout = client.timeout
        self._asked_for_usage = False
        self._timed_out = ""
        self._tried = 0
        self._next = 0.0

    def prepare(self) -> Any:
        """The options of the next attempt."""
        remaining = self._meter.remaining()
        options = self._options.model_copy()
        options.max_retries = 0
        own = getattr(self._client_timeout, "read", self._client_timeout)
        limits = [seconds for seconds in (remaining, self._policy.call_timeout or None, own) if seconds is not None]
        if limits and not isinstance(options.timeout, (int, float)):
            options.timeout = max(0.1, min(limits))
        if options.timeout == self._policy.call_timeout:
            self._timed_out = f"each try may take {self._policy.call_timeout:g} s (call-timeout)"
        if self._stream and "chat/completions" in options.url and isinstance(options.json_data, dict):
            self._ask_for_usage(options)
        self._tried += 1
        self._meter.count_attempt(self._host)
        return options

    def _ask_for_usage(self, options: Any) -> None:
        """Ask for the tokens of a stream, once: a service that does not know the word gets the call without it."""
        if "stream_options" not in options.json_data and not self._asked_for_usage:
            self._asked_for_usage = True
            options.json_data = {**options.json_data, "stream_options": {"include_usage": True}}

    def pause_seconds(self) -> float:
        """How long to wait before the next attempt.

        Raises:
            RowAbandonedError: the row has ended.
            HostClosedError: its time is up before the host takes calls again.
        """
        remaining = self._meter.remaining()
        closed = self._policy.gates.wait(self._host)
        if remaining is not None and closed >= max(remaining, 0.1):
            text = f"waiting for {self._host} (429): {in_words(closed)} more, but {_left(remaining)}"
            _raise_final(HostClosedError(text, request=None, body=None))  # type: ignore[arg-type]
        return max(closed, self._next - time.monotonic())

    def pause(self, sleep: Callable[[float], None]) -> None:
        """Wait until the next attempt may be made: another thread's 429 may have made that later."""
        while (seconds := self.pause_seconds()) > 0:
            sleep(seconds)

    def succeeded(self, answer: Any, cast_to: Any) -> Any:
        """Count ``answer`` and give it back."""
        self._policy.gates.answered(self._host)
        if isinstance(cast_to, type) and issubclass(cast_to, openai.BaseModel) and isinstance(answer, (str, bytes)):
            raise UnusableAnswerError("the answer is not JSON", request=None, body=None)  # type: ignore[arg-type]
        if self._stream and hasattr(answer, "_iterator"):
            hide = self._asked_for_usage
            count = functools.partial(self._count)
            wrap = _count_async if isinstance(answer, openai.AsyncStream) else _count_sync
            answer._iterator = wrap(answer._iterator, count, hide)
        else:
            self._count(answer)
        return answer

    def failed(self, error: Exception) -> None:
        """Decide on another attempt, or raise ``error``."""
        if self._asked_for_usage and "stream_options" in str(error) and getattr(error, "status_code", 0) == 400:
            return
        if isinstance(error, ValueError) and not isinstance(error, json.JSONDecodeError):
            raise error
        wanted, remaining = retry_after(error), self._meter.remaining()
        pause = wanted if wanted is not None else backoff(self._tried, random.random())  # noqa: S311 - no secret hangs on it
        too_late = remaining is not None and pause >= remaining
        asks_too_much = wanted is not None and (too_late or wanted > LONGEST_RETRY_AFTER)
        if not is_retried(error):
            _raise_final(error)
        if getattr(error, "status_code", None) == 429:
            self._policy.gates.close(self._host, wanted if wanted is not None else _FIRST_PAUSE, asks_too_much)
        if asks_too_much and wanted is not None:
            longest = f"at most {LONGEST_RETRY_AFTER:g} s are waited"
            why = longest if wanted > LONGEST_RETRY_AFTER else _left(remaining or 0.0)
            _raise_final(error, f"the service asks to wait {in_words(wanted)}, but {why}")
        if self._tried >= self._policy.attempts or too_late:
            _raise_final(error, self._timed_out if isinstance(error, openai.APITimeoutError) else "")
        self._next = time.monotonic() + pause

    def _count(self, answer: Any) -> None:
        name, prompt, completion = _usage(answer)
        body = self._options.json_data
        asked = body.get("model") if isinstance(body, dict) else None
        known = [model for model in (asked, name) if model and model in self._policy.prices.models]
        model = next(iter(known), None) or asked or name or "unknown"
        self._meter.count_success(self._host, str(model), prompt, completion)


def is_retried(error: Exception) -> bool:
    """Whether another attempt may help: rate limits, server errors, lost connections, time-outs, bad bodies."""
    if isinstance(error, (openai.APIConnectionError, UnusableAnswerError, json.JSONDecodeError)):
        return True
    if isinstance(error, openai.APIResponseValidationError):
        return True
    if isinstance(error, openai.APIStatusError):
        if "insufficient_quota" in (error.code, error.type):
            return False
        return error.status_code in _RETRIED_STATUS or error.status_code >= 500
    return False


def backoff(tried: int, chance: float) -> float:
    """Seconds to wait after ``tried`` attempts without a word from the service: exponential, half of it by chance."""
    pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (tried - 1))
    return float(pause * (0.5 + chance / 2))


def in_words(seconds: float) -> str:
    """``seconds`` in the unit that reads best, e.g. "24 h"; rounded up."""
    for unit, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * unit:
            return f"{math.ceil(seconds / unit * 10 - 1e-6) / 10:g} {name}"
    return f"{math.ceil(seconds * 10 - 1e-6) / 10:g} s"


def _left(seconds: float) -> str:
    return f"{max(0.0, seconds):.0f} s of the row's time are left"


def retry_after(error: Exception) -> float | None:
    """The seconds that the service asks for (``retry-after-ms``, ``retry-after`` in seconds or as a date)."""
    response = getattr(error, "response", None)
    if response is None:
        return None
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = response.headers.get(name)
        if text is None:
            continue
        try:
            seconds = float(text) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(text).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _usage(answer: Any) -> tuple[str, int, int]:
    """Model name, prompt tokens and completion tokens of an answer; zeros where it does not say."""
    if hasattr(answer, "http_response"):
        try:
            body = answer.http_response.json()
        except ValueError:
            return "", 0, 0
        usage = body.get("usage") or {}
        return (
            str(body.get("model") or ""),
            int(usage.get("prompt_tokens") or 0),
            int(usage.get("completion_tokens") or 0),
        )
    usage = getattr(answer, "usage", None)
    prompt = getattr(usage, "prompt_tokens", None) or getattr(usage, "input_tokens", None) or 0
    completion = getattr(usage, "completion_tokens", None) or getattr(usage, "output_tokens", None) or 0
    return str(getattr(answer, "model", "") or ""), int(prompt), int(completion)


def _count_sync(chunks: Iterator[Any], count: Callable[[Any], None], hide: bool) -> Iterator[Any]:
    last = None
    for chunk in chunks:
        if getattr(chunk, "usage", None) is not None:
            last = chunk
            if hide and not getattr(chunk, "choices", True):
                continue
        yield chunk
    count(last)


async def _count_async(chunks: AsyncIterator[Any], count: Callable[[Any], None], hide: bool) -> AsyncIterator[Any]:
    last = None
    async for chunk in chunks:
        if getattr(chunk, "usage", None) is not None:
            last = chunk
            if hide and not getattr(chunk, "choices", True):
                continue
        yield chunk
    count(last)


def _raise_final(error: Exception, more: str = "") -> NoReturn:
    """Raise ``error`` as its own type that is also a user error of prompt flow, which prompt flow never retries.

    ``more`` is added to its message.
    """
    kind: Any = type(error)
    if more:
        text = f"{error}; {more}"
        error.args = (text,)
        error.message = text  # type: ignore[attr-defined]
    final = _final_type(kind)
    if final is not None:
        error.__class__ = final
    raise error


def _final_type(kind: Any) -> type[Exception] | None:
    """The type to raise in the place of ``kind``; ``None`` where there is no prompt flow that could retry."""
    prompt_flow = sys.modules.get("promptflow.exceptions")
    if prompt_flow is None or issubclass(kind, prompt_flow.UserErrorException):
        return None
    return _also_a_user_error(kind, prompt_flow.UserErrorException)


@functools.cache
def _also_a_user_error(kind: Any, user_error: Any) -> type[Exception]:
    return type(kind.__name__, (kind, user_error), {"message": "", "__module__": kind.__module__})


def share_http_clients() -> None:
    """Give all clients of one service one HTTP client: connections are kept, and one TLS context is built, not many."""
    wrapper = base_client.SyncHttpxClientWrapper

    class SharedHttpClient(wrapper):  # type: ignore[misc,valid-type]
        """An HTTP client that outlives the model clients that use it."""

        def close(self) -> None:
            """Stay open: others use it too."""

    shared: dict[tuple[str, str], SharedHttpClient] = {}
    lock = threading.Lock()

    def share(*, base_url: Any, timeout: Any, **settings: Any) -> Any:
        if settings:
            return wrapper(base_url=base_url, timeout=timeout, **settings)
        with lock:
            key = (str(base_url), repr(timeout))
            if key not in shared:
                shared[key] = SharedHttpClient(base_url=base_url, timeout=timeout)
            return shared[key]

    base_client.SyncHttpxClientWrapper = share  # type: ignore[misc,assignment]
