"""What the name of a metric stands for."""

from __future__ import annotations

import pytest
from tests.unit.evaluation.runs import run

from llmops_actions.evaluation.series import MetricNameError, find_series, logged_value, unknown_metric


@pytest.mark.parametrize("name", ["grade.correct", "correct"])
def test_a_score_by_its_full_or_its_bare_name(name: str) -> None:
    found = find_series(run({"grade.correct": "10", "grade.polite": "11"}), name)
    assert found is not None
    assert (found.series.metric, found.alias) == ("grade.correct", None)


def test_a_score_whose_own_name_has_a_dot() -> None:
    found = find_series(run({"grade.length.words": [3, 5]}), "length.words")
    assert found is not None
    assert found.series.score == "length.words"


def test_a_bare_name_of_several_evaluators_is_refused() -> None:
    both = run({"grade.score": "10", "judge.score": "11"})
    with pytest.raises(MetricNameError, match=r"`score` could be each of `grade.score`, `judge.score`"):
        find_series(both, "score")
    found = find_series(both, "judge.score")
    assert found is not None
    assert found.series.evaluator == "judge"
    with pytest.raises(MetricNameError, match="could be each of"):
        logged_value(run(logged={"grade.f1": 0.1, "judge.f1": 0.2}), "f1")


def test_a_logged_name_stands_for_the_only_score_that_it_is_the_share_of() -> None:
    found = find_series(
        run({"grade.correct": "110", "grade.polite": "100"}, logged={"grade.accuracy": 0.67}), "accuracy"
    )
    assert found is not None
    assert (found.series.metric, found.alias) == ("grade.correct", "grade.accuracy")


@pytest.mark.parametrize(
    ("scores", "accuracy"),
    [
        ({"grade.correct": "110", "grade.polite": "011"}, 0.67),
        ({"grade.correct": "110"}, 0.66),
        ({"judge.correct": "110"}, 0.67),
        ({"grade.correct": [0.5, 0.5, 1.0]}, 0.67),
        ({}, 0.67),
    ],
    ids=["two scores", "another share", "another evaluator", "no boolean", "no score"],
)
def test_else_it_stands_for_no_rows(scores: dict[str, str], accuracy: float) -> None:
    found = run(scores, logged={"grade.accuracy": accuracy})
    assert find_series(found, "accuracy") is None
    assert logged_value(found, "accuracy") == accuracy


def test_failed_rows_may_count_in_what_was_logged_or_not() -> None:
    for accuracy in (0.5, 0.67):
        found = find_series(run({"grade.correct": "110-"}, logged={"grade.accuracy": accuracy}), "accuracy")
        assert found is not None


def test_numbers_zero_and_one_are_boolean_too() -> None:
    assert find_series(run({"grade.correct": [1, 0, 1.0]}, logged={"grade.accuracy": 0.67}), "accuracy")


def test_what_a_name_stands_for_must_hold_in_every_run() -> None:
    """One run alone can show an equal share by chance."""
    mine = run({"grade.correct": "1100", "grade.polite": "1110"}, logged={"grade.weighted": 0.75})
    assert find_series(mine, "weighted")
    other = run({"grade.correct": "1000", "grade.polite": "1000"}, logged={"grade.weighted": 0.5})
    assert find_series(mine, "weighted", [other]) is None
    agreeing = run({"grade.correct": "1111", "grade.polite": "1100"}, logged={"grade.weighted": 0.5})
    assert find_series(mine, "weighted", [agreeing])


def test_another_run_can_settle_which_of_two_it_is() -> None:
    mine = run({"grade.correct": "1100", "grade.polite": "0011"}, logged={"grade.accuracy": 0.5})
    other = run({"grade.correct": "1110", "grade.polite": "0011"}, logged={"grade.accuracy": 0.75})
    found = find_series(mine, "accuracy", [other])
    assert found is not None
    assert found.series.score == "correct"
    assert find_series(mine, "accuracy", [run({"grade.correct": "1110"})]) is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("corect", "Did you mean `correct`?"),
        ("grade.corect", "Did you mean `grade.correct`?"),
        ("zzz", "There are grade.accuracy, grade.correct."),
    ],
)
def test_an_unknown_name_comes_with_the_nearest(name: str, hint: str) -> None:
    assert hint in unknown_metric(name, [run({"grade.correct": "1"}, logged={"grade.accuracy": 1.0})])
    assert unknown_metric("x", [run()]) == "No evaluator gives `x`. There are no scores."
