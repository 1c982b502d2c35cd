"""``gate``: what it judges, what it writes and says, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import write
from tests.unit.steps.fakes import messages
from tests.unit.steps.judged import RUDE, evaluated, failing, house_of, questions, rewrite, right, wrong_from

from llmops_actions.verdict_documents import VerdictDocument
from llmops_actions.work_folder import read_document

ROOT = Path(".llmops/support/base")
ABSOLUTE = "- {metric: correct, at_least: 0.80}\n"
DROP = "- {metric: correct, against: baseline, max_drop: 0.10}\n"


def verdict_of(folder: Path) -> VerdictDocument:
    return read_document(folder / ROOT / "verdict.json", VerdictDocument)


@pytest.mark.parametrize(("wrong", "verdict", "code"), [(60, "passed", 0), (20, "failed", 1), (51, "inconclusive", 4)])
def test_the_verdict_and_its_exit_code(tmp_path: Path, wrong: int, verdict: str, code: int) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE), wrong_from({"train.default": wrong}))
    outcome = house.run("gate")
    assert (outcome.verdict, outcome.exit_code, outcome.outputs.decision) == (verdict, code, verdict)
    document = verdict_of(tmp_path)
    assert (document.verdict, document.variation, document.created_at) == (
        verdict,
        "default",
        "2026-01-02T03:04:05+00:00",
    )
    [gate] = document.gates
    assert (gate.rule, gate.kind, gate.dataset, gate.run) == (
        "correct at least 0.8",
        "absolute",
        "train",
        "train.default",
    )
    assert outcome.outputs.document == str(tmp_path / ROOT / "verdict.json")
    assert outcome.summary.startswith(f"## gate support: {verdict}\n\n**{verdict}**: ")
    found = messages(outcome)
    assert ("experiment.yaml:17:3: correct at least 0.8 (train)" in found) == (verdict != "passed")
    assert found.startswith("error: " if verdict == "failed" else "warning: " if found else "")


def test_an_error_ends_with_three_even_if_it_is_only_advice(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, "- {cost: {at_most: 1}, advisory: true}\n"))
    for words in ({}, {"advisory": "true"}):
        outcome = house.run("gate", **words)
        assert (outcome.verdict, outcome.exit_code) == ("error", 3)
        assert "error: support/experiment.yaml:17:3: cost at most 1 (all): error. The price" in messages(outcome)
    write(tmp_path, {"prices.yaml": "gpt: {prompt: 1, completion: 1}\n"})
    assert evaluated(house).run("gate").verdict == "passed"


def test_no_gates_pass_but_not_in_silence(tmp_path: Path) -> None:
    outcome = evaluated(house_of(tmp_path)).run("gate")
    assert (outcome.verdict, outcome.outputs.reason) == ("passed", "There is no gate that decides.")
    assert "has no `gates`, so nothing decides" in messages(outcome)
    assert "|" not in outcome.summary


def test_advice_shows_the_verdict_and_passes(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE), wrong_from({"train.default": 0}))
    outcome = house.run("gate", advisory="true")
    assert (outcome.verdict, outcome.outputs.decision, outcome.outputs.failed) == ("passed", "failed", 1)
    assert messages(outcome).startswith("warning: ")
    document = verdict_of(tmp_path)
    assert (document.verdict, document.advisory, document.gates[0].advisory) == ("failed", True, False)


def test_an_advisory_gate_is_shown_and_does_not_decide(tmp_path: Path) -> None:
    gates = "- {metric: correct, at_least: 0.8, advisory: true}\n- {coverage: {at_least: 1}}\n"
    outcome = evaluated(house_of(tmp_path, gates), wrong_from({"train.default": 0})).run("gate")
    assert (outcome.verdict, outcome.outputs.reason) == ("passed", "The one gate that decides passed.")
    assert "failed (advisory)" in outcome.summary
    assert messages(outcome).startswith("warning: ")


def test_inconclusive_counts_as_asked(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE), wrong_from({"train.default": 51}))
    assert house.run("gate", on_inconclusive="pass").exit_code == 0
    outcome = house.run("gate", on_inconclusive="fail")
    assert (outcome.exit_code, outcome.outputs.inconclusive, outcome.outputs.failed) == (1, 1, 0)
    assert messages(outcome).startswith("error: ")
    rewrite(house, "at_least: 0.80}", "at_least: 0.80, on_inconclusive: pass}")
    assert house.run("gate", on_inconclusive="fail").exit_code == 0
    assert verdict_of(tmp_path).gates[0].on_inconclusive == "pass"


# The baseline.


def test_a_baseline_that_was_saved_is_compared_with(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    house.environ.update({"GITHUB_SHA": "abc", "GITHUB_REF_NAME": "main", "GITHUB_REPOSITORY": "us/it"})
    assert house.run("gate", save_baseline="kept/baseline.json").exit_code == 4
    write(tmp_path, {"support/flows/answer/reply.py": "# another flow\n"})
    evaluated(house, wrong_from({"train.default": 30}))
    for source in ("kept/baseline.json", "kept"):
        outcome = house.run("gate", baseline=source)
        assert outcome.exit_code == 1
        assert outcome.outputs.regressed == 30
    document = verdict_of(tmp_path)
    assert document.baseline is not None
    assert document.baseline.lineage == {"commit": "abc", "branch": "main", "repository": "us/it"}
    assert (document.baseline.source, document.baseline.variation) == ("kept", "default")
    [gate] = document.gates
    assert (gate.difference, gate.pairs, len(gate.regressed)) == (-0.5, 60, 30)


def test_the_same_run_passes_by_identity(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    house.run("gate", save_baseline="baseline.json")
    evaluated(house, wrong_from({"train.default": 0}))
    outcome = house.run("gate", baseline="baseline.json")
    assert outcome.verdict == "passed"
    assert "Passed by identity" in outcome.summary
    assert "What differs is noise\\: \\-1.000 against 1.000" in outcome.summary


def test_a_work_folder_is_a_baseline_too(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    house.run("gate")
    (tmp_path / ".llmops").rename(tmp_path / "before")
    evaluated(house)
    for source in ("before", "before/support/base", str(tmp_path / "before")):
        assert house.run("gate", baseline=source).exit_code == 0, source
    document = verdict_of(tmp_path)
    assert document.baseline is not None
    assert document.baseline.created_at == "2026-01-02T03:04:05+00:00"


def test_no_baseline_is_said_loudly_and_by_name(tmp_path: Path) -> None:
    gates = "- {metric: correct, against: baseline, max_drop: 0.1, without_baseline: pass}\n"
    outcome = evaluated(house_of(tmp_path, gates)).run("gate")
    assert outcome.verdict == "passed"
    assert "warning: THERE IS NO BASELINE" in messages(outcome)
    assert "experiment.yaml:17:3: correct at most 0.1 below the baseline (train): passed. There is NO BASELINE" in (
        messages(outcome)
    )
    assert "WITHOUT A BASELINE" in outcome.summary


def test_a_dataset_that_the_baseline_lacks_is_said(tmp_path: Path) -> None:
    gates = "- {metric: correct, against: baseline, max_drop: 0.1, without_baseline: pass}\n"
    house = evaluated(house_of(tmp_path, gates))
    house.run("gate", save_baseline="baseline.json")
    house = evaluated(house_of(tmp_path, gates, second=True))
    outcome = house.run("gate", baseline="baseline.json")
    assert outcome.verdict == "passed"
    assert "(test): passed. The baseline has no run over `test`" in messages(outcome)
    house.run("gate", save_baseline="both.json")
    outcome = evaluated(house_of(tmp_path, gates)).run("gate", baseline="both.json")
    assert "notice: The baseline also ran over test" in messages(outcome)


def test_a_baseline_of_another_experiment_or_evaluator_is_said(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    house.run("gate", save_baseline="baseline.json")
    file = tmp_path / "baseline.json"
    file.write_text(file.read_text().replace('"experiment":"support"', '"experiment":"other"'))
    write(tmp_path, {"support/flows/grade/more.py": "# another evaluator\n"})
    found = messages(evaluated(house).run("gate", baseline="baseline.json"))
    assert "warning: The baseline is of another experiment, `other`." in found
    assert "warning: The evaluator grade is not the one that scored the baseline" in found


@pytest.mark.parametrize(
    ("source", "content", "problem"),
    [
        ("nowhere", None, "There is no baseline at `nowhere`. `llmops gate --save-baseline` writes one."),
        ("azureml:support:3", None, "A baseline cannot come from `azureml:` yet"),
        ("https://x.example/b", None, "A baseline cannot come from `https:` yet"),
        ("b.json", "{", "This is no baseline: Expecting"),
        ("b.json", "[]", "This is no baseline: it: Input should be a valid"),
        ("b.json", "[" * 100_000, "This is no baseline: "),
        ("b.json", '{"schema_version": 9}', "it has schema version 9, this llmops reads version 1"),
        ("b.json", '{"experiment": "x", "runs": [{}]}', "This is no baseline: environment: Field required"),
        ("b.json", b"\xff", "This is no baseline: "),
        ("support", None, "`support` is no baseline: no baseline.json in it, and no results of support/base."),
    ],
)
def test_what_is_no_baseline(tmp_path: Path, source: str, content: str | bytes | None, problem: str) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    if content is not None:
        write(tmp_path, {source: content})
    outcome = house.run("gate", baseline=source)
    assert (outcome.verdict, outcome.exit_code) == ("usage", 2)
    assert problem in messages(outcome)
    assert len(messages(outcome)) < 400


def test_a_name_with_a_colon_may_be_a_file(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    house.run("gate", save_baseline="of:main.json")
    assert house.run("gate", baseline="of:main.json").exit_code == 0


def test_a_baseline_whose_scores_do_not_fit(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, DROP))
    house.run("gate", save_baseline="baseline.json")
    digest = json.loads((tmp_path / "baseline.json").read_text())
    digest["runs"][0]["series"][0]["marks"] += "1"
    write(tmp_path, {"baseline.json": json.dumps(digest)})
    found = messages(house.run("gate", baseline="baseline.json"))
    assert "`correct` has 61 values for 60 rows x 1 repeats" in found


# Which variation, which runs.


def test_the_best_variation_is_judged_unless_another_is_named(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE, sweep=True), wrong_from({"train.default": 10}))
    assert house.run("gate").outputs.variation == RUDE
    for wanted in ("default", RUDE):
        outcome = house.run("gate", variation=wanted)
        assert outcome.outputs.variation == wanted
        assert outcome.verdict == ("passed" if wanted == RUDE else "failed")
    outcome = house.run("gate", variation="reply.tone=rud")
    assert (outcome.verdict, messages(outcome)) == (
        "usage",
        f"error: The variation `reply.tone=rud` was not evaluated. Did you mean `{RUDE}`?",
    )
    assert "There are default, reply.tone=rude." in messages(house.run("gate", variation="zzz"))


def test_nothing_was_evaluated(tmp_path: Path) -> None:
    outcome = house_of(tmp_path, ABSOLUTE).run("gate")
    assert (outcome.verdict, outcome.exit_code) == ("usage", 2)
    assert "There is no metrics.json" in messages(outcome)


def test_scores_of_a_run_that_ran_anew_are_not_judged(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE))
    write(tmp_path, {"support/flows/answer/reply.py": "# another flow\n"})
    house.run("bulk-run")
    outcome = house.run("gate")
    assert outcome.verdict == "usage"
    assert "The run train.default ran anew since it was evaluated. Run evaluate again." in messages(outcome)


def test_a_dataset_that_did_not_run_or_was_not_scored_is_not_passed_over(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE))
    house_of(tmp_path, ABSOLUTE, second=True)
    found = messages(house.run("gate"))
    assert "`grade` did not score `default` on `test`. Run bulk-run and evaluate again." in found
    metrics = tmp_path / ROOT / "metrics.json"
    house = evaluated(house_of(tmp_path, ABSOLUTE, second=True))
    document = json.loads(metrics.read_text())
    document["evaluations"][0]["evaluator"] = "older"
    document["evaluations"].pop()
    metrics.write_text(json.dumps(document))
    (tmp_path / ROOT / "runs/test.default/run.json").unlink()
    assert "`default` did not run over `test`. Run bulk-run and evaluate first." in messages(house.run("gate"))


def test_without_an_evaluator_the_runs_are_judged_by_what_was_measured(tmp_path: Path) -> None:
    gates = "- {coverage: {at_least: 1}}\n- {tokens_per_row: {at_most: 11}}\n- {latency_p95: {at_most: 9}}\n"
    house = house_of(tmp_path, gates, files={"experiment.pr.yaml": "evaluators:\n"})
    evaluated(house, env="pr")
    outcome = house.run("gate", env="pr")
    assert (outcome.verdict, outcome.outputs.passed) == ("passed", 3)
    (tmp_path / ".llmops/support/pr/plan.json").unlink()
    assert "There are no runs in" in messages(house.run("gate", env="pr"))


# Which gates.


def test_gates_of_equal_words_have_their_own_places(tmp_path: Path) -> None:
    gates = "- {metric: correct, at_least: 0.80, dataset: train}\n- {metric: correct, at_least: 0.80, dataset: test}\n"
    house = evaluated(house_of(tmp_path, gates, second=True), wrong_from({"train.default": 0, "test.default": 0}))
    found = messages(house.run("gate")).splitlines()
    assert [line.split(": ")[1] for line in found] == ["support/experiment.yaml:20:3", "support/experiment.yaml:21:3"]
    assert "(train)" in found[0]
    assert "(test)" in found[1]


@pytest.mark.parametrize(
    ("gates", "problem"),
    [
        ("- {metric: corect, at_least: 0.8}\n", "No evaluator gives `corect`. Did you mean `correct`?"),
        ("- {each_row: {score: polite, never: failed}}\n", "No evaluator gives `polite`. There are grade.correct."),
    ],
)
def test_an_unknown_metric_is_an_error_at_its_place_and_nothing_is_judged(
    tmp_path: Path, gates: str, problem: str
) -> None:
    outcome = evaluated(house_of(tmp_path, ABSOLUTE + gates)).run("gate")
    assert (outcome.verdict, outcome.exit_code) == ("usage", 2)
    assert messages(outcome) == f"error: support/experiment.yaml:18:3: The gate cannot be judged: {problem}"
    assert not (tmp_path / ROOT / "verdict.json").exists()


def test_a_gate_on_a_dataset_that_the_overlay_left_out_is_passed_over_and_said(tmp_path: Path) -> None:
    gates = "- {metric: correct, at_least: 0.80, dataset: test}\n- {coverage: {at_least: 1}}\n"
    overlay = 'datasets:\n- {name: train, source: train.jsonl, mappings: {question: "${data.question}"}}\n'
    house = evaluated(house_of(tmp_path, gates, second=True, files={"experiment.pr.yaml": overlay}), env="pr")
    outcome = house.run("gate", env="pr")
    assert (outcome.verdict, outcome.outputs.passed) == ("passed", 1)
    assert messages(outcome) == (
        "warning: support/experiment.yaml:20:3: correct at least 0.8: "
        "not judged, since `test` is not a dataset of this environment."
    )


def test_the_gates_of_an_overlay_replace_those_of_the_base(tmp_path: Path) -> None:
    house = house_of(tmp_path, ABSOLUTE, files={"experiment.pr.yaml": "gates:\n- {coverage: {at_least: 1}}\n"})
    evaluated(house, wrong_from({"train.default": 0}), env="pr")
    outcome = house.run("gate", env="pr")
    assert (outcome.verdict, outcome.outputs.passed) == ("passed", 1)


EACH = "- {each_row: {score: correct, never: failed, rows: data/must.jsonl}}\n"


def test_rows_of_a_file_are_found_by_their_content(tmp_path: Path) -> None:
    must = '{"question": "q3", "why": "it broke once"}\n'
    house = evaluated(house_of(tmp_path, EACH, files={"data/must.jsonl": must}), wrong_from({"train.default": 5}))
    outcome = house.run("gate")
    assert (outcome.verdict, verdict_of(tmp_path).gates[0].n) == ("passed", 1)
    write(tmp_path, {"support/data/must.jsonl": must.replace("q3", "q7")})
    outcome = house.run("gate")
    assert (outcome.verdict, outcome.outputs.regressed) == ("failed", 0)
    assert [row.line for row in verdict_of(tmp_path).gates[0].regressed] == [7]
    write(tmp_path, {"support/data/must.jsonl": must.replace("q3", "gone")})
    outcome = house.run("gate")
    assert (outcome.verdict, outcome.exit_code) == ("error", 3)
    write(tmp_path, {"support/data/must.jsonl": must + '{"q": 1}\n'})
    outcome = house.run("gate")
    assert outcome.verdict == "usage"
    assert "experiment.yaml:17:3: Row 2 of must.jsonl fits no dataset: ${data.question}" in messages(outcome)


def test_rows_of_a_file_may_stand_in_one_of_several_datasets(tmp_path: Path) -> None:
    must = '{"question": "q3"}\n{"question": "t5"}\n'
    house = evaluated(house_of(tmp_path, EACH, second=True, files={"data/must.jsonl": must}))
    assert house.run("gate").verdict == "passed"
    assert [(gate.dataset, gate.n) for gate in verdict_of(tmp_path).gates] == [("train", 1), ("test", 1)]


# Rows.


def test_failed_rows_stay_in_every_number(tmp_path: Path) -> None:
    gates = ABSOLUTE + "- {coverage: {at_least: 0.95}}\n"
    outcome = evaluated(house_of(tmp_path, gates), failing(*range(15))).run("gate")
    document = verdict_of(tmp_path)
    assert [(gate.verdict, gate.value, gate.failed) for gate in document.gates] == [
        ("inconclusive", 0.75, 15),
        ("failed", 0.75, 0),
    ]
    assert "15 failed rows count as false" in outcome.summary


def test_rows_that_a_shorter_evaluation_dataset_lacks_are_not_covered(tmp_path: Path) -> None:
    gates = "- {metric: correct, at_least: 0.5}\n- {coverage: {at_least: 0.9}}\n"
    house = house_of(tmp_path, gates, files={"data/truth.jsonl": questions(45)})
    rewrite(house, "  - name: train\n", "  - name: truth\n    reference: train\n    source: data/truth.jsonl\n")
    evaluated(house).run("gate")
    metric, coverage = verdict_of(tmp_path).gates
    assert (metric.verdict, metric.n, metric.value) == ("passed", 45, 1.0)
    assert (coverage.verdict, coverage.value, coverage.n) == ("failed", 0.75, 60)


def test_repeats_are_one_row(tmp_path: Path) -> None:
    evaluated(house_of(tmp_path, ABSOLUTE, rows=20)).run("gate")
    house = house_of(tmp_path, ABSOLUTE, rows=20)
    evaluated(house)
    house.run("bulk-run", repeats="3")
    house.run("evaluate")
    house.run("gate", save_baseline="baseline.json")
    [gate] = verdict_of(tmp_path).gates
    assert (gate.n, gate.value) == (20, 1.0)
    assert json.loads((tmp_path / "baseline.json").read_text())["runs"][0]["repeats"] == 3
    rewrite(house, ABSOLUTE, DROP)
    assert house.run("gate", baseline="baseline.json").verdict == "passed"


def test_equal_rows_are_told_apart_by_their_order(tmp_path: Path) -> None:
    house = house_of(tmp_path, DROP, files={"data/train.jsonl": questions(20) + questions(20)})
    evaluated(house).run("gate", save_baseline="baseline.json")
    assert house.run("gate", baseline="baseline.json").verdict == "passed"
    assert verdict_of(tmp_path).gates[0].pairs == 40


def test_a_single_row_has_no_interval_and_its_document_can_be_read(tmp_path: Path) -> None:
    gates = "- {metric: score, at_least: 0.5}\n- {metric: score, against: baseline, max_drop: 0.1}\n"
    house = evaluated(house_of(tmp_path, gates, rows=1), lambda run, number: {"score": 0.7})
    house.run("gate", save_baseline="baseline.json")
    write(tmp_path, {"support/flows/answer/reply.py": "# another flow\n"})
    outcome = evaluated(house, lambda run, number: {"score": 0.8}).run("gate", baseline="baseline.json")
    assert outcome.verdict == "inconclusive"
    assert [(gate.interval, gate.detectable) for gate in verdict_of(tmp_path).gates] == [(None, None)] * 2
    assert "without an interval" in outcome.summary


# Files that are not as they should be; names that are not meant well.


def scores_file(folder: Path) -> Path:
    return folder / ROOT / "scores/grade/train.default.jsonl"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"line":1,', '"line":"x",', "train.default.jsonl:2: The file is damaged: line"),
        ('"line":1,', '"line":7,', "The file is damaged: line 1 is missing. Run evaluate again."),
        ('{"correct":true}', '{"correct":NaN}', "train.default.jsonl:1: The file is damaged: NaN is no number"),
        ('{"schema_version":1', '{"schema_version":2', "train.default.jsonl:1: The file has schema version 2"),
        ('"line":1,"key"', '"line":1,"kee"', "train.default.jsonl:2: The file is damaged: key: Field required"),
        ('{"schema', 'null\n{"schema', "train.default.jsonl:1: The file is damaged"),
    ],
)
def test_damaged_scores_are_located(tmp_path: Path, old: str, new: str, problem: str) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE))
    file = scores_file(tmp_path)
    file.write_text(file.read_text().replace(old, new, 1))
    outcome = house.run("gate")
    assert (outcome.verdict, outcome.exit_code) == ("error", 3)
    assert problem in messages(outcome)


def test_missing_files_are_named(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, ABSOLUTE))
    rows = tmp_path / ROOT / "runs/train.default/rows.jsonl"
    kept = rows.read_bytes()
    rows.unlink()
    assert "rows.jsonl: The file is missing. Run bulk-run again." in messages(house.run("gate"))
    rows.write_bytes(kept)
    lines = scores_file(tmp_path).read_text().splitlines(keepends=True)
    scores_file(tmp_path).write_text("".join(lines[:-1]))
    assert "The file has 59 rows, not the 60 that were evaluated. Run evaluate again." in messages(house.run("gate"))
    scores_file(tmp_path).unlink()
    assert "train.default.jsonl: The file is missing. Run evaluate again." in messages(house.run("gate"))


def test_names_cannot_break_the_summary(tmp_path: Path) -> None:
    nasty = "a|b<img src=x>@team[x](y)"
    gates = f"- {{metric: '{nasty}', at_least: 0.5}}\n"

    def grading(run: str, number: int) -> dict[str, Any]:
        return {nasty: number % 2 == 0}

    outcome = evaluated(house_of(tmp_path, gates), grading).run("gate")
    assert "<img" not in outcome.summary
    assert "@team" not in outcome.summary
    rows = [line for line in outcome.summary.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {9}


def test_a_failed_row_never_makes_a_run_fast(tmp_path: Path) -> None:
    house = evaluated(house_of(tmp_path, "- {latency_p95: {at_most: 60}}\n", rows=20), right)
    file = tmp_path / ROOT / "runs/train.default/rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["duration"] = 9.0 if number == 0 else 1.0
        row["status"] = "failed" if number in (1, 2) else "completed"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    house.run("gate")
    assert verdict_of(tmp_path).gates[0].value == 9.0
