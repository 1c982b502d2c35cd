"""Response bodies in the form of OpenAI's reference: one JSON document, or a stream of server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from llmops_actions.platforms.local.offline_model import tokens
from llmops_actions.platforms.local.offline_model.completions import Completion, Usage
from llmops_actions.platforms.local.offline_model.embeddings import embed, to_base64
from llmops_actions.platforms.local.offline_model.parsing import EmbeddingRequest

FINGERPRINT = "llmops-offline-model"
MODEL = "llmops-offline-model"
TOKENS_PER_EVENT = 4
DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Stamp:
    """What a response body has from outside: an identity (hexadecimal) and Unix time in seconds."""

    identity: str
    created: int


def completion_body(completion: Completion, stamp: Stamp) -> bytes:
    """One JSON document with all choices."""
    chat = completion.request.chat
    choices = [
        {
            "index": index,
            **({"message": {"role": "assistant", "content": choice.text}} if chat else {"text": choice.text}),
            "logprobs": None,
            "finish_reason": choice.finish_reason,
        }
        for index, choice in enumerate(completion.choices)
    ]
    head = _head(completion, stamp, "chat.completion" if chat else "text_completion")
    return _json(head | {"choices": choices, "usage": _usage(completion.usage)})


def completion_events(completion: Completion, stamp: Stamp) -> Iterator[bytes]:
    """Server-sent events: each choice a few tokens at a time, then usage if asked for, then the end."""
    chat = completion.request.chat
    head = _head(completion, stamp, "chat.completion.chunk" if chat else "text_completion")
    if completion.request.include_usage:
        head["usage"] = None
    for index, choice in enumerate(completion.choices):
        if chat:
            yield _event(head, _delta(index, {"role": "assistant", "content": ""}))
        pieces = tokens.split(choice.text)
        for start in range(0, len(pieces), TOKENS_PER_EVENT):
            text = "".join(pieces[start : start + TOKENS_PER_EVENT])
            yield _event(head, _delta(index, {"content": text}) if chat else _text(index, text))
        reason = choice.finish_reason
        yield _event(head, _delta(index, {}, reason) if chat else _text(index, "", reason))
    if completion.request.include_usage:
        yield b"data: " + _json(head | {"choices": [], "usage": _usage(completion.usage)}) + b"\n\n"
    yield DONE


def embedding_body(request: EmbeddingRequest, usage: Usage) -> bytes:
    """One JSON document with the vector of each text."""
    vectors = (embed(text, request.dimensions) for text in request.texts)
    data = [
        {"object": "embedding", "index": index, "embedding": to_base64(vector) if request.base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    total = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}
    return _json({"object": "list", "model": request.model, "data": data, "usage": total})


def models_body(model: str | None = None) -> bytes:
    """The one model there is; every other name is served by it too."""
    entry = {"id": model or MODEL, "object": "model", "created": 0, "owned_by": FINGERPRINT}
    return _json(entry if model else {"object": "list", "data": [entry]})


def _head(completion: Completion, stamp: Stamp, kind: str) -> dict[str, object]:
    prefix = "chatcmpl" if completion.request.chat else "cmpl"
    return {
        "id": f"{prefix}-{stamp.identity}",
        "object": kind,
        "created": stamp.created,
        "model": completion.request.model,
        "system_fingerprint": FINGERPRINT,
    }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _delta(index: int, delta: dict[str, str], finish_reason: str | None = None) -> dict[str, object]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}


def _text(index: int, text: str, finish_reason: str | None = None) -> dict[str, object]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish_reason}


def _event(head: dict[str, object], choice: dict[str, object]) -> bytes:
    return b"data: " + _json(head | {"choices": [choice]}) + b"\n\n"


def _json(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode("ascii")
