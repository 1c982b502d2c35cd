"""A score as a whole: which method, which rule, which outcome, which outlook."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.evaluation.statistics import (
    Comparison,
    Measurement,
    ScoreType,
    compare,
    measure,
    measurement_outlook,
    outlook,
    pair,
)
from llmops_actions.evaluation.statistics.proportions import PairedTable, mcnemar_midp, tango, wilson


def compared(
    baseline: list[float], candidate: list[float], kind: ScoreType = "boolean", max_drop: float = 0.1
) -> Comparison:
    return compare(baseline, candidate, kind, confidence=0.95, max_drop=max_drop)


def booleans(both: int, gained: int, lost: int, neither: int) -> tuple[list[float], list[float]]:
    baseline = [1.0] * both + [0.0] * gained + [1.0] * lost + [0.0] * neither
    candidate = [1.0] * both + [1.0] * gained + [0.0] * lost + [0.0] * neither
    return baseline, candidate


def test_booleans_are_compared_by_tango_and_mcnemar() -> None:
    result = compared(*booleans(59, 6, 16, 80), max_drop=0.2)
    assert result.difference == tango(PairedTable(both=59, gained=6, lost=16, neither=80), 0.95)
    assert result.test is not None
    assert (result.test.name, result.test.p_value) == ("McNemar mid-p", mcnemar_midp(6, 16))
    assert (result.n, result.improved, result.regressed) == (161, 6, 16)
    assert result.baseline == pytest.approx(75 / 161)
    assert result.candidate == pytest.approx(65 / 161)
    assert result.spread == pytest.approx(22 / 161)
    assert (result.outcome, result.rule) == ("passed", None)


@pytest.mark.parametrize(
    ("cells", "outcome"),
    [
        ((90, 0, 0, 10), "passed"),
        ((60, 2, 38, 0), "failed"),
        ((80, 4, 8, 8), "inconclusive"),
        ((70, 20, 0, 10), "passed"),
    ],
)
def test_the_outcome_follows_the_interval(cells: tuple[int, int, int, int], outcome: str) -> None:
    assert compared(*booleans(*cells)).outcome == outcome


def test_shares_of_repeats_are_compared_by_their_means_within_what_is_possible() -> None:
    baseline, candidate = [1.0] * 12, [1.0] * 4 + [1 / 3] * 8
    result = compared(baseline, candidate)
    assert result.difference is not None
    assert result.difference.method == "t, two rows added"
    assert result.outcome == "failed"
    all_lost = compared([1.0] * 10 + [0.5], [0.0] * 11)
    assert all_lost.difference is not None
    assert all_lost.difference.low == -1


def test_ordinal_scores_come_with_the_signed_rank_test() -> None:
    result = compared([5.0, 4, 3, 5] * 10, [4.0, 4, 3, 5] * 10, "ordinal")
    assert result.test is not None
    assert result.test.name == "Wilcoxon signed-rank (Pratt)"
    assert result.test.p_value == pytest.approx(2 / 2**10)
    assert result.difference is not None
    assert result.difference.estimate == -0.25


def test_continuous_scores_are_tested_by_their_interval() -> None:
    rng = random.Random(1)
    baseline = [rng.random() for _ in range(400)]
    for n, method in ((40, "t"), (400, "BCa")):
        result = compared(baseline[:n], [value + rng.gauss(0.02, 0.1) for value in baseline[:n]], "continuous")
        assert result.difference is not None
        assert result.test is not None
        assert result.difference.method == method
        assert result.test.name == f"mean change: {method}"
        assert (result.test.p_value < 0.05) == (not result.difference.low <= 0 <= result.difference.high)


@pytest.mark.parametrize("kind", ["boolean", "ordinal", "continuous"])
@pytest.mark.parametrize("n", [1, 5, 40, 400])
def test_identical_scores_pass_by_rule_with_no_difference_at_all(kind: ScoreType, n: int) -> None:
    scores = [float(i % 2) for i in range(n)]
    result = compared(scores, list(scores), kind, max_drop=0.0)
    assert result.difference is not None
    assert result.difference.estimate == 0.0
    assert (result.outcome, result.rule) == ("passed", "identical")
    assert result.test is not None
    assert result.test.p_value == 1


def test_identical_shares_of_repeats_leave_as_much_open_as_identical_booleans() -> None:
    shares, flags = compared([1 / 3] * 30, [1 / 3] * 30), compared([1.0] * 30, [1.0] * 30)
    assert shares.difference is not None
    assert flags.difference is not None
    assert shares.difference.low == pytest.approx(flags.difference.low)


@pytest.mark.parametrize("kind", ["boolean", "ordinal", "continuous"])
def test_fewer_than_ten_rows_say_nothing(kind: ScoreType) -> None:
    few = compared([1.0] * 9, [0.0] * 9, kind)
    assert (few.outcome, few.rule) == ("inconclusive", "too few rows")
    enough = compared([1.0] * 10, [0.0] * 10, kind)
    assert (enough.outcome, enough.rule) == ("failed", None)


def test_no_rows_at_all() -> None:
    result = compared([], [])
    assert (result.outcome, result.rule, result.difference, result.baseline) == ("inconclusive", "no rows", None, None)
    assert outlook(result, 0.1) is None
    nothing = measure([], "boolean", confidence=0.95, limit=0.8)
    assert (nothing.outcome, nothing.rule, nothing.mean) == ("inconclusive", "no rows", None)
    assert measurement_outlook(nothing, 0.8) is None


def test_runs_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same rows"):
        compared([1.0], [1.0, 0.0])


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=10, max_size=60),
    st.sampled_from(["ordinal", "continuous"]),
    st.randoms(),
)
def test_the_order_of_the_rows_does_not_matter(
    rows: list[tuple[int, int]], kind: ScoreType, shuffler: random.Random
) -> None:
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    one, other = (compared([float(a) for a, _ in each], [float(b) for _, b in each], kind) for each in (rows, shuffled))
    assert one == other


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=10, max_size=60), st.floats(0, 0.5))
def test_the_evidence_decides_as_the_interval_does(rows: list[tuple[float, float]], max_drop: float) -> None:
    result = compared([a for a, _ in rows], [b for _, b in rows], "continuous", max_drop=max_drop)
    assert result.evidence is not None
    if result.rule is None and min(abs(result.evidence.above - 0.025), abs(result.evidence.below - 0.025)) > 1e-6:
        assert (result.outcome == "passed") == (result.evidence.above < 0.025)
        assert (result.outcome == "failed") == (result.evidence.below < 0.025)


def test_the_outlook_of_booleans() -> None:
    result = compared(*booleans(80, 4, 8, 8), max_drop=0.1)
    ahead = outlook(result, 0.1)
    assert ahead is not None
    assert 0.1 < ahead.detectable < 0.2
    assert ahead.rows is not None
    # As many rows with the same shares do settle it.
    times = math.ceil(ahead.rows / 100)
    assert compared(*booleans(80 * times, 4 * times, 8 * times, 8 * times)).outcome == "passed"


def test_the_outlook_of_means() -> None:
    rng = random.Random(3)
    baseline = [rng.gauss(3, 1) for _ in range(50)]
    result = compared(baseline, [value + rng.gauss(0, 1) for value in baseline], "continuous", max_drop=0.2)
    ahead = outlook(result, 0.2)
    assert result.outcome == "inconclusive"
    assert ahead is not None
    assert ahead.detectable == pytest.approx(2.9 * result.spread / math.sqrt(50), rel=0.02)
    assert ahead.rows is not None
    assert ahead.rows > 50


def test_no_number_of_rows_settles_a_drop_that_is_the_margin() -> None:
    ahead = outlook(compared(*booleans(80, 5, 15, 0), max_drop=0.1), 0.1)
    assert ahead is not None
    assert ahead.rows is None


def measured(values: list[float], kind: ScoreType, limit: float) -> Measurement:
    return measure(values, kind, confidence=0.95, limit=limit)


def test_a_share_is_measured_by_wilson() -> None:
    result = measured([1.0] * 81 + [0.0] * 19, "boolean", 0.8)
    assert result.mean == wilson(81, 100, 0.95)
    assert result.outcome == "inconclusive"
    ahead = measurement_outlook(result, 0.8)
    assert ahead is not None
    assert ahead.rows is not None
    assert ahead.rows > 10_000
    assert measured([1.0] * 95 + [0.0] * 5, "boolean", 0.8).outcome == "passed"
    assert measured([1.0] * 60 + [0.0] * 40, "boolean", 0.8).outcome == "failed"


def test_shares_of_repeats_are_measured_within_what_is_possible() -> None:
    result = measured([1.0] * 11 + [2 / 3], "boolean", 0.5)
    assert result.mean is not None
    assert result.mean.high == 1
    assert result.outcome == "passed"


def test_a_mean_is_measured_against_either_side() -> None:
    latencies = [0.5 + 0.01 * i for i in range(60)]
    for limit, lower, upper in (
        (0.5, "passed", "failed"),
        (2.0, "failed", "passed"),
        (0.8, "inconclusive", "inconclusive"),
    ):
        assert measured(latencies, "continuous", limit).outcome == lower
        above = measure(latencies, "continuous", confidence=0.95, limit=limit, direction="at_most")
        assert above.outcome == upper
    ahead = measurement_outlook(measured(latencies, "continuous", 0.8), 0.8)
    assert ahead is not None
    assert ahead.detectable == pytest.approx(0.066, abs=0.003)


def test_few_rows_do_not_reach_an_absolute_limit() -> None:
    result = measured([1.0] * 9, "boolean", 0.1)
    assert (result.outcome, result.rule) == ("inconclusive", "too few rows")


def test_a_hundred_thousand_rows_take_less_than_two_seconds() -> None:
    rng = random.Random(1)
    before = [(f"row {i}", rng.randint(1, 5)) for i in range(100_000)]
    after = [(key, min(5, max(1, value + rng.choice((-1, 0, 0, 0, 1))))) for key, value in reversed(before)]
    start = time.process_time()
    paired = pair(before, after, failed_as=1.0)
    result = compare(paired.baseline, paired.candidate, "ordinal", confidence=0.95, max_drop=0.05)
    assert time.process_time() - start < 2
    assert result.outcome == "passed"
