"""Scores and metrics: what counts, and over how many rows."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.evaluation.scores import Metric, Score, ScoreTotals, scores_of

HUGE = 10**400


def totals(*rows: dict[str, Score] | None) -> ScoreTotals:
    added = ScoreTotals()
    for row in rows:
        added.add(row)
    return added


def metric(added: ScoreTotals, name: str, **logged: float) -> Metric:
    [found] = [each for each in added.metrics(logged) if each.name == name]
    return found


def test_scores_are_booleans_and_numbers_that_a_float_can_hold() -> None:
    outputs: dict[str, Any] = {
        "right": True,
        "stars": 4,
        "share": 0.5,
        "nan": math.nan,
        "infinite": -math.inf,
        "huge": HUGE,
        "text": "4",
        "nothing": None,
        "list": [1],
    }
    assert scores_of(outputs) == {"right": True, "stars": 4, "share": 0.5}


def test_a_failed_row_is_a_wrong_one_for_a_boolean_score() -> None:
    added = totals({"right": True}, {"right": True}, {"right": False}, None)
    assert metric(added, "right") == Metric("right", 0.5, "mean", "boolean", 3, 1)


def test_a_failed_row_is_outside_the_mean_of_numbers_and_counted() -> None:
    added = totals({"stars": 5}, None, {"stars": 2.0}, None)
    assert metric(added, "stars") == Metric("stars", 3.5, "mean", "numeric", 2, 2)


def test_a_score_that_some_rows_lack_has_failed_there() -> None:
    added = totals({"right": True, "stars": 1}, {"stars": 2}, {"right": True})
    assert metric(added, "right") == Metric("right", 2 / 3, "mean", "boolean", 2, 1)
    assert metric(added, "stars") == Metric("stars", 1.5, "mean", "numeric", 2, 1)


def test_a_mixture_of_booleans_and_numbers_is_a_number() -> None:
    assert metric(totals({"s": True}, {"s": 0}, {"s": 3.5}), "s") == Metric("s", 1.5, "mean", "numeric", 3, 0)


def test_a_mean_that_no_float_can_hold_is_none() -> None:
    assert metric(totals({"s": 1e308}, {"s": 1e308}), "s").value is None
    assert metric(totals({"s": 1e308}, {"s": -1e308}), "s").value == 0.0


def test_no_scores_at_all() -> None:
    added = totals(None, None)
    assert added.metrics({}) == ()
    assert (added.rows, added.failed_rows) == (2, 2)


def test_logged_metrics_come_after_means_and_say_for_how_many_rows_they_speak() -> None:
    added = totals({"right": True}, None)
    logged = {"z": 0.25, "nan": math.nan, "right": 0.75, "huge": HUGE}
    assert added.metrics(logged) == (
        Metric("right", 0.5, "mean", "boolean", 1, 1),
        Metric("huge", None, "logged", "logged", 1, 1),
        Metric("nan", None, "logged", "logged", 1, 1),
        Metric("right", 0.75, "logged", "logged", 1, 1),
        Metric("z", 0.25, "logged", "logged", 1, 1),
    )


@given(st.lists(st.floats(-1e15, 1e15), min_size=1), st.randoms())
def test_the_mean_is_exact_and_does_not_depend_on_the_order(values: list[float], random: Any) -> None:
    exact = float(sum(map(Fraction, values)) / len(values))
    shuffled = list(values)
    random.shuffle(shuffled)
    for order in (values, shuffled):
        mean = metric(totals(*({"s": value} for value in order)), "s").value
        assert mean == pytest.approx(exact, rel=1e-12, abs=1e-9)


@given(st.lists(st.one_of(st.none(), st.booleans()), min_size=1))
def test_the_share_of_true_is_over_all_rows(outcomes: list[bool | None]) -> None:
    rows: list[dict[str, Score] | None] = [None if each is None else {"right": each} for each in outcomes]
    added = totals(*rows)
    found = added.metrics({})
    if all(each is None for each in outcomes):
        assert found == ()
    else:
        assert found[0].value == pytest.approx(outcomes.count(True) / len(outcomes))
        assert found[0].n + found[0].failed == len(outcomes)
