"""The choice of the best variation of a sweep. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from llmops_actions.evaluation.paired import FailedRows, Scale, compare_pairs, numbers_of, pair_series, scale_of
from llmops_actions.evaluation.series import RunScores, ScoreSeries, SeriesRow, find_series
from llmops_actions.evaluation.statistics import Comparison, Interval, holm


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
    def tokens(self) -> int | None:
        """Prompt and completion tokens, all runs together; ``None`` where they were not counted."""
        counts = [run.tokens for run in self.runs]
        return None if any(count is None for count in counts) else sum(count or 0 for count in counts)

    def series(self, metric: str, dataset: str) -> ScoreSeries | None:
        """The values of a metric, by its full name, on one dataset."""
        run = next((each for each in self.runs if each.dataset == dataset), None)
        found = find_series(run, metric) if run else None
        return found.series if found else None


@dataclass(frozen=True)
class Criterion:
    """What variations are chosen by: a score, by its full name, and how it is read."""

    metric: str
    confidence: float = 0.95
    lower_is_better: bool = False
    failed: FailedRows = field(default_factory=FailedRows)


@dataclass(frozen=True)
class Compared:
    """A variation against another, the default where there is one, on one dataset.

    ``value``, ``reference`` and ``difference`` (variation less the other) are in the unit of the score. ``better`` is
    the sign of the difference with better as positive. ``adjusted_p_value``: Holm over the whole sweep.
    ``loses_rows``: the score leaves failed rows out, and this variation has significantly more of them.
    """

    variation: str
    dataset: str
    n: int
    value: float | None
    reference: float | None
    difference: Interval | None
    better: float
    test: str
    adjusted_p_value: float
    decided_by_rule: bool
    failed: int
    loses_rows: bool

    @property
    def significant(self) -> bool:
        """Whether there is a difference beyond chance, at the level of the interval."""
        if self.difference is None or self.decided_by_rule:
            return False
        return self.adjusted_p_value < 1 - self.difference.confidence


@dataclass(frozen=True)
class Selection:
    """The winner, and why."""

    best: str
    reason: str
    compared: tuple[Compared, ...]


def select(variations: Sequence[VariationRuns], criterion: Criterion) -> Selection:
    """Compare every variation with the default, and choose.

    A variation beats the default when it has the score wherever the default has it, is significantly better on a
    dataset and significantly worse on none (Holm 1979 over variations and datasets), and does not lose rows. Of those
    that do, the highest mean is best; those that are not significantly below it stand in for it where they are cheaper.
    Where none does, the default wins. A sweep without a default is compared with the variation of the highest mean,
    for which likewise cheaper ones stand in.
    """
    default = next((each for each in variations if each.is_default), None)
    if default is None:
        return _without_default(variations, criterion)
    others = [each for each in variations if each is not default]
    compared = _compare_all(default, others, criterion)
    datasets = _datasets([default], criterion)
    better = [
        other
        for other in others
        if _has_all(other, datasets, criterion) and _beats([each for each in compared if each.variation == other.name])
    ]
    if not better:
        reason = "No variation is better than the default beyond chance." if others else "There is only the default."
        return Selection(default.name, reason, tuple(compared))
    top = _highest(better, datasets, criterion)
    best = _cheapest_equal(top, better, criterion)
    reason = f"`{best.name}` is better than the default beyond chance"
    return Selection(best.name, f"{reason}{_instead_of(best, top)}.", tuple(compared))


def _without_default(variations: Sequence[VariationRuns], criterion: Criterion) -> Selection:
    if len(variations) == 1:
        return Selection(variations[0].name, "There is only one variation.", ())
    datasets = _datasets(variations, criterion)
    whole = [each for each in variations if _has_all(each, datasets, criterion)] or list(variations)
    sound = [each for each in whole if not any(_loses_to(each, other, criterion) for other in whole)] or whole
    top = _highest(sound, datasets, criterion)
    best = _cheapest_equal(top, sound, criterion)
    what = "has the best mean" if best is top else "is not worse than the best mean beyond chance"
    reason = f"There is no default to compare with. `{best.name}` {what}{_instead_of(best, top)}."
    others = [each for each in variations if each is not top]
    return Selection(best.name, reason, tuple(_compare_all(top, others, criterion)))


def _datasets(variations: Sequence[VariationRuns], criterion: Criterion) -> list[str]:
    """The datasets on which one of them has the score."""
    names = dict.fromkeys(run.dataset for each in variations for run in each.runs)
    return [name for name in names if any(each.series(criterion.metric, name) for each in variations)]


def _has_all(variation: VariationRuns, datasets: Sequence[str], criterion: Criterion) -> bool:
    return all(variation.series(criterion.metric, name) for name in datasets)


def _loses_to(variation: VariationRuns, other: VariationRuns, criterion: Criterion) -> bool:
    return any(each.loses_rows for each in _compare_all(other, [variation], criterion))


def _instead_of(best: VariationRuns, top: VariationRuns) -> str:
    if best is top:
        return ""
    return f"; `{top.name}` has the best mean, but not beyond chance, and {_dearer(best, top)}"


def _dearer(best: VariationRuns, top: VariationRuns) -> str:
    if top.cost is None:
        return "its price is not known" if best.cost is not None else "takes more tokens"
    return "costs more" if top.cost != best.cost else "takes more tokens"


def _price(variation: VariationRuns) -> tuple[float, float]:
    """Known prices before unknown ones, then by tokens."""
    cost, tokens = variation.cost, variation.tokens
    return (math.inf if cost is None else cost, math.inf if tokens is None else tokens)


def _beats(compared: Sequence[Compared]) -> bool:
    if any(each.loses_rows for each in compared):
        return False
    significant = [each.better for each in compared if each.significant]
    return bool(significant) and all(better > 0 for better in significant)


def _is_below(compared: Sequence[Compared]) -> bool:
    return any(each.loses_rows or (each.significant and each.better < 0) for each in compared)


def _highest(variations: Sequence[VariationRuns], datasets: Sequence[str], criterion: Criterion) -> VariationRuns:
    """The best mean over the rows of these datasets; the cheaper where two are equal."""

    def rank(variation: VariationRuns) -> tuple[float, float, float]:
        cost, tokens = _price(variation)
        return (_mean(variation, datasets, criterion), -cost, -tokens)

    return max(variations, key=rank)


def _mean(variation: VariationRuns, datasets: Sequence[str], criterion: Criterion) -> float:
    """The mean over all rows, with better as higher."""
    values: list[float] = []
    for dataset in datasets:
        series = variation.series(criterion.metric, dataset)
        if series:
            scale = _scale([series], criterion)
            values.extend(scale.sign * value for value in numbers_of(series, scale))
    return math.fsum(values) / len(values) if values else -math.inf


def _cheapest_equal(top: VariationRuns, variations: Sequence[VariationRuns], criterion: Criterion) -> VariationRuns:
    """The cheapest of those that are not below ``top`` beyond chance, and can be compared with it."""
    equal = [top]
    for each in variations:
        if each is not top:
            compared = _compare_all(top, [each], criterion)
            if compared and not _is_below(compared):
                equal.append(each)
    return min(equal, key=_price)


def _compare_all(before: VariationRuns, others: Sequence[VariationRuns], criterion: Criterion) -> list[Compared]:
    """Each variation on each dataset that both have, adjusted together."""
    compared = [
        _compare(other.name, run.dataset, before_series, series, criterion)
        for other in others
        for run in other.runs
        if (series := other.series(criterion.metric, run.dataset))
        and (before_series := before.series(criterion.metric, run.dataset))
    ]
    adjusted = holm([each.adjusted_p_value for each in compared])
    return [replace(each, adjusted_p_value=p_value) for each, p_value in zip(compared, adjusted, strict=True)]


def _compare(variation: str, dataset: str, before: ScoreSeries, after: ScoreSeries, criterion: Criterion) -> Compared:
    scale = _scale([before, after], criterion)
    found = _comparison(before, after, scale, criterion.confidence)
    test, p_value = _test(found)
    return Compared(
        variation=variation,
        dataset=dataset,
        n=found.n,
        value=scale.back(found.candidate),
        reference=scale.back(found.baseline),
        difference=scale.difference_back(found.difference),
        better=found.difference.estimate if found.difference else 0.0,
        test=test,
        adjusted_p_value=p_value,
        decided_by_rule=found.rule is not None,
        failed=after.failed,
        loses_rows=scale.failed_as is None and _loses_rows(before, after, criterion.confidence),
    )


def _comparison(before: ScoreSeries, after: ScoreSeries, scale: Scale, confidence: float) -> Comparison:
    digits = len(before.rows[0].key) if before.rows else 0
    return compare_pairs(pair_series(before, after, scale, digits), scale, confidence=confidence, margin=0.0)


def _test(found: Comparison) -> tuple[str, float]:
    """The test of a difference, and its two-sided p-value: of a mean also for ordinal scores, as its interval is."""
    if found.test is None or found.difference is None or found.evidence is None:
        return "", 1.0
    if found.score_type == "ordinal":
        p_value = min(1.0, 2 * min(found.evidence.above, found.evidence.below))
        return f"mean change: {found.difference.method}", p_value
    return found.test.name, found.test.p_value


def _scale(series: Sequence[ScoreSeries], criterion: Criterion) -> Scale:
    return scale_of(series, criterion.failed, lower_is_better=criterion.lower_is_better)


def _loses_rows(before: ScoreSeries, after: ScoreSeries, confidence: float) -> bool:
    """Whether significantly more rows have no score than before (McNemar): their absence could pass for quality."""
    if not after.failed:
        return False
    found = _comparison(_was_scored(before), _was_scored(after), Scale("boolean", False, 0.0), confidence)
    return found.regressed > found.improved and found.test is not None and found.test.p_value < 1 - confidence


def _was_scored(series: ScoreSeries) -> ScoreSeries:
    rows = tuple(SeriesRow(row.key, row.line, (not row.failed,)) for row in series.rows)
    return ScoreSeries(series.evaluator, series.score, rows)
