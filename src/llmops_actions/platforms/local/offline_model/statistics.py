"""What the stand-in counts about itself: the body of /stats."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Statistics:
    """Counts since the start, of requests to a model's interface (not of /, /health and /stats).

    `by_status` holds answers by HTTP status; a request that met `reset` or `hang`, or whose client left, has
    none. Tokens are those of good answers, as their `usage` says.
    """

    requests: int = 0
    by_status: Mapping[int, int] = field(default_factory=dict)
    by_fault: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    max_in_flight: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Counters:
    """Counts while requests come and go. Not for several threads: the event loop owns it."""

    def __init__(self) -> None:
        self.requests = 0
        self.by_status: Counter[int] = Counter()
        self.by_fault: Counter[str] = Counter()
        self.in_flight = 0
        self.max_in_flight = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0

    def arrived(self) -> None:
        """A request has come."""
        self.requests += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def left(self) -> None:
        """A request is over, answered or not."""
        self.in_flight -= 1

    def snapshot(self) -> Statistics:
        """The counts as they are now."""
        return Statistics(
            self.requests,
            dict(self.by_status),
            dict(self.by_fault),
            self.in_flight,
            self.max_in_flight,
            self.prompt_tokens,
            self.completion_tokens,
        )


def to_json(statistics: Statistics) -> str:
    """The body of /stats."""
    return json.dumps(asdict(statistics), sort_keys=True)


def from_json(text: str) -> Statistics:
    """The inverse of `to_json`. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
    read = json.loads(text)
    return Statistics(**(read | {"by_status": {int(status): times for status, times in read["by_status"].items()}}))
