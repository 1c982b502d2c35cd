"""``evaluate``: which evaluator scores which run, with which rows, and what becomes of the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import DAG, use_case, write
from tests.unit.steps.fakes import House, NodeError, lines, messages

from llmops_actions.platforms.ports import BulkRun, Row
from llmops_actions.work_folder import EvaluationRecord, MetricsDocument, read_document

EXPERIMENT = """
name: support
flow: flows/answer
datasets:
- name: train
  source: data/train.jsonl
  mappings: {question: "${data.question}"}
- name: test
  source: data/test.jsonl
  mappings: {question: "${data.question}"}
evaluators:
- name: grade
  datasets:
  - name: train
    mappings: {question: "${run.outputs.question}", truth: "${data.question}"}
  - name: test
    mappings: {question: "${run.outputs.question}", truth: "${data.question}"}
- name: tone
  flow: flows/grade
  datasets:
  - name: train_tone
    reference: train
    source: data/tone.jsonl
    mappings: {question: "${run.outputs.question}", truth: "${data.tone}"}
hyperparameters:
  reply: {tone: [plain, rude]}
"""
FILES = {
    "experiment.yaml": EXPERIMENT,
    "flows/answer/flow.dag.yaml": DAG + "    tone: plain\n",
    "data/train.jsonl": '{"question": "a"}\n{"question": "b"}\n{"question": "c"}\n',
    "data/test.jsonl": '{"question": "d"}\n',
    "data/tone.jsonl": '{"tone": "x"}\n{"tone": "y"}\n{"tone": "z"}\n',
}


@pytest.fixture
def house(tmp_path: Path) -> House:
    use_case(tmp_path, FILES)
    house = House(tmp_path)
    assert house.run("bulk-run").verdict == "passed"
    house.runner.runs.clear()
    return house


def metrics(house: House, env: str = "base") -> tuple[EvaluationRecord, ...]:
    return read_document(house.directory / f".llmops/support/{env}/metrics.json", MetricsDocument).evaluations


def test_every_metric_says_of_what_it_is(house: House) -> None:
    outcome = house.run("evaluate")
    assert (outcome.verdict, outcome.findings) == ("passed", ())
    found = [
        (each.variation, each.dataset, each.evaluator, each.evaluation_dataset, each.run, each.scores, each.rows)
        for each in metrics(house)
    ]
    rude = "reply.tone=rude"
    assert found == [
        ("default", "train", "grade", "train", "train.default", "scores/grade/train.default.jsonl", 3),
        ("default", "test", "grade", "test", "test.default", "scores/grade/test.default.jsonl", 1),
        (rude, "train", "grade", "train", f"train.{rude}", f"scores/grade/train.{rude}.jsonl", 3),
        (rude, "test", "grade", "test", f"test.{rude}", f"scores/grade/test.{rude}.jsonl", 1),
        ("default", "train", "tone", "train_tone", "train.default", "scores/tone/train.default.jsonl", 3),
        (rude, "train", "tone", "train_tone", f"train.{rude}", f"scores/tone/train.{rude}.jsonl", 3),
    ]
    assert (outcome.outputs.evaluations, outcome.outputs.rows, outcome.outputs.failed) == (6, 14, 0)


def test_rows_come_from_the_run_and_from_the_evaluation_dataset(house: House) -> None:
    house.run("evaluate", evaluators="tone", variations="default")
    [run] = house.runner.runs
    assert [dict(row.inputs) for row in run.rows] == [
        {"question": question, "truth": tone} for question, tone in zip("abc", "xyz", strict=True)
    ]
    scored = lines(house.directory / ".llmops/support/base/scores/tone/train.default.jsonl")
    ran = lines(house.directory / ".llmops/support/base/runs/train.default/rows.jsonl")
    assert [row["key"] for row in scored] == [row["key"] for row in ran]
    assert scored[0]["scores"] == {"correct": True}


def test_failed_rows_stay_in_the_denominator(house: House) -> None:
    def work(run: BulkRun, row: Row) -> Mapping[str, Any]:
        if run.name == "train.default" and row.line == 0:
            raise NodeError("the flow failed")
        if run.name.startswith("grade/train.default") and row.line == 1:
            raise NodeError("the evaluator failed", "judge")
        return {"correct": True, "stars": 4, "why": "text"} if "/" in run.name else dict(row.inputs)

    house.runner.behaviour = work
    assert house.run("bulk-run", max_failed_rows="1").verdict == "passed"
    outcome = house.run("evaluate", evaluators="grade", variations="default")
    assert (outcome.verdict, outcome.exit_code) == ("failed", 1)
    assert messages(outcome) == (
        "error: grade on train.default: 1 of 3 rows failed: 1 x NodeError in node judge: the evaluator failed (row 2). "
        f"Rows count from 1; all of them: {house.directory}/.llmops/support/base/scores/grade/train.default.run/"
        "rows.jsonl. --max-failed-rows 1 allows that."
    )
    train = metrics(house)[0]
    assert (train.rows, train.completed, train.failed) == (3, 1, 2)
    assert [(each.name, each.value, each.n, each.failed) for each in train.metrics] == [
        ("correct", pytest.approx(1 / 3), 1, 2),
        ("stars", 4.0, 1, 2),
    ]
    scored = lines(house.directory / ".llmops/support/base/scores/grade/train.default.jsonl")
    assert [row["status"] for row in scored] == ["failed", "failed", "completed"]
    assert scored[0]["error"]["message"] == "The row failed in the bulk run: the flow failed"
    assert scored[0]["scores"] == {}
    assert scored[2]["outputs"]["why"] == "text"


def test_rows_that_failed_before_are_not_the_evaluators(house: House) -> None:
    def work(run: BulkRun, row: Row) -> Mapping[str, Any]:
        if "/" not in run.name and row.line == 0:
            raise NodeError("the flow failed")
        return {"correct": True}

    house.runner.behaviour = work
    assert house.run("bulk-run").verdict == "failed"
    mappings = {"support/experiment.yaml": EXPERIMENT.replace("${run.outputs.question}", "${run.outputs.correct}")}
    write(house.directory, mappings)
    outcome = house.run("evaluate")
    assert outcome.verdict == "passed"
    assert outcome.outputs.failed == 6


def test_logged_metrics_and_numbers_that_are_none(house: House) -> None:
    house.runner.change = lambda result: replace(result, metrics={"accuracy": 0.1 + 0.2, "nan": float("nan")})
    outcome = house.run("evaluate", evaluators="grade", variations="default")
    logged = [each for each in metrics(house)[0].metrics if each.source == "logged"]
    assert [(each.name, each.value) for each in logged] == [("accuracy", 0.3), ("nan", None)]
    assert "| grade.nan | - | 3 | 0 |" in outcome.summary


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"support/flows/answer/reply.py": "x = 1\n"}, "is out of date: flow, data or settings changed."),
        ({"support/data/train.jsonl": '{"question": "a"}\n'}, "is out of date"),
    ],
)
def test_a_run_that_is_out_of_date_is_not_scored(house: House, change: dict[str, str], text: str) -> None:
    write(house.directory, change)
    outcome = house.run("evaluate")
    assert outcome.verdict == "failed"
    assert f"error: The run train.default {text}" in messages(outcome)
    written = house.directory / ".llmops/support/base/metrics.json"
    assert not written.is_file() or "train" not in {each.dataset for each in metrics(house)}


def test_the_scores_of_earlier_runs_stay_where_all_runs_are_out_of_date(house: House) -> None:
    house.run("evaluate")
    before = metrics(house)
    write(house.directory, {"support/flows/answer/reply.py": "x = 1\n"})
    outcome = house.run("evaluate")
    assert (outcome.verdict, outcome.outputs.evaluations) == ("failed", 0)
    assert "There is no run that can be scored." in outcome.summary
    assert "matches none of the runs" not in messages(outcome)
    assert metrics(house) == before


def test_an_evaluator_of_runs_that_are_out_of_date_is_not_said_to_match_none(house: House) -> None:
    write(house.directory, {"support/data/train.jsonl": '{"question": "a"}\n'})
    outcome = house.run("evaluate")
    assert "error: The run train.default is out of date" in messages(outcome)
    assert "matches none of the runs" not in messages(outcome)
    assert {each.evaluator for each in metrics(house)} == {"grade"}


def test_a_run_against_the_stand_in_is_none_against_a_model(house: House) -> None:
    house.run("bulk-run", offline="true")
    outcome = house.run("evaluate")
    assert (
        "error: The run train.default ran against the stand-in model. Run bulk-run again, or add --offline."
        in messages(outcome)
    )
    assert house.run("evaluate", offline="true").verdict == "passed"
    house.run("bulk-run")
    outcome = house.run("evaluate", offline="true")
    assert "ran against real models. Run bulk-run again with --offline, or leave out --offline." in messages(outcome)


def test_a_run_that_did_not_end_is_not_scored(house: House) -> None:
    def stop(run: BulkRun, row: Row) -> Mapping[str, Any]:
        if run.name.startswith("test"):
            raise KeyboardInterrupt
        return dict(row.inputs)

    house.runner.behaviour = stop
    assert messages(house.run("bulk-run")) == "error: Interrupted."
    outcome = house.run("evaluate")
    assert outcome.verdict == "failed"
    assert "The run test.default did not end. Go on with bulk-run --resume." in messages(outcome)


def test_no_runs_at_all(tmp_path: Path) -> None:
    use_case(tmp_path, FILES)
    outcome = House(tmp_path).run("evaluate")
    assert (outcome.verdict, outcome.exit_code) == ("usage", 2)
    assert "There are no bulk runs in" in messages(outcome)
    assert "Run bulk-run first." in messages(outcome)


def test_runs_that_are_missing_are_named(house: House) -> None:
    for folder in (house.directory / ".llmops/support/base/runs").glob("test.*"):
        (folder / "run.json").unlink()
    outcome = house.run("evaluate")
    assert outcome.verdict == "passed"
    assert "warning: 2 runs of the sweep are not there, so not scored: test.default, test.reply" in messages(outcome)


def test_a_run_that_has_lost_its_rows(house: House) -> None:
    (house.directory / ".llmops/support/base/runs/test.default/rows.jsonl").unlink()
    outcome = house.run("evaluate")
    assert outcome.verdict == "failed"
    assert "The run test.default has lost its rows.jsonl. Run bulk-run again." in messages(outcome)


def test_a_damaged_run_says_the_way_out(house: House) -> None:
    (house.directory / ".llmops/support/base/runs/test.default/run.json").write_text("{", encoding="utf-8")
    outcome = house.run("evaluate")
    assert outcome.verdict == "error"
    assert "runs/test.default/run.json: The file is damaged" in messages(outcome)
    assert "Run the step again that writes it." in messages(outcome)


def test_a_damaged_evaluation_dataset_ends_it_before_anything_runs(house: House) -> None:
    write(house.directory, {"support/data/tone.jsonl": '{"tone": "x"}\n{"tone": \n'})
    outcome = house.run("evaluate")
    assert outcome.verdict == "usage"
    assert "support/data/tone.jsonl:2:9: Not valid JSON" in messages(outcome)
    assert house.runner.runs == []


def test_rows_without_a_partner_in_a_short_evaluation_dataset_are_not_scored(house: House) -> None:
    write(house.directory, {"support/data/tone.jsonl": '{"tone": "x"}\n'})
    outcome = house.run("evaluate", evaluators="tone", variations="default")
    assert outcome.verdict == "passed"
    assert messages(outcome) == (
        "warning: support/experiment.yaml:21:5: 2 of 3 rows have no row in tone.jsonl and are not scored. "
        "Rows are joined by their number."
    )
    [record] = metrics(house)
    assert (record.rows, record.completed, record.failed) == (1, 1, 0)
    assert (outcome.outputs.rows, outcome.outputs.failed) == (1, 0)
    [scored] = lines(house.directory / ".llmops/support/base/scores/tone/train.default.jsonl")
    [first, *_] = lines(house.directory / ".llmops/support/base/runs/train.default/rows.jsonl")
    assert (scored["line"], scored["key"]) == (0, first["key"])


def test_failures_of_the_run_beyond_a_short_evaluation_dataset_do_not_count(house: House) -> None:
    def work(run: BulkRun, row: Row) -> Mapping[str, Any]:
        if "/" not in run.name and row.line in (0, 4, 5):
            raise NodeError("the flow failed")
        if "/" in run.name and row.line == 1:
            raise NodeError("the evaluator failed")
        return {"question": "q", "correct": True}

    house.runner.behaviour = work
    house.run("bulk-run", variations="default", repeats="2")
    write(house.directory, {"support/data/tone.jsonl": '{"tone": "x"}\n' * 2})
    outcome = house.run("evaluate", evaluators="tone", variations="default")
    assert outcome.verdict == "failed"
    assert "1 of 3 rows has no row in tone.jsonl and is not scored." in messages(outcome)
    assert "tone on train.default: 1 of 4 rows failed: 1 x NodeError: the evaluator failed (row 2)" in messages(outcome)
    [record] = metrics(house)
    assert (record.rows, record.completed, record.failed) == (4, 2, 2)


def test_an_evaluation_dataset_without_rows_is_an_error(house: House) -> None:
    write(house.directory, {"support/data/tone.jsonl": ""})
    outcome = house.run("evaluate", evaluators="tone")
    assert (outcome.verdict, messages(outcome)) == (
        "usage",
        "error: support/data/tone.jsonl: The dataset `train_tone` has no rows.",
    )


def test_an_evaluation_dataset_that_is_too_long_is_suspect(house: House) -> None:
    write(house.directory, {"support/data/tone.jsonl": '{"tone": "x"}\n' * 5})
    outcome = house.run("evaluate", evaluators="tone")
    assert outcome.verdict == "passed"
    said = messages(outcome)
    assert said.startswith("warning: support/experiment.yaml:21:5: `train_tone` has 5 rows, its runs have 3. ")
    assert said.endswith("Rows are joined by their number, and those beyond are not used.")
    assert said.count("\n") == 0


def test_repeated_rows_are_scored_each(house: House) -> None:
    before = house.run("bulk-run", variations="default")
    assert house.run("bulk-run", variations="default", repeats="3").outputs.rows == 3 * before.outputs.rows
    outcome = house.run("evaluate", evaluators="tone", variations="default")
    assert (outcome.verdict, messages(outcome)) == ("passed", "")
    assert metrics(house)[0].rows == 9
    truths = [row.inputs["truth"] for row in house.runner.runs[-1].rows]
    assert truths == ["x", "x", "x", "y", "y", "y", "z", "z", "z"]


def test_several_datasets_of_one_evaluator_for_one_run(house: House) -> None:
    second = """  - name: train_again
    reference: train
    source: data/tone.jsonl
    mappings: {question: "${run.outputs.question}", truth: "${data.tone}"}
