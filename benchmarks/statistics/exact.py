"""What the gate of a boolean score does, without chance: every table of n rows, weighted with its probability."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from benchmarks.statistics.scenarios import CONFIDENCE
from llmops_actions.evaluation.statistics.proportions import PairedTable, newcombe_paired, tango

Limits = Callable[[int, int, int], tuple[float, float]]
"""From n, gained and lost rows to the interval."""

NEGLIGIBLE = 1e-8


@cache
def tango_limits(n: int, gained: int, lost: int) -> tuple[float, float]:
    interval = tango(PairedTable(both=n - gained - lost, gained=gained, lost=lost, neither=0), CONFIDENCE)
    return interval.low, interval.high


@cache
def newcombe_limits(n: int, gained: int, lost: int) -> tuple[float, float]:
    """Newcombe's interval needs the agreeing rows too: four in five are right."""
    neither = round((n - gained - lost) / 5)
    table = PairedTable(both=n - gained - lost - neither, gained=gained, lost=lost, neither=neither)
    interval = newcombe_paired(table, CONFIDENCE)
    return interval.low, interval.high


def outcomes(limits: Limits, n: int, gained: float, lost: float, max_drop: float) -> tuple[float, float]:
    """How often the gate passes and fails, where a row is gained or lost with these probabilities."""
    passed = failed = 0.0
    for more, fewer, probability in _tables(n, gained, lost):
        low, high = limits(n, more, fewer)
        passed += probability * (low > -max_drop)
        failed += probability * (high < -max_drop)
    return passed, failed


def coverage(limits: Limits, n: int, gained: float, lost: float) -> float:
    return sum(
        probability
        for more, fewer, probability in _tables(n, gained, lost)
        if limits(n, more, fewer)[0] - 1e-9 <= gained - lost <= limits(n, more, fewer)[1] + 1e-9
    )


def _tables(n: int, gained: float, lost: float) -> Iterator[tuple[int, int, float]]:
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    more, fewer = np.meshgrid(np.arange(n + 1), np.arange(n + 1), indexing="ij")
    possible = more + fewer <= n
    more, fewer = more[possible], fewer[possible]
    rest = n - more - fewer
    log_probability = log_factorial[n] - log_factorial[more] - log_factorial[fewer] - log_factorial[rest]
    for count, probability in ((more, gained), (fewer, lost), (rest, 1 - gained - lost)):
        log_probability = log_probability + np.where(
            count > 0, count * (math.log(probability) if probability > 0 else -1e9), 0
        )
    weights = np.exp(log_probability)
    for index in np.flatnonzero(weights > NEGLIGIBLE):
        yield int(more[index]), int(fewer[index]), float(weights[index])
