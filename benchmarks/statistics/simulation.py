"""Runs the real comparison on made-up scores, many times: false alarms, coverage, power, and what naive gates do."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cache

from benchmarks.statistics.scenarios import CONFIDENCE, Scenario, Scores
from llmops_actions.evaluation.statistics import aggregate_repeats, compare
from llmops_actions.evaluation.statistics.distributions import t_quantile

COMPARISONS = 2000
SIZES = (30, 100, 1000)


@dataclass(frozen=True)
class Alike:
    """Shares of the comparisons of two runs that are equally good.

    ``significant``: the interval leaves out 0. ``failed``: the gate fails. ``covered``: the interval holds 0.
    ``naive_failed``: the difference of the means is below -max_drop. ``naive_significant``: a paired t test, each
    repeat counted as a row of its own.
    """

    method: str
    significant: float
    failed: float
    covered: float
    tested: float
    naive_failed: float
    naive_significant: float


@dataclass(frozen=True)
class Worse:
    """Shares of the comparisons where the candidate is worse by ``drop``, which is stated as detectable."""

    drop: float
    seen: float
    covered: float


@cache
def alike(scenario: Scenario, n: int) -> Alike:
    rng = scenario.rng("alike", n)
    counts: Counter[str] = Counter()
    methods: Counter[str] = Counter()
    for _ in range(COMPARISONS):
        baseline, candidate = scenario.draw(rng, n, 0.0)
        result = compare(
            _by_row(baseline), _by_row(candidate), scenario.score_type, confidence=CONFIDENCE, max_drop=scenario.margin
        )
        assert result.difference is not None
        assert result.test is not None
        methods[result.difference.method] += 1
        counts["covered"] += result.difference.low <= 0 <= result.difference.high
        counts["failed"] += result.outcome == "failed"
        counts["tested"] += result.test.p_value < 1 - CONFIDENCE
        counts["naive_failed"] += float(candidate.mean() - baseline.mean()) < -scenario.margin
        counts["naive_significant"] += _is_significant_pooled(baseline, candidate)
    share = {name: count / COMPARISONS for name, count in counts.items()}
    return Alike(
        method=methods.most_common(1)[0][0],
        significant=1 - share["covered"],
        failed=share["failed"],
        covered=share["covered"],
        tested=share["tested"],
        naive_failed=share["naive_failed"],
        naive_significant=share["naive_significant"],
    )


@cache
def worse(scenario: Scenario, n: int) -> Worse:
    strength, drop = scenario.drop(n)
    rng = scenario.rng("worse", n)
    seen = covered = 0
    for _ in range(COMPARISONS):
        baseline, candidate = scenario.draw(rng, n, strength)
        result = compare(
            _by_row(baseline), _by_row(candidate), scenario.score_type, confidence=CONFIDENCE, max_drop=scenario.margin
        )
        assert result.difference is not None
        seen += result.difference.high < 0
        covered += result.difference.low <= -drop <= result.difference.high
    return Worse(drop, seen / COMPARISONS, covered / COMPARISONS)


def error_of(share: float, comparisons: int = COMPARISONS) -> float:
    """The Monte-Carlo standard error of a share."""
    return math.sqrt(max(share * (1 - share), 1 / comparisons) / comparisons)


def _by_row(scores: Scores) -> list[float]:
    """What a gate sees: one value per row."""
    if scores.shape[1] == 1:
        return [float(score) for score in scores[:, 0]]
    rows = aggregate_repeats(((str(i), repeats.tolist()) for i, repeats in enumerate(scores)), failed_as=0.0)
    return [value for _, value in rows if value is not None]


def _is_significant_pooled(baseline: Scores, candidate: Scores) -> bool:
    changes = (candidate - baseline).ravel()
    error = float(changes.std(ddof=1)) / math.sqrt(changes.size)
    return abs(float(changes.mean())) > t_quantile((1 + CONFIDENCE) / 2, changes.size - 1) * error
