from __future__ import annotations

import math

import pytest
from statsmodels.stats.power import TTestPower

from llmops_actions.evaluation.statistics.power import (
    detectable_mean,
    detectable_paired_shares,
    detectable_share,
    rows_for_mean,
    rows_for_paired_shares,
    rows_for_share,
)


def test_connors_formula_holds_at_the_detectable_difference() -> None:
    d = detectable_paired_shares(100, 0.2, 0.95, 0.8)
    differing = 0.2 + d
    # Connor 1987, equation 1, solved for n.
    n = (1.959964 * math.sqrt(differing) + 0.841621 * math.sqrt(differing - d * d)) ** 2 / d**2
    assert n == pytest.approx(100, rel=1e-4)


def test_more_rows_see_less_and_more_noise_hides_more() -> None:
    assert detectable_paired_shares(300, 0.1, 0.95) < detectable_paired_shares(100, 0.1, 0.95)
    assert detectable_paired_shares(100, 0.1, 0.95) < detectable_paired_shares(100, 0.3, 0.95)
    assert detectable_paired_shares(100, 0.1, 0.95, 0.8) < detectable_paired_shares(100, 0.1, 0.95, 0.9)
    assert detectable_paired_shares(1, 0.5, 0.95) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [20, 30, 100, 1000])
def test_the_power_at_the_detectable_mean_is_the_one_asked_for(n: int) -> None:
    effect = detectable_mean(n, 2.0, 0.95, 0.8)
    assert TTestPower().power(effect / 2.0, n, 0.05) == pytest.approx(0.8, abs=0.01)


def test_a_single_row_detects_nothing() -> None:
    assert math.isinf(detectable_mean(1, 1.0, 0.95))


@pytest.mark.parametrize("n", [12, 30, 100, 1000])
def test_the_rows_for_a_mean_invert_the_detectable_mean(n: int) -> None:
    rows = rows_for_mean(0.7, detectable_mean(n, 0.7, 0.95), 0.95)
    assert rows == pytest.approx(n, abs=2)


def test_the_rows_for_a_share_give_the_published_example() -> None:
    # Fleiss 1981: a score test of 0.5 against 0.6, two-sided 5 %, power 80 %: (1.96 * 0.5 + 0.8416 * 0.4899)**2 / 0.01.
    assert rows_for_share(0.6, 0.5, 0.95, 0.8) == 194
    assert detectable_share(194, 0.6, 0.95, 0.8) == pytest.approx(0.1, abs=5e-4)


def test_the_rows_without_a_changed_row_are_those_after_which_tango_passes() -> None:
    # n > z**2 (1 - m) / m, from Tango's interval of no changed row.
    assert rows_for_paired_shares(0.0, 0.0, 0.05, 0.95) == math.ceil(1.959964**2 * 0.95 / 0.05)


def test_an_effect_near_the_margin_takes_more_rows() -> None:
    far, near = rows_for_paired_shares(0.1, 0.1, 0.1, 0.95), rows_for_paired_shares(0.1, 0.15, 0.1, 0.95)
    assert far is not None
    assert near is not None
    assert near > 3 * far


def test_no_number_of_rows_settles_what_is_the_limit_itself() -> None:
    assert rows_for_paired_shares(0.1, 0.15, 0.05, 0.95) is None
    assert rows_for_mean(1.0, 0.0, 0.95) is None
    assert rows_for_mean(1.0, 1e-12, 0.95) is None
    assert rows_for_share(0.8, 0.8, 0.95) is None


def test_no_spread_needs_next_to_no_rows() -> None:
    assert rows_for_mean(0.0, 0.5, 0.95) == 2


@pytest.mark.parametrize(
    ("n", "confidence", "power"), [(0, 0.95, 0.8), (10, 0.95, 0.3), (10, 0.95, 1.0), (10, 1.5, 0.8)]
)
def test_an_impossible_plan_is_refused(n: int, confidence: float, power: float) -> None:
    with pytest.raises(ValueError, match="between"):
        detectable_mean(n, 1.0, confidence, power)
