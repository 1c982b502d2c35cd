from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from llmops_actions.evaluation.statistics.distributions import (
    binomial_half_tail,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
    two_sided_z,
)

degrees = st.sampled_from([1, 2, 3, 5, 9, 29, 99, 999, 99_999])


@given(st.floats(-37, 37))
def test_the_normal_distribution_is_scipys(z: float) -> None:
    assert normal_cdf(z) == pytest.approx(float(special.ndtr(z)), rel=1e-12)


def test_the_normal_quantile_is_scipys() -> None:
    for probability in (1e-9, 0.025, 0.5, 0.8, 0.975):
        assert normal_quantile(probability) == pytest.approx(float(special.ndtri(probability)), rel=1e-12, abs=1e-15)
    assert two_sided_z(0.95) == pytest.approx(1.959963984540054)


@given(st.floats(-50, 50), degrees)
def test_students_distribution_is_scipys(t: float, df: int) -> None:
    assert t_cdf(t, df) == pytest.approx(float(special.stdtr(df, t)), rel=1e-9, abs=1e-250)


@given(st.floats(1e-7, 1 - 1e-7), degrees)
def test_students_quantile_is_scipys(probability: float, df: int) -> None:
    assert t_quantile(probability, df) == pytest.approx(float(special.stdtrit(df, probability)), rel=1e-9, abs=1e-12)


def test_students_quantile_in_printed_tables() -> None:
    assert [round(t_quantile(0.975, df), 3) for df in (1, 2, 9, 29)] == [12.706, 4.303, 2.262, 2.045]
    assert t_quantile(0.5, 3) == 0


def test_the_ends_of_students_distribution() -> None:
    assert t_cdf(math.inf, 3) == 1
    assert t_cdf(-math.inf, 3) == 0
    assert t_cdf(0.0, 3) == pytest.approx(0.5)


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_binomial_tail_is_scipys(successes: int, others: int) -> None:
    trials = successes + others
    tail, point = binomial_half_tail(successes, trials)
    assert tail == pytest.approx(stats.binom.cdf(successes, trials, 0.5), rel=1e-9)
    assert point == pytest.approx(stats.binom.pmf(successes, trials, 0.5), rel=1e-9)
