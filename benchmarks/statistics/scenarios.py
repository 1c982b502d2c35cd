"""Made-up scores of two runs over the same rows: alike by construction, or with a drop of known size."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmops_actions.evaluation.statistics import ScoreType
from llmops_actions.evaluation.statistics.power import detectable_mean, detectable_paired_shares

Scores = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int, float], tuple[Scores, Scores]]
"""Draws n rows: baseline and candidate, n x repeats; the number, 0 to 1, says how much of a drop there is."""

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Scenario:
    """``margin`` is the ``max_drop`` of its gate; ``discordance`` is given where Connor's formula states the drop."""

    name: str
    score_type: ScoreType
    margin: float
    draw: Draw
    discordance: float | None = None

    def rng(self, purpose: str, n: int) -> np.random.Generator:
        return np.random.default_rng([zlib.crc32(f"{self.name}/{purpose}".encode()), n])

    def drop(self, n: int) -> tuple[float, float]:
        """How much to turn ``draw`` up so that the drop is the one stated as detectable at n; and that drop itself."""
        if self.discordance is not None:
            drop = detectable_paired_shares(n, self.discordance, CONFIDENCE)
            return drop, drop
        low, high = 0.0, 1.0
        for _ in range(20):
            middle = (low + high) / 2
            change, deviation = self._moments(middle)
            low, high = (low, middle) if -change >= detectable_mean(n, deviation, CONFIDENCE) else (middle, high)
        return high, -self._moments(high)[0]

    def _moments(self, strength: float) -> tuple[float, float]:
        """Mean and standard deviation of a row's change, over very many rows.

        The mean is against the same rows without a drop, so that their own chance difference is no part of it.
        """
        changes, unchanged = (
            candidate.mean(axis=1) - baseline.mean(axis=1)
            for baseline, candidate in (self.draw(self.rng("moments", 0), 200_000, each) for each in (strength, 0.0))
        )
        return float(changes.mean() - unchanged.mean()), float(changes.std())


def boolean(discordance: float) -> Draw:
    """Two runs that each turn rows the other way now and then; a drop loses further rows that were right."""

    def draw(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
        kind = rng.choice(4, size=n, p=_cells(discordance, strength))
        baseline, candidate = np.isin(kind, (0, 2)), np.isin(kind, (0, 1))
        return _rows(baseline), _rows(candidate)

    return draw


def _cells(discordance: float, drop: float) -> list[float]:
    """Both right, only the candidate, only the baseline, neither: what agrees is right in four of five rows."""
    agree = 1 - discordance - drop
    return [0.8 * agree, discordance / 2, discordance / 2 + drop, 0.2 * agree]


def boolean_repeats(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
    """Three repeats a row. Each run has its own weak rows, as many on average; repeats of a row are alike."""
    levels, shares = [0.02, 0.5, 0.98], [0.1, 0.1, 0.8]
    shared = rng.choice(levels, size=n, p=shares)
    own = [np.where(rng.random(n) < 0.3, rng.choice(levels, size=n, p=shares), shared) for _ in range(2)]
    own[1] = np.where(rng.random(n) < strength, 0.02, own[1])
    baseline, candidate = (rng.random((n, 3)) < each[:, None] for each in own)
    return baseline.astype(float), candidate.astype(float)


def ordinal(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
    """A judge's 1 to 5, mostly 5, who now and then is one off; a drop takes one to three levels from some rows."""
    quality = rng.choice([1, 2, 3, 4, 5], size=n, p=[0.04, 0.06, 0.10, 0.25, 0.55])
    runs = [np.clip(quality + rng.choice([-1, 0, 1], size=n, p=[0.15, 0.7, 0.15]), 1, 5) for _ in range(2)]
    runs[1] = np.where(rng.random(n) < strength, np.clip(runs[1] - rng.integers(1, 4, n), 1, 5), runs[1])
    return _rows(runs[0]), _rows(runs[1])


def normal(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
    quality = rng.normal(0, 1, n)
    return _rows(quality + rng.normal(0, 0.7, n)), _rows(quality + rng.normal(0, 0.7, n) - strength)


def skewed(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
    """A long tail (gamma, skewness 1.4), as of lengths and latencies; a drop takes more from some rows."""
    quality = rng.gamma(2, 0.5, n)
    runs = [quality + rng.gamma(2, 0.35, n) for _ in range(2)]
    return _rows(runs[0]), _rows(runs[1] - strength * rng.gamma(2, 1, n))


def bimodal(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
    """A similarity near 0.9 or near 0.2; some rows jump from one to the other."""
    good = rng.random(n) < 0.75
    runs = [np.where(rng.random(n) < 0.1, ~good, good) for _ in range(2)]
    runs[1] = runs[1] & (rng.random(n) >= strength)
    return _rows(np.where(runs[0], 0.9, 0.2) + rng.normal(0, 0.04, n)), _rows(
        np.where(runs[1], 0.9, 0.2) + rng.normal(0, 0.04, n)
    )


def mostly_same(rng: np.random.Generator, n: int, strength: float) -> tuple[Scores, Scores]:
    """A continuous score of which four rows in five are the same in both runs, to the last digit."""
    quality = rng.normal(0, 1, n)
    change = np.where(rng.random(n) < 0.2, rng.normal(0, 1, n), 0.0)
    lost = np.where(rng.random(n) < 0.3, rng.normal(1, 0.3, n), 0.0) * strength
    return _rows(quality), _rows(quality + change - 3 * lost)


def _rows(values: NDArray[np.generic]) -> Scores:
    return values.astype(float)[:, None]


SCENARIOS = (
    Scenario("boolean, 5 % of the rows flip", "boolean", 0.02, boolean(0.05), 0.05),
    Scenario("boolean, 20 % of the rows flip", "boolean", 0.02, boolean(0.2), 0.2),
    Scenario("boolean, 3 repeats", "boolean", 0.02, boolean_repeats),
    Scenario("ordinal 1-5, ties, ceiling", "ordinal", 0.2, ordinal),
    Scenario("continuous, normal", "continuous", 0.1, normal),
    Scenario("continuous, skewed", "continuous", 0.1, skewed),
    Scenario("continuous, bimodal", "continuous", 0.02, bimodal),
    Scenario("continuous, 80 % ties", "continuous", 0.02, mostly_same),
)
