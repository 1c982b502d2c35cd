"""Which interval for a mean: t, t with two rows added, or the BCa bootstrap, on changes of many shapes."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.scenarios import CONFIDENCE, ordinal
from llmops_actions.evaluation.statistics.bootstrap import bootstrap_mean
from llmops_actions.evaluation.statistics.distributions import t_quantile
from llmops_actions.evaluation.statistics.means import paired_mean, sparse_deviation

COMPARISONS = 1000
SIZES = (30, 100, 300)
TAIL = (1 - CONFIDENCE) / 2

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """How the changes of the rows, or the scores of one run, are spread, and their true mean."""

    name: str
    mean: float
    draw: Callable[[np.random.Generator, int], Values]


@dataclass(frozen=True)
class Misses:
    """Shares of the intervals that lie wholly above and wholly below the true mean."""

    above: float
    below: float

    @property
    def coverage(self) -> float:
        return 1 - self.above - self.below


def _ordinal_change(rng: np.random.Generator, n: int) -> Values:
    baseline, candidate = ordinal(rng, n, 0.0)
    return (candidate - baseline)[:, 0]


def _few(rng: np.random.Generator, n: int, share: float) -> Values:
    """1 in this share of the rows, else 0."""
    return (rng.random(n) < share).astype(float)


SHAPES = (
    Shape("normal", 0.0, lambda rng, n: rng.normal(0, 1, n)),
    Shape("skewed (gamma, 1.4)", 2.0, lambda rng, n: rng.gamma(2, 1, n)),
    Shape("very skewed (log-normal, 6.2)", math.exp(0.5), lambda rng, n: rng.lognormal(0, 1, n)),
    Shape("bimodal, one row in five far off", 0.8, lambda rng, n: 4.0 * _few(rng, n, 0.2) + rng.normal(0, 0.5, n)),
    Shape("ordinal, two runs alike", 0.0, _ordinal_change),
    Shape("one row in ten changes, either way", 0.0, lambda rng, n: _few(rng, n, 0.1) * rng.normal(0, 1, n)),
    Shape("one row in ten loses a level", -0.1, lambda rng, n: -1.0 * _few(rng, n, 0.1)),
    Shape("three rows in a hundred lose a level", -0.03, lambda rng, n: -1.0 * _few(rng, n, 0.03)),
    Shape("one row in ten loses, some much", -0.2, lambda rng, n: -_few(rng, n, 0.1) * rng.gamma(2, 1, n)),
)


@cache
def misses(shape: Shape, n: int) -> dict[str, Misses]:
    rng = np.random.default_rng([zlib.crc32(shape.name.encode()), n])
    above = dict.fromkeys(("t", "two rows", "BCa", "ours"), 0)
    below = dict(above)
    for _ in range(COMPARISONS):
        values = shape.draw(rng, n)
        for name, (low, high) in _intervals([float(value) for value in values]).items():
            above[name] += shape.mean < low - 1e-9
            below[name] += shape.mean > high + 1e-9
    return {name: Misses(above[name] / COMPARISONS, below[name] / COMPARISONS) for name in above}


def _intervals(values: list[float]) -> dict[str, tuple[float, float]]:
    ours = paired_mean(values, CONFIDENCE, step=1.0).interval
    chosen = (ours.low, ours.high)
    moved = [value for value in values if value]
    if not moved:
        return {"t": (0.0, 0.0), "two rows": chosen, "BCa": (0.0, 0.0), "ours": chosen}
    n, mean = len(values), math.fsum(values) / len(values)
    quantile = t_quantile(1 - TAIL, n - 1) / math.sqrt(n)
    plain, sparse = quantile * float(np.std(values, ddof=1)), quantile * sparse_deviation(moved, n)
    bootstrap = bootstrap_mean(values, 0)
    return {
        "t": (mean - plain, mean + plain),
        "two rows": (mean - sparse, mean + sparse),
        "BCa": (bootstrap.quantile(TAIL), bootstrap.quantile(1 - TAIL)),
        "ours": chosen,
    }
