"""Score series: for one run and one score, a value for each row, with the row's repeats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from llmops_actions.evaluation.statistics import Value

ALIAS_TOLERANCE = 0.005
"""Evaluators round what they log, those of the established templates to two digits."""


@dataclass(frozen=True)
class SeriesRow:
    """One row: its content key, its number in the dataset, and the score of each repeat (``None``: failed)."""

    key: str
    line: int
    values: tuple[Value, ...]


@dataclass(frozen=True)
class ScoreSeries:
    """All values of one score of one evaluator on one run."""

    evaluator: str
    score: str
    rows: tuple[SeriesRow, ...] = field(repr=False)

    @property
    def metric(self) -> str:
        """``<evaluator>.<score>``."""
        return f"{self.evaluator}.{self.score}"


@dataclass(frozen=True)
class RunScores:
    """Everything that is known of one run of one variation over one dataset.

    ``logged`` are metrics that evaluators logged, by ``<evaluator>.<metric>``. ``scored`` rows have a result from
    every evaluator. ``tokens`` and ``cost`` (USD, ``None``: unknown) are of the flow, all rows together;
    ``latency_p95`` in seconds.
    """

    run: str
    variation: str
    dataset: str
    fingerprint: str
    rows: int
    failed: int
    scored: int
    tokens: int
    cost: float | None
    latency_p95: float | None
    series: tuple[ScoreSeries, ...] = ()
    logged: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundSeries:
    """A metric's values, and under which score they stand if it is another name."""

    series: ScoreSeries
    alias: str | None = None


def find_series(run: RunScores, metric: str) -> FoundSeries | None:
    """The values behind ``metric``: ``<evaluator>.<score>`` or a bare score.

    A metric that an evaluator only logged has no values of its own. Where it is, on this run, the share of true of
    exactly one boolean score of the same evaluator (an ``accuracy`` over ``correct``, to two digits), those rows stand
    for it.
    """
    for series in run.series:
        if metric in (series.metric, series.score):
            return FoundSeries(series)
    for name, value in run.logged.items():
        evaluator, _, bare = name.partition(".")
        if metric not in (name, bare):
            continue
        same = [each for each in run.series if each.evaluator == evaluator and _is_share(each.rows, value)]
        if len(same) == 1:
            return FoundSeries(same[0], name)
    return None


def logged_value(run: RunScores, metric: str) -> float | None:
    """The value of a metric that an evaluator logged."""
    for name, value in run.logged.items():
        if metric in (name, name.partition(".")[2]):
            return value
    return None


def metric_names(run: RunScores) -> list[str]:
    """Every metric that a gate can name."""
    return [*(series.metric for series in run.series), *(name for name in run.logged)]


def _is_share(rows: Sequence[SeriesRow], value: float) -> bool:
    values = [each for row in rows for each in row.values]
    if not values or not all(isinstance(each, bool) or each is None for each in values):
        return False
    scored = [each for each in values if each is not None]
    shares = [sum(scored) / count for count in (len(values), len(scored)) if count]
    return any(math.isclose(share, value, abs_tol=ALIAS_TOLERANCE) for share in shares)
