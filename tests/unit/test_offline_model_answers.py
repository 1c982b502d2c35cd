import json

import pytest

from llmops_actions.platforms.local.offline_model import api_errors, statistics
from llmops_actions.platforms.local.offline_model.bodies import Stamp, completion_body, completion_events
from llmops_actions.platforms.local.offline_model.completions import Choice, Usage, complete, cut_short
from llmops_actions.platforms.local.offline_model.parsing import TextRequest
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message

STAMP = Stamp("0123abcd", 1_700_000_000)
SENTENCE = "One two three four five six seven eight nine ten."


def chat(*, max_tokens: int | None = None, response_format: str | None = None) -> ChatRequest:
    return ChatRequest((Message("user", "Count."),), "m", 0.0, max_tokens, response_format, (), None)


def echo(request: ChatRequest) -> str:
    return request.messages[0].content.upper()


def sentence(_: ChatRequest) -> str:
    return SENTENCE


def events_of(request: TextRequest) -> list[dict[str, object]]:
    *events, done = completion_events(complete(request, sentence), STAMP)
    assert done == b"data: [DONE]\n\n"
    assert all(event.startswith(b"data: ") and event.endswith(b"\n\n") for event in events)
    return [json.loads(event[6:]) for event in events]


def test_a_whole_answer_stops_by_itself_and_is_counted() -> None:
    completion = complete(TextRequest((chat(),), chat=True), sentence)
    assert completion.choices == (Choice(SENTENCE, "stop"),)
    # The text "Count." has 2 tokens, the form of a message adds 4, that of a chat 3.
    assert completion.usage == Usage(prompt_tokens=9, completion_tokens=11)


def test_the_token_limit_cuts_the_answer() -> None:
    completion = complete(TextRequest((chat(max_tokens=3),), chat=True), sentence)
    assert completion.choices == (Choice("One two three", "length"),)
    assert completion.usage.completion_tokens == 3


def test_the_first_of_the_stop_sequences_ends_the_answer() -> None:
    completion = complete(TextRequest((chat(),), chat=True, stop=(" eight", " four")), sentence)
    assert completion.choices == (Choice("One two three", "stop"),)


def test_tools_count_as_prompt() -> None:
    with_tools = TextRequest((chat(),), chat=True, tools='[{"type": "function"}]')
    without = TextRequest((chat(),), chat=True)
    difference = complete(with_tools, sentence).usage.prompt_tokens - complete(without, sentence).usage.prompt_tokens
    assert difference > 0


def test_several_choices_are_equal_and_all_are_paid_for() -> None:
    completion = complete(TextRequest((chat(),), chat=True, n=3), sentence)
    assert completion.choices == (Choice(SENTENCE, "stop"),) * 3
    assert completion.usage.completion_tokens == 33


def test_every_prompt_of_a_completion_has_its_choices() -> None:
    prompts = tuple(ChatRequest((Message("user", text),), "m", 0.0, 16, None, (), None) for text in ("a", "b"))
    completion = complete(TextRequest(prompts, chat=False, n=2, echo=True), echo)
    assert [choice.text for choice in completion.choices] == ["aA", "aA", "bB", "bB"]
    assert completion.usage == Usage(prompt_tokens=2, completion_tokens=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ("plain", {"answer": "plain"}),
        ("[1]", {"answer": "[1]"}),
        ("[" * 100_000, {"answer": "[" * 100_000}),
    ],
)
def test_json_mode_always_gives_an_object(text: str, expected: object) -> None:
    completion = complete(TextRequest((chat(response_format="json_object"),), chat=True), lambda _: text)
    assert json.loads(completion.choices[0].text) == expected


def test_an_answer_cut_short_has_half_its_text() -> None:
    completion = cut_short(complete(TextRequest((chat(),), chat=True), sentence))
    (choice,) = completion.choices
    assert choice.finish_reason == "length"
    assert SENTENCE.startswith(choice.text)
    assert 0 < completion.usage.completion_tokens < 11


def test_a_chat_body_says_that_a_stand_in_answered() -> None:
    body = json.loads(completion_body(complete(TextRequest((chat(),), chat=True), sentence), STAMP))
    assert body == {
        "id": "chatcmpl-0123abcd",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "system_fingerprint": "llmops-offline-model",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": SENTENCE},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 11, "total_tokens": 20},
    }


def test_a_stream_holds_the_text_in_pieces_and_usage_if_asked_for() -> None:
    events = events_of(TextRequest((chat(),), chat=True, stream=True, include_usage=True))
    *pieces, last = events
    deltas = [event["choices"][0]["delta"] for event in pieces]  # type: ignore[index]
    assert "".join(delta.get("content", "") for delta in deltas) == SENTENCE
    assert len(deltas) > 4
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert [event["usage"] for event in pieces] == [None] * len(pieces)
    assert (last["choices"], last["usage"]) == (
        [],
        {"prompt_tokens": 9, "completion_tokens": 11, "total_tokens": 20},
    )


def test_a_stream_of_a_completion_holds_texts() -> None:
    events = events_of(TextRequest((chat(),), chat=False, stream=True))
    choices = [event["choices"][0] for event in events]  # type: ignore[index]
    assert "".join(choice["text"] for choice in choices) == SENTENCE
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["stop"]
    assert "usage" not in events[0]


def test_azures_gateway_has_errors_of_its_own_form() -> None:
    azure = json.loads(api_errors.injected(429, True, 2).body(azure=True))
    openai = json.loads(api_errors.injected(429, False, 2).body())
    assert set(azure["error"]) == {"code", "message"}
    assert azure["error"]["code"] == "429"
    assert set(openai["error"]) == {"message", "type", "param", "code"}
    assert "retry after 2 seconds" in azure["error"]["message"]


@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"), [(0, "0", "0"), (0.05, "1", "50"), (1, "1", "1000"), (1.5, "2", "1500")]
)
def test_retry_after_is_whole_seconds_and_milliseconds(seconds: float, whole: str, milliseconds: str) -> None:
    expected = {"Retry-After": whole, "retry-after-ms": milliseconds}
    assert api_errors.retry_headers(seconds) == expected


def test_statistics_survive_their_way_through_json() -> None:
    counters = statistics.Counters()
    counters.arrived()
    counters.arrived()
    counters.left()
    counters.by_status[429] += 1
    counters.by_fault["429"] += 1
    counted = counters.snapshot()
    assert counted == statistics.Statistics(2, {429: 1}, {"429": 1}, in_flight=1, max_in_flight=2)
    assert statistics.from_json(statistics.to_json(counted)) == counted
