"""Answers a parsed request: the rule's text, cut to what was asked for, and what it would have cost."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from llmops_actions.platforms.local.offline_model import tokens
from llmops_actions.platforms.local.offline_model.parsing import EmbeddingRequest, TextRequest
from llmops_actions.platforms.local.offline_model.types import Answer, ChatRequest

# What the chat format adds to a conversation's text (OpenAI Cookbook, "How to count tokens with tiktoken").
TOKENS_PER_MESSAGE = 4
TOKENS_PER_CHAT = 3


@dataclass(frozen=True)
class Usage:
    """Tokens that went in and came out."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class Choice:
    """One answer; `finish_reason` is "stop", or "length" if the token limit cut it."""

    text: str
    finish_reason: str


@dataclass(frozen=True)
class Completion:
    """All answers to a request: `n` for its first prompt, `n` for its second, and so on."""

    request: TextRequest
    choices: tuple[Choice, ...]
    usage: Usage


def complete(request: TextRequest, answer: Answer) -> Completion:
    """Answers the request. The `n` choices of a prompt are equal: the rules are deterministic."""
    counted: list[tuple[Choice, int]] = [_choice(prompt, request, answer) for prompt in request.prompts]
    choices = tuple(choice for choice, _ in counted for _ in range(request.n))
    completion_tokens = sum(length for _, length in counted) * request.n
    return Completion(request, choices, Usage(_prompt_tokens(request), completion_tokens))


def cut_short(completion: Completion) -> Completion:
    """The same, broken off half-way as if the model had run into its limit."""
    choices = tuple(Choice(choice.text[: len(choice.text) // 2], "length") for choice in completion.choices)
    completion_tokens = sum(tokens.count(choice.text) for choice in choices)
    return replace(completion, choices=choices, usage=Usage(completion.usage.prompt_tokens, completion_tokens))


def embedding_usage(request: EmbeddingRequest) -> Usage:
    """An embedding costs its prompt and has no output."""
    return Usage(sum(map(tokens.count, request.texts)), 0)


def _choice(prompt: ChatRequest, request: TextRequest, answer: Answer) -> tuple[Choice, int]:
    """The choice and its length in tokens."""
    text = answer(prompt)
    if prompt.response_format == "json_object":
        text = _as_json_object(text)
    for stop in request.stop:
        text = text.partition(stop)[0]
    kept = text if prompt.max_tokens is None else tokens.cut(text, prompt.max_tokens)
    shown = prompt.messages[0].content + kept if request.echo else kept
    return Choice(shown, "stop" if kept == text else "length"), tokens.count(kept)


def _as_json_object(text: str) -> str:
    """The text if it is a JSON object, else an object that holds it: JSON mode promises one."""
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    return text if is_object else json.dumps({"answer": text}, ensure_ascii=False)


def _prompt_tokens(request: TextRequest) -> int:
    texts = [message.content for prompt in request.prompts for message in prompt.messages]
    counted = sum(map(tokens.count, texts))
    if not request.chat:
        return counted
    return counted + TOKENS_PER_MESSAGE * len(texts) + TOKENS_PER_CHAT + tokens.count(request.tools)
