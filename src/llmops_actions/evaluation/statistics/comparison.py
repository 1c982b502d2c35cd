"""The whole answer for one score: the test that suits its type, the rules for odd cases, the outcome, the outlook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from llmops_actions.evaluation.statistics import power as planning
from llmops_actions.evaluation.statistics.decisions import Outcome, at_least, at_most, noninferiority
from llmops_actions.evaluation.statistics.interval import Evidence, Interval
from llmops_actions.evaluation.statistics.means import one_mean, paired_mean
from llmops_actions.evaluation.statistics.pairing import ScoreType
from llmops_actions.evaluation.statistics.proportions import (
    PairedTable,
    mcnemar_midp,
    share_evidence,
    tango,
    tango_evidence,
    wilson,
)
from llmops_actions.evaluation.statistics.ranks import wilcoxon_pratt

FEWEST_ROWS = 10
"""Below this no method keeps what it promises; the outcome is inconclusive, whatever the scores."""

Rule = Literal["no rows", "too few rows", "identical"]
Direction = Literal["at_least", "at_most"]


@dataclass(frozen=True)
class Test:
    """A two-sided test of no difference at all."""

    __test__ = False

    name: str
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """A candidate against its baseline, over the rows that both have.

    ``difference`` is candidate less baseline; ``evidence`` is against -max_drop. ``spread`` is what ``outlook`` needs:
    for booleans the share of rows that differ, else the standard deviation of a row's change. ``rule`` says why the
    outcome is not the interval's. Without rows there are neither means nor an interval.
    """

    score_type: ScoreType
    n: int
    improved: int
    regressed: int
    baseline: float | None
    candidate: float | None
    difference: Interval | None
    evidence: Evidence | None
    test: Test | None
    spread: float
    outcome: Outcome
    rule: Rule | None


@dataclass(frozen=True)
class Measurement:
    """The mean of one run against an absolute limit; the fields are those of ``Comparison``."""

    score_type: ScoreType
    n: int
    mean: Interval | None
    evidence: Evidence | None
    spread: float
    outcome: Outcome
    rule: Rule | None


@dataclass(frozen=True)
class Outlook:
    """What these rows could have seen, and what it would take.

    ``detectable`` is the smallest effect that this number of rows shows with the given power, in the unit of the
    score. ``rows`` would settle the gate with that power if what was observed is the truth; ``None`` where no number
    of rows would, because what was observed is the limit itself.
    """

    detectable: float
    rows: int | None


def compare(
    baseline: Sequence[float],
    candidate: Sequence[float],
    score_type: ScoreType,
    *,
    confidence: float,
    max_drop: float,
    seed: int = 0,
) -> Comparison:
    """Compare two runs row by row: ``baseline[i]`` and ``candidate[i]`` are the same row, or its mean over repeats."""
    if len(baseline) != len(candidate):
        raise ValueError("both runs need the same rows")
    differences = [after - before for before, after in zip(baseline, candidate, strict=True)]
    n = len(differences)
    if not n:
        return Comparison(score_type, 0, 0, 0, None, None, None, None, None, 0.0, "inconclusive", "no rows")
    improved, regressed = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
    if score_type == "boolean" and _is_zero_or_one(baseline) and _is_zero_or_one(candidate):
        table = _table(baseline, candidate)
        difference, evidence = tango(table, confidence), tango_evidence(table, -max_drop)
        spread = (table.gained + table.lost) / n
        test = Test("McNemar mid-p", mcnemar_midp(table.gained, table.lost))
    else:
        mean = paired_mean(differences, confidence, -max_drop, step=_step(score_type), seed=seed)
        difference = mean.interval.within(-1.0, 1.0) if score_type == "boolean" else mean.interval
        evidence, spread = mean.evidence, mean.deviation
        if score_type == "ordinal":
            test = Test("Wilcoxon signed-rank (Pratt)", wilcoxon_pratt(differences))
        else:
            test = Test(f"mean change: {difference.method}", mean.p_value)
    rule: Rule | None = "identical" if improved == regressed == 0 else "too few rows" if n < FEWEST_ROWS else None
    by_rule: Outcome = "passed" if rule == "identical" else "inconclusive"
    return Comparison(
        score_type=score_type,
        n=n,
        improved=improved,
        regressed=regressed,
        baseline=math.fsum(baseline) / n,
        candidate=math.fsum(candidate) / n,
        difference=difference,
        evidence=evidence,
        test=test,
        spread=spread,
        outcome=by_rule if rule else noninferiority(difference, max_drop),
        rule=rule,
    )


def measure(
    values: Sequence[float],
    score_type: ScoreType,
    *,
    confidence: float,
    limit: float,
    direction: Direction = "at_least",
    seed: int = 0,
) -> Measurement:
    """Hold the mean of one run against a limit: one value per row, or its mean over repeats."""
    n = len(values)
    if not n:
        return Measurement(score_type, 0, None, None, 0.0, "inconclusive", "no rows")
    if score_type == "boolean" and _is_zero_or_one(values):
        true = round(math.fsum(values))
        interval, evidence, spread = wilson(true, n, confidence), share_evidence(true, n, limit), true / n
    else:
        mean = one_mean(values, confidence, limit, step=_step(score_type), seed=seed)
        interval = mean.interval.within(0.0, 1.0) if score_type == "boolean" else mean.interval
        evidence, spread = mean.evidence, mean.deviation
    reached = at_least(interval, limit) if direction == "at_least" else at_most(interval, limit)
    too_few = n < FEWEST_ROWS
    return Measurement(
        score_type,
        n,
        interval,
        evidence,
        spread,
        "inconclusive" if too_few else reached,
        "too few rows" if too_few else None,
    )


def outlook(comparison: Comparison, max_drop: float, power: float = 0.8) -> Outlook | None:
    """What the rows of a comparison could have seen; ``None`` where there were none."""
    n, difference = comparison.n, comparison.difference
    if difference is None:
        return None
    confidence = difference.confidence
    if difference.method == "Tango":
        rows = planning.rows_for_paired_shares(
            comparison.improved / n, comparison.regressed / n, max_drop, confidence, power
        )
        detectable = planning.detectable_paired_shares(n, comparison.spread, confidence, power)
        return Outlook(detectable, _enough(rows))
    rows = planning.rows_for_mean(comparison.spread, difference.estimate + max_drop, confidence, power)
    return Outlook(planning.detectable_mean(n, comparison.spread, confidence, power), _enough(rows))


def measurement_outlook(measurement: Measurement, limit: float, power: float = 0.8) -> Outlook | None:
    """The same for an absolute gate."""
    n, mean = measurement.n, measurement.mean
    if mean is None:
        return None
    if mean.method == "Wilson":
        rows = planning.rows_for_share(mean.estimate, limit, mean.confidence, power)
        return Outlook(planning.detectable_share(n, mean.estimate, mean.confidence, power), _enough(rows))
    rows = planning.rows_for_mean(measurement.spread, mean.estimate - limit, mean.confidence, power)
    return Outlook(planning.detectable_mean(n, measurement.spread, mean.confidence, power), _enough(rows))


def _enough(rows: int | None) -> int | None:
    return None if rows is None else max(rows, FEWEST_ROWS)


def _is_zero_or_one(values: Sequence[float]) -> bool:
    return all(value in (0, 1) for value in values)


def _table(baseline: Sequence[float], candidate: Sequence[float]) -> PairedTable:
    cells = [(bool(before), bool(after)) for before, after in zip(baseline, candidate, strict=True)]
    both, gained, lost = cells.count((True, True)), cells.count((False, True)), cells.count((True, False))
    return PairedTable(both=both, gained=gained, lost=lost, neither=len(cells) - both - gained - lost)


def _step(score_type: ScoreType) -> float:
    """The smallest change of a row: one level, or from false to true; a continuous score has none."""
    return 0.0 if score_type == "continuous" else 1.0
