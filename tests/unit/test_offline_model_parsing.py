import json
from collections.abc import Callable

import pytest

from llmops_actions.platforms.local.offline_model.api_errors import ApiError
from llmops_actions.platforms.local.offline_model.parsing import (
    EmbeddingRequest,
    TextRequest,
    parse_chat,
    parse_completion,
    parse_embedding,
)
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def chat(**fields: object) -> TextRequest:
    return parse_chat(json.dumps({"model": "gpt-4o", "messages": HELLO} | fields).encode())


def refusal(parse: Callable[[bytes], object], body: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value


def test_a_chat_request_with_everything() -> None:
    parsed = chat(
        messages=[
            {"role": "developer", "content": "Answer in JSON."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "content": "A cat.", "tool_call_id": "1"},
        ],
        temperature=0,
        max_tokens=10,
        max_completion_tokens=20,
        response_format={"type": "json_object"},
        tools=[TOOL],
        seed=7,
        n=2,
        stop="END",
        stream=True,
        stream_options={"include_usage": True},
    )
    messages = (
        Message("developer", "Answer in JSON."),
        Message("user", "What is this?\n[image]"),
        Message("assistant", ""),
        Message("tool", "A cat."),
    )
    request = ChatRequest(messages, "gpt-4o", 0.0, 20, "json_object", ("look_up",), 7)
    assert parsed == TextRequest((request,), True, 2, ("END",), False, True, True, json.dumps([TOOL]))


def test_a_chat_request_with_nothing_but_messages() -> None:
    request = ChatRequest((Message("user", "Hello"),), "gpt-4o", 1.0, None, None, (), None)
    assert chat() == TextRequest((request,), chat=True)


def test_null_is_as_good_as_missing() -> None:
    nothing = dict.fromkeys(["temperature", "max_tokens", "n", "stop", "stream", "tools", "seed"])
    assert chat(**nothing, response_format=None, stream_options=None) == chat()


def test_the_deployment_stands_in_for_a_missing_model() -> None:
    body = json.dumps({"messages": HELLO}).encode()
    assert parse_chat(body, "my-deployment").model == "my-deployment"
    assert refusal(parse_chat, body).param == "model"


def test_an_empty_stop_stops_nothing() -> None:
    assert chat(stop=["", "END"]).stop == ("END",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["Hello"]}, "messages[0]"),
        ({"messages": [{"content": "Hello"}]}, "messages[0].role"),
        ({"messages": [*HELLO, {"role": "robot", "content": "x"}]}, "messages[1].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ["Hello"]}]}, "messages[0].content"),
        ({"model": 1}, "model"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 2.5}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stop": 1}, "stop"),
        ({"stop": ["a", 1]}, "stop"),
        ({"stop": list("abcde")}, "stop"),
        ({"tools": {}}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0].function.name"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_object"}}, "messages"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(fields: dict[str, object], param: str) -> None:
    error = refusal(parse_chat, {"model": "gpt-4o", "messages": HELLO} | fields)
    assert (error.status, error.param) == (400, param)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe{}", b"[1]", b'"text"', b"null", b"true", b"1", b"1.5", b"[" * 100_000]
)
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    for parse in (parse_chat, parse_completion, parse_embedding):
        assert refusal(parse, body).status == 400


def test_each_completion_prompt_is_a_conversation_of_its_own() -> None:
    body = {"model": "m", "prompt": ["One", "Two"], "echo": True, "temperature": 0.5, "max_tokens": 5}
    parsed = parse_completion(json.dumps(body).encode())
    expected = [ChatRequest((Message("user", text),), "m", 0.5, 5, None, (), None) for text in ("One", "Two")]
    assert parsed == TextRequest(tuple(expected), chat=False, echo=True)


def test_a_completion_has_sixteen_tokens_unless_told_otherwise() -> None:
    (prompt,) = parse_completion(b'{"model": "m", "prompt": "One"}').prompts
    assert prompt.max_tokens == 16


@pytest.mark.parametrize("prompt", [None, [], 1, [1, 2], ["One", 2]])
def test_a_prompt_that_is_no_text_is_refused(prompt: object) -> None:
    assert refusal(parse_completion, {"model": "m", "prompt": prompt}).param == "prompt"


@pytest.mark.parametrize(
    ("given", "texts"),
    [("One", ("One",)), (["One", "Two"], ("One", "Two")), ([1, 2], ("1 2",)), ([[1, 2], [3]], ("1 2", "3"))],
)
def test_texts_and_token_numbers_can_be_embedded(given: object, texts: tuple[str, ...]) -> None:
    body = json.dumps({"model": "m", "input": given}).encode()
    assert parse_embedding(body) == EmbeddingRequest(texts, "m", 256, False)


def test_embeddings_in_the_form_that_was_asked_for() -> None:
    body = b'{"model": "m", "input": "One", "dimensions": 8, "encoding_format": "base64"}'
    assert parse_embedding(body) == EmbeddingRequest(("One",), "m", 8, True)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["One", ""]}, "input"),
        ({"input": {"text": "One"}}, "input"),
        ({"input": ["One"] * 2049}, "input"),
        ({"dimensions": 0}, "dimensions"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"encoding_format": 64}, "encoding_format"),
    ],
)
def test_an_embedding_that_cannot_be_is_refused(fields: dict[str, object], param: str) -> None:
    assert refusal(parse_embedding, {"model": "m", "input": "One"} | fields).param == param
