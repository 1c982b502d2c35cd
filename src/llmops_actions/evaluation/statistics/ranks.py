"""The signed-rank test for ordinal scores: whether the scores of the rows shifted at all."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from llmops_actions.evaluation.statistics.distributions import normal_cdf

EXACT_UP_TO = 50
"""Rows that changed, up to which the distribution of the statistic is counted out."""

_BITS = 64
_SIGNIFICANT_DIGITS = 12


def wilcoxon_pratt(differences: Iterable[float]) -> float:
    """Wilcoxon's signed-rank test (Wilcoxon 1945), two-sided, with Pratt's way to rank zeros (Pratt 1959).

    Zeros are ranked with the rest, then their ranks are dropped; ties share the mean of their ranks. Up to
    ``EXACT_UP_TO`` changed rows the p-value is exact given the ranks, ties included (the permutation distribution of
    the signs, Pratt and Gibbons 1981); beyond it is the normal approximation, whose variance, the sum of the squared
    ranks over 4, has the corrections for zeros and ties in it. Without a changed row it is 1.
    """
    values = list(differences)
    if not all(map(math.isfinite, values)):
        raise ValueError("the signed-rank test needs finite differences")
    signed = _doubled_signed_ranks(values)
    if not signed:
        return 1.0
    positive = sum(rank for rank in signed if rank > 0)
    ranks = [abs(rank) for rank in signed]
    if len(ranks) <= EXACT_UP_TO:
        return _exact(ranks, positive)
    # The ranks are doubled, so that those of ties are whole: mean = sum / 2, variance = sum of squares / 4 still hold.
    z = (positive - sum(ranks) / 2) / math.sqrt(sum(rank * rank for rank in ranks) / 4)
    return min(1.0, 2 * normal_cdf(-abs(z)))


def _doubled_signed_ranks(values: Sequence[float]) -> list[int]:
    """Twice the rank of each size, with the sign of its value; none for zeros.

    Sizes that differ by rounding only are ties: 0.8 - 0.7 and 0.3 - 0.2 are the same step.
    """
    largest = max(map(abs, values), default=0.0)
    if not largest:
        return []
    digits = _SIGNIFICANT_DIGITS - 1 - math.floor(math.log10(largest))
    rounded = sorted((round(value, digits) for value in values), key=abs)
    signed: list[int] = []
    before = 0
    for size, group in groupby(rounded, key=abs):
        members = list(group)
        doubled = 2 * before + len(members) + 1
        before += len(members)
        if size:
            signed.extend(doubled if value > 0 else -doubled for value in members)
    return signed


def _exact(ranks: Sequence[int], positive: int) -> float:
    """Twice the smaller tail, over all ways to give the ranks their signs.

    One whole number holds the number of ways for every sum, 64 bits each: with a rank, a sum is reached without it or
    by it. There are 2**50 ways at most, so that nothing overflows, and the remainder modulo 2**64 - 1 adds the parts.
    """
    ways = 1
    for rank in ranks:
        ways += ways << (_BITS * rank)
    smaller = min(positive, sum(ranks) - positive)
    tail = ways & ((1 << (_BITS * (smaller + 1))) - 1)
    return min(1.0, 2 * (tail % ((1 << _BITS) - 1)) / (1 << len(ranks)))
