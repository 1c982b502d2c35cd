"""How the stand-in behaves: where it listens, how long it takes, and which faults it shows how often."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from llmops_actions.errors import UsageError

STATUS_FAULTS = ("400", "401", "408", "429", "500", "502", "503", "504")
"""Faults that are an HTTP status with an error body."""

FAULTS = (*STATUS_FAULTS, "reset", "hang", "slow", "truncate", "garbage")
"""Every fault, in the order in which a draw looks at them.

`reset` aborts the connection; `hang` never answers; `slow` takes ten times the latency; `truncate` stops
half-way with `finish_reason` "length" (embeddings, which have none: the body breaks off); `garbage` is a 200
with a web page.
"""


@dataclass(frozen=True)
class Settings:
    """What a user may choose. Raises `UsageError` for a value that makes no sense.

    `host` is a loopback IPv4 address; `port` 0 takes any free one. `latency` and `retry_after` are seconds.
    `jitter` is a fraction of the latency: 0.2 spreads it evenly over 80 % to 120 %. `faults` maps names of
    `FAULTS` to their probability per request; what they leave to 1 is the share of good answers. `seed`
    decides which requests get one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    latency: float = 0.0
    jitter: float = 0.0
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    retry_after: float = 1.0

    def __post_init__(self) -> None:
        _require(_is_loopback(self.host), f"host {self.host!r} is not a loopback address such as 127.0.0.1")
        _require(0 <= self.port <= 65535, f"port {self.port} is not within 0 to 65535")
        _require(_is_duration(self.latency), f"latency {self.latency} is not a number of seconds from 0")
        _require(0 <= self.jitter <= 1, f"jitter {self.jitter} is not a fraction of the latency within 0 to 1")
        _require(
            _is_duration(self.retry_after),
            f"retry-after {self.retry_after} is not a number of seconds from 0",
        )
        for name, probability in self.faults.items():
            _check_fault(name, probability)
        total = math.fsum(self.faults.values())
        _require(total <= 1 + 1e-9, f"the probabilities of all faults add up to {total:g}, more than 1")


def parse_fault(text: str) -> tuple[str, float]:
    """Read "429=0.1" as ("429", 0.1). Raises `UsageError` for an unknown fault or no probability."""
    name, equals, number = (part.strip() for part in text.partition("="))
    _require(bool(equals), f"fault {text!r} has no probability; write it as NAME=PROBABILITY, for example 429=0.1")
    try:
        probability = float(number)
    except ValueError:
        raise UsageError(f"fault {text!r}: {number!r} is not a number; write for example 429=0.1") from None
    _check_fault(name, probability)
    return name, probability


def parse_faults(texts: Iterable[str]) -> dict[str, float]:
    """Read several faults. Raises `UsageError` as `parse_fault` does, and when one is given twice."""
    faults: dict[str, float] = {}
    for text in texts:
        name, probability = parse_fault(text)
        _require(name not in faults, f"fault {name!r} is given twice; give it once, with one probability")
        faults[name] = probability
    return faults


def _check_fault(name: str, probability: float) -> None:
    _require(name in FAULTS, f"unknown fault {name!r}; the known ones are {', '.join(FAULTS)}")
    _require(0 <= probability <= 1, f"fault {name}: probability {probability:g} is not within 0 to 1")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.IPv4Address(host).is_loopback
    except ValueError:
        return False


def _is_duration(seconds: float) -> bool:
    return 0 <= seconds < math.inf


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(f"offline model: {message}")
