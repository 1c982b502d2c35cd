"""The mean of a score over the rows, or of its change: which interval, by rule.

The rules were chosen by simulation; docs/statistics.md has the tables.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmops_actions.evaluation.statistics.bootstrap import bootstrap_mean
from llmops_actions.evaluation.statistics.distributions import t_cdf, t_quantile
from llmops_actions.evaluation.statistics.interval import Evidence, Interval, check_confidence
from llmops_actions.evaluation.statistics.proportions import PairedTable, tango, tango_evidence

BOOTSTRAP_FROM = 200
"""Rows that differ from the usual value, from which on the bootstrap covers as well as t, and its tails are fairer."""

BOOTSTRAP_UP_TO = 1000
"""Rows from which on t and the bootstrap agree (central limit theorem)."""

ROUNDING = 1e-12
"""Values that differ by less of their size are the same: 0.8 - 0.7 and 0.3 - 0.2 are one change."""


@dataclass(frozen=True)
class Mean:
    """The mean of ``n`` rows with its interval.

    ``deviation`` is what the method takes for the standard deviation
    of one row, ``evidence`` is against the limit, ``p_value`` that of the two-sided test against 0.
    """

    n: int
    interval: Interval
    deviation: float
    evidence: Evidence
    p_value: float


def paired_mean(
    differences: Sequence[float], confidence: float, limit: float = 0.0, *, step: float = 0.0, seed: int = 0
) -> Mean:
    """The mean of what each row changed by, in the unit of the score.

    ``step`` is the smallest change that the score can make, 0 where it has none: only where no row changed, the
    interval is as wide as Tango's for rows that may each change by one step. Errors: ``ValueError`` for no row at
    all, for what is not finite, for a confidence outside 0.5 to 1.
    """
    return _mean(differences, 0.0, confidence, limit, step=step, seed=seed)


def one_mean(
    values: Sequence[float], confidence: float, limit: float = 0.0, *, step: float = 0.0, seed: int = 0
) -> Mean:
    """The mean of a score, for an absolute gate.

    As ``paired_mean``, with the commonest value in the place of "no change", where there are steps.
    """
    usual = min(_commonest(values)) if step and values else None
    return _mean(values, usual, confidence, limit, step=step, seed=seed)


def _mean(
    values: Sequence[float], usual: float | None, confidence: float, limit: float, *, step: float, seed: int
) -> Mean:
    check_confidence(confidence)
    if not values or not all(map(math.isfinite, values)):
        raise ValueError("a mean needs at least one row, and finite scores only")
    n = len(values)
    moved = [value - usual for value in values if value != usual] if usual is not None else list(values)
    if usual is not None and not moved:
        return _unmoved(n, usual, confidence, limit, step)
    spread = max(values) - min(values) > ROUNDING * max(map(abs, values))
    center = math.fsum(values) / n if spread else values[0]
    deviation = math.sqrt(math.fsum((value - center) ** 2 for value in values) / max(1, n - 1)) if spread else 0.0
    if spread and len(moved) >= BOOTSTRAP_FROM and n <= BOOTSTRAP_UP_TO:
        return _by_bootstrap(values, deviation, confidence, limit, seed)
    if usual is None or (len(moved) == n and spread):
        return _by_t(_Sample(n, center, deviation, "t"), confidence, limit)
    return _by_t(_Sample(n, center, sparse_deviation(moved, n), "t, two rows added"), confidence, limit)


@dataclass(frozen=True)
class _Sample:
    n: int
    center: float
    deviation: float
    method: str


def _commonest(values: Sequence[float]) -> list[float]:
    counts = Counter(values)
    most = max(counts.values())
    return [value for value, count in counts.items() if count == most]


def _unmoved(n: int, usual: float, confidence: float, limit: float, step: float) -> Mean:
    """No row differs: by rule, as a share of rows of which none changed (Tango 1998, without a discordant row)."""
    if not step:
        return _point(n, usual, confidence, limit)
    same = PairedTable(both=n, gained=0, lost=0, neither=0)
    share = tango(same, confidence)
    interval = Interval(usual, usual + step * share.low, usual + step * share.high, confidence, "Tango, no row moved")
    tested, nothing = (tango_evidence(same, min(1.0, max(-1.0, (value - usual) / step))) for value in (limit, 0.0))
    return Mean(n, interval, 0.0, Evidence(limit, tested.above, tested.below), 2 * min(nothing.above, nothing.below))


def sparse_deviation(moved: Sequence[float], n: int) -> float:
    """The standard deviation of a row, with two rows added: one up, one down, of the root mean square of the moves.

    Bonett and Price 2012 add one row to each discordant cell of a paired table; this is the same for changes of any
    size, without moving the estimate. It keeps a few changed rows from looking like no spread at all.
    """
    squares = math.fsum(value * value for value in moved)
    rows = n + 2
    variance = (squares + 2 * squares / len(moved)) / rows - (math.fsum(moved) / rows) ** 2
    return math.sqrt(variance * n / rows)


def _by_t(sample: _Sample, confidence: float, limit: float) -> Mean:
    """Student's t interval (Student 1908); a single row has an infinite one, rows without spread one of a point."""
    n, center = sample.n, sample.center
    if n == 1:
        endless = Interval(center, -math.inf, math.inf, confidence, "single row")
        return Mean(n, endless, 0.0, Evidence(limit, 0.5, 0.5), 1.0)
    error = sample.deviation / math.sqrt(n)
    if not error:
        return _point(n, center, confidence, limit)
    half = t_quantile((1 + confidence) / 2, n - 1) * error
    interval = Interval(center, center - half, center + half, confidence, sample.method)
    t = (center - limit) / error
    evidence = Evidence(limit, above=t_cdf(-t, n - 1), below=t_cdf(t, n - 1))
    return Mean(n, interval, sample.deviation, evidence, 2 * t_cdf(-abs(center / error), n - 1))


def _point(n: int, value: float, confidence: float, limit: float) -> Mean:
    """Scores that do not differ at all and have no step: the interval is the value, by rule."""
    sign = (value > limit) - (value < limit)
    evidence = Evidence(limit, above=(1 - sign) / 2, below=(1 + sign) / 2)
    return Mean(n, Interval(value, value, value, confidence, "no spread"), 0.0, evidence, float(value == 0))


def _by_bootstrap(values: Sequence[float], deviation: float, confidence: float, limit: float, seed: int) -> Mean:
    distribution = bootstrap_mean(values, seed)
    tail = (1 - confidence) / 2
    center = math.fsum(values) / len(values)
    interval = Interval(center, distribution.quantile(tail), distribution.quantile(1 - tail), confidence, "BCa")
    above, nothing = distribution.probability(limit), distribution.probability(0.0)
    evidence = Evidence(limit, above=above, below=1 - above)
    return Mean(len(values), interval, deviation, evidence, 2 * min(nothing, 1 - nothing))
