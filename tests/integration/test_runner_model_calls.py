"""The one way of every model call: real clients, answers of our own, a clock that only jumps."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import _base_client as base_client

from llmops_actions.experiment.prices import ModelPrice, PriceTable
from llmops_actions.platforms.local import metering, model_calls, preloading
from llmops_actions.platforms.local.metering import Meter, RowAbandonedError, use_meter

Answer = httpx2.Response | Exception
MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]


def good(model: str = "gpt-35-turbo-0613") -> httpx2.Response:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": usage}
    return httpx2.Response(200, json=body)


def bad(status: int, code: str | None = None, **headers: str) -> httpx2.Response:
    body = {"error": {"message": "no", "type": "error", "code": code}}
    return httpx2.Response(status, json=body, headers={name.replace("_", "-"): text for name, text in headers.items()})


def stream(*usage: dict[str, int] | None) -> httpx2.Response:
    chunks = []
    for number, counted in enumerate(usage):
        choices = [] if counted else [{"index": 0, "delta": {"content": str(number)}}]
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        chunks.append(f"data: {json.dumps({**chunk, 'usage': counted})}\n\n")
    text = "".join([*chunks, "data: [DONE]\n\n"])
    return httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})


class Clock:
    """Time that passes only while someone sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return time.time()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


