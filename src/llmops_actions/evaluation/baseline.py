"""The baseline digest: the scores of one variation, small enough to travel (in an artifact, with a model)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops_actions.evaluation.series import KEY_DIGITS, LoggedMetric, RunScores, ScoreSeries, SeriesRow
from llmops_actions.evaluation.statistics import Value

SCHEMA_VERSION: Literal[1] = 1

FALSE_PAIRING = 1e-6
"""How probable it may be that two different rows, of one side or of both, share a shortened key."""

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


class LoggedDigest(_Record):
    """One metric that an evaluator logged."""

    evaluator: str
    name: str
    value: float


class RunDigest(_Record):
    """One run: its rows' keys, ``repeats`` values for each, and its totals.

    ``keys`` has the keys of all rows, in the order of the dataset, one after another: of each the first ``key_digits``
    hexadecimal digits. ``evaluators`` has what each evaluator was made of, as a fingerprint.
    """

    run: str
    dataset: str
    fingerprint: str
    repeats: int = Field(1, ge=1)
    key_digits: int = Field(ge=1, le=KEY_DIGITS)
    keys: str
    rows: int
    failed: int
    scored: int
    tokens: int | None
    cost: float | None
    latency_p95: float | None
    evaluators: Mapping[str, str] = Field(default_factory=dict)
    series: tuple[SeriesDigest, ...]
    logged: tuple[LoggedDigest, ...] = ()


class BaselineDigest(_Record):
    """``baseline.json``: what a later run is compared with, and where it came from (``lineage``)."""

    schema_version: Literal[1] = SCHEMA_VERSION
    experiment: str
    environment: str | None
    variation: str
    created_at: str
    lineage: Mapping[str, str] = Field(default_factory=dict)
    runs: tuple[RunDigest, ...]


def key_digits(rows: int) -> int:
    """How many hexadecimal digits of its key tell a row of ``rows`` from every other one.

    Two keys of ``d`` digits are the same by chance with a probability of 16**-d. With as many rows in a later run there
    are less than (2 n)**2 / 2 pairs of different rows; all together they may err with ``FALSE_PAIRING`` (union bound).
    """
    pairs = (2 * max(1, rows)) ** 2 / 2
    return min(KEY_DIGITS, math.ceil(math.log(pairs / FALSE_PAIRING, 16)))


def digest_run(run: RunScores) -> RunDigest:
    """The digest of one run."""
    rows = run.series[0].rows if run.series else ()
    repeats = len(rows[0].values) if rows else 1
    digits = min(run.key_digits, key_digits(len(rows)))
    return RunDigest(
        run=run.run,
        dataset=run.dataset,
        fingerprint=run.fingerprint,
        repeats=repeats,
        key_digits=digits,
        keys="".join(row.key[:digits] for row in rows),
        rows=run.rows,
        failed=run.failed,
        scored=run.scored,
        tokens=run.tokens,
        cost=run.cost,
        latency_p95=run.latency_p95,
        evaluators=dict(run.evaluators),
        series=tuple(_digest_series(series) for series in run.series),
        logged=tuple(LoggedDigest(**each._asdict()) for each in run.logged),
    )


def _digest_series(series: ScoreSeries) -> SeriesDigest:
    values = [value for row in series.rows for value in row.values]
    if series.levels <= _MARKS.keys():
        marks = "".join(_MARKS[value] for value in values)
        return SeriesDigest(evaluator=series.evaluator, score=series.score, marks=marks)
    numbers = tuple(None if value is None else float(value) for value in values)
    return SeriesDigest(evaluator=series.evaluator, score=series.score, numbers=numbers)


def restore_run(digest: RunDigest, variation: str) -> RunScores:
    """The run again.

    Raises:
        ValueError: the digest does not hold as many values as it has rows and repeats.
    """
    digits = digest.key_digits
    if len(digest.keys) % digits:
        raise ValueError(f"`{digest.run}` has {len(digest.keys)} digits of keys, which are no keys of {digits}")
    keys = [digest.keys[start : start + digits] for start in range(0, len(digest.keys), digits)]
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
        series=tuple(_restore_series(each, keys, digest.repeats) for each in digest.series),
        logged=tuple(LoggedMetric(each.evaluator, each.name, each.value) for each in digest.logged),
        evaluators=dict(digest.evaluators),
        key_digits=digits,
    )


def _restore_series(series: SeriesDigest, keys: Sequence[str], repeats: int) -> ScoreSeries:
    values: Sequence[Value]
    if series.marks is not None:
        unknown = set(series.marks) - set(_VALUES)
        if unknown:
            raise ValueError(f"`{series.score}` has marks that mean nothing: {sorted(unknown)}")
        values = [_VALUES[mark] for mark in series.marks]
    else:
        values = series.numbers or ()
    if len(values) != len(keys) * repeats:
        raise ValueError(f"`{series.score}` has {len(values)} values for {len(keys)} rows x {repeats} repeats")
    return ScoreSeries(series.evaluator, series.score, rows_of(keys, values, repeats))


def rows_of(keys: Sequence[str], values: Sequence[Value], repeats: int) -> tuple[SeriesRow, ...]:
    """Rows from their keys and from all values, row by row and within a row repeat by repeat."""
    if repeats == 1:
        return tuple(SeriesRow(key, line, (value,)) for line, (key, value) in enumerate(zip(keys, values, strict=True)))
    return tuple(
        SeriesRow(key, line, tuple(values[line * repeats : (line + 1) * repeats])) for line, key in enumerate(keys)
    )
