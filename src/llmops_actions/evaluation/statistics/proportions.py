"""Shares of true rows: one share, the difference of two shares over the same rows, and the tests for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmops_actions.evaluation.statistics.distributions import binomial_half_tail, normal_cdf, two_sided_z
from llmops_actions.evaluation.statistics.interval import Evidence, Interval, check_confidence


@dataclass(frozen=True, kw_only=True)
class PairedTable:
    """How many rows are true in both runs, only in the candidate, only in the baseline, and in neither."""

    both: int
    gained: int
    lost: int
    neither: int

    @property
    def n(self) -> int:
        """All rows."""
        return self.both + self.gained + self.lost + self.neither

    @property
    def difference(self) -> float:
        """The share of the candidate less that of the baseline."""
        return (self.gained - self.lost) / self.n


def wilson(successes: int, n: int, confidence: float) -> Interval:
    """Wilson's score interval for one share (Wilson 1927)."""
    check_confidence(confidence)
    _check_counts(n, successes, n - successes)
    z = two_sided_z(confidence)
    share = successes / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == n else center + half
    return Interval(share, low, high, confidence, "Wilson")


def share_evidence(successes: int, n: int, limit: float) -> Evidence:
    """The score tests that belong to Wilson's interval."""
    _check_counts(n, successes, n - successes)
    spread = math.sqrt(max(0.0, limit * (1 - limit)) / n)
    return _evidence(_standardised(successes / n - limit, spread), limit)


def newcombe_paired(table: PairedTable, confidence: float) -> Interval:
    """Newcombe's interval for the difference of paired shares (Newcombe 1998b, method 10)."""
    n = table.n
    _check_counts(n, table.both, table.gained, table.lost, table.neither)
    candidate = wilson(table.both + table.gained, n, confidence)
    baseline = wilson(table.both + table.lost, n, confidence)
    phi = _phi(table)

    def distance(one: float, other: float) -> float:
        return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))

    low = distance(candidate.estimate - candidate.low, baseline.high - baseline.estimate)
    high = distance(candidate.high - candidate.estimate, baseline.estimate - baseline.low)
    difference = table.difference
    return Interval(difference, difference - low, difference + high, confidence, "Newcombe 10")


def tango(table: PairedTable, confidence: float) -> Interval:
    """The score interval for the difference of paired shares (Tango 1998): all differences that are not rejected."""
    check_confidence(confidence)
    _check_counts(table.n, table.both, table.gained, table.lost, table.neither)
    z, difference = two_sided_z(confidence), table.difference
    low = -1.0 if difference == -1 else _tango_limit(table, z)
    high = 1.0 if difference == 1 else _tango_limit(table, -z)
    return Interval(difference, low, high, confidence, "Tango")


def tango_evidence(table: PairedTable, limit: float) -> Evidence:
    """The score tests that belong to Tango's interval (Tango 1998; Nam 1997)."""
    _check_counts(table.n, table.both, table.gained, table.lost, table.neither)
    return _evidence(_tango_statistic(table, limit), limit)


def restricted_variance(gained: float, lost: float, difference: float) -> float:
    """The variance of one row's difference where the true difference is held at ``difference``.

    ``gained`` and ``lost`` are shares of the rows. The share of lost rows is the one that is likeliest under that
    constraint: the larger root of Tango 1998, equation 4.
    """
    b = (2 - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    likeliest_lost = (math.sqrt(max(0.0, b * b - 8 * c)) - b) / 4
    return max(0.0, 2 * likeliest_lost + difference * (1 - difference))


def mcnemar_midp(gained: int, lost: int) -> float:
    """McNemar's test of no difference, two-sided, with the mid-p value (Fagerland, Lydersen and Laake 2013)."""
    _check_counts(1, gained, lost)
    if gained == lost:
        return 1 - 0.5 * binomial_half_tail(gained, gained + lost)[1] if gained else 1.0
    tail, point = binomial_half_tail(min(gained, lost), gained + lost)
    return min(1.0, 2 * tail - point)


def _check_counts(n: int, *counts: int) -> None:
    if n < 1 or min(counts) < 0:
        raise ValueError("a share needs at least one row, and no count below zero")


def _phi(table: PairedTable) -> float:
    """The correlation of the two runs, corrected towards zero where it is positive (Newcombe 1998b)."""
    candidate, baseline, n = table.both + table.gained, table.both + table.lost, table.n
    margins = candidate * (n - candidate) * baseline * (n - baseline)
    if not margins:
        return 0.0
    cross = table.both * table.neither - table.gained * table.lost
    corrected = max(cross - n / 2, 0.0) if cross > 0 else float(cross)
    return corrected / math.sqrt(margins)


def _tango_statistic(table: PairedTable, difference: float) -> float:
    n = table.n
    variance = restricted_variance(table.gained / n, table.lost / n, difference) / n
    return _standardised(table.difference - difference, math.sqrt(variance))


def _tango_limit(table: PairedTable, z: float) -> float:
    """The difference at which the statistic, which falls as the difference rises, is ``z``: by bisection."""
    low, high = -1.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if _tango_statistic(table, middle) > z else (low, middle)
    return (low + high) / 2


def _standardised(distance: float, spread: float) -> float:
    if spread > 0:
        return distance / spread
    return math.copysign(math.inf, distance) if distance else 0.0


def _evidence(z: float, limit: float) -> Evidence:
    return Evidence(limit, above=normal_cdf(-z), below=normal_cdf(z))
