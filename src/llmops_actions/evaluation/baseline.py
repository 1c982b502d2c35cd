"""The baseline digest: the scores of one variation, small enough to travel (in an artifact, with a model)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops_actions.evaluation.series import RunScores, ScoreSeries, SeriesRow
from llmops_actions.evaluation.statistics import Value

_MARKS: dict[Value, str] = {True: "1", False: "0", None: "-"}
_VALUES: dict[str, Value] = {mark: value for value, mark in _MARKS.items()}


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SeriesDigest(_Record):
    """One score: ``marks`` (``1`` true, ``0`` false, ``-`` failed; one character a value) or ``numbers``.

    The values stand row by row, and within a row repeat by repeat.
    """

    evaluator: str
    score: str
    marks: str | None = None
    numbers: tuple[float | None, ...] | None = None


class RunDigest(_Record):
    """One run: its rows' keys in the order of the dataset, ``repeats`` values for each, and its totals."""

    run: str
    dataset: str
    fingerprint: str
    repeats: int = 1
    keys: tuple[str, ...]
    rows: int
    failed: int
    scored: int
    tokens: int
    cost: float | None
    latency_p95: float | None
    series: tuple[SeriesDigest, ...]
    logged: Mapping[str, float] = Field(default_factory=dict)


class BaselineDigest(_Record):
    """``baseline.json``: what a later run is compared with, and where it came from (``lineage``)."""

    schema_version: Literal[1] = 1
    experiment: str
    environment: str | None
    variation: str
    created_at: str
    lineage: Mapping[str, str] = Field(default_factory=dict)
    runs: tuple[RunDigest, ...]


def digest_run(run: RunScores, repeats: int) -> RunDigest:
    """The digest of one run."""
    rows = run.series[0].rows if run.series else ()
    return RunDigest(
        run=run.run,
        dataset=run.dataset,
        fingerprint=run.fingerprint,
        repeats=repeats,
        keys=tuple(row.key for row in rows),
        rows=run.rows,
        failed=run.failed,
        scored=run.scored,
        tokens=run.tokens,
        cost=run.cost,
        latency_p95=run.latency_p95,
        series=tuple(_digest_series(series) for series in run.series),
        logged=dict(run.logged),
    )


def _digest_series(series: ScoreSeries) -> SeriesDigest:
    values = [value for row in series.rows for value in row.values]
    if all(value is None or isinstance(value, bool) for value in values):
        return SeriesDigest(
            evaluator=series.evaluator, score=series.score, marks="".join(_MARKS[value] for value in values)
        )
    numbers = tuple(None if value is None else float(value) for value in values)
    return SeriesDigest(evaluator=series.evaluator, score=series.score, numbers=numbers)


def restore_run(digest: RunDigest, variation: str) -> RunScores:
    """The run again.

    Raises:
        ValueError: the digest does not hold as many values as it has rows and repeats.
    """
    return RunScores(
        run=digest.run,
        variation=variation,
        dataset=digest.dataset,
        fingerprint=digest.fingerprint,
        rows=digest.rows,
        failed=digest.failed,
        scored=digest.scored,
        tokens=digest.tokens,
        cost=digest.cost,
        latency_p95=digest.latency_p95,
        series=tuple(_restore_series(each, digest) for each in digest.series),
        logged=dict(digest.logged),
    )


def _restore_series(series: SeriesDigest, digest: RunDigest) -> ScoreSeries:
    values: Sequence[Value]
    if series.marks is not None:
        unknown = set(series.marks) - set(_VALUES)
        if unknown:
            raise ValueError(f"`{series.score}` has marks that mean nothing: {sorted(unknown)}")
        values = [_VALUES[mark] for mark in series.marks]
    else:
        values = series.numbers or ()
    repeats = digest.repeats
    if len(values) != len(digest.keys) * repeats:
        raise ValueError(f"`{series.score}` has {len(values)} values for {len(digest.keys)} rows x {repeats} repeats")
    rows = tuple(
        SeriesRow(key, line, tuple(values[line * repeats : (line + 1) * repeats]))
        for line, key in enumerate(digest.keys)
    )
    return ScoreSeries(series.evaluator, series.score, rows)
