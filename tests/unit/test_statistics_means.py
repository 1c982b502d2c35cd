from __future__ import annotations

import math
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmops_actions.evaluation.statistics import means
from llmops_actions.evaluation.statistics.bootstrap import RESAMPLES, bootstrap_mean
from llmops_actions.evaluation.statistics.means import Mean, one_mean, paired_mean

# Additional hours of sleep by two drugs, the ten patients of Student 1908: the differences.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]


def limits(mean: Mean) -> tuple[float, float]:
    return mean.interval.low, mean.interval.high


def test_the_published_example_of_t() -> None:
    # t = 4.0621 with 9 degrees of freedom, p = 0.002833 (R: t.test(extra ~ group, sleep, paired = TRUE)).
    mean = one_mean(SLEEP, 0.95)
    assert mean.interval.method == "t"
    assert mean.interval.estimate == pytest.approx(1.58)
    assert limits(mean) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    assert 2 * mean.evidence.above == pytest.approx(0.002833, abs=5e-7)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40).filter(lambda x: np.std(x) > 1e-3), st.floats(-10, 10))
def test_t_is_scipys(values: list[float], limit: float) -> None:
    mean = one_mean(values, 0.9, limit)
    expected = stats.ttest_1samp(values, limit)
    assert limits(mean) == pytest.approx(tuple(expected.confidence_interval(0.9)), rel=1e-6, abs=1e-6)
    assert mean.evidence.above == pytest.approx(
        stats.ttest_1samp(values, limit, alternative="greater").pvalue, rel=1e-6
    )
    assert mean.evidence.below == pytest.approx(stats.ttest_1samp(values, limit, alternative="less").pvalue, rel=1e-6)


def test_the_bootstrap_is_scipys_but_for_chance() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 400).tolist()
    ours = paired_mean(values, 0.95).interval
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1))
    assert ours.method == "BCa"
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.15 * theirs.standard_error)
    # The longer tail is on the right.
    assert ours.high - ours.estimate > ours.estimate - ours.low


def test_the_bootstraps_corrections_are_those_of_the_formula() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 300)
    distribution = bootstrap_mean(values.tolist(), 0)
    # For a mean the jackknife's acceleration is a sixth of the skewness over the root of n (Efron 1987).
    assert distribution.correction == pytest.approx(stats.skew(values) / 6 / math.sqrt(300), rel=1e-9)
    # And so is z0, which is otherwise counted: the share of resamples below the mean.
    counted = stats.norm.ppf(np.mean(distribution.means < values.mean()))
    assert counted == pytest.approx(distribution.correction, abs=3 * 1.25 / math.sqrt(RESAMPLES))


def test_the_bootstraps_evidence_belongs_to_its_interval() -> None:
    values = np.random.default_rng(5).gamma(2, 1, 250).tolist()
    interval = paired_mean(values, 0.95).interval
    assert paired_mean(values, 0.95, interval.low).evidence.above == pytest.approx(0.025, rel=1e-6)
    assert paired_mean(values, 0.95, interval.high).evidence.below == pytest.approx(0.025, rel=1e-6)
    assert paired_mean(values, 0.95, -5.0).evidence.above < 0.001
    assert paired_mean(values, 0.95, 50.0).evidence.below < 0.001


def test_the_order_of_the_rows_does_not_matter_and_a_seed_repeats() -> None:
    values = np.random.default_rng(5).normal(0, 1, 250).tolist()
    shuffled = random.Random(1).sample(values, len(values))
    assert paired_mean(shuffled, 0.95) == paired_mean(values, 0.95)
    assert paired_mean(values, 0.95, seed=1).interval != paired_mean(values, 0.95, seed=2).interval


def test_the_random_numbers_are_the_same_everywhere() -> None:
    distribution = bootstrap_mean([float(i % 7) for i in range(200)], 0)
    assert distribution.means[[0, 4000, -1]].tolist() == pytest.approx([2.465, 2.975, 3.515], abs=1e-9)


