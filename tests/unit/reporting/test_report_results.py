"""What a report reads: runs, scores joined to their rows, baselines; what is missing is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.reporting.folders import LATER, STARTED, Sample, read, write_comparison, write_verdict

from llmops_actions.errors import PlatformError
from llmops_actions.reporting.results import read_baseline, read_results
from llmops_actions.work_folder import (
    ErrorRecord,
    MetricsDocument,
    PlanDocument,
    PlannedRun,
    RunDocument,
    ScoreDocument,
    WorkFolder,
    read_document,
    read_lines,
    write_document,
    write_lines,
)


def test_scores_stand_beside_the_row_they_are_of(tmp_path: Path) -> None:
    results = read_results(Sample(rows=3).write(tmp_path))
    answers = list(results.answers(results.runs[0]))
    assert [answer.scores["grade.correct"] for answer in answers] == [True, True, False]
    assert [answer.remarks["grade.reason"] for answer in answers] == [
        "It gives one.",
        "It gives one.",
        "It gives none.",
    ]
    assert [answer.line for answer in answers] == [0, 1, 2]


def test_scores_of_another_row_are_left_out(tmp_path: Path) -> None:
    folder = Sample(rows=3).write(tmp_path)
    other = Sample(rows=3, key=lambda row: "another" if row == 1 else f"{row:016x}").write(tmp_path / "other")
    shutil.copy(other.scores("grade", "train.default"), folder.scores("grade", "train.default"))
    results = read_results(folder)
    assert [bool(answer.scores) for answer in results.answers(results.runs[0])] == [True, False, True]


def test_fewer_scores_than_rows_leave_rows_without(tmp_path: Path) -> None:
    folder = Sample(rows=3).write(tmp_path)
    file = folder.scores("grade", "train.default")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:2]))
    results = read_results(folder)
    assert [bool(answer.scores) for answer in results.answers(results.runs[0])] == [False, True, False]


def test_why_an_evaluator_failed_is_a_remark(tmp_path: Path) -> None:
    folder = Sample(rows=2).write(tmp_path)
    file = folder.scores("grade", "train.default")
    documents = [
        each.model_copy(
            update={"status": "failed", "scores": {}, "outputs": None, "error": ErrorRecord(type="Late", message="No.")}
        )
        for each in read_lines(file, ScoreDocument)
    ]
    write_lines(file, documents)
    results = read_results(folder)
    assert [each.remarks for each in results.answers(results.runs[0])] == [{"grade: Late": "No."}] * 2


def test_repeats_of_a_row_have_its_line(tmp_path: Path) -> None:
    results = read_results(Sample(rows=2, repeats=2).write(tmp_path))
    answers = list(results.answers(results.runs[0]))
    assert [(each.line, each.repeat) for each in answers] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_an_evaluator_on_several_datasets_has_them_in_its_name(tmp_path: Path) -> None:
    folder = Sample(rows=2, evaluators=("grade", "grade@more")).write(tmp_path)
    metrics = read_document(folder.metrics, MetricsDocument)
    renamed = tuple(
        each.model_copy(
            update={"evaluator": "grade", "evaluation_dataset": each.evaluator.partition("@")[2] or "train"}
        )
        for each in metrics.evaluations
    )
    write_document(folder.metrics, metrics.model_copy(update={"evaluations": renamed}))
    assert set(read(folder).facts.score_kinds) >= {"grade@train.correct", "grade@more.correct"}


def test_the_default_comes_first(tmp_path: Path) -> None:
    folder = Sample(variations=("zero", "alpha")).write(tmp_path)
    folder.metrics.unlink()
    assert [each.name for each in read_results(folder).variations] == ["zero", "alpha"]


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    folder.metrics.unlink()
    assert read_results(folder).notes == (
        "There are no scores: evaluate did not run.",
        "There is no verdict: gate did not run.",
        "The variations are not compared: compare did not run.",
    )


def test_a_single_variation_needs_no_comparison(tmp_path: Path) -> None:
    assert read_results(Sample(variations=("default",)).write(tmp_path)).notes == (
        "There is no verdict: gate did not run.",
    )


def test_nothing_is_said_where_all_is_there(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder)
    write_comparison(folder)
    assert read_results(folder).notes == ()


@pytest.mark.parametrize(("created_at", "is_old"), [("2025-01-01T00:00:00+00:00", True), (STARTED, False), ("", False)])
def test_an_older_verdict_is_told(tmp_path: Path, created_at: str, is_old: bool) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder, created_at=created_at)
    write_comparison(folder, created_at=created_at)
    assert len(read_results(folder).notes) == (2 if is_old else 0)


def test_a_time_without_an_offset_is_no_time(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder, created_at="2020-01-01T00:00:00")
    write_comparison(folder)
    assert read_results(folder).notes == ()


def test_runs_that_did_not_end_are_left_out(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    document = read_document(folder.run_document("train.brief"), RunDocument)
    write_document(folder.run_document("train.brief"), document.model_copy(update={"status": "running"}))
    results = read_results(folder)
    assert [run.name for run in results.runs] == ["train.default"]
    assert [each.run for each in results.evaluations] == ["train.default"]
    assert results.notes[0] == "1 runs are not there or did not end, so not in this report."


def test_scores_of_a_run_that_ran_anew_are_left_out(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    metrics = read_document(folder.metrics, MetricsDocument)
    first, second = metrics.evaluations
    changed = (first.model_copy(update={"run_fingerprint": "older"}), second)
    write_document(folder.metrics, metrics.model_copy(update={"evaluations": changed}))
    results = read_results(folder)
    assert [each.run for each in results.evaluations] == ["train.brief"]
    assert results.notes[0] == "1 runs ran anew since they were evaluated: run evaluate again."


def test_runs_of_an_older_plan_are_left_out(tmp_path: Path) -> None:
    folder = Sample(variations=("default", "old")).write(tmp_path)
    folder.metrics.unlink()
    planned = PlannedRun(name="train.default", variation="default", dataset="train", rows=6, model_calls=6)
    plan = PlanDocument(
        experiment="support",
        environment="dev",
        flow="flows/answer",
        variations=(),
        datasets=(),
        evaluators=(),
        runs=(planned,),
        rows=6,
        model_calls=6,
    )
    write_document(folder.plan, plan)
    assert [run.name for run in read_results(folder).runs] == ["train.default"]


def test_a_folder_without_anything_is_empty(tmp_path: Path) -> None:
    results = read_results(WorkFolder(tmp_path / "support" / "dev"))
    assert results.runs == ()
    assert results.experiment == "support"


def test_a_damaged_file_is_told_with_its_place(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    (folder.root / "verdict.json").write_text('{"verdict": "perhaps"}', encoding="utf-8")
    with pytest.raises(PlatformError, match="damaged") as raised:
        read_results(folder)
    assert raised.value.location is not None
    assert raised.value.location.file.name == "verdict.json"


@pytest.mark.parametrize("inside", ["", "support/dev"])
def test_a_baseline_is_a_work_folder_or_the_folder_it_is_in(tmp_path: Path, inside: str) -> None:
    folder = Sample().write(tmp_path / "now")
    Sample(variations=("default", "other")).write(tmp_path / "before" / inside)
    write_verdict(folder)
    baseline = read_baseline(read_results(folder), tmp_path)
    assert baseline is not None
    assert [run.name for run in baseline.runs] == ["train.default"]


@pytest.mark.parametrize("source", ["nowhere", "azureml:support:3", "a\x00b", "x" * 5000])
def test_a_baseline_that_is_no_folder_here_is_none(tmp_path: Path, source: str) -> None:
    folder = Sample().write(tmp_path / "now")
    write_verdict(folder, baseline=source)
    assert read_baseline(read_results(folder), tmp_path) is None


def test_without_a_baseline_there_is_none(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path / "now")
    assert read_baseline(read_results(folder), tmp_path) is None
    write_verdict(folder, baseline=None)
    assert read_baseline(read_results(folder), tmp_path) is None


def test_a_folder_with_a_digest_is_the_digest(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path / "now")
    Sample().write(tmp_path / "before")
    (tmp_path / "before" / "baseline.json").write_text("{}", encoding="utf-8")
    write_verdict(folder)
    assert read_baseline(read_results(folder), tmp_path) is None


def test_a_baseline_without_the_variation_is_none(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path / "now")
    Sample(variations=("other",)).write(tmp_path / "before")
    write_verdict(folder, created_at=LATER)
    assert read_baseline(read_results(folder), tmp_path) is None
