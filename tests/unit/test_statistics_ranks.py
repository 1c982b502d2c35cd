from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from llmops_actions.evaluation.statistics.ranks import wilcoxon_pratt

# Heights of plants, cross-fertilised less self-fertilised (Darwin 1876): the example of scipy.stats.wilcoxon.
DARWIN = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]


def test_the_published_example() -> None:
    assert wilcoxon_pratt(DARWIN) == pytest.approx(0.04125976562500, abs=1e-12)


@given(
    st.lists(
        st.floats(-100, 100).filter(lambda x: abs(x) > 1e-3),
        min_size=1,
        max_size=40,
        unique_by=lambda x: round(abs(x), 3),
    )
)
def test_without_zeros_and_ties_it_is_scipys_exact_test(differences: list[float]) -> None:
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon_pratt(differences) == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9).filter(any))
def test_with_zeros_and_ties_every_way_to_give_the_signs_is_counted(differences: list[int]) -> None:
    ranks = stats.rankdata(np.abs(differences))[np.array(differences) != 0]
    changes = np.array([each for each in differences if each])
    observed = ranks[changes > 0].sum()
    sums = np.array([ranks[np.array(signs)].sum() for signs in product([True, False], repeat=len(ranks))])
    tails = [(sums <= observed).mean(), (sums >= observed).mean()]
    assert wilcoxon_pratt(differences) == pytest.approx(min(1.0, 2 * min(tails)))


def test_many_rows_with_zeros_and_ties_go_by_scipys_approximation() -> None:
    rng = np.random.default_rng(4)
    for n in (120, 1000, 20_000):
        differences = rng.integers(-3, 4, n) + (rng.random(n) < 0.05)
        expected = stats.wilcoxon(differences, zero_method="pratt", correction=False, method="approx").pvalue
        assert wilcoxon_pratt(differences.tolist()) == pytest.approx(expected, rel=1e-9)


def test_steps_that_differ_by_rounding_only_are_ties() -> None:
    rounded = [0.1, -0.1, 0.1, 0.1, -0.2, 0.1]
    computed = [0.8 - 0.7, 0.2 - 0.3, 0.4 - 0.3, 1.1 - 1.0, 0.1 - 0.3, 0.3 - 0.2]
    assert computed != rounded
    assert wilcoxon_pratt(computed) == wilcoxon_pratt(rounded)


def test_no_change_is_no_shift() -> None:
    assert wilcoxon_pratt([]) == 1
    assert wilcoxon_pratt([0.0] * 20) == 1


def test_what_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        wilcoxon_pratt([1.0, float("nan")])
