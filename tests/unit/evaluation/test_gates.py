"""Gates: the verdict, and what it says for it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluation.runs import before, gate, judge, key, run

from llmops_actions.evaluation.gates import check_names, judge_gates, overall
from llmops_actions.evaluation.metric_gates import Evidence
from llmops_actions.evaluation.results import GateResult
from llmops_actions.evaluation.series import MetricNameError, RunScores

ABSOLUTE = {"metric": "correct", "at_least": 0.8}
DROP = {"metric": "correct", "against": "baseline", "max_drop": 0.1}
RISE = {"metric": "wrong", "against": "baseline", "max_rise": 0.1}


def only(results: list[GateResult]) -> GateResult:
    [result] = results
    return result


def correct(scores: Any, **details: Any) -> RunScores:
    return run({"grade.correct": scores}, **details)


# Absolute gates: the interval counts, not the point.


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [("1" * 60, "passed"), ("1" * 51 + "0" * 9, "inconclusive"), ("10" * 30, "failed")],
)
def test_the_interval_of_a_share_decides(scores: str, verdict: str) -> None:
    result = only(judge(ABSOLUTE, correct(scores)))
    assert (result.verdict, result.n, result.test) == (verdict, 60, "Wilson")
    assert result.value == pytest.approx(scores.count("1") / 60)
    assert result.threshold == 0.8
    assert result.policy == "failed rows count as false, the worse"


def test_an_inconclusive_gate_says_what_it_could_have_seen_and_what_would_settle_it() -> None:
    result = only(judge(ABSOLUTE, correct("1" * 51 + "0" * 9)))
    assert result.detectable is not None
    assert result.rows_needed is not None
    assert f"60 rows could have seen a difference of {result.detectable:.3g}." in result.reason
    assert f"About {result.rows_needed:,} rows would settle it." in result.reason
    assert only(judge(ABSOLUTE, correct("1" * 60))).rows_needed is None


def test_failed_rows_are_wrong_and_said() -> None:
    result = only(judge(ABSOLUTE, correct("1" * 45 + "-" * 15)))
    assert (result.verdict, result.value, result.failed, result.n) == ("inconclusive", 0.75, 15, 60)
    assert "15 failed rows count as false" in result.reason


def test_failed_rows_are_wrong_where_lower_is_better_too() -> None:
    rule = {"metric": "harmful", "at_most": 0.2}
    assert only(judge(rule, run({"grade.harmful": "0" * 60}))).verdict == "passed"
    result = only(judge(rule, run({"grade.harmful": "0" * 30 + "-" * 30})))
    assert (result.verdict, result.value) == ("failed", 0.5)
    assert "30 failed rows count as true" in result.reason


@pytest.mark.parametrize(("scores", "n"), [([4.5], 1), ([4.5] * 9, 9), ("1" * 9, 9)])
def test_fewer_than_ten_rows_decide_nothing(scores: Any, n: int) -> None:
    result = only(judge({"metric": "score", "at_least": 0.5}, run({"grade.score": scores})))
    assert (result.verdict, result.n) == ("inconclusive", n)
    assert "Too few rows to decide: it takes 10." in result.reason
    assert "inf" not in result.reason


def test_a_run_without_any_score() -> None:
    result = only(judge({"metric": "score", "at_least": 3}, run({"grade.score": [None] * 12, "grade.x": "1" * 12})))
    assert (result.verdict, result.value) == ("failed", 0.0)
    numbers = {"grade.score": [(None, None), (4.5, None)] * 6}
    assert only(judge({"metric": "score", "at_least": 3}, run(numbers))).failed == 12


def test_a_run_without_rows() -> None:
    result = only(judge(ABSOLUTE, correct([])))
    assert (result.verdict, result.value, result.reason) == ("inconclusive", None, "No row has a score.")


def test_no_variance_at_all_goes_by_rule() -> None:
    assert only(judge({"metric": "score", "at_least": 0.5}, run({"grade.score": [0.7] * 12}))).verdict == "passed"
    assert only(judge({"metric": "score", "at_least": 0.7}, run({"grade.score": [0.7] * 12}))).verdict == "passed"
    assert only(judge({"metric": "score", "at_least": 0.9}, run({"grade.score": [0.7] * 12}))).verdict == "failed"


def test_rounding_is_no_variance() -> None:
    """0.8 - 0.7 and 0.3 - 0.2 differ in the last digit; taken for a spread, it would make an interval of no width."""
    rule = {"metric": "score", "against": "baseline", "max_drop": 0.12}
    other, mine = [0.8, 0.3, 0.55] * 4, [0.7, 0.2, 0.45] * 4
    result = only(judge(rule, run({"g.score": mine}), baseline=before(run({"g.score": other}))))
    assert result.test == "t, two rows added"
    assert result.verdict == "inconclusive"


def test_repeats_are_one_row() -> None:
    result = only(judge(ABSOLUTE, correct([(True, True, True)] * 20)))
    assert (result.n, result.value) == (20, 1.0)
    partly = only(judge(ABSOLUTE, correct([(True, None, True)] * 20)))
    assert partly.value == pytest.approx(2 / 3)
    assert partly.failed == 20


# What failed rows of a number count as.


NUMBERS = [3.5, 4.5] * 20


def test_failed_rows_of_a_number_may_count_as_the_worst() -> None:
    scores = {"grade.score": [*NUMBERS, *[None] * 40]}
    rule = {"metric": "score", "at_least": 3, "failed_rows": "worst", "worst": 1}
    result = only(judge(rule, run(scores)))
    assert (result.verdict, result.value, result.n) == ("failed", 2.5, 80)
    assert "40 failed rows count as 1, the worst score." in result.reason


def test_rows_that_are_left_out_need_a_coverage_gate() -> None:
    """Else a score would rise when hard rows fail, and nobody would see it."""
    scores = run({"grade.score": [*NUMBERS, None]})
    rule = {"metric": "score", "at_least": 3}
    alone = only(judge(rule, scores))
    assert (alone.verdict, alone.n, alone.failed) == ("inconclusive", 40, 1)
    assert "No coverage gate watches over" in alone.reason
    assert "1 failed rows are left out and reported" in alone.reason
    coverage = gate(coverage={"at_least": 0.9})
    assert judge_gates([gate(**rule), coverage], Evidence([scores]))[0].verdict == "passed"
    elsewhere = gate(coverage={"at_least": 0.9}, dataset="other")
    advisory = gate(coverage={"at_least": 0.9}, advisory=True)
    assert judge_gates([gate(**rule), elsewhere, advisory], Evidence([scores]))[0].verdict == "inconclusive"


# Against the baseline.


@pytest.mark.parametrize(
    ("mine", "verdict"),
    [("1" * 80 + "0" * 20, "passed"), ("1" * 72 + "0" * 28, "inconclusive"), ("1" * 40 + "0" * 60, "failed")],
)
def test_the_interval_of_the_difference_decides(mine: str, verdict: str) -> None:
    result = only(judge(DROP, correct(mine), baseline=before(correct("1" * 79 + "0" * 21))))
    assert (result.verdict, result.pairs, result.test) == (verdict, 100, "Tango; McNemar mid-p")
    assert result.difference == pytest.approx(mine.count("1") / 100 - 0.79)
    assert result.interval is not None
    assert result.interval.low <= result.interval.estimate <= result.interval.high
    assert len(result.regressed) == max(0, 79 - mine.count("1"))


def test_ordinal_scores_have_their_shift_tested_beside_the_mean() -> None:
    rule = {"metric": "stars", "against": "baseline", "max_drop": 0.5}
    result = only(judge(rule, run({"g.stars": [4, 5] * 20}), baseline=before(run({"g.stars": [4, 4] * 20}))))
    assert result.test == "t, two rows added; Wilcoxon signed-rank (Pratt)"
    assert result.shift_p_value is not None
    assert result.shift_p_value < 0.001


def test_continuous_scores_name_one_method() -> None:
    rule = {"metric": "f1", "against": "baseline", "max_drop": 0.5}
    mine = run({"g.f1": [0.1 * (i % 7) for i in range(30)]})
    result = only(judge(rule, mine, baseline=before(run({"g.f1": [0.1 * (i % 5) + 0.01 for i in range(30)]}))))
    assert result.test == "t"


def test_rows_are_paired_by_content_not_by_position() -> None:
    mine = correct("1" * 50 + "0" * 50, keys=range(100))
    other = correct("0" * 50 + "1" * 50, keys=range(99, -1, -1))
    result = only(judge(DROP, mine, baseline=before(other)))
    assert (result.difference, result.regressed) == (0.0, ())
    assert result.verdict == "passed"


def test_rows_of_one_side_are_not_compared_but_told() -> None:
    mine, other = correct("1" * 60, keys=range(60)), correct("1" * 60, keys=range(5, 65))
    result = only(judge(DROP, mine, baseline=before(other)))
    assert (result.pairs, result.only_candidate, result.only_baseline) == (55, 5, 5)
    assert "Rows not compared: 5 only in the run, 5 only in the baseline." in result.reason


def test_equal_rows_are_paired_in_their_order() -> None:
    keys = ["a", "a", *range(20)]
    mine, other = correct("10" + "1" * 20, keys=keys), correct("01" + "1" * 20, keys=keys)
    result = only(judge(DROP, mine, baseline=before(other)))
    assert [(row.line, row.baseline, row.candidate) for row in result.regressed] == [(1, 1.0, 0.0)]


def test_no_row_in_common() -> None:
    result = only(judge(DROP, correct("1" * 20), baseline=before(correct("1" * 20, keys=range(20, 40)))))
    assert (result.verdict, result.pairs) == ("inconclusive", 0)
    assert result.reason.startswith("No row has a partner in the baseline.")


def test_all_ties_pass_by_rule() -> None:
    result = only(judge(DROP, correct("1" * 12), baseline=before(correct("1" * 12))))
    assert (result.verdict, result.difference, result.identical) == ("passed", 0.0, False)
    assert "No row changed." in result.reason


def test_a_row_that_lost_its_score_is_wrong_now() -> None:
    result = only(judge(DROP, correct("1" * 40 + "-" * 60), baseline=before(correct("1" * 100))))
    assert (result.verdict, result.failed) == ("failed", 60)
    assert (result.regressed[0].baseline, result.regressed[0].candidate) == (1.0, None)


def test_a_score_that_only_the_run_has() -> None:
    result = only(judge(DROP, correct("1" * 20), baseline=before(run({"grade.other": "1" * 20}))))
    assert result.verdict == "error"
    assert "The baseline has no score `grade.correct`." in result.reason


def test_a_shortened_key_still_finds_its_row() -> None:
    """A digest keeps the first digits only; here four, in which all rows differ."""
    keys = [f"{number:04d}{'a' * 12}" for number in range(20)]
    short = [each[:4] for each in keys]
    mine, other = correct("1" * 20, keys=keys), before(correct("1" * 20))["data"]
    series = other.series[0]
    rows = tuple(row._replace(key=name) for row, name in zip(series.rows, short, strict=True))
    other = RunScores(**{**vars(other), "series": (type(series)("grade", "correct", rows),), "key_digits": 4})
    assert only(judge(DROP, mine, baseline={"data": other})).pairs == 20


# Lower is better.


def test_a_boolean_stays_boolean_where_lower_is_better() -> None:
    mine, other = run({"g.wrong": "1" * 30 + "0" * 70}), run({"g.wrong": "1" * 10 + "0" * 90})
    result = only(judge(RISE, mine, baseline=before(other)))
    assert result.test == "Tango; McNemar mid-p"
    assert [result.value, result.baseline] == pytest.approx([0.3, 0.1])
    assert result.difference == pytest.approx(0.2)
    assert result.interval is not None
    assert result.interval.low < 0.2 < result.interval.high
    assert len(result.regressed) == 20
    mirrored = only(judge({**DROP}, correct("0" * 30 + "1" * 70), baseline=before(correct("0" * 10 + "1" * 90))))
    assert mirrored.interval is not None
    assert (result.interval.low, result.interval.high) == (-mirrored.interval.high, -mirrored.interval.low)
    assert (result.verdict, result.p_value) == (mirrored.verdict, mirrored.p_value)


def test_a_number_where_lower_is_better() -> None:
    rule = {"metric": "words", "against": "baseline", "max_rise": 5}
    other = [float(20 + i % 4) for i in range(40)]
    longer = only(
        judge(rule, run({"g.words": [each + 20.5 for each in other]}), baseline=before(run({"g.words": other})))
    )
    assert (longer.verdict, longer.value, longer.baseline, longer.difference) == ("failed", 42.0, 21.5, 20.5)
    shorter = only(
        judge(rule, run({"g.words": [each / 2 for each in other]}), baseline=before(run({"g.words": other})))
    )
    assert (shorter.verdict, shorter.regressed) == ("passed", ())


# Identity.


def test_the_same_fingerprint_passes_by_identity_and_shows_its_spread() -> None:
    mine = correct("1" * 40 + "0" * 60)
    result = only(judge(DROP, mine, baseline={"data": correct("1" * 100)}))
    assert (result.verdict, result.identical, result.adjusted_p_value) == ("passed", True, None)
    assert "the same flow, data and settings. Passed by identity. What differs is noise: -0.600 against 1.000" in (
        result.reason
    )


def test_identity_without_rows_to_show() -> None:
    logged = run({"g.x": "10"}, logged={"g.f1": 0.9})
    result = only(judge({"metric": "f1", "against": "baseline", "max_drop": 0.1}, logged, baseline={"data": logged}))
    assert (result.verdict, result.value) == ("passed", 0.9)
    assert result.reason.endswith("Passed by identity.")
    lost = only(judge(DROP, correct("1" * 20), baseline={"data": run({"grade.other": "1" * 20})}))
    assert lost.verdict == "passed"
    apart = only(judge(DROP, correct("1" * 20), baseline={"data": correct("1" * 20, keys=range(20, 40))}))
    assert (apart.verdict, apart.pairs) == ("passed", 0)


def test_another_evaluator_is_said() -> None:
    mine, other = correct("1" * 40, evaluators={"grade": "new"}), correct("1" * 40, evaluators={"grade": "old"})
    result = only(judge(DROP, mine, baseline=before(other)))
    assert "The evaluator is not the one that scored the baseline" in result.reason
    same = only(judge(DROP, mine, baseline={"data": other}))
    assert same.verdict == "passed"
    assert "What differs is noise" not in same.reason
    unknown = only(judge(DROP, mine, baseline=before(correct("1" * 40))))
    assert "The evaluator is not" not in unknown.reason


# No baseline.


@pytest.mark.parametrize(
    ("policy", "verdict"), [(None, "inconclusive"), ("pass", "passed"), ("fail", "failed"), ("inconclusive",) * 2]
)
@pytest.mark.parametrize("rule", [DROP, {"each_row": {"score": "correct", "never": "regressed"}}])
def test_no_baseline_is_said_and_decided(rule: dict[str, Any], policy: str | None, verdict: str) -> None:
    keys = {**rule, **({"without_baseline": policy} if policy else {})}
    result = only(judge(keys, correct("1" * 20)))
    assert (result.verdict, result.without_baseline) == (verdict, True)
    assert "There is NO BASELINE; without_baseline:" in result.reason
    other = only(judge(keys, correct("1" * 20), baseline=before(correct("1" * 20, dataset="other"))))
    assert (other.verdict, other.without_baseline) == (verdict, True)
    assert "The baseline has no run over `data`" in other.reason


def test_a_pass_without_a_baseline_is_no_pass_in_silence() -> None:
    verdict, reason = overall(judge({**DROP, "without_baseline": "pass"}, correct("1" * 20)))
    assert verdict == "passed"
    assert "1 of them WITHOUT A BASELINE" in reason


# Every row.


def test_no_row_may_regress() -> None:
    rule = {"each_row": {"score": "correct", "never": "regressed"}}
    other = before(correct("11110"))
    result = only(judge(rule, correct("10-11"), baseline=other))
    assert (result.verdict, result.kind, result.n) == ("failed", "each-row", 5)
    assert [(row.line, row.candidate) for row in result.regressed] == [(1, 0.0), (2, None)]
    assert result.reason == "2 of 5 rows regressed."
    assert only(judge(rule, correct("11111"), baseline=other)).verdict == "passed"


def test_a_row_that_the_baseline_does_not_have_cannot_regress_and_is_told() -> None:
    rule = {"each_row": {"score": "correct", "never": "regressed"}}
    result = only(judge(rule, correct("00", keys=["a", "new"]), baseline=before(correct("0", keys=["a"]))))
    assert (result.verdict, result.pairs, result.only_candidate) == ("passed", 1, 1)
    assert "1 of them are not in the baseline." in result.reason


def test_rows_regress_upwards_where_lower_is_better() -> None:
    rule = {"each_row": {"score": "words", "never": "regressed", "lower_is_better": True}}
    result = only(judge(rule, run({"g.words": [5, 9]}), baseline=before(run({"g.words": [7, 7]}))))
    assert [row.line for row in result.regressed] == [1]


def test_rows_pass_by_identity_too() -> None:
    rule = {"each_row": {"score": "correct", "never": "regressed"}}
    result = only(judge(rule, correct("0000"), baseline={"data": correct("1111")}))
    assert (result.verdict, len(result.regressed)) == ("passed", 4)
    assert "Passed by identity. What differs is noise: 4 of 4 rows regressed." in result.reason
    lost = only(judge(rule, correct("0000"), baseline=before(run({"g.other": "1111"}))))
    assert lost.verdict == "error"


@pytest.mark.parametrize(
    ("scores", "lines"),
    [
        ("1101-", [2, 4]),
        ([1, 0, 1], [1]),
        ([(True, True), (True, False), (True, None)], [1, 2]),
        ([0.0, 3.5, None], [2]),
    ],
    ids=["boolean", "numbers 0 and 1", "repeats", "number"],
)
def test_no_row_may_fail(scores: Any, lines: list[int]) -> None:
    result = only(judge({"each_row": {"score": "correct", "never": "failed"}}, correct(scores)))
    assert [row.line for row in result.regressed] == lines
    assert all(row.baseline is None for row in result.regressed)


def test_true_is_failed_where_lower_is_better() -> None:
    rule = {"each_row": {"score": "harmful", "never": "failed", "lower_is_better": True}}
    result = only(judge(rule, run({"g.harmful": "010"})))
    assert [row.line for row in result.regressed] == [1]


REQUIRED = {"each_row": {"score": "correct", "never": "failed", "rows": "must.jsonl"}}


def test_only_the_rows_of_the_file_count() -> None:
    result = only(judge(REQUIRED, correct("1010"), data=[key(0), key(2)]))
    assert (result.verdict, result.n) == ("passed", 2)
    assert only(judge(REQUIRED, correct("1010"), data=[key(0), key(1)])).verdict == "failed"


def test_rows_of_the_file_may_be_in_any_of_the_runs() -> None:
    first, second = correct("11", keys=["a", "b"]), correct("01", keys=["c", "d"], dataset="more")
    [one, two] = judge(REQUIRED, first, second, data=[key("a"), key("c")], more=[None, key("c")])
    assert ((one.dataset, one.n, one.verdict), (two.dataset, two.n, two.verdict)) == (
        ("data", 1, "passed"),
        ("more", 1, "failed"),
    )
    assert [each.dataset for each in judge(REQUIRED, first, second, data=[key("a")], more=[key("a")])] == ["data"]


def test_a_row_of_the_file_that_no_run_has_is_an_error() -> None:
    result = only(judge(REQUIRED, correct("11"), data=[key(0), key("gone")]))
    assert result.verdict == "error"
    assert "1 rows of must.jsonl are in no run" in result.reason
    logged = run({"g.x": "1"}, logged={"g.correct": 0.5})
    assert only(judge(REQUIRED, logged, data=[key(0)])).verdict == "inconclusive"


def test_a_metric_without_rows_cannot_be_judged() -> None:
    logged = run({"g.x": "10" * 6}, logged={"g.f1": 0.9})
    result = only(judge({"metric": "f1", "at_least": 0.5}, logged))
    assert (result.verdict, result.value) == ("inconclusive", 0.9)
    assert "has no value for each row" in result.reason
    other = only(judge({"metric": "f1", "against": "baseline", "max_drop": 0.5}, logged, baseline=before(logged)))
    assert other.verdict == "inconclusive"


# What is counted over a whole run.


@pytest.mark.parametrize(
    ("rule", "details", "verdict", "value"),
    [
        ({"coverage": {"at_least": 0.9}}, {"rows": 10, "scored": 9}, "passed", 0.9),
        ({"coverage": {"at_least": 0.9}}, {"rows": 10, "scored": 8}, "failed", 0.8),
        ({"coverage": {"at_least": 0}}, {"rows": 0, "scored": 0}, "failed", 0.0),
        ({"tokens_per_row": {"at_most": 100}}, {"rows": 10, "tokens": 1000}, "passed", 100.0),
        ({"tokens_per_row": {"at_most": 100}}, {"rows": 10, "failed": 5, "tokens": 1000}, "failed", 200.0),
        ({"tokens_per_row": {"at_most": 100}}, {"rows": 10, "failed": 10}, "error", None),
        ({"latency_p95": {"at_most": 2}}, {"latency_p95": 2.0}, "passed", 2.0),
        ({"latency_p95": {"at_most": 2}}, {"latency_p95": 2.1}, "failed", 2.1),
        ({"latency_p95": {"at_most": 2}}, {"latency_p95": None}, "error", None),
        ({"cost": {"at_most": 1}}, {"cost": 1.0}, "passed", 1.0),
        ({"cost": {"at_most": 1}}, {"cost": 1.01}, "failed", 1.01),
        ({"cost": {"at_most": 1}}, {"cost": None}, "error", None),
    ],
)
def test_what_was_measured(rule: dict[str, Any], details: dict[str, Any], verdict: str, value: float | None) -> None:
    result = only(judge(rule, run(**details)))
    assert (result.verdict, result.value, result.interval, result.p_value) == (verdict, value, None, None)
    assert result.threshold is not None


@pytest.mark.parametrize(
    ("gate", "what"), [({"tokens_per_row": {"at_most": 100}}, "tokens"), ({"cost": {"at_most": 1}}, "cost")]
)
def test_what_was_not_counted_passes_no_gate(gate: dict[str, Any], what: str) -> None:
    result = only(judge(gate, run(tokens=None, cost=None)))
    assert result.verdict == "error"
    assert f"The promptflow engine does not measure {what}" in result.reason


def test_the_cost_is_of_all_runs_together() -> None:
    runs = [run(cost=0.6), run(cost=0.6, dataset="more")]
    result = only(judge({"cost": {"at_most": 1}}, *runs))
    assert (result.verdict, result.dataset, result.n) == ("failed", "all", 20)
    assert result.value == pytest.approx(1.2)
    assert only(judge({"cost": {"at_most": 1}, "dataset": "more"}, *runs)).dataset == "more"


def test_an_unknown_price_is_no_free_run() -> None:
    result = only(judge({"cost": {"at_most": 9}}, run(cost=0.1), run(cost=None, dataset="more")))
    assert result.verdict == "error"
    assert "(more.default). Add it to prices.yaml." in result.reason


# Which runs, which metrics.


def test_a_gate_holds_on_every_dataset_that_has_its_metric() -> None:
    runs = [correct("1" * 60), correct("0" * 60, dataset="more"), run({"g.x": "1" * 60}, dataset="other")]
    assert [(each.dataset, each.verdict) for each in judge(ABSOLUTE, *runs)] == [("data", "passed"), ("more", "failed")]
    assert [each.dataset for each in judge({**ABSOLUTE, "dataset": "more"}, *runs)] == ["more"]
    assert judge({**ABSOLUTE, "dataset": "left out"}, *runs) == []
    assert judge({"coverage": {"at_least": 1}, "dataset": "left out"}, *runs) == []


def test_unknown_metrics_are_found_before_anything_is_judged() -> None:
    evidence = Evidence([correct("1" * 20)])
    check_names(gate(**ABSOLUTE), evidence)
    with pytest.raises(MetricNameError, match=r"No evaluator gives `corect`\. Did you mean `correct`\?"):
        judge_gates([gate(**ABSOLUTE), gate(metric="corect", at_least=0.5)], evidence)
    with pytest.raises(MetricNameError):
        check_names(gate(each_row={"score": "x", "never": "failed"}), evidence)


# All gates together.


def worse_by(rows: int) -> tuple[RunScores, dict[str, RunScores]]:
    """A run that lost ``rows`` of 100 rows."""
    return correct("1" * (90 - rows) + "0" * (10 + rows)), before(correct("1" * 90 + "0" * 10))


def test_more_gates_need_more_evidence_to_fail() -> None:
    """Holm over every gate that could fail, not only over those that did: which those are is seen only afterwards."""
    mine, baseline = worse_by(20)
    strict = gate(metric="correct", against="baseline", max_drop=0.12)
    alone = only(judge_gates([strict], Evidence([mine], baseline, has_baseline=True)))
    assert (alone.verdict, alone.p_value) == ("failed", alone.adjusted_p_value)
    lax = gate(metric="correct", against="baseline", max_drop=0.9)
    many = judge_gates([strict, *[lax] * 9], Evidence([mine], baseline, has_baseline=True))
    assert alone.p_value is not None
    assert many[0].adjusted_p_value == pytest.approx(10 * alone.p_value)
    assert many[0].verdict == "inconclusive"
    assert "does not survive the correction for 10 tests (Holm)" in many[0].reason
    assert many[0].rows_needed is not None
    assert {each.verdict for each in many[1:]} == {"passed"}


def test_gates_that_cannot_fail_the_verdict_do_not_count_in_the_correction() -> None:
    mine, baseline = worse_by(20)
    strict = gate(metric="correct", against="baseline", max_drop=0.12)
    others = [
        gate(metric="correct", against="baseline", max_drop=0.9, advisory=True),
        gate(coverage={"at_least": 0.5}),
        gate(metric="few", at_least=0.5),
    ]
    few = run({"grade.few": "1" * 5}, dataset="small")
    results = judge_gates([strict, *others], Evidence([mine, few], baseline, has_baseline=True))
    assert results[0].verdict == "failed"
    assert results[0].adjusted_p_value == results[0].p_value


def test_advice_is_not_corrected_and_does_not_decide() -> None:
    mine, baseline = worse_by(60)
    advice = gate(metric="correct", against="baseline", max_drop=0.1, advisory=True)
    results = judge_gates([advice], Evidence([mine], baseline, has_baseline=True))
    assert (results[0].verdict, results[0].adjusted_p_value) == ("failed", None)
    assert overall(results) == ("passed", "There is no gate that decides.")


def outcome(*verdicts: str, **details: Any) -> tuple[str, str]:
    return overall([GateResult(f"rule {v}", "absolute", v, "", dataset="d", **details) for v in verdicts])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["passed", "passed"], "passed"),
        (["passed", "inconclusive"], "inconclusive"),
        (["passed", "inconclusive", "failed"], "failed"),
        (["error", "failed", "passed"], "error"),
    ],
)
def test_all_must_pass_and_any_fails(verdicts: list[str], expected: str) -> None:
    verdict, reason = outcome(*verdicts)
    assert verdict == expected
    assert expected == "passed" or f"1 of {len(verdicts)} gates {expected}: rule {expected} (d)." == reason


def test_reasons_are_short_when_gates_are_many() -> None:
    results = [GateResult(f"rule {i}", "absolute", "failed", "", dataset="d") for i in range(5)]
    assert overall(results)[1] == "5 of 5 gates failed: rule 0 (d); rule 1 (d); rule 2 (d) and 2 more."
    assert outcome("passed")[1] == "The one gate that decides passed."
    assert outcome("passed", "passed")[1] == "All 2 gates passed."


def test_inconclusive_counts_as_the_gate_says() -> None:
    assert outcome("inconclusive", on_inconclusive="pass") == (
        "passed",
        "The one gate that decides passed, 1 of them inconclusive (on_inconclusive: pass).",
    )
    assert outcome("inconclusive", on_inconclusive="fail")[0] == "failed"


def test_what_cannot_be_judged_is_never_left_to_advice() -> None:
    assert outcome("error", advisory=True)[0] == "error"


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=10, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_rows_decides_nothing(pairs: list[tuple[bool, bool]], chance: Any) -> None:
    other = correct([old for old, _ in pairs])
    mine = correct([new for _, new in pairs])
    order = list(range(len(pairs)))
    chance.shuffle(order)
    shuffled = correct([pairs[i][1] for i in order], keys=order)
    one = only(judge(DROP, mine, baseline=before(other)))
    two = only(judge(DROP, shuffled, baseline=before(other)))
    assert (one.verdict, one.difference, one.interval, one.reason) == (
        two.verdict,
        two.difference,
        two.interval,
        two.reason,
    )
    assert {row.key for row in one.regressed} == {row.key for row in two.regressed}


def share_of(verdict: str, runs: int, drop: float, gates: int) -> float:
    """How often as many gates, each on a score of its own, have this verdict together; the true drop is ``drop``."""
    chance = random.Random(0)
    names = [f"grade.s{number}" for number in range(gates)]
    rules = [gate(metric=name, against="baseline", max_drop=0.1) for name in names]
    count = 0
    for _ in range(runs):
        other = {name: [chance.random() < 0.8 for _ in range(200)] for name in names}
        mine = {name: [chance.random() < 0.8 - drop for _ in range(200)] for name in names}
        evidence = Evidence([run(mine)], before(run(other)), has_baseline=True)
        count += overall(judge_gates(rules, evidence))[0] == verdict
    return count / runs


def test_equal_runs_do_not_fail_however_many_gates_there_are() -> None:
    assert share_of("failed", runs=150, drop=0.0, gates=8) == 0.0


def test_many_gates_at_their_margin_fail_together_no_more_often_than_one() -> None:
    """Each alone fails wrongly in 2.5 % of all runs; uncorrected, eight would do so in 18 %."""
    assert share_of("failed", runs=300, drop=0.1, gates=8) < 0.06


def test_many_gates_still_see_what_is_bad() -> None:
    assert share_of("failed", runs=100, drop=0.35, gates=8) > 0.95
