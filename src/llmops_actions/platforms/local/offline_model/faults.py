"""Which fault a request meets and how long it takes: a function of seed, content and repetition."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from llmops_actions.platforms.local.offline_model.bounded import LeastRecentlyUsed
from llmops_actions.platforms.local.offline_model.settings import FAULTS, Settings

REMEMBERED_CONTENTS = 32_768
"""How many different contents are counted; one that is forgotten starts again from nought."""

SLOW_FACTOR = 10
AT_ONCE = frozenset({"400", "401", "429"})
"""Faults that a service shows at its door, before it has worked on the request: they come without the latency."""


@dataclass(frozen=True)
class Fate:
    """What happens to one request: a fault or None, and the seconds from its arrival to the first byte."""

    fault: str | None
    delay: float


class Fates:
    """Draws the fate of each request.

    The draw depends on the seed, on the request's content and on how often this content came before: the same
    requests meet the same faults in whatever order they arrive, and a repeated request draws anew.
    """

    def __init__(self, settings: Settings, remembered: int = REMEMBERED_CONTENTS) -> None:
        self._latency = settings.latency
        self._jitter = settings.jitter
        self._seed = f"{settings.seed}/".encode()
        self._limits = _limits(settings)
        self._certain = not self._limits and not (settings.latency and settings.jitter)
        self._seen: LeastRecentlyUsed[bytes, int] = LeastRecentlyUsed(remembered)

    def draw(self, content: bytes) -> Fate:
        """The fate of the next request with this content (a digest of it)."""
        if self._certain:
            return Fate(None, self._latency)
        repetition = self._seen.get(content) or 0
        self._seen.put(content, repetition + 1)
        for_fault, for_jitter = _two_uniform(self._seed + repetition.to_bytes(8, "big") + content)
        fault = next((name for name, limit in self._limits if for_fault < limit), None)
        return Fate(fault, self._delay(fault, for_jitter))

    def _delay(self, fault: str | None, uniform: float) -> float:
        if fault in AT_ONCE:
            return 0.0
        delay = self._latency * (1 + self._jitter * (2 * uniform - 1))
        return delay * SLOW_FACTOR if fault == "slow" else delay


def _limits(settings: Settings) -> tuple[tuple[str, float], ...]:
    """Upper limits of each fault's share of [0, 1), in the fixed order of `FAULTS`."""
    limits: list[tuple[str, float]] = []
    upper = 0.0
    for name in FAULTS:
        probability = settings.faults.get(name, 0.0)
        if probability:
            upper += probability
            limits.append((name, upper))
    return tuple(limits)


def _two_uniform(key: bytes) -> tuple[float, float]:
    """Two independent numbers, even over [0, 1), from a hash of the key."""
    digest = hashlib.blake2b(key, digest_size=16).digest()
    return int.from_bytes(digest[:8], "big") / 2**64, int.from_bytes(digest[8:], "big") / 2**64
