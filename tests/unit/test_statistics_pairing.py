from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.evaluation.statistics.pairing import (
    FailedPolicy,
    ScoreType,
    Value,
    aggregate_repeats,
    failed_as,
    pair,
    score_type,
)

rows = st.lists(st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.floats(0, 5))), max_size=25)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False, None], "boolean"),
        ([1, 0, 1.0], "boolean"),
        ([True, 3], "ordinal"),
        ([1, 5, 3, 5.0, math.nan], "ordinal"),
        ([0, 10], "ordinal"),
        ([0, 11], "continuous"),
        ([1, 2, 2.5], "continuous"),
        ([0.25, 1.0], "continuous"),
        ([812, 90, 455], "continuous"),
        ([10**400, 1], "boolean"),
        ([None], "boolean"),
        ([], "boolean"),
    ],
)
def test_the_kind_of_a_score(values: list[Value], kind: ScoreType) -> None:
    assert score_type(values) == kind


@pytest.mark.parametrize(
    ("kind", "policy", "worst", "given_score"),
    [
        ("boolean", "exclude-and-report", None, 0.0),
        ("boolean", "worst", None, 0.0),
        ("ordinal", "worst", 1.0, 1.0),
        ("continuous", "exclude-and-report", 0.0, None),
    ],
)
def test_what_a_failed_row_counts_as(
    kind: ScoreType, policy: FailedPolicy, worst: float | None, given_score: float | None
) -> None:
    assert failed_as(kind, policy, worst) == given_score


@pytest.mark.parametrize("worst", [None, math.nan, math.inf])
def test_the_worst_score_must_be_known(worst: float | None) -> None:
    with pytest.raises(ValueError, match="worst"):
        failed_as("ordinal", "worst", worst)


def test_rows_are_paired_by_key_and_not_by_position() -> None:
    paired = pair([("a", 1), ("b", 2), ("c", 3)], [("c", 30), ("a", 10), ("d", 40)], failed_as=None)
    assert (paired.keys, paired.baseline, paired.candidate) == (("a", "c"), (1, 3), (10, 30))
    assert (paired.only_baseline, paired.only_candidate) == (("b",), ("d",))
    assert paired.n == 2


def test_the_nth_of_a_key_goes_with_the_nth() -> None:
    paired = pair([("a", 1), ("a", 2), ("a", 3)], [("b", 9), ("a", 10), ("a", 20)], failed_as=None)
    assert (paired.baseline, paired.candidate) == ((1, 2), (10, 20))
    assert (paired.only_baseline, paired.only_candidate) == (("a",), ("b",))


def test_a_failed_row_stays_with_the_score_it_is_given() -> None:
    paired = pair([("a", True), ("b", None)], [("a", math.nan), ("b", math.inf)], failed_as=0.0)
    assert (paired.baseline, paired.candidate) == ((1, 0), (0, 0))
    assert (paired.failed_baseline, paired.failed_candidate) == (("b",), ("a", "b"))
    assert paired.excluded == ()


def test_a_failed_row_is_left_out_only_with_a_report() -> None:
    paired = pair([("a", 4), ("b", None), ("c", 5)], [("a", None), ("b", 3), ("c", 4)], failed_as=None)
    assert (paired.keys, paired.baseline, paired.candidate) == (("c",), (5,), (4,))
    assert paired.excluded == ("a", "b")
    assert (paired.failed_baseline, paired.failed_candidate) == (("b",), ("a",))


@given(rows, rows, st.sampled_from([None, 0.0]))
def test_every_row_is_accounted_for(
    baseline: list[tuple[str, Value]], candidate: list[tuple[str, Value]], score: float | None
) -> None:
    paired = pair(baseline, candidate, failed_as=score)
    assert paired.n + len(paired.excluded) + len(paired.only_baseline) == len(baseline)
    assert paired.n + len(paired.excluded) + len(paired.only_candidate) == len(candidate)
    assert all(map(math.isfinite, (*paired.baseline, *paired.candidate)))
    assert score is None or not paired.excluded


def test_repeats_become_one_value_a_row() -> None:
    repeats: list[tuple[str, list[Value]]] = [
        ("a", [True, False, None]),
        ("b", [5, 4]),
        ("c", [None, math.nan]),
        ("d", []),
    ]
    assert aggregate_repeats(repeats, failed_as=0.0) == [
        ("a", pytest.approx(1 / 3)),
        ("b", 4.5),
        ("c", 0.0),
        ("d", None),
    ]
    assert aggregate_repeats(repeats, failed_as=None) == [("a", 0.5), ("b", 4.5), ("c", None), ("d", None)]
