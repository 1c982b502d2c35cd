"""What every method here answers with: an interval, and the evidence against a limit."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Interval:
    """An estimate with its two-sided confidence interval, in the unit of the score; ``method`` names its maker."""

    estimate: float
    low: float
    high: float
    confidence: float
    method: str

    def within(self, lowest: float, highest: float) -> Interval:
        """The same, cut to the values that are possible."""
        return replace(self, low=max(self.low, lowest), high=min(self.high, highest))


@dataclass(frozen=True)
class Evidence:
    """The p-values of the two one-sided tests against a limit.

    ``above`` is small where the data say that the true value lies above the limit, ``below`` where it lies below.
    Each is less than (1 - confidence) / 2 exactly where the interval of the same method leaves the limit out.
    """

    limit: float
    above: float
    below: float


def check_confidence(confidence: float) -> None:
    """Refuse what is no confidence level (``ValueError``)."""
    if not 0.5 <= confidence < 1:
        raise ValueError(f"a confidence level lies between 0.5 and 1, not at {confidence}")
