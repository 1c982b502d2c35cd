"""From an interval to an outcome, and from many p-values to those that still count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from llmops_actions.evaluation.statistics.interval import Interval

Outcome = Literal["passed", "failed", "inconclusive"]


def noninferiority(difference: Interval, max_drop: float) -> Outcome:
    """Whether the candidate is at most ``max_drop`` worse.

    Passed where the whole interval lies above -max_drop, failed where it lies wholly below, otherwise inconclusive
    (Piaggio et al. 2012, CONSORT extension for non-inferiority trials).
    """
    if max_drop < 0:
        raise ValueError("a drop is not negative")
    return at_least(difference, -max_drop)


def at_least(interval: Interval, limit: float) -> Outcome:
    """Whether the true value lies above ``limit``. An interval of one point that is the limit has reached it."""
    if interval.low > limit or interval.low == interval.high == limit:
        return "passed"
    return "failed" if interval.high < limit else "inconclusive"


def at_most(interval: Interval, limit: float) -> Outcome:
    """Whether the true value lies below ``limit``. An interval of one point that is the limit keeps to it."""
    if interval.high < limit or interval.low == interval.high == limit:
        return "passed"
    return "failed" if interval.low > limit else "inconclusive"


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p-values adjusted for their number, in the order given (Holm 1979): compare each with the level itself.

    For the gates that fail: the p-values are ``Evidence.below`` (``above`` for an upper limit), the level is
    (1 - confidence) / 2. That all gates pass needs no adjustment (intersection-union test, Berger 1982).
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)
