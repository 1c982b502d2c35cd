"""The choice of the best variation."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.evaluation.runs import Scores, run

from llmops_actions.evaluation.paired import FailedRows
from llmops_actions.evaluation.selection import Criterion, Selection, VariationRuns, select

METRIC = "grade.correct"
POOR, GOOD, BEST = "1" * 30 + "0" * 70, "1" * 70 + "0" * 30, "1" * 74 + "0" * 26


def variation(
    name: str, *scores: Scores, cost: float | None = 1.0, tokens: int | None = 100, **details: Any
) -> VariationRuns:
    """A variation with one run for each of ``scores``, over the datasets d0, d1, …"""
    runs = [
        run({METRIC: each}, dataset=f"d{number}", variation=name, cost=cost, tokens=tokens, **details)
        for number, each in enumerate(scores)
    ]
    return VariationRuns(name, name == "default", runs)


def chosen(*variations: VariationRuns, **criterion: Any) -> Selection:
    return select(variations, Criterion(METRIC, **criterion))


def test_no_significant_difference_and_the_default_wins() -> None:
    found = chosen(variation("default", GOOD, cost=9.0), variation("a", BEST, cost=0.1))
    assert found.best == "default"
    assert found.reason == "No variation is better than the default beyond chance."
    [compared] = found.compared
    assert (compared.significant, compared.test, compared.n) == (False, "McNemar mid-p", 100)
    assert (compared.value, compared.reference) == (0.74, 0.7)
    assert compared.difference is not None
    assert compared.difference.estimate == pytest.approx(0.04)


def test_what_is_better_beyond_chance_wins_also_when_it_is_dearer() -> None:
    found = chosen(variation("default", POOR, cost=0.1), variation("a", GOOD, cost=9.0))
    assert (found.best, found.reason) == ("a", "`a` is better than the default beyond chance.")
    assert found.compared[0].significant


def test_of_those_the_highest_mean_unless_another_is_as_good_and_cheaper() -> None:
    default = variation("default", POOR)
    dear = variation("dear", BEST, cost=9.0)
    assert chosen(default, variation("a", GOOD, cost=9.5), dear).best == "dear"
    found = chosen(default, variation("cheap", GOOD, cost=0.5), dear)
    assert found.best == "cheap"
    assert found.reason.endswith("; `dear` has the best mean, but not beyond chance, and costs more.")
    far_below = variation("far below", "1" * 50 + "0" * 50, cost=0.5)
    assert chosen(default, far_below, dear).best == "dear"


def test_worse_somewhere_never_wins() -> None:
    found = chosen(variation("default", POOR, GOOD), variation("a", GOOD, POOR))
    assert found.best == "default"
    assert [each.significant for each in found.compared] == [True, True]
    assert chosen(variation("default", POOR, GOOD), variation("a", GOOD, GOOD)).best == "a"


def test_many_comparisons_need_more_evidence() -> None:
    default = variation("default", "1" * 50 + "0" * 50)
    slightly = variation("slightly", "1" * 57 + "0" * 43)
    assert chosen(default, slightly).best == "slightly"
    others = [variation(f"v{number}", "1" * 50 + "0" * 50) for number in range(9)]
    assert chosen(default, slightly, *others).best == "default"


def test_few_rows_choose_nothing() -> None:
    assert chosen(variation("default", "0" * 9), variation("a", "1" * 9)).best == "default"


def test_without_a_default_quality_comes_before_the_price() -> None:
    found = chosen(variation("poor", POOR, cost=0.01), variation("good", GOOD), variation("best", BEST, cost=5.0))
    assert found.best == "good"
    assert "`good` is not worse than the best mean beyond chance; `best` has the best mean" in found.reason
    assert [(each.variation, each.reference) for each in found.compared] == [("poor", 0.74), ("good", 0.74)]
    alone = chosen(variation("poor", POOR, cost=0.01), variation("best", BEST, cost=5.0))
    assert alone.best == "best"
    assert alone.reason == "There is no default to compare with. `best` has the best mean."


def test_one_variation_only() -> None:
    assert chosen(variation("default", GOOD)).reason == "There is only the default."
    assert chosen(variation("a", GOOD)) == Selection("a", "There is only one variation.", ())


@pytest.mark.parametrize(
    ("cost", "other_cost", "tokens", "best", "why"),
    [
        (2.0, 2.0, 50, "frugal", "takes more tokens"),
        (2.0, 2.0, 100, "top", ""),
        (None, None, 50, "frugal", "takes more tokens"),
        (None, 2.0, 900, "frugal", "its price is not known"),
        (2.0, None, 50, "top", ""),
    ],
    ids=["equal cost", "equal in all", "no prices", "the other price is known", "the other price is not known"],
)
def test_ties_and_unknown_prices(
    cost: float | None, other_cost: float | None, tokens: int, best: str, why: str
) -> None:
    top = variation("top", BEST, cost=cost, tokens=100)
    frugal = variation("frugal", GOOD, cost=other_cost, tokens=tokens)
    found = chosen(variation("default", POOR), top, frugal)
    assert found.best == best
    assert why in found.reason


def test_of_equal_means_the_cheaper() -> None:
    found = chosen(variation("default", POOR), variation("a", GOOD, cost=2.0), variation("b", GOOD, cost=1.0))
    assert (found.best, found.reason) == ("b", "`b` is better than the default beyond chance.")


def test_lower_may_be_better() -> None:
    found = chosen(
        variation("default", GOOD), variation("a", POOR), variation("b", "1" * 95 + "0" * 5), lower_is_better=True
    )
    assert found.best == "a"
    assert {each.variation: each.better > 0 for each in found.compared} == {"a": True, "b": False}
    assert found.compared[0].difference is not None
    assert found.compared[0].difference.estimate == pytest.approx(-0.4)


def test_means_are_compared_on_datasets_that_all_have() -> None:
    """A variation that was evaluated on the easy dataset alone has no higher mean, and costs no less, by that."""
    easy, hard = "1" * 100, "1" * 60 + "0" * 40
    everywhere = variation("everywhere", BEST, hard)
    only_easy = VariationRuns("only easy", False, variation("x", GOOD).runs)
    found = chosen(variation("default", POOR, "0" * 100), everywhere, only_easy)
    assert found.best == "everywhere"
    assert {(each.variation, each.dataset) for each in found.compared} == {
        ("everywhere", "d0"),
        ("everywhere", "d1"),
        ("only easy", "d0"),
    }
    without = [VariationRuns("easy", False, variation("x", easy).runs), variation("both", GOOD, hard)]
    assert chosen(*without).best == "both"
    assert chosen(variation("default", easy), VariationRuns("a", False, [run(dataset="d0")])).compared == ()
    apart = VariationRuns("a", False, [run({METRIC: GOOD}, dataset="elsewhere")])
    assert chosen(variation("x", POOR), apart).best in ("x", "a")


SCORES = [3.0, 4.0, 5.0, 2.0] * 25


def test_a_variation_does_not_win_by_failing_hard_rows() -> None:
    """Left out of the mean, rows that fail would raise it."""
    escaping: list[float | None] = [None if each < 4 else each for each in SCORES]
    found = chosen(variation("default", SCORES), variation("a", [each + 1 if each else None for each in escaping]))
    assert found.best == "default"
    assert found.compared[0].loses_rows
    assert found.compared[0].failed == 50
    one: list[float | None] = [None, *(each + 1 for each in SCORES[1:])]
    assert chosen(variation("default", SCORES), variation("a", one)).best == "a"
    assert chosen(variation("b", SCORES), variation("a", [each + 1 if each else None for each in escaping])).best == "b"


def test_or_they_count_as_the_worst() -> None:
    half: list[float | None] = [None, 5.0] * 50
    found = chosen(variation("default", SCORES), variation("a", half), failed=FailedRows("worst", 1.0))
    assert found.compared[0].value == 3.0
    assert not found.compared[0].loses_rows
    assert found.best == "default"


def test_ordinal_scores_are_chosen_by_their_mean() -> None:
    """Wilcoxon sees a shift of ranks, which may go against the mean that is shown."""
    before = [3] * 100
    after = [4] * 70 + [1] * 30
    found = chosen(variation("default", before), variation("a", after))
    [compared] = found.compared
    assert compared.test.startswith("mean change: ")
    assert not compared.significant


def test_a_metric_that_has_no_rows_in_common() -> None:
    found = chosen(
        VariationRuns("default", True, [run({METRIC: GOOD}, dataset="d0", keys=range(100))]),
        VariationRuns("a", False, [run({METRIC: GOOD}, dataset="d0", keys=range(100, 200))]),
    )
    assert (found.best, found.compared[0].n, found.compared[0].significant) == ("default", 0, False)


def test_prices_of_a_variation_are_those_of_its_runs() -> None:
    assert variation("a", GOOD, GOOD, cost=1.5, tokens=7).cost == 3.0
    assert variation("a", GOOD, GOOD, cost=None).cost is None
    assert variation("a", GOOD, GOOD, tokens=7).tokens == 14
    assert variation("a", GOOD, GOOD, tokens=None).tokens is None
