"""``compare``: the variations of a sweep, and the winner."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.steps.fakes import House, NodeError, messages
from tests.unit.steps.judged import RUDE, evaluated, house_of, wrong_from

from llmops_actions.steps.lineage import lineage
from llmops_actions.steps.scores import percentile, without_cycle_search
from llmops_actions.verdict_documents import ComparisonDocument
from llmops_actions.work_folder import read_document

ROOT = Path(".llmops/support/base")
BETTER = wrong_from({"train.default": 20})


def comparison_of(folder: Path) -> ComparisonDocument:
    return read_document(folder / ROOT / "comparison.json", ComparisonDocument)


def swept(folder: Path, gates: str = "") -> House:
    return house_of(folder, gates, sweep=True)


def test_the_winner_and_what_it_won_by(tmp_path: Path) -> None:
    outcome = evaluated(swept(tmp_path), BETTER).run("compare")
    assert (outcome.verdict, outcome.findings) == ("passed", ())
    assert outcome.outputs.model_dump() == {
        "best_variation": RUDE,
        "metric": "grade.correct",
        "reason": f"`{RUDE}` is better than the default beyond chance.",
        "comparison": str(tmp_path / ROOT / "comparison.json"),
    }
    document = comparison_of(tmp_path)
    assert (document.default, document.best_variation, document.created_at) == (
        "default",
        RUDE,
        "2026-01-02T03:04:05+00:00",
    )
    assert [(each.variation, each.is_default, each.rows, each.tokens) for each in document.variations] == [
        ("default", True, 60, 660),
        (RUDE, False, 60, 660),
    ]
    [compared] = document.comparisons
    assert [compared.value, compared.default] == pytest.approx([1, 1 / 3])
    assert (compared.test, compared.significant) == ("McNemar mid-p", True)
    assert compared.interval is not None
    assert compared.interval.low > 0.5
    assert "| yes | 60 | 0 | unknown |" in outcome.summary


def test_without_a_difference_the_default_wins(tmp_path: Path) -> None:
    outcome = evaluated(swept(tmp_path), wrong_from({"train.default": 57})).run("compare")
    assert outcome.outputs.best_variation == "default"
    assert "| no | 60 | 0 |" in outcome.summary


def two_scores(run: str, number: int) -> Mapping[str, Any]:
    rude = "rude" in run
    return {"correct": number < (20 if rude else 50), "harmful": number < (5 if rude else 40)}


@pytest.mark.parametrize(
    ("gates", "words", "best", "metric"),
    [
        ("", {}, "default", "grade.correct"),
        ("", {"metric": "harmful"}, "default", "grade.harmful"),
        ("", {"metric": "harmful", "lower_is_better": "true"}, RUDE, "grade.harmful"),
        ("- {metric: harmful, at_most: 0.5}\n", {}, RUDE, "grade.harmful"),
        ("- {metric: harmful, against: baseline, max_rise: 0.1}\n", {}, RUDE, "grade.harmful"),
        ("- {metric: harmful, at_most: 0.5}\n", {"metric": "correct"}, "default", "grade.correct"),
        ("- {metric: misspelt, at_least: 0.5}\n- {metric: harmful, at_most: 0.5}\n", {}, RUDE, "grade.harmful"),
        ("- {metric: grade.correct, at_least: 0.5}\n", {}, "default", "grade.correct"),
    ],
)
def test_what_is_chosen_by(tmp_path: Path, gates: str, words: dict[str, str], best: str, metric: str) -> None:
    outcome = evaluated(swept(tmp_path, gates), two_scores).run("compare", **words)
    assert (outcome.outputs.best_variation, outcome.outputs.metric) == (best, metric)


@pytest.mark.parametrize(
    ("metric", "problem"),
    [("corect", "Did you mean `correct`?"), ("zzz", "There are grade.correct.")],
)
def test_an_unknown_metric(tmp_path: Path, metric: str, problem: str) -> None:
    outcome = evaluated(swept(tmp_path), BETTER).run("compare", metric=metric)
    assert (outcome.verdict, outcome.exit_code) == ("usage", 2)
    assert problem in messages(outcome)


def test_a_metric_that_was_only_logged(tmp_path: Path) -> None:
    house = evaluated(swept(tmp_path), BETTER)
    _log(house, "f1", 0.9)
    outcome = house.run("compare", metric="f1")
    assert "`f1` is logged by its evaluator and has no value for each row" in messages(outcome)
    _log(house, "f1", 0.9, evaluator="other")
    assert "`f1` could be each of `grade.f1`, `other.f1`" in messages(house.run("compare", metric="f1"))


def _log(house: House, name: str, value: float, evaluator: str = "grade") -> None:
    """Let an evaluator have logged a metric on every run."""
    file = house.directory / ROOT / "metrics.json"
    document = json.loads(file.read_text())
    logged = {"name": name, "value": value, "source": "logged", "kind": "logged", "n": 60, "failed": 0}
    own = [each for each in document["evaluations"] if each["evaluator"] == evaluator]
    if not own:
        own = [{**each, "evaluator": evaluator, "metrics": []} for each in document["evaluations"]]
        document["evaluations"] += own
    for each in own:
        each["metrics"].append(logged)
    file.write_text(json.dumps(document))


def test_nothing_to_compare_by_leaves_the_default(tmp_path: Path) -> None:
    outcome = evaluated(swept(tmp_path), lambda run, number: {"why": "text"}).run("compare")
    assert (outcome.verdict, outcome.outputs.best_variation, outcome.outputs.metric) == ("passed", "default", "")
    assert "warning: No evaluator gives a score for each row" in messages(outcome)
    assert "Best variation: **default**" in outcome.summary


def test_one_variation_needs_no_warning(tmp_path: Path) -> None:
    outcome = evaluated(house_of(tmp_path), lambda run, number: {"why": "text"}).run("compare")
    assert (outcome.outputs.best_variation, outcome.findings) == ("default", ())
    assert evaluated(house_of(tmp_path)).run("compare").outputs.reason == "There is only the default."


def test_a_sweep_without_its_default(tmp_path: Path) -> None:
    outcome = evaluated(swept(tmp_path), BETTER, variations=RUDE).run("compare")
    assert (outcome.outputs.best_variation, outcome.outputs.reason) == (RUDE, "There is only one variation.")
    assert comparison_of(tmp_path).default == ""


def test_evaluations_of_some_variations_are_compared_among_them(tmp_path: Path) -> None:
    house = evaluated(swept(tmp_path), BETTER)
    house.run("evaluate", variations="default")
    outcome = house.run("compare")
    assert (outcome.outputs.best_variation, outcome.outputs.reason) == ("default", "There is only the default.")
    assert [each.variation for each in comparison_of(tmp_path).variations] == ["default"]


def test_failed_rows_are_wrong(tmp_path: Path) -> None:
    def grading(run: str, number: int) -> Mapping[str, Any]:
        if "rude" in run and number >= 10:
            raise NodeError("no answer")
        return {"correct": number < 30 or "rude" in run}

    outcome = evaluated(swept(tmp_path), grading).run("compare")
    assert outcome.outputs.best_variation == "default"
    [compared] = comparison_of(tmp_path).comparisons
    assert compared.failed == 50
    assert compared.value == pytest.approx(1 / 6)


def test_one_evaluator_with_two_datasets_for_a_run_gives_two_scores(tmp_path: Path) -> None:
    mappings = '{question: "${run.outputs.answer}"}'
    more = f"  - {{name: other, reference: train, source: data/test.jsonl, mappings: {mappings}}}\n"
    house = swept(tmp_path)
    file = tmp_path / "support/experiment.yaml"
    text = file.read_text().replace("\nhyperparameters", f"{more}\nhyperparameters")
    file.write_text(text)

    outcome = evaluated(house, lambda run, number: {"correct": "@" not in run}).run("compare", metric="correct")
    assert "could be each of `grade@train.correct`, `grade@other.correct`" in messages(outcome)
    assert house.run("compare", metric="grade@other.correct").verdict == "passed"


def test_names_cannot_break_the_summary(tmp_path: Path) -> None:
    outcome = evaluated(swept(tmp_path), lambda run, number: {"a|<b>@c": "rude" in run}).run("compare")
    rows = [line for line in outcome.summary.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {11}
    assert "<b>" not in outcome.summary
    assert "@c" not in outcome.summary


def test_the_search_for_cycles_goes_on_afterwards(tmp_path: Path) -> None:
    evaluated(swept(tmp_path), BETTER).run("compare", metric="unknown")
    assert gc.isenabled()
    gc.disable()
    try:
        with without_cycle_search():
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.95) is None
    assert percentile([3.0, 1.0, 2.0], 0.95) == 3.0
    assert percentile([float(each) for each in range(1, 101)], 0.95) == 95.0


def test_lineage_in_a_workflow() -> None:
    environ = {"GITHUB_SHA": "abc", "GITHUB_REF_NAME": "main", "GITHUB_REPOSITORY": "us/it", "GITHUB_RUN_ID": "7"}
    assert lineage(Path.cwd(), environ) == {
        "commit": "abc",
        "branch": "main",
        "repository": "us/it",
        "run": "https://github.com/us/it/actions/runs/7",
    }
    at_home = lineage(Path.cwd(), {**environ, "GITHUB_SERVER_URL": "https://git.example"})
    assert at_home["run"].startswith("https://git.example/us/it/")
    assert "run" not in lineage(Path.cwd(), {"GITHUB_SHA": "abc", "GITHUB_RUN_ID": "7"})
