from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from llmops_actions.evaluation.statistics.decisions import Outcome, at_least, at_most, holm, noninferiority
from llmops_actions.evaluation.statistics.interval import Interval


def between(low: float, high: float) -> Interval:
    return Interval((low + high) / 2, low, high, 0.95, "by hand")


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.01, 0.04, "passed"),
        (-0.20, -0.03, "failed"),
        (-0.03, 0.04, "inconclusive"),
        (-0.02, 0.04, "inconclusive"),
        (-0.20, -0.02, "inconclusive"),
        (0.10, 0.20, "passed"),
    ],
)
def test_the_whole_interval_decides_on_non_inferiority(low: float, high: float, outcome: Outcome) -> None:
    assert noninferiority(between(low, high), 0.02) == outcome


def test_a_negative_drop_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        noninferiority(between(0, 1), -0.1)


def test_lower_and_upper_limits_mirror_each_other() -> None:
    for interval, lower, upper in (
        (between(2, 3), "passed", "failed"),
        (between(0, 1), "failed", "passed"),
        (between(1, 2), "inconclusive", "inconclusive"),
        (between(1.5, 1.5), "passed", "passed"),
    ):
        assert at_least(interval, 1.5) == lower
        assert at_most(interval, 1.5) == upper


@settings(max_examples=25)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_holm_gives_the_textbook_example() -> None:
    # Step by step: 4 * 0.005, 3 * 0.01, 2 * 0.03, and 0.04 not below its forerunner (Holm 1979).
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
