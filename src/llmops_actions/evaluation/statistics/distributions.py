"""Quantiles and tails of the normal, Student's t and the binomial distribution, without an import that takes time.

scipy has them all, but importing ``scipy.special`` takes longer than a whole gate may (docs/statistics.md). The unit
tests hold every function here against scipy.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_cdf(z: float) -> float:
    """P(Z <= z), accurate in both tails."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def normal_quantile(probability: float) -> float:
    """The z with P(Z <= z) = probability (Wichura 1988, algorithm AS 241)."""
    return _NORMAL.inv_cdf(probability)


def two_sided_z(confidence: float) -> float:
    """The z that holds ``confidence`` between -z and z."""
    return normal_quantile((1 + confidence) / 2)


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) of Student's t with ``df`` degrees of freedom (Abramowitz and Stegun 1964, 26.7.1)."""
    if math.isinf(t):
        return float(t > 0)
    square = t * t
    if square < 1:
        return 0.5 + math.copysign(0.5 * _regularized_beta(square / (df + square), 0.5, df / 2), t)
    tail = 0.5 * _regularized_beta(df / (df + square), df / 2, 0.5)
    return 1 - tail if t > 0 else tail


def t_quantile(probability: float, df: float) -> float:
    """The t with P(T <= t) = probability, by Newton's method inside a bracket."""
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    if probability == 0.5:
        return 0.0
    wanted = 1 - probability
    low, high = 0.0, 2 * normal_quantile(probability)
    while t_cdf(-high, df) > wanted:
        high *= 2
    t = normal_quantile(probability)
    for _ in range(200):
        excess = t_cdf(-t, df) - wanted
        low, high = (t, high) if excess > 0 else (low, t)
        step = t + excess / _t_density(t, df)
        following = step if low < step < high else (low + high) / 2
        if abs(following - t) <= 1e-14 * following:
            break
        t = following
    return t


def binomial_half_tail(successes: int, trials: int) -> tuple[float, float]:
    """P(X <= successes) and P(X = successes) of the binomial distribution with probability one half."""
    log_point = math.lgamma(trials + 1) - math.lgamma(successes + 1) - math.lgamma(trials - successes + 1)
    point = math.exp(log_point - trials * math.log(2))
    term = total = 1.0
    for k in range(successes, 0, -1):
        term *= k / (trials - k + 1)
        total += term
        if successes < trials / 2 and term < 1e-17 * total:
            break
    return min(1.0, point * total), point


def _t_density(t: float, df: float) -> float:
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - 0.5 * math.log(df * math.pi)
    return math.exp(log_scale - (df + 1) / 2 * math.log1p(t * t / df))


def _regularized_beta(x: float, a: float, b: float) -> float:
    """I_x(a, b), by its continued fraction (Olver et al., NIST Handbook 2010, 8.17.22) and Lentz's method."""
    if x <= 0:
        return 0.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    upper = fraction = 1.0
    lower = 0.0
    for step in range(1, 10_000):
        half = step // 2
        if step % 2:
            term = -(a + half) * (a + b + half) * x / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) * x / ((a + 2 * half - 1) * (a + 2 * half))
        lower = 1 / (1 + term * lower)
        upper = 1 + term / upper
        fraction *= upper * lower
        if abs(upper * lower - 1) < 1e-15:
            break
    return math.exp(log_front) / (a * fraction)
