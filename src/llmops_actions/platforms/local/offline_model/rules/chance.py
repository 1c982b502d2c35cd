"""Slips: how often the stand-in errs, decided by a hash so that the same request always errs the same way."""

from __future__ import annotations

import re
from hashlib import blake2b

from llmops_actions.platforms.local.offline_model.types import ChatRequest

_SMALL = re.compile(r"mini|nano|small|3[.-]?5|haiku|phi", re.IGNORECASE)
_LARGE = re.compile(r"gpt-?[45]|\bo[1-9]\b|large|opus|sonnet", re.IGNORECASE)
_LARGE_RATE, _SMALL_RATE, _RATE_PER_DEGREE = 0.03, 0.10, 0.10


def draw(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but the parts."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(errors="replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def slip_rate(request: ChatRequest) -> float:
    """The share of cases in which a model of this name errs at this temperature.

    A name that says nothing about its size counts as small, as `gpt-35-turbo` does.
    """
    large = _LARGE.search(request.model) and not _SMALL.search(request.model)
    return (_LARGE_RATE if large else _SMALL_RATE) + _RATE_PER_DEGREE * min(max(request.temperature, 0.0), 2.0)


def slips(request: ChatRequest, kind: str, content: str, factor: float = 1.0) -> bool:
    """Whether the stand-in makes this kind of slip on this content.

    The draw hangs on kind, content and seed alone, so that a better model, a lower temperature or a better prompt
    (`factor` < 1) makes a subset of the slips and never other ones.
    """
    return draw(kind, content, request.seed) < slip_rate(request) * factor