hyperparameters"""
    write(house.directory, {"support/experiment.yaml": EXPERIMENT.replace("hyperparameters", second)})
    outcome = house.run("evaluate", evaluators="tone", variations="default")
    assert outcome.verdict == "passed"
    assert [(each.evaluation_dataset, each.scores) for each in metrics(house)] == [
        ("train_tone", "scores/tone/train.default@train_tone.jsonl"),
        ("train_again", "scores/tone/train.default@train_again.jsonl"),
    ]
    assert len({each.fingerprint for each in metrics(house)}) == 1
    assert r"| train \(train\_again\) |" in outcome.summary


def test_an_unknown_evaluator_names_the_nearest(house: House) -> None:
    assert "Did you mean `tone`?" in messages(house.run("evaluate", evaluators="tones"))
    assert "The experiment has grade, tone." in messages(house.run("evaluate", evaluators="xxxxxxx"))


def test_evaluators_run_in_the_order_of_the_file_each_once(house: House) -> None:
    house.run("evaluate", evaluators="tone,grade,tone", variations="default")
    assert [run.name for run in house.runner.runs] == [
        "grade/train.default",
        "grade/test.default",
        "tone/train.default",
    ]


def test_an_evaluator_that_matches_no_run_is_named(house: House) -> None:
    for folder in (house.directory / ".llmops/support/base/runs").glob("train.*"):
        (folder / "run.json").unlink()
    outcome = house.run("evaluate")
    assert "The evaluator tone matches none of the runs, so it scored nothing." in messages(outcome)


def test_no_evaluators(house: House) -> None:
    write(house.directory, {"support/experiment.pr.yaml": "name: support\nevaluators:\n"})
    assert house.run("bulk-run", env="pr").verdict == "passed"
    outcome = house.run("evaluate", env="pr")
    assert outcome.verdict == "passed"
    assert "There are no scores." in outcome.summary
    assert metrics(house, "pr") == ()


def test_an_evaluation_without_any_score_is_shown(house: House) -> None:
    house.runner.behaviour = lambda run, row: {"why": "text"}
    outcome = house.run("evaluate", evaluators="tone", variations="default")
    assert "| default | train | tone | - | 0 | 0 |" in outcome.summary


def test_an_evaluation_that_failed_as_a_whole(house: House) -> None:
    house.runner.change = lambda result: replace(result, status="failed", error="Aggregation failed: no")
    outcome = house.run("evaluate", evaluators="tone", variations="default")
    assert outcome.verdict == "failed"
    assert messages(outcome) == "error: tone on train.default: Aggregation failed: no"
    assert metrics(house)[0].error == "Aggregation failed: no"


def test_hostile_names_of_evaluators_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ["😀", "🎉", "x" * 255, "ü$(id)", "ö$(id)"]
    blocks = "".join(
        f"- name: '{name}'\n  flow: flows/grade\n  datasets:\n  - name: train\n    mappings: {{question: x}}\n"
        for name in names
    )
    head = EXPERIMENT[: EXPERIMENT.index("evaluators")]
    use_case(tmp_path, {**FILES, "experiment.yaml": f"{head}evaluators:\n{blocks}", "flows/grade/flow.dag.yaml": DAG})
    house = House(tmp_path)
    house.run("bulk-run")
    outcome = house.run("evaluate")
    assert outcome.verdict == "passed", messages(outcome)
    scores = [each.scores for each in metrics(house)]
    assert len(set(scores)) == len(names)
    root = tmp_path / ".llmops/support/base"
    assert all((root / score).resolve().parent.parent == (root / "scores").resolve() for score in scores)
    assert all(score.isascii() for score in scores)


def test_the_fingerprint_of_an_evaluation_follows_its_run(house: House) -> None:
    house.run("evaluate", evaluators="grade", variations="default")
    before = metrics(house)[0].fingerprint
    house.run("evaluate", evaluators="grade", variations="default")
    assert metrics(house)[0].fingerprint == before
    house.runner.behaviour = lambda run, row: {"correct": True} if "/" in run.name else {**row.inputs, "more": 1}
    house.run("bulk-run")
    house.run("evaluate", evaluators="grade", variations="default")
    assert metrics(house)[0].fingerprint != before
