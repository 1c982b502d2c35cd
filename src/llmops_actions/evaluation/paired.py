"""Two series row by row: which rows belong together, what a failed one counts as, which way is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from llmops_actions.evaluation.series import ScoreSeries, SeriesRow
from llmops_actions.evaluation.statistics import (
    Comparison,
    FailedPolicy,
    Interval,
    Paired,
    ScoreType,
    Value,
    aggregate_repeats,
    compare,
    failed_as,
    pair,
    score_type,
)

_POLICIES: Mapping[Literal["worst", "exclude"], FailedPolicy] = {"worst": "worst", "exclude": "exclude-and-report"}


@dataclass(frozen=True)
class FailedRows:
    """What failed rows of a numeric score count as: ``worst`` (then with that score), or left out and reported."""

    policy: Literal["worst", "exclude"] = "exclude"
    worst: float | None = None


@dataclass(frozen=True)
class Scale:
    """What kind of score it is, which way is better, and what a failed row counts as (``None``: it is left out)."""

    kind: ScoreType
    lower_is_better: bool
    failed_as: float | None

    @property
    def policy(self) -> str:
        """What a failed row counts as, in words."""
        if self.kind == "boolean":
            return f"failed rows count as {'true' if self.lower_is_better else 'false'}, the worse"
        if self.failed_as is None:
            return "failed rows are left out and reported"
        return f"failed rows count as {self.failed_as:g}, the worst score"

    @property
    def sign(self) -> float:
        """1 where higher is better, else -1."""
        return -1.0 if self.lower_is_better else 1.0

    def turned(self, values: Sequence[float]) -> list[float]:
        """The values with higher as the better; what is true or false stays so."""
        if not self.lower_is_better:
            return list(values)
        return [1 - value for value in values] if self.kind == "boolean" else [-value for value in values]

    def back(self, mean: float | None) -> float | None:
        """A mean of turned values as the mean of the values."""
        if mean is None or not self.lower_is_better:
            return mean
        return 1 - mean if self.kind == "boolean" else -mean

    def difference_back(self, interval: Interval | None) -> Interval | None:
        """A difference of turned values as that of the values."""
        if interval is None or not self.lower_is_better:
            return interval
        return replace(interval, estimate=-interval.estimate, low=-interval.high, high=-interval.low)


def scale_of(series: Sequence[ScoreSeries], failed: FailedRows, *, lower_is_better: bool) -> Scale:
    """The scale of a score; give it both sides of a comparison, so that both are read alike."""
    kind = score_type(level for each in series for level in each.levels)
    if kind == "boolean":
        return Scale(kind, lower_is_better, 1.0 if lower_is_better else 0.0)
    return Scale(kind, lower_is_better, failed_as(kind, _POLICIES[failed.policy], failed.worst))


def values_of(series: ScoreSeries, scale: Scale) -> Sequence[tuple[str, Value]]:
    """The key and the one value of each row, its repeats averaged."""
    if all(len(row.values) == 1 for row in series.rows):
        return [(row.key, row.values[0]) for row in series.rows]
    return aggregate_repeats([(row.key, row.values) for row in series.rows], failed_as=scale.failed_as)


def numbers_of(series: ScoreSeries, scale: Scale) -> list[float]:
    """One number for each row that counts, its repeats averaged."""
    values = (scale.failed_as if value is None else value for _, value in values_of(series, scale))
    return [float(value) for value in values if value is not None]


def pair_series(before: ScoreSeries, after: ScoreSeries, scale: Scale, key_digits: int) -> Paired:
    """Each row beside the row with the same content; ``key_digits``: how much of the keys ``before`` has."""
    mine = [(key[:key_digits], value) for key, value in values_of(after, scale)]
    return pair(values_of(before, scale), mine, failed_as=scale.failed_as)


def compare_pairs(paired: Paired, scale: Scale, *, confidence: float, margin: float) -> Comparison:
    """The comparison of turned values, in which a drop is what is bad."""
    return compare(
        scale.turned(paired.baseline),
        scale.turned(paired.candidate),
        scale.kind,
        confidence=confidence,
        max_drop=margin,
    )


@dataclass(frozen=True)
class Regression:
    """A row that was better in the baseline, or that broke a rule for each row."""

    key: str
    line: int
    score: str
    baseline: float | None
    candidate: float | None


def partners(before: ScoreSeries, after: ScoreSeries, key_digits: int) -> list[tuple[SeriesRow, SeriesRow | None]]:
    """Each row of ``after``, in its order, with its partner; the n-th of a key goes with the n-th."""
    waiting: dict[str, list[SeriesRow]] = {}
    for row in reversed(before.rows):
        waiting.setdefault(row.key, []).append(row)
    found = []
    for row in after.rows:
        same = waiting.get(row.key[:key_digits])
        found.append((row, same.pop() if same else None))
    return found


def regressions(
    before: ScoreSeries, after: ScoreSeries, key_digits: int, *, lower_is_better: bool = False
) -> list[Regression]:
    """Rows that are worse than their partner, or lost their score, in the order of ``after``."""
    sign = -1.0 if lower_is_better else 1.0
    found = []
    for row, partner in partners(before, after, key_digits):
        old = mean_of(partner) if partner else None
        new = mean_of(row)
        if old is not None and (new is None or sign * new < sign * old):
            found.append(Regression(row.key, row.line, after.metric, old, new))
    return found


def mean_of(row: SeriesRow) -> float | None:
    """The mean over a row's repeats; ``None`` where one of them failed."""
    total, count = 0.0, len(row.values)
    for value in row.values:
        if value is None:
            return None
        total += value
    return total / count if count else None
