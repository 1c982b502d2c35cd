"""Score series: for one run and one score, a value for each row, with the row's repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, TypeVar

from llmops_actions.evaluation.statistics import Value
from llmops_actions.experiment.parsing import nearest_name

ALIAS_TOLERANCE = 0.005
"""Evaluators round what they log, those of the established templates to two digits."""

KEY_DIGITS = 16
"""Hexadecimal digits of a row's whole key (see ``experiment.fingerprint.row_key``)."""


class MetricNameError(ValueError):
    """A name that stands for no metric of a run, or for more than one."""


class SeriesRow(NamedTuple):
    """One row: its content key, its number in the dataset, and the score of each repeat (``None``: failed)."""

    key: str
    line: int
    values: tuple[Value, ...]

    @property
    def failed(self) -> bool:
        """Whether a repeat of it has no score."""
        return any(value is None for value in self.values)


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

    @cached_property
    def levels(self) -> frozenset[Value]:
        """The different values there are."""
        return frozenset(value for row in self.rows for value in row.values)

    @cached_property
    def failed(self) -> int:
        """The number of rows of which a repeat has no score."""
        return sum(row.failed for row in self.rows) if None in self.levels else 0

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """For a boolean score the share of true, of all values and of those that did not fail; else nothing.

        As for ``statistics.score_type``, the numbers 0 and 1 are false and true.
        """
        if not self.levels <= {True, False, None}:
            return ()
        values = [value for row in self.rows for value in row.values]
        true = values.count(True)
        return tuple(true / count for count in (len(values), len(values) - values.count(None)) if count)


class LoggedMetric(NamedTuple):
    """A metric that an evaluator logged for a whole run."""

    evaluator: str
    name: str
    value: float

    @property
    def metric(self) -> str:
        """``<evaluator>.<name>``."""
        return f"{self.evaluator}.{self.name}"


@dataclass(frozen=True)
class RunScores:
    """Everything that is known of one run of one variation over one dataset.

    ``rows`` counts repeats as rows of their own; ``failed`` of them failed in the flow, ``scored`` have a result from
    every evaluator. ``tokens`` (``None``: not counted) and ``cost`` (USD, ``None``: unknown) are of the flow, all rows
    together; ``latency_p95`` in seconds. ``evaluators`` has what each evaluator was made of, as a fingerprint.
    ``key_digits``: how much of a row's key its ``series`` keep.
    """

    run: str
    variation: str
    dataset: str
    fingerprint: str
    rows: int
    failed: int
    scored: int
    tokens: int | None
    cost: float | None
    latency_p95: float | None
    series: tuple[ScoreSeries, ...] = ()
    logged: tuple[LoggedMetric, ...] = ()
    evaluators: Mapping[str, str] = field(default_factory=dict)
    key_digits: int = KEY_DIGITS


Named = TypeVar("Named", ScoreSeries, LoggedMetric)


class FoundSeries(NamedTuple):
    """A metric's values, and the logged metric whose name it was found by, if it is another name."""

    series: ScoreSeries
    alias: str | None = None


def find_series(run: RunScores, metric: str, among: Iterable[RunScores] = ()) -> FoundSeries | None:
    """The values behind ``metric``: ``<evaluator>.<score>`` or a bare score; ``None`` where there are none.

    A metric that an evaluator only logged has no values of its own. Where it is, on this run and on every run of
    ``among`` that has it, the share of true of exactly one boolean score of the same evaluator (an ``accuracy`` over
    ``correct``, to two digits), those rows stand for it. One run alone could show that by chance.

    Raises:
        MetricNameError: a bare name that several evaluators of the run have.
    """
    found = [each for each in run.series if each.metric == metric] or [
        each for each in run.series if each.score == metric
    ]
    if found:
        return FoundSeries(_only(found, metric))
    logged = _logged(run, metric)
    if logged is None:
        return None
    scores = _scores_behind(run, logged)
    for other in among:
        same = next((each for each in other.logged if each[:2] == logged[:2]), None)
        if same is not None:
            scores &= _scores_behind(other, same)
    if len(scores) != 1:
        return None
    [score] = scores
    series = next(each for each in run.series if (each.evaluator, each.score) == (logged.evaluator, score))
    return FoundSeries(series, logged.metric)


def logged_value(run: RunScores, metric: str) -> float | None:
    """The value of a metric that an evaluator logged, by its full or its bare name.

    Raises:
        MetricNameError: a bare name that several evaluators of the run have.
    """
    logged = _logged(run, metric)
    return logged.value if logged else None


def unknown_metric(metric: str, runs: Sequence[RunScores]) -> str:
    """What to say of a metric that none of ``runs`` has."""
    scores = {(each.metric, each.score) for run in runs for each in run.series}
    logged = {(each.metric, each.name) for run in runs for each in run.logged}
    names, bare = (sorted({pair[part] for pair in scores | logged}) for part in (0, 1))
    nearest = nearest_name(metric, [*names, *bare])
    hint = f"Did you mean `{nearest}`?" if nearest else f"There are {', '.join(names) or 'no scores'}."
    return f"No evaluator gives `{metric}`. {hint}"


def _logged(run: RunScores, metric: str) -> LoggedMetric | None:
    found = [each for each in run.logged if each.metric == metric] or [
        each for each in run.logged if each.name == metric
    ]
    return _only(found, metric) if found else None


def _only(found: Sequence[Named], metric: str) -> Named:
    if len(found) > 1:
        names = ", ".join(f"`{each.metric}`" for each in found)
        raise MetricNameError(f"`{metric}` could be each of {names}. Write which.")
    return found[0]


def _scores_behind(run: RunScores, logged: LoggedMetric) -> set[str]:
    """The boolean scores of its evaluator that the logged metric is the share of."""
    return {
        each.score
        for each in run.series
        if each.evaluator == logged.evaluator
        and any(math.isclose(share, logged.value, rel_tol=0, abs_tol=ALIAS_TOLERANCE) for share in each.shares)
    }
