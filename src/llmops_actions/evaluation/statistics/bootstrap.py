"""The bias-corrected and accelerated bootstrap of a mean: intervals for scores that are not symmetric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from llmops_actions.evaluation.statistics.distributions import normal_cdf, normal_quantile, t_cdf, t_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RESAMPLES = 8000
_BLOCK = 500


@dataclass(frozen=True)
class BootstrapMean:
    """The bootstrap distribution of a mean, with Efron's two corrections (Efron 1987; Efron and Tibshirani 1993, 14.3).

    ``means`` are sorted, of ``n`` rows each. ``correction`` is both the acceleration a and the bias correction z0: of a
    mean the two are the same, a sixth of its skewness (Efron 1987; DiCiccio and Efron 1996). Counting z0 out of the
    resamples would only add their noise.
    """

    n: int
    means: NDArray[np.float64]
    levels: NDArray[np.float64]
    correction: float

    def quantile(self, probability: float) -> float:
        """The limit below which the mean lies with ``probability``.

        The bootstrap knows the spread of n rows as if it were that of all; Hesterberg 2015 (expanded percentiles) puts
        t's quantile and n - 1 in.
        """
        import numpy as np

        shifted = self.correction + t_quantile(probability, self.n - 1) * math.sqrt(self.n / (self.n - 1))
        # Past the pole of the correction there is nothing but the end of the distribution.
        denominator = 1 - self.correction * shifted
        corrected = self.correction + shifted / denominator if denominator > 0 else math.copysign(math.inf, shifted)
        return float(np.interp(normal_cdf(corrected), self.levels, self.means))

    def probability(self, limit: float) -> float:
        """The inverse of ``quantile``: the p-value of "the mean lies above ``limit``"."""
        import numpy as np

        level = float(np.interp(limit, self.means, self.levels))
        shifted = normal_quantile(level) - self.correction
        denominator = 1 + self.correction * shifted
        z = shifted / denominator - self.correction if denominator > 0 else math.copysign(math.inf, shifted)
        return t_cdf(z * math.sqrt((self.n - 1) / self.n), self.n - 1)


def bootstrap_mean(values: Sequence[float], seed: int) -> BootstrapMean:
    """Resample the rows ``RESAMPLES`` times; the values must not all be equal.

    The order of the rows does not matter, and a seed gives the same on every machine and with every numpy.
    """
    import numpy as np

    array = np.sort(np.asarray(values, dtype=np.float64))
    mean = math.fsum(values) / len(values)
    centered = array - mean
    means = np.sort(_weights(len(values), seed) @ centered) + mean
    squares, cubes = float(np.sum(centered**2)), float(np.sum(centered**3))
    levels = (np.arange(RESAMPLES) + 0.5) / RESAMPLES
    return BootstrapMean(len(values), means, levels, cubes / (6 * squares**1.5))


@lru_cache(maxsize=2)
def _weights(n: int, seed: int) -> NDArray[np.float64]:
    """The share of each row in each resample, RESAMPLES x n: made once for all scores over the same number of rows.

    Drawn from the raw bits of PCG64, whose stream numpy guarantees, by Lemire 2019's multiplication. Without his
    rejection a row is off its share by n / 2**32 at most.
    """
    import numpy as np

    bits = np.random.PCG64(seed)
    weights = np.empty((RESAMPLES, n))
    rows = np.arange(_BLOCK).repeat(n) * n
    for start in range(0, RESAMPLES, _BLOCK):
        drawn = ((bits.random_raw(_BLOCK * n) >> 32) * n >> 32).astype(np.int64)
        counts = np.bincount(rows + drawn, minlength=_BLOCK * n)
        weights[start : start + _BLOCK] = counts.reshape(_BLOCK, n)
    weights /= n
    return weights
