"""What a chat request is to the stand-in model: plain values, free of HTTP and of JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One message of a conversation.

    `content` is text: text parts are joined with a line feed, an image part reads "[image]".
    """

    role: str
    content: str


@dataclass(frozen=True)
class ChatRequest:
    """Everything in a request that may change the answer.

    A completion prompt is a conversation of one user message. `response_format` is the type that was asked
    for ("json_object" or "text") or None; `tools` holds the names of the functions that were
    offered.
    """

    messages: tuple[Message, ...]
    model: str
    temperature: float
    max_tokens: int | None
    response_format: str | None
    tools: tuple[str, ...]
    seed: int | None


Answer = Callable[[ChatRequest], str]
"""What decides the text of an answer: a pure function of the request."""