class Service:
    """Gives the answers in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[Any] = []
        self.timeouts: list[float] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(json.loads(request.content))
        self.timeouts.append(request.extensions["timeout"]["read"])
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        return self(request)

    def client(self) -> openai.OpenAI:
        http = httpx2.Client(transport=httpx2.MockTransport(self))
        return openai.OpenAI(api_key="k", base_url="http://model.test/v1", http_client=http)

    def client_async(self) -> openai.AsyncOpenAI:
        http = httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer))
        return openai.AsyncOpenAI(api_key="k", base_url="http://model.test/v1", http_client=http)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(model_calls, "time", clock)
    monkeypatch.setattr(metering, "time", clock)
    monkeypatch.setattr(asyncio, "sleep", clock.sleep_async)
    return clock


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> list[tuple[str, float, float]]:
    """The policy is in force while the test runs; what it reports of 429s."""
    for client in (base_client.SyncAPIClient, base_client.AsyncAPIClient):
        monkeypatch.setattr(client, "request", client.request)
    heard: list[tuple[str, float, float]] = []
    gates = model_calls.HostGates(lambda host, seconds, asked: heard.append((host, seconds, asked)))
    prices = PriceTable({"gpt-35-turbo": ModelPrice(0.5, 1.5)})
    model_calls.install(model_calls.CallPolicy(4, 30.0, prices, gates))
    return heard


@pytest.fixture
def meter(clock: Clock, reported: list[tuple[str, float, float]]) -> Iterator[Meter]:
    meter = Meter(clock.now + 100.0)
    use_meter(meter)
    yield meter
    use_meter(Meter())


def ask(service: Service, **more: Any) -> Any:
    with service.client() as client:
        return client.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES, **more)


def test_usage_is_counted_by_the_name_that_has_a_price(meter: Meter) -> None:
    ask(Service(good()))
    assert meter.usage == {"gpt-35-turbo": (1, 12, 3)}
    assert meter.hosts == {"model.test": (1, 15)}
    assert meter.attempts == 1
    assert meter.cost(PriceTable({"gpt-35-turbo": ModelPrice(0.5, 1.5)})) == pytest.approx(10.5e-6)


def test_raw_responses_and_embeddings_are_counted(meter: Meter) -> None:
    with Service(good()).client() as client:
        client.chat.completions.with_raw_response.create(model="gpt-35-turbo", messages=MESSAGES)
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    body = {"object": "list", "model": "ada", "data": [], "usage": usage}
    with Service(httpx2.Response(200, json=body)).client() as client:
        client.embeddings.create(model="ada", input="x", encoding_format="float")
    assert meter.usage == {"gpt-35-turbo": (1, 12, 3), "ada": (1, 5, 0)}


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "0.25"}, 0.25),
    ],
)
def test_retry_after_is_honoured_exactly(
    meter: Meter, clock: Clock, reported: list[tuple[str, float, float]], header: dict[str, str], seconds: float
) -> None:
    ask(Service(bad(429, **header), good()))
    assert sum(clock.slept) == pytest.approx(seconds)
    assert reported == [("model.test", seconds, 0.0)]
    assert meter.attempts == 2
    assert meter.usage == {"gpt-35-turbo": (1, 12, 3)}


def test_retry_after_as_a_date(meter: Meter, clock: Clock) -> None:
    ask(Service(bad(429, retry_after=formatdate(time.time() + 20, usegmt=True)), good()))
    assert 18 <= sum(clock.slept) <= 21


def test_after_a_429_every_call_to_that_host_waits(
    meter: Meter, clock: Clock, reported: list[tuple[str, float, float]]
) -> None:
    meter.deadline = clock.now + 60
    with pytest.raises(openai.RateLimitError, match="asks to wait 110 s, but 60 s of the row's time are left"):
        ask(Service(bad(429, retry_after="110")))
    assert clock.slept == [], "a row does not sleep past its own deadline"
    assert reported == [("model.test", 110.0, 110.0)]
    with pytest.raises(openai.APIError, match=r"waiting for model.test \(429\): 110 s more, but 60 s"):
        ask(Service(good()))
    assert clock.slept == []
    meter.deadline = None
    ask(Service(good()))
    assert sum(clock.slept) == pytest.approx(110)


@pytest.mark.parametrize("status", [429, 503])
def test_nobody_waits_for_a_day(meter: Meter, clock: Clock, status: int) -> None:
    meter.deadline = None
    with pytest.raises(openai.APIStatusError, match=r"no.*the service asks to wait 24 h, but at most 120 s are waited"):
        ask(Service(bad(status, retry_after="86400")))
    assert (meter.attempts, clock.slept) == (1, [])


def test_a_host_that_asks_for_a_day_is_closed_for_the_cap_and_in_the_end_not_at_all(
    meter: Meter, clock: Clock, reported: list[tuple[str, float, float]]
) -> None:
    meter.deadline = None
    for _ in range(6):
        with pytest.raises(openai.RateLimitError):
            ask(Service(bad(429, retry_after="86400")))
    assert clock.slept == pytest.approx([120, 120, 120])
    assert [(closed, asked) for _, closed, asked in reported] == [(120, 86400)] * 3 + [(0, 86400)] + [(0, 0)] * 2
    ask(Service(good()))
    with pytest.raises(openai.RateLimitError):
        ask(Service(bad(429, retry_after="86400")))
    assert reported[-1] == ("model.test", 120, 86400), "one answer, and it is waited for again"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.1 s"), (90, "90 s"), (150, "2.5 min"), (86400, "24 h"), (7000, "116.7 min")]
)
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert model_calls.in_words(seconds) == words


@pytest.mark.parametrize(
    "answer",
    [
        bad(500),
        bad(503),
        bad(408),
        bad(409),
        httpx2.ConnectError("reset"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("gone"),
        httpx2.Response(200, text="<html>", headers={"content-type": "text/html"}),
        httpx2.Response(200, text='{"id": ', headers={"content-type": "application/json"}),
    ],
)
def test_what_may_pass_is_tried_again_with_growing_pauses(meter: Meter, clock: Clock, answer: Answer) -> None:
    assert ask(Service(answer, answer, answer, good())).choices[0].message.content == "hi"
    assert meter.attempts == 4
    first, second, third = clock.slept
    assert 0.25 <= first <= 0.5 <= second <= 1.0 <= third <= 2.0


@pytest.mark.parametrize(
    "answer", [bad(400), bad(401), bad(403), bad(404), bad(422), bad(429, code="insufficient_quota")]
)
def test_what_will_not_pass_is_tried_once(meter: Meter, clock: Clock, answer: Answer) -> None:
    with pytest.raises(openai.APIStatusError):
        ask(Service(answer))
    assert (meter.attempts, clock.slept, meter.usage) == (1, [], {})


def test_the_attempts_are_limited_and_nobody_else_retries(
    meter: Meter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {**os.environ, **preloading.quiet_environment(tmp_path)})
    preloading.stand_in_for_the_control_plane()
    from promptflow.core._prompty_utils import handle_openai_error
    from promptflow.exceptions import UserErrorException

    with pytest.raises(openai.InternalServerError) as caught:
        handle_openai_error()(ask)(Service(bad(500)))
    assert isinstance(caught.value, UserErrorException), "prompt flow's own retries let it pass"
    assert type(caught.value).__name__ == "InternalServerError"
    assert "no" in str(caught.value)
    assert meter.attempts == 4


def test_no_pause_beyond_the_deadline(meter: Meter, clock: Clock) -> None:
    meter.deadline = clock.now + 0.3
    with pytest.raises(openai.InternalServerError):
        ask(Service(bad(500)))
    assert sum(clock.slept) < 0.3


def test_one_attempt_gets_a_share_of_the_rows_time(meter: Meter, clock: Clock) -> None:
    service = Service(good())
    ask(service)
    ask(service, timeout=5)
    meter.deadline = clock.now + 10
    ask(service)
    with service.client() as client:
        client.with_options(timeout=3).chat.completions.create(model="gpt-35-turbo", messages=MESSAGES)
    assert service.timeouts == [30, 5, 10, 3]


def test_calls_that_take_too_long_say_what_each_was_given(meter: Meter) -> None:
    with pytest.raises(openai.APITimeoutError, match=r"timed out.*each try may take 30 s \(call-timeout\)"):
        ask(Service(httpx2.ReadTimeout("slow")))
    meter.deadline = None
    with pytest.raises(openai.APITimeoutError) as caught:
        ask(Service(httpx2.ReadTimeout("slow")), timeout=5)
    assert "call-timeout" not in str(caught.value)


def test_an_abandoned_row_makes_no_further_call(meter: Meter) -> None:
    meter.abandoned = True
    service = Service(good())
    with pytest.raises(RowAbandonedError):
        ask(service)
    assert service.bodies == []


def test_a_stream_is_counted_without_showing_that_it_was_asked(meter: Meter) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    service = Service(stream(None, None, usage))
    chunks = list(ask(service, stream=True))
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["0", "1"]
    assert service.bodies[0]["stream_options"] == {"include_usage": True}
    assert meter.usage == {"gpt-35-turbo": (1, 4, 2)}


def test_a_stream_that_was_asked_for_usage_shows_it(meter: Meter) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    chunks = list(ask(Service(stream(None, usage)), stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].usage.prompt_tokens == 4
    assert meter.usage == {"gpt-35-turbo": (1, 4, 2)}


def test_a_service_that_knows_no_stream_options(meter: Meter) -> None:
    refusal = httpx2.Response(400, json={"error": {"message": "Unrecognized request argument: stream_options"}})
    service = Service(refusal, stream(None))
    assert len(list(ask(service, stream=True))) == 1
    assert ["stream_options" in body for body in service.bodies] == [True, False]
    assert meter.usage == {"gpt-35-turbo": (1, 0, 0)}


def test_async_clients_follow_the_same_policy(meter: Meter, clock: Clock) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}

    async def calls() -> int:
        async with Service(bad(429, retry_after="2"), bad(500), good()).client_async() as client:
            await client.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES)
        async with Service(stream(None, usage)).client_async() as client:
            chunks = await client.chat.completions.create(model="gpt-35-turbo", messages=MESSAGES, stream=True)
            return len([chunk async for chunk in chunks])

    assert asyncio.run(calls()) == 1
    assert meter.attempts == 4
    assert meter.usage == {"gpt-35-turbo": (2, 16, 5)}
    assert clock.slept[0] == pytest.approx(2)


def test_threads_of_a_row_count_for_it(meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    monkeypatch.setattr(concurrent.futures.ThreadPoolExecutor, "submit", concurrent.futures.ThreadPoolExecutor.submit)
    metering.follow_threads()
    metering.follow_threads()
    thread = threading.Thread(target=ask, args=(Service(good()),))
    thread.start()
    thread.join()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(ask, Service(good())).result()
    assert meter.usage == {"gpt-35-turbo": (2, 24, 6)}


def test_the_policy_is_installed_once(reported: list[tuple[str, float, float]]) -> None:
    policy = model_calls.CallPolicy(1, 0, PriceTable(), model_calls.HostGates(lambda *_: None))
    with pytest.raises(RuntimeError, match="already"):
        model_calls.install(policy)


def test_clients_of_one_service_share_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_client, "SyncHttpxClientWrapper", base_client.SyncHttpxClientWrapper)
    model_calls.share_http_clients()
    make: Callable[[str], openai.OpenAI] = lambda path: openai.OpenAI(  # noqa: E731
        api_key="k", base_url=f"http://model.test/{path}"
    )
    first, second, third = make("v1"), make("v1"), make("v2")
    assert first._client is second._client
    assert first._client is not third._client
    first.close()
    assert not second.is_closed()
    for shared in (first._client, third._client):
        httpx2.Client.close(shared)
