"""What a number of rows can see, and how many rows a decision needs: the planning formulas.

``power`` is the probability to see the effect where it is there. All are for two-sided intervals of the given
confidence, so that each side has (1 - confidence) / 2.
"""

from __future__ import annotations

import math

from llmops_actions.evaluation.statistics.distributions import normal_quantile, t_quantile, two_sided_z
from llmops_actions.evaluation.statistics.interval import check_confidence
from llmops_actions.evaluation.statistics.proportions import restricted_variance

_MOST_ROWS = 10**9


def detectable_paired_shares(n: int, discordance: float, confidence: float, power: float = 0.8) -> float:
    """The smallest difference of two paired shares that ``n`` rows could have seen.

    ``discordance`` is the share of rows on which the two runs differ where nothing has changed; the rows that the
    effect turns come on top of it. Miettinen 1968 and Connor 1987: n d**2 = (z_a sqrt(s) + z_b sqrt(s - d**2))**2,
    where s is the share of all rows that differ.
    """
    _check(n, confidence, power)
    alpha, beta = two_sided_z(confidence), normal_quantile(power)

    def is_seen(effect: float) -> bool:
        differing = min(1.0, discordance + effect)
        error = alpha * math.sqrt(differing) + beta * math.sqrt(max(0.0, differing - effect * effect))
        return math.sqrt(n) * effect >= error

    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if is_seen(middle) else (middle, high)
    return high


def detectable_share(n: int, share: float, confidence: float, power: float = 0.8) -> float:
    """How far below ``share`` a limit must lie for ``n`` rows to show that the share is above it (Fleiss 1981)."""
    _check(n, confidence, power)
    low, high = 0.0, share
    while high - low > 1e-9:
        middle = (low + high) / 2
        needed = _rows_for_share(share, share - middle, confidence, power)
        low, high = (low, middle) if needed <= n else (middle, high)
    return high


def detectable_mean(n: int, deviation: float, confidence: float, power: float = 0.8) -> float:
    """The smallest difference of a mean that ``n`` rows could have seen, in the unit of the score.

    ``deviation`` is the standard deviation of one row's value or change. Sum of the two t quantiles times the standard
    error (Snedecor and Cochran 1989); infinite for a single row.
    """
    _check(n, confidence, power)
    if n == 1:
        return math.inf
    return _t_sum(n, confidence, power) * deviation / math.sqrt(n)


def rows_for_paired_shares(
    gained: float, lost: float, max_drop: float, confidence: float, power: float = 0.8
) -> int | None:
    """How many rows would settle a non-inferiority gate whose true shares are those observed.

    ``gained`` and ``lost`` are the shares of rows that turned true and false (Nam 1997, with the variance of Tango's
    statistic). ``None`` where the difference is the margin itself: no number of rows settles that.
    """
    _check(1, confidence, power)
    difference = gained - lost
    at_limit = restricted_variance(gained, lost, -max_drop)
    true = max(0.0, gained + lost - difference**2)
    error = two_sided_z(confidence) * math.sqrt(at_limit) + normal_quantile(power) * math.sqrt(true)
    return _rows(error, difference + max_drop)


def rows_for_share(share: float, limit: float, confidence: float, power: float = 0.8) -> int | None:
    """How many rows would settle an absolute gate whose true share is the observed one (Fleiss 1981)."""
    _check(1, confidence, power)
    needed = _rows_for_share(share, limit, confidence, power)
    return None if math.isinf(needed) else max(1, math.ceil(needed))


def rows_for_mean(deviation: float, distance: float, confidence: float, power: float = 0.8) -> int | None:
    """How many rows would settle a gate on a mean that lies ``distance`` from its limit.

    The inverse of ``detectable_mean``; ``None`` for a distance of 0.
    """
    _check(1, confidence, power)
    rows = _rows((two_sided_z(confidence) + normal_quantile(power)) * deviation, distance)
    if rows is None:
        return None
    rows = max(rows, 2)
    while rows < 200 and detectable_mean(rows, deviation, confidence, power) > abs(distance):
        rows += 1
    return rows


def _check(n: int, confidence: float, power: float) -> None:
    check_confidence(confidence)
    if n < 1 or not 0.5 <= power < 1:
        raise ValueError("a plan needs at least one row, and a power between 0.5 and 1")


def _t_sum(n: int, confidence: float, power: float) -> float:
    return t_quantile((1 + confidence) / 2, n - 1) + t_quantile(power, n - 1)


def _rows_for_share(share: float, limit: float, confidence: float, power: float) -> float:
    at_limit, true = max(0.0, limit * (1 - limit)), share * (1 - share)
    error = two_sided_z(confidence) * math.sqrt(at_limit) + normal_quantile(power) * math.sqrt(true)
    return (error / (share - limit)) ** 2 if share != limit else math.inf


def _rows(error: float, distance: float) -> int | None:
    """(error / distance)**2, rounded up; ``None`` beyond any data set."""
    if abs(distance) * math.sqrt(_MOST_ROWS) <= error:
        return None
    return max(1, math.ceil((error / distance) ** 2)) if distance else 1
