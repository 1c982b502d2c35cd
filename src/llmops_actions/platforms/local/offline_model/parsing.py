"""From a request's body to what it asks for: typed values, or an `ApiError` as the real service gives it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from llmops_actions.platforms.local.offline_model.api_errors import ApiError, bad_parameter
from llmops_actions.platforms.local.offline_model.embeddings import DIMENSIONS
from llmops_actions.platforms.local.offline_model.fields import Fields, parse_object
from llmops_actions.platforms.local.offline_model.types import ChatRequest, Message

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
COMPLETION_MAX_TOKENS = 16
MOST_TOKENS = 1_000_000
MOST_CHOICES = 128
MOST_STOPS = 4
MOST_INPUTS = 2048
MOST_DIMENSIONS = 3072


@dataclass(frozen=True)
class TextRequest:
    """A chat, or one or more completion prompts, and how the answers are wanted.

    `tools` is the JSON of the offered tools (it counts as prompt), `echo` puts a completion behind its
    prompt.
    """

    prompts: tuple[ChatRequest, ...]
    chat: bool
    n: int = 1
    stop: tuple[str, ...] = ()
    echo: bool = False
    stream: bool = False
    include_usage: bool = False
    tools: str = ""

    @property
    def model(self) -> str:
        """The name that the client gave, or Azure's deployment."""
        return self.prompts[0].model


@dataclass(frozen=True)
class EmbeddingRequest:
    """Texts to embed, into how many dimensions, and whether as base64 or as numbers."""

    texts: tuple[str, ...]
    model: str
    dimensions: int
    base64: bool


def parse_chat(body: bytes, deployment: str | None = None) -> TextRequest:
    """A chat request; `deployment` takes the place of a missing model."""
    fields = parse_object(body)
    model = _model(fields, deployment)
    messages = _messages(fields)
    tools = fields.get("tools")
    request = ChatRequest(
        messages=messages,
        model=model,
        temperature=_temperature(fields),
        max_tokens=_limit(fields, "max_completion_tokens") or _limit(fields, "max_tokens"),
        response_format=_response_format(fields, messages),
        tools=_tool_names(fields),
        seed=fields.integer("seed", -(2**63), 2**63 - 1),
    )
    return TextRequest(
        prompts=(request,),
        chat=True,
        n=_choices(fields),
        stop=_stops(fields),
        stream=fields.flag("stream"),
        include_usage=fields.nested("stream_options").flag("include_usage"),
        tools=json.dumps(tools) if tools else "",
    )


def parse_completion(body: bytes, deployment: str | None = None) -> TextRequest:
    """A legacy completion request: one prompt or several, each becomes a conversation of one user message."""
    fields = parse_object(body)
    model = _model(fields, deployment)
    max_tokens = _limit(fields, "max_tokens") or COMPLETION_MAX_TOKENS
    temperature = _temperature(fields)
    seed = fields.integer("seed", -(2**63), 2**63 - 1)
    prompts = tuple(
        ChatRequest((Message("user", prompt),), model, temperature, max_tokens, None, (), seed)
        for prompt in _prompts(fields)
    )
    return TextRequest(
        prompts=prompts,
        chat=False,
        n=_choices(fields),
        stop=_stops(fields),
        echo=fields.flag("echo"),
        stream=fields.flag("stream"),
        include_usage=fields.nested("stream_options").flag("include_usage"),
    )


def parse_embedding(body: bytes, deployment: str | None = None) -> EmbeddingRequest:
    """An embedding request. Token numbers are taken as words: only the real table could turn them back."""
    fields = parse_object(body)
    encoding = fields.text("encoding_format") or "float"
    if encoding not in ("float", "base64"):
        raise bad_parameter("encoding_format", f"Invalid value: '{encoding}'. Supported: 'float' and 'base64'.")
    return EmbeddingRequest(
        texts=_inputs(fields),
        model=_model(fields, deployment),
        dimensions=fields.integer("dimensions", 1, MOST_DIMENSIONS) or DIMENSIONS,
        base64=encoding == "base64",
    )


def _model(fields: Fields, deployment: str | None) -> str:
    model = fields.text("model") or deployment
    if not model:
        raise ApiError(400, "you must provide a model parameter", param="model")
    return model


def _temperature(fields: Fields) -> float:
    value = fields.number("temperature", 0, 2)
    return 1.0 if value is None else value


def _limit(fields: Fields, name: str) -> int | None:
    return fields.integer(name, 1, MOST_TOKENS)


def _choices(fields: Fields) -> int:
    return fields.integer("n", 1, MOST_CHOICES) or 1


