"""Rows into pairs: what kind of score it is, one value per row, and each row beside its own in the baseline."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Value = bool | int | float | None
"""The score of a row; ``None``, NaN and the infinities are those of a row that failed."""

ScoreType = Literal["boolean", "ordinal", "continuous"]
FailedPolicy = Literal["worst", "exclude-and-report"]

MOST_LEVELS = 11
"""As many levels as a scale from 0 to 10 has."""


def score_type(values: Iterable[Value]) -> ScoreType:
    """What kind of score these values are; give it both runs at once, and every repeat.

    Boolean: true and false, or only the numbers 0 and 1. Ordinal: whole numbers, at most ``MOST_LEVELS`` different
    ones, of which the scale has no more than ``MOST_LEVELS`` between the lowest and the highest. Else continuous.
    Failed rows say nothing; without any value it is boolean, the kind in which a failed row counts most.
    """
    levels = {number for number in map(_finite, values) if number is not None}
    if levels <= {0.0, 1.0}:
        return "boolean"
    if all(level.is_integer() for level in levels) and max(levels) - min(levels) < MOST_LEVELS:
        return "ordinal"
    return "continuous"


def failed_as(kind: ScoreType, policy: FailedPolicy, worst: float | None) -> float | None:
    """The score that a failed row is given; ``None`` where it is left out and reported.

    Boolean scores know one answer: a failed row is false, whatever the policy. For a number the policy ``worst``
    needs the worst score that the scale has (``ValueError`` without).
    """
    if kind == "boolean":
        return 0.0
    if policy == "exclude-and-report":
        return None
    if worst is None or not math.isfinite(worst):
        raise ValueError("the policy 'worst' needs the worst score of the scale")
    return worst


@dataclass(frozen=True)
class Paired:
    """The rows that both sides have, in the baseline's order, one score each for the baseline and the candidate.

    ``only_baseline`` and ``only_candidate`` are the rows without a partner. ``failed_*`` are rows with a partner whose
    score failed; ``excluded`` are those of them, on either side, that no score was given to: they are in no other
    column. A key comes as often as it came.
    """

    keys: tuple[str, ...]
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    only_baseline: tuple[str, ...]
    only_candidate: tuple[str, ...]
    failed_baseline: tuple[str, ...]
    failed_candidate: tuple[str, ...]
    excluded: tuple[str, ...]

    @property
    def n(self) -> int:
        """The pairs that are compared."""
        return len(self.keys)


def pair(
    baseline: Iterable[tuple[str, Value]], candidate: Iterable[tuple[str, Value]], *, failed_as: float | None
) -> Paired:
    """Put each row beside the row of the same content key; the n-th of a key goes with the n-th.

    ``failed_as`` is the score of a failed row, ``None`` to leave its pair out and report it (see ``failed_as()``).
    """
    others = dict(_numbered(candidate))
    rows: list[tuple[str, float, float]] = []
    only_baseline: list[str] = []
    failed_baseline: list[str] = []
    failed_candidate: list[str] = []
    excluded: list[str] = []
    for place, value in _numbered(baseline):
        key = place[0]
        if place not in others:
            only_baseline.append(key)
            continue
        before, after = _finite(value), _finite(others.pop(place))
        if before is None:
            failed_baseline.append(key)
        if after is None:
            failed_candidate.append(key)
        before, after = failed_as if before is None else before, failed_as if after is None else after
        if before is None or after is None:
            excluded.append(key)
        else:
            rows.append((key, before, after))
    return Paired(
        keys=tuple(row[0] for row in rows),
        baseline=tuple(row[1] for row in rows),
        candidate=tuple(row[2] for row in rows),
        only_baseline=tuple(only_baseline),
        only_candidate=tuple(key for key, _ in others),
        failed_baseline=tuple(failed_baseline),
        failed_candidate=tuple(failed_candidate),
        excluded=tuple(excluded),
    )


def aggregate_repeats(
    values_by_row: Iterable[tuple[str, Sequence[Value]]], *, failed_as: float | None
) -> list[tuple[str, float | None]]:
    """One value per row: the mean of its repeats, for booleans the share that is true.

    The row stays the unit: repeats of one row are alike, and counted as rows they would make noise look like a
    difference. A failed repeat counts as ``failed_as``; where that is ``None``, the mean is over the others, and a
    row without any other has failed.
    """
    return [(key, _mean_of_repeats(values, failed_as)) for key, values in values_by_row]


def _mean_of_repeats(values: Sequence[Value], failed_as: float | None) -> float | None:
    numbers = [_finite(value) for value in values]
    scored = [failed_as if number is None else number for number in numbers]
    kept = [number for number in scored if number is not None]
    return math.fsum(kept) / len(kept) if kept else None


def _finite(value: Value) -> float | None:
    """The score as a number; ``None`` for a row that failed, or whose score no float can hold."""
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _numbered(rows: Iterable[tuple[str, Value]]) -> Iterable[tuple[tuple[str, int], Value]]:
    """Each row with its key and how often the key came before."""
    seen: Counter[str] = Counter()
    for key, value in rows:
        yield (key, seen[key]), value
        seen[key] += 1
