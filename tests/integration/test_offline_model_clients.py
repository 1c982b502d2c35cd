"""The stand-in, as OpenAI's own client sees it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletionUserMessageParam
from tests.integration.offline_model_server import repeat, running, statistics_of

from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.platforms.local.offline_model.types import ChatRequest

API_VERSION = "2024-10-21"


def say(text: str) -> list[ChatCompletionUserMessageParam]:
    return [{"role": "user", "content": text}]


def openai_client(url: str, retries: int = 0) -> OpenAI:
    return OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=retries)


def azure_client(url: str, retries: int = 0) -> AzureOpenAI:
    return AzureOpenAI(azure_endpoint=url, api_version=API_VERSION, api_key="any", max_retries=retries)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.fixture(params=["openai", "azure"])
def client(request: pytest.FixtureRequest, url: str) -> Iterator[OpenAI]:
    with openai_client(url) if request.param == "openai" else azure_client(url) as made:
        yield made


def test_a_chat_is_answered_and_counted(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="gpt-4o", messages=say("Hello"))
    assert completion.choices[0].message.content == "You said: Hello"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "gpt-4o"
    assert completion.system_fingerprint == "llmops-offline-model"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (8, 4)


def test_every_answer_says_that_it_is_a_stand_in(client: OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=say("Hello"))
    assert raw.headers["x-llmops-stand-in"] == "offline-model"
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-4o", messages=[])
    assert caught.value.response.headers["x-llmops-stand-in"] == "offline-model"


def test_a_streamed_chat_comes_in_pieces_with_its_usage(client: OpenAI) -> None:
    text = "one two three four five six seven eight"
    stream = client.chat.completions.create(
        model="gpt-4o", messages=say(text), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    pieces = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
    assert "".join(pieces) == f"You said: {text}"
    assert len([piece for piece in pieces if piece]) > 1
    assert chunks[-2].choices[0].finish_reason == "stop"
    usage = chunks[-1].usage
    assert usage is not None
    assert usage.completion_tokens == 11


def test_options_of_a_chat_are_honoured(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="gpt-4o", messages=say("one two END three"), n=2, stop="END", max_tokens=4
    )
    answers = [(choice.message.content, choice.finish_reason) for choice in completion.choices]
    assert answers == [("You said: one", "length")] * 2


def test_a_completion_is_answered(client: OpenAI) -> None:
    completion = client.completions.create(model="davinci", prompt=["One", "Two"])
    assert [choice.text for choice in completion.choices] == ["You said: One", "You said: Two"]
    assert completion.object == "text_completion"


def test_a_completion_can_be_streamed(client: OpenAI) -> None:
    stream = client.completions.create(model="davinci", prompt="One", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "You said: One"


def test_embeddings_are_the_same_in_either_encoding(client: OpenAI) -> None:
    texts = ["refund my order", "the order: a refund please", "light becomes energy"]
    packed = client.embeddings.create(model="ada", input=texts)
    plain = client.embeddings.create(model="ada", input=texts, encoding_format="float")
    for one, other in zip(packed.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, rel=1e-6)
    first, near, far = (item.embedding for item in plain.data)
    assert len(first) == 256
    assert math.dist(first, near) < math.dist(first, far)
    assert packed.usage.total_tokens == packed.usage.prompt_tokens > 0


def test_embeddings_have_the_dimensions_asked_for(client: OpenAI) -> None:
    made = client.embeddings.create(model="ada", input="refund", dimensions=64)
    assert len(made.data[0].embedding) == 64


def test_models_can_be_listed_and_looked_up(url: str) -> None:
    with openai_client(url) as client:
        assert [model.id for model in client.models.list()] == ["llmops-offline-model"]
        assert client.models.retrieve("gpt-4o").id == "gpt-4o"


def test_azures_newer_addresses_are_served_too(url: str) -> None:
    with OpenAI(base_url=f"{url}/openai/v1/", api_key="any") as client:
        completion = client.chat.completions.create(model="my-deployment", messages=say("Hello"))
    assert completion.model == "my-deployment"


def test_the_asynchronous_clients_work_too(url: str) -> None:
    async def ask(client: AsyncOpenAI) -> str | None:
        async with client:
            completion = await client.chat.completions.create(model="gpt-4o", messages=say("Hello"))
        return completion.choices[0].message.content

    plain = AsyncOpenAI(base_url=f"{url}/v1", api_key="any")
    azure = AsyncAzureOpenAI(azure_endpoint=url, api_version=API_VERSION, api_key="any")
    assert asyncio.run(ask(plain)) == asyncio.run(ask(azure)) == "You said: Hello"


def test_three_hundred_requests_at_once_are_all_answered() -> None:
    async def ask_all(url: str) -> list[str | None]:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            made = (client.chat.completions.create(model="m", messages=say(str(number))) for number in range(300))
            completions = await asyncio.gather(*made)
        return [completion.choices[0].message.content for completion in completions]

    with running(Settings(latency=0.3)) as url:
        assert asyncio.run(ask_all(url)) == [f"You said: {number}" for number in range(300)]
        counted = statistics_of(url)
    assert (counted.requests, counted.by_status, counted.in_flight) == (300, {200: 300}, 0)
    assert counted.completion_tokens == 5 * 300


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("408", openai.APIStatusError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("502", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("504", openai.InternalServerError),
        ("reset", openai.APIConnectionError),
    ],
)
def test_each_fault_is_the_error_that_the_real_service_gives(fault: str, expected: type[Exception]) -> None:
    with running(Settings(faults={fault: 1.0})) as url:
        for client in (openai_client(url), azure_client(url)):
            with client, pytest.raises(expected) as caught:
                client.chat.completions.create(model="gpt-4o", messages=say("Hello"))
            if isinstance(caught.value, openai.APIStatusError):
                assert caught.value.status_code == int(fault)
                assert "stand-in" in caught.value.message
        counted = statistics_of(url)
    assert counted.by_fault == {fault: 2}
    assert counted.by_status == ({int(fault): 2} if fault != "reset" else {})


def test_the_client_waits_as_long_as_a_429_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    with running(Settings(faults={"429": 1.0}, retry_after=7.25)) as url, openai_client(url, retries=2) as client:
        monkeypatch.setattr("time.sleep", waited.append)
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="gpt-4o", messages=say("Hello"))
        monkeypatch.undo()
        assert statistics_of(url).requests == 3
    assert waited == [7.25, 7.25]


def test_a_client_that_retries_gets_through_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    faults = {"500": 0.2, "429": 0.2, "reset": 0.1}
    with running(Settings(faults=faults, seed=3)) as url, openai_client(url, retries=20) as client:
        monkeypatch.setattr("time.sleep", lambda _: None)
        for number in range(30):
            completion = client.chat.completions.create(model="gpt-4o", messages=say(str(number)))
            assert completion.choices[0].message.content == f"You said: {number}"
        monkeypatch.undo()
        counted = statistics_of(url)
    assert set(counted.by_fault) == set(faults)
    assert counted.by_status[200] == 30


def test_a_truncated_answer_ends_half_way() -> None:
    with running(Settings(faults={"truncate": 1.0})) as url, openai_client(url) as client:
        completion = client.chat.completions.create(model="gpt-4o", messages=say("Hello"))
        chunks = list(client.chat.completions.create(model="gpt-4o", messages=say("Hello"), stream=True))
        with pytest.raises(openai.APIConnectionError):
            client.embeddings.create(model="ada", input="Hello")
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason) == ("You sai", "length")
    assert chunks[-1].choices[0].finish_reason == "length"


def test_a_garbage_answer_is_a_web_page() -> None:
    with running(Settings(faults={"garbage": 1.0})) as url, openai_client(url) as client:
        raw = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=say("Hello"))
    assert raw.status_code == 200
    assert raw.headers["content-type"].startswith("text/html")
    assert "<html>" in raw.text


def test_a_rule_that_fails_is_an_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: ChatRequest) -> str:
        raise LookupError(request.model)

    with running(answer=fail) as url, openai_client(url) as client:
        with pytest.raises(openai.InternalServerError, match=r"LookupError in test_offline_model_clients\.py"):
            client.chat.completions.create(model="gpt-4o", messages=say("Hello"))
        assert statistics_of(url).by_status == {500: 1}
    assert "a rule failed" in caplog.text


def test_an_identical_request_is_answered_from_memory() -> None:
    asked: list[str] = []

    def answer(request: ChatRequest) -> str:
        asked.append(request.messages[0].content)
        return repeat(request)

    with running(answer=answer) as url, openai_client(url) as client:
        long = "x" * 40_000
        for text in ("Hello", "Hello", "Bye", long, long):
            client.chat.completions.create(model="gpt-4o", messages=say(text))
    assert asked == ["Hello", "Bye", long, long]


def test_the_same_seed_gives_every_request_the_same_fault_in_any_order() -> None:
    faults = {"400": 0.3, "500": 0.3}

    def statuses(seed: int, rows: list[int]) -> dict[int, int]:
        found = {}
        with running(Settings(faults=faults, seed=seed)) as url, openai_client(url) as client:
            for row in rows:
                try:
                    client.chat.completions.create(model="gpt-4o", messages=say(f"row {row}"))
                except openai.APIStatusError as error:
                    found[row] = error.status_code
        return found

    rows = list(range(40))
    forwards, backwards, another = statuses(1, rows), statuses(1, rows[::-1]), statuses(2, rows)
    assert forwards == backwards != another
    assert set(forwards.values()) == {400, 500}