def _stops(fields: Fields) -> tuple[str, ...]:
    value = fields.get("stop")
    stops = [value] if isinstance(value, str) else value
    if stops is None:
        return ()
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise fields.wrong("stop", "a string or an array of strings")
    if len(stops) > MOST_STOPS:
        raise bad_parameter("stop", f"Invalid 'stop': at most {MOST_STOPS} sequences, but got {len(stops)}.")
    return tuple(stop for stop in stops if stop)


def _messages(fields: Fields) -> tuple[Message, ...]:
    listed = fields.require("messages")
    if not isinstance(listed, list):
        raise fields.wrong("messages", "an array of objects")
    if not listed:
        message = "Invalid 'messages': empty array. Expected an array with minimum length 1."
        raise bad_parameter("messages", message, "empty_array")
    return tuple(_message(item, f"messages[{position}]") for position, item in enumerate(listed))


def _message(item: object, where: str) -> Message:
    if not isinstance(item, dict):
        raise bad_parameter(where, f"Invalid type for '{where}': expected an object.", "invalid_type")
    fields = Fields(item, where)
    fields.require("role")
    role = fields.text("role") or ""
    if role not in ROLES:
        supported = ", ".join(f"'{known}'" for known in ROLES)
        raise bad_parameter(fields.path("role"), f"Invalid value: '{role}'. Supported values are: {supported}.")
    content = fields.get("content")
    if content is None and role != "assistant":
        raise bad_parameter(
            fields.path("content"), "Invalid value for 'content': expected a string or an array, got null."
        )
    return Message(role, _content(fields, content))


def _content(fields: Fields, content: object) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise fields.wrong("content", "a string or an array of parts")
    return "\n".join(_part(part, fields.path("content")) for part in content)


def _part(part: object, where: str) -> str:
    if isinstance(part, dict):
        if part.get("type") in ("text", "refusal"):
            text = part.get(part["type"])
            if isinstance(text, str):
                return text
        elif part.get("type") == "image_url":
            return "[image]"
    raise bad_parameter(where, f"Invalid part in '{where}': only text and image_url parts are known.")


def _response_format(fields: Fields, messages: tuple[Message, ...]) -> str | None:
    """The type asked for. As in the real service, JSON mode wants the word in a message."""
    nested = fields.nested("response_format")
    kind = nested.text("type")
    path = nested.path("type")
    if kind == "json_schema":
        message = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
        raise bad_parameter("response_format", message)
    if kind not in (None, "text", "json_object"):
        raise bad_parameter(path, f"Invalid value: '{kind}'. Supported values are: 'json_object' and 'text'.")
    if kind == "json_object" and not any("json" in message.content.lower() for message in messages):
        message = (
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
        raise bad_parameter("messages", message)
    return kind


def _tool_names(fields: Fields) -> tuple[str, ...]:
    tools = fields.get("tools")
    if tools is None:
        return ()
    if not isinstance(tools, list):
        raise fields.wrong("tools", "an array of objects")
    return tuple(_tool_name(tool, f"tools[{position}]") for position, tool in enumerate(tools))


def _tool_name(tool: object, where: str) -> str:
    if not isinstance(tool, dict):
        raise bad_parameter(where, f"Invalid type for '{where}': expected an object.", "invalid_type")
    function = Fields(tool, where).nested("function")
    function.require("name")
    return function.text("name") or ""


def _prompts(fields: Fields) -> tuple[str, ...]:
    value = fields.require("prompt")
    prompts = [value] if isinstance(value, str) else value
    if isinstance(prompts, list) and prompts and all(isinstance(prompt, str) for prompt in prompts):
        return tuple(prompts)
    raise fields.wrong("prompt", "a string or an array of strings")


def _inputs(fields: Fields) -> tuple[str, ...]:
    value = fields.require("input")
    inputs = [value] if isinstance(value, str) or _is_tokens(value) else value
    if not isinstance(inputs, list) or not inputs:
        raise fields.wrong("input", "a string or an array")
    if len(inputs) > MOST_INPUTS:
        raise bad_parameter("input", f"Invalid 'input': at most {MOST_INPUTS} items, but got {len(inputs)}.")
    return tuple(_input(fields, item) for item in inputs)


def _input(fields: Fields, item: object) -> str:
    if isinstance(item, str) and item:
        return item
    if isinstance(item, list) and _is_tokens(item):
        return " ".join(map(str, item))
    raise fields.wrong("input", "strings that are not empty, or arrays of token numbers")


def _is_tokens(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is int for item in value)
