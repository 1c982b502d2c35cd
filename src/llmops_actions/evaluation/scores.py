"""Scores per row and metrics per run: failed rows never leave the denominator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Score = bool | int | float


@dataclass(frozen=True)
class Metric:
    """One metric of one run.

    ``n`` rows have a value, ``failed`` rows have none. ``value`` of a boolean score is the share of true among all
    rows, failed ones counting as false; of a numeric score it is the mean over the ``n`` rows, and ``failed`` says
    how many it does not speak for. ``None`` where there is no such number. A score that is boolean in some rows and
    a number in others is numeric, true counting as 1.
    """

    name: str
    value: float | None
    source: Literal["logged", "mean"]
    kind: Literal["boolean", "numeric", "logged"]
    n: int
    failed: int


def scores_of(outputs: Mapping[str, Any]) -> dict[str, Score]:
    """Those outputs of an evaluator that are scores: booleans, and numbers that a float can hold."""
    return {name: value for name, value in outputs.items() if isinstance(value, int | float) and _is_finite(value)}


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


@dataclass
class _Sum:
    boolean: bool = True
    n: int = 0
    total: float = 0.0
    compensation: float = 0.0

    def add(self, value: Score) -> None:
        self.boolean = self.boolean and isinstance(value, bool)
        self.n += 1
        # Neumaier 1974: the rounding error is carried along, so that the mean does not depend on the rows' order.
        number = float(value)
        moved = self.total + number
        larger, smaller = (self.total, number) if abs(self.total) >= abs(number) else (number, self.total)
        self.compensation += (larger - moved) + smaller
        self.total = moved

    def mean_over(self, rows: int) -> float | None:
        """``None`` where the sum is larger than a float can be."""
        mean = (self.total + self.compensation) / rows
        return mean if math.isfinite(mean) else None


@dataclass
class ScoreTotals:
    """Adds up the scores of a run, row by row; what it keeps does not grow with the rows."""

    rows: int = 0
    failed_rows: int = 0
    _sums: dict[str, _Sum] = field(default_factory=dict)

    def add(self, scores: Mapping[str, Score] | None) -> None:
        """Add a row's scores; ``None`` for a row that failed."""
        self.rows += 1
        if scores is None:
            self.failed_rows += 1
            return
        for name, value in scores.items():
            self._sums.setdefault(name, _Sum()).add(value)

    def metrics(self, logged: Mapping[str, float]) -> tuple[Metric, ...]:
        """The mean of every score, then the metrics that the evaluator logged itself, by name."""
        means = [self._mean(name, each) for name, each in sorted(self._sums.items())]
        n = self.rows - self.failed_rows
        own = [
            Metric(name, value if _is_finite(value) else None, "logged", "logged", n, self.failed_rows)
            for name, value in sorted(logged.items())
        ]
        return (*means, *own)

    def _mean(self, name: str, each: _Sum) -> Metric:
        value = each.mean_over(self.rows if each.boolean else each.n)
        return Metric(name, value, "mean", "boolean" if each.boolean else "numeric", each.n, self.rows - each.n)