def test_many_rows_go_by_t() -> None:
    values = np.random.default_rng(5).gamma(2, 1, means.BOOTSTRAP_UP_TO + 1).tolist()
    assert paired_mean(values, 0.95).interval.method == "t"


def test_a_few_changed_rows_do_not_look_like_no_spread() -> None:
    """One row in thirty lost a level: t alone is certain of far too little."""
    changes = [-1.0] + [0.0] * 29
    mean = paired_mean(changes, 0.95, step=1.0)
    alone = stats.ttest_1samp(changes, 0).confidence_interval()
    assert mean.interval.method == "t, two rows added"
    assert mean.interval.estimate == pytest.approx(-1 / 30)
    assert mean.interval.low < 1.4 * alone.low
    assert mean.interval.low < -0.1


def test_two_rows_added_is_bonett_and_prices_interval_for_booleans() -> None:
    # 6 gained and 16 lost of 161 (Cavo et al. 2012): Bonett and Price's error is that of 7 and 17 of 163.
    changes = [1.0] * 6 + [-1.0] * 16 + [0.0] * 139
    p12, p21 = 7 / 163, 17 / 163
    error = math.sqrt((p12 + p21 - (p12 - p21) ** 2) / 163)
    mean = paired_mean(changes, 0.95, step=1.0)
    assert mean.interval.high - mean.interval.estimate == pytest.approx(stats.t.ppf(0.975, 160) * error)


def test_all_rows_changed_by_the_same_has_a_width_by_rule() -> None:
    mean = paired_mean([-1.0] * 12, 0.95, step=1.0)
    assert mean.interval.estimate == -1
    assert mean.interval.low < -1 < mean.interval.high < 0


def test_no_changed_row_is_tangos_interval_times_the_step() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    mean = paired_mean([0.0] * 30, 0.95, limit=-0.3, step=2.0)
    assert mean.interval.estimate == 0
    assert limits(mean) == pytest.approx((-2 * z2 / (30 + z2), 2 * z2 / (30 + z2)), abs=1e-8)
    assert paired_mean([0.0] * 30, 0.95, limit=mean.interval.low, step=2.0).evidence.above == pytest.approx(
        0.025, abs=1e-6
    )


def test_no_changed_row_of_a_continuous_score_has_no_width() -> None:
    mean = paired_mean([0.0] * 30, 0.95, limit=-0.1)
    assert limits(mean) == (0, 0)
    assert mean.interval.method == "no spread"
    assert (mean.evidence.above, mean.evidence.below) == (0, 1)
    assert paired_mean([0.0] * 30, 0.95, limit=0.0).evidence.above == 0.5


def test_a_run_of_equal_scores() -> None:
    constant = one_mean([2.5] * 20, 0.95, limit=3.0)
    assert limits(constant) == (2.5, 2.5)
    assert (constant.evidence.above, constant.evidence.below) == (1, 0)
    levels = one_mean([4.0] * 20, 0.95, step=1.0)
    assert levels.interval.low < 4 < levels.interval.high


def test_a_single_row_says_nothing() -> None:
    mean = one_mean([2.5], 0.95)
    assert limits(mean) == (-math.inf, math.inf)
    assert mean.evidence.above == mean.evidence.below == 0.5


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf]])
def test_what_has_no_mean_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        paired_mean(values, 0.95)
    with pytest.raises(ValueError, match="finite"):
        one_mean(values, 0.95)


def test_small_data_import_nothing_slow() -> None:
    code = (
        "import sys\n"
        "from llmops_actions.evaluation.statistics import compare\n"
        "for kind in ('boolean', 'ordinal', 'continuous'):\n"
        "    compare([0.0, 1.0] * 50, [1.0] * 100, kind, confidence=0.95, max_drop=0.1)\n"
        "assert {'numpy', 'scipy', 'statsmodels'}.isdisjoint(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
