"""Published examples, statsmodels and scipy are the reference."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from llmops_actions.evaluation.statistics.distributions import normal_cdf
from llmops_actions.evaluation.statistics.proportions import (
    PairedTable,
    mcnemar_midp,
    newcombe_paired,
    share_evidence,
    tango,
    tango_evidence,
    wilson,
)

# Complete response before and after consolidation therapy (Cavo et al. 2012): Fagerland, Lydersen and Laake (2017),
# Statistical Analysis of Contingency Tables, chapter 8; the results are those of their R package contingencytables.
CAVO = PairedTable(both=59, gained=6, lost=16, neither=80)
# Airway hyper-responsiveness before and after stem cell transplantation (Bentur et al. 2009), same chapter.
BENTUR = PairedTable(both=1, gained=1, lost=7, neither=12)

tables = st.builds(
    PairedTable,
    both=st.integers(0, 60),
    gained=st.integers(0, 60),
    lost=st.integers(0, 60),
    neither=st.integers(0, 60),
).filter(lambda table: table.n > 0)


@pytest.mark.parametrize(("true", "n"), [(81, 263), (15, 148), (0, 20), (1, 29), (29, 29), (1, 1)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_is_that_of_statsmodels(true: int, n: int, confidence: float) -> None:
    interval = wilson(true, n, confidence)
    expected = proportion_confint(true, n, alpha=1 - confidence, method="wilson")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
    assert interval.estimate == true / n


def test_wilson_gives_the_published_example() -> None:
    # Newcombe 1998a, Statistics in Medicine 17:857, table I: 81 of 263 and 0 of 20, method 3.
    assert (wilson(81, 263, 0.95).low, wilson(81, 263, 0.95).high) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert (wilson(0, 20, 0.95).low, wilson(0, 20, 0.95).high) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_newcombe_gives_the_published_examples() -> None:
    interval = newcombe_paired(CAVO, 0.95)
    assert interval.estimate == pytest.approx(-0.0621, abs=5e-5)
    assert (interval.low, interval.high) == pytest.approx((-0.1186, -0.0046), abs=5e-5)
    # Fagerland, Lydersen and Laake 2014, table VII.
    interval = newcombe_paired(BENTUR, 0.95)
    assert (interval.low, interval.high) == pytest.approx((-0.507, -0.026), abs=5e-4)


def test_tango_gives_the_published_examples() -> None:
    interval = tango(CAVO, 0.95)
    assert (interval.low, interval.high) == pytest.approx((-0.1240, -0.0054), abs=5e-5)
    interval = tango(BENTUR, 0.95)
    assert (interval.low, interval.high) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_tango_gives_what_r_gives() -> None:
    # PropCIs::scoreci.mp(25, 28, 618, 0.9), whose estimate is (28 - 25) / 618.
    interval = tango(PairedTable(both=300, gained=28, lost=25, neither=265), 0.9)
    assert (interval.low, interval.high) == pytest.approx((-0.0148, 0.0247), abs=5e-5)


def test_tango_without_a_changed_row_has_a_closed_form() -> None:
    z2 = stats.norm.ppf(0.975) ** 2
    interval = tango(PairedTable(both=20, gained=0, lost=0, neither=10), 0.95)
    assert interval.estimate == 0
    assert (interval.low, interval.high) == pytest.approx((-z2 / (30 + z2), z2 / (30 + z2)), abs=1e-9)


def test_all_rows_lost_is_the_worst_there_is() -> None:
    interval = tango(PairedTable(both=0, gained=0, lost=12, neither=0), 0.95)
    assert interval.estimate == -1
    assert interval.low == -1
    assert -1 < interval.high < -0.5


def test_at_no_difference_the_evidence_is_mcnemars_statistic() -> None:
    statistic = mcnemar([[59, 6], [16, 80]], exact=False, correction=False).statistic
    evidence = tango_evidence(CAVO, 0.0)
    assert evidence.below == pytest.approx(normal_cdf(-math.sqrt(statistic)), rel=1e-9)
    assert evidence.above == pytest.approx(1 - evidence.below)


@given(tables, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_evidence_and_the_interval_agree(table: PairedTable, confidence: float) -> None:
    interval = tango(table, confidence)
    tail = (1 - confidence) / 2
    if interval.low > -1 + 1e-9:
        assert tango_evidence(table, interval.low).above == pytest.approx(tail, abs=1e-6)
    if interval.high < 1 - 1e-9:
        assert tango_evidence(table, interval.high).below == pytest.approx(tail, abs=1e-6)


@given(tables)
def test_swapping_the_runs_turns_the_intervals_around(table: PairedTable) -> None:
    swapped = PairedTable(both=table.both, gained=table.lost, lost=table.gained, neither=table.neither)
    for interval, mirrored in (
        (tango(table, 0.95), tango(swapped, 0.95)),
        (newcombe_paired(table, 0.95), newcombe_paired(swapped, 0.95)),
    ):
        assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low), abs=1e-9)
        assert -1 - 1e-9 <= interval.low <= interval.estimate <= interval.high <= 1 + 1e-9


def test_the_evidence_for_one_share_belongs_to_wilson() -> None:
    interval = wilson(81, 100, 0.95)
    assert share_evidence(81, 100, interval.low).above == pytest.approx(0.025)
    assert share_evidence(81, 100, interval.high).below == pytest.approx(0.025)
    assert share_evidence(10, 10, 1.0).above == 0.5
    assert share_evidence(9, 10, 1.0).above == 1.0
    assert share_evidence(1, 10, 0.0).above == 0.0


def test_midp_gives_the_published_examples() -> None:
    assert mcnemar_midp(6, 16) == pytest.approx(0.034690, abs=5e-7)
    assert mcnemar_midp(7, 1) == pytest.approx(0.0391, abs=5e-5)


@given(st.integers(0, 400), st.integers(0, 400))
def test_midp_is_the_exact_test_less_the_point(gained: int, lost: int) -> None:
    n, smaller = gained + lost, min(gained, lost)
    point = stats.binom.pmf(smaller, n, 0.5)
    if gained == lost:
        expected = 1 - point / 2 if n else 1.0
    else:
        expected = stats.binomtest(smaller, n).pvalue - point
    assert mcnemar_midp(gained, lost) == pytest.approx(expected, rel=1e-9)


def test_midp_of_very_many_rows() -> None:
    assert mcnemar_midp(50_500, 49_500) == pytest.approx(stats.chi2.sf(10, 1), rel=1e-3)


@pytest.mark.parametrize("confidence", [0, 0.3, 1, 95])
def test_what_is_no_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        wilson(1, 2, confidence)
    with pytest.raises(ValueError, match="confidence"):
        tango(CAVO, confidence)


def test_no_rows_are_refused() -> None:
    nothing = PairedTable(both=0, gained=0, lost=0, neither=0)
    for refused in (
        lambda: wilson(0, 0, 0.95),
        lambda: wilson(3, 2, 0.95),
        lambda: tango(nothing, 0.95),
        lambda: newcombe_paired(nothing, 0.95),
        lambda: mcnemar_midp(-1, 2),
    ):
        with pytest.raises(ValueError, match="at least one row"):
            refused()
