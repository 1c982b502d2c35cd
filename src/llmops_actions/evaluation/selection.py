"""The best variation of a sweep: the default, unless another is better beyond chance. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmops_actions.evaluation.series import RunScores, ScoreSeries, find_series
from llmops_actions.evaluation.statistics import (
    Comparison,
    aggregate_repeats,
    compare,
    failed_as,
    holm,
    pair,
    score_type,
)


@dataclass(frozen=True)
class VariationRuns:
    """A variation with its runs, one for each dataset."""

    name: str
    is_default: bool
    runs: Sequence[RunScores]

    @property
    def cost(self) -> float | None:
        """US dollars, all runs together; ``None`` where a price is not known."""
        costs = [run.cost for run in self.runs]
        return None if any(cost is None for cost in costs) else sum(cost or 0.0 for cost in costs)

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens, all runs together."""
        return sum(run.tokens for run in self.runs)


@dataclass(frozen=True)
class Compared:
    """A variation against the default on one dataset. ``adjusted_p_value``: Holm over the whole sweep."""

    variation: str
    dataset: str
    comparison: Comparison
    adjusted_p_value: float
    failed: int

    @property
    def significant(self) -> bool:
        """Whether there is a difference beyond chance, at the level of the interval."""
        interval = self.comparison.difference
        return interval is not None and self.comparison.rule is None and self.adjusted_p_value < 1 - interval.confidence

    @property
    def difference(self) -> float:
        """Variation less default."""
        return self.comparison.difference.estimate if self.comparison.difference else 0.0


@dataclass(frozen=True)
class Selection:
    """The winner, and why."""

    best: str
    reason: str
    compared: tuple[Compared, ...]


def select(
    variations: Sequence[VariationRuns], metric: str, *, confidence: float = 0.95, lower_is_better: bool = False
) -> Selection:
    """Compare every variation with the default, and choose.

    A variation beats the default when it is significantly better on a dataset and significantly worse on none (Holm
    1979 over variations and datasets). Of those that do, the highest mean is best; those that are not significantly
    below it stand in for it where they are cheaper. Where none does, the default wins; without a default the cheapest.
    """
    default = next((each for each in variations if each.is_default), None)
    if default is None:
        cheapest = min(variations, key=_price)
        return Selection(cheapest.name, "The sweep has no default to compare with; this is the cheapest.", ())
    others = [each for each in variations if not each.is_default]
    sign = -1.0 if lower_is_better else 1.0
    compared = _adjusted([each for other in others for each in _compare(default, other, metric, confidence)])
    better = [other for other in others if _beats([each for each in compared if each.variation == other.name], sign)]
    if not better:
        reason = "No variation is better than the default beyond chance." if others else "There is only the default."
        return Selection(default.name, reason, tuple(compared))
    top = max(better, key=lambda each: sign * _mean(each, metric))
    equal = [each for each in better if each is top or not _is_below(each, top, metric, confidence, sign)]
    best = min(equal, key=_price)
    reason = f"`{best.name}` is better than the default beyond chance"
    if best is not top:
        reason += f"; `{top.name}` has the highest mean, but not beyond chance, and costs more"
    return Selection(best.name, f"{reason}.", tuple(compared))


def _price(variation: VariationRuns) -> tuple[float, int]:
    return (math.inf if variation.cost is None else variation.cost, variation.tokens)


def _beats(compared: Sequence[Compared], sign: float) -> bool:
    significant = [sign * each.difference for each in compared if each.significant]
    return bool(significant) and all(difference > 0 for difference in significant)


def _mean(variation: VariationRuns, metric: str) -> float:
    """The mean over all rows of all datasets."""
    values: list[float] = []
    for run in variation.runs:
        found = find_series(run, metric)
        if found:
            values.extend(_values(found.series, found.series))
    return math.fsum(values) / len(values) if values else -math.inf


def _values(series: ScoreSeries, other: ScoreSeries) -> list[float]:
    kind = score_type([value for each in (series, other) for row in each.rows for value in row.values])
    as_score = failed_as(kind, "exclude-and-report", None)
    scored = aggregate_repeats([(row.key, row.values) for row in series.rows], failed_as=as_score)
    return [value for _, value in scored if value is not None]


def _compare(before: VariationRuns, after: VariationRuns, metric: str, confidence: float) -> list[Compared]:
    by_dataset = {run.dataset: run for run in before.runs}
    found = []
    for run in after.runs:
        other = by_dataset.get(run.dataset)
        old, new = (find_series(other, metric) if other else None), find_series(run, metric)
        if old is None or new is None:
            continue
        comparison = compare_series(old.series, new.series, confidence)
        failed = sum(all(value is None for value in row.values) for row in new.series.rows)
        p_value = comparison.test.p_value if comparison.test else 1.0
        found.append(Compared(after.name, run.dataset, comparison, p_value, failed))
    return found


def compare_series(before: ScoreSeries, after: ScoreSeries, confidence: float) -> Comparison:
    """Two series row by row; failed rows count as false, or are left out of a numeric score."""
    kind = score_type([value for each in (before, after) for row in each.rows for value in row.values])
    as_score = failed_as(kind, "exclude-and-report", None)
    paired = pair(
        aggregate_repeats([(row.key, row.values) for row in before.rows], failed_as=as_score),
        aggregate_repeats([(row.key, row.values) for row in after.rows], failed_as=as_score),
        failed_as=as_score,
    )
    return compare(paired.baseline, paired.candidate, kind, confidence=confidence, max_drop=0.0)


def _adjusted(compared: Sequence[Compared]) -> list[Compared]:
    adjusted = holm([each.adjusted_p_value for each in compared])
    return [replace(each, adjusted_p_value=p_value) for each, p_value in zip(compared, adjusted, strict=True)]


def _is_below(each: VariationRuns, top: VariationRuns, metric: str, confidence: float, sign: float) -> bool:
    compared = _adjusted(_compare(top, each, metric, confidence))
    return any(found.significant and sign * found.difference < 0 for found in compared)
