"""Numbers of a report: intervals, distributions, latency; the row is the unit."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.reporting.folders import RowFailsError, Sample, read, write_verdict

from llmops_actions.evaluation.statistics.proportions import wilson
from llmops_actions.reporting.facts import MetricFacts, aliases, gather, quantile
from llmops_actions.reporting.results import read_results
from llmops_actions.work_folder import RunDocument, read_document, write_document


def metric(folder_sample: Sample, tmp_path: Path, name: str) -> MetricFacts:
    facts = gather(read_results(folder_sample.write(tmp_path)))
    return next(each for each in facts.metrics if each.name == name)


def test_a_share_has_wilsons_interval_over_all_rows(tmp_path: Path) -> None:
    def answer(variation: str, row: int) -> dict[str, str]:
        if row == 0:
            raise RowFailsError("It broke.")
        return {"answer": "Because"}

    found = metric(Sample(rows=5, answer=answer), tmp_path, "grade.correct")
    expected = wilson(4, 5, 0.95)
    assert found.interval is not None
    assert (found.interval.low, found.interval.high) == (expected.low, expected.high)
    assert found.metric.value == pytest.approx(0.8)


def test_a_mean_has_an_interval_around_it(tmp_path: Path) -> None:
    sample = Sample(rows=12, grade=lambda variation, row, outputs: {"facts": row % 4 / 4})
    found = metric(sample, tmp_path, "grade.facts")
    assert found.interval is not None
    assert found.metric.value is not None
    assert found.interval.low < found.metric.value < found.interval.high


def test_a_single_row_has_no_interval(tmp_path: Path) -> None:
    found = metric(Sample(rows=1, grade=lambda variation, row, outputs: {"facts": 0.5}), tmp_path, "grade.facts")
    assert found.interval is None


def test_repeats_do_not_count_as_rows(tmp_path: Path) -> None:
    once = metric(Sample(rows=9), tmp_path / "once", "grade.correct")
    often = metric(Sample(rows=9, repeats=8), tmp_path / "often", "grade.correct")
    assert once.interval is not None
    assert often.interval is not None
    assert often.interval.high - often.interval.low > 0.8 * (once.interval.high - once.interval.low)


def test_a_share_of_repeats_that_failed_has_no_interval(tmp_path: Path) -> None:
    def answer(variation: str, row: int) -> dict[str, str]:
        if row == 0:
            raise RowFailsError("It broke.")
        return {"answer": "Because"}

    assert metric(Sample(rows=5, repeats=2, answer=answer), tmp_path, "grade.correct").interval is None


def test_the_interval_of_a_gate_is_the_one_shown(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder)
    found = {(each.run.name, each.name): each.interval for each in read(folder).facts.metrics}
    shown = found["train.brief", "grade.correct"]
    assert shown is not None
    assert (shown.low, shown.high) == (0.45, 0.8)
    assert found["train.default", "grade.correct"] != shown
    assert found["train.brief", "grade.length"] is not None


def test_a_logged_metric_has_no_interval_of_its_own(tmp_path: Path) -> None:
    assert metric(Sample(logged={"f1": 0.123}), tmp_path, "grade.f1").interval is None


def test_a_logged_metric_that_is_a_mean_is_known_as_one(tmp_path: Path) -> None:
    sample = Sample(variations=("default",), logged={"accuracy": 0.67, "f1": 0.3})
    assert aliases(gather(read_results(sample.write(tmp_path))).metrics) == {"grade.accuracy": "grade.correct"}


def test_a_logged_metric_that_could_be_two_means_is_neither(tmp_path: Path) -> None:
    sample = Sample(
        variations=("default",),
        grade=lambda variation, row, outputs: {"a": True, "b": True},
        logged={"accuracy": 1.0},
    )
    assert aliases(gather(read_results(sample.write(tmp_path))).metrics) == {}


def test_metrics_of_the_flow_itself_are_metrics(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    document = read_document(folder.run_document("train.default"), RunDocument)
    write_document(folder.run_document("train.default"), document.model_copy(update={"metrics": {"own": 0.25}}))
    found = next(each for each in read(folder).facts.metrics if each.name == "own")
    assert found.metric.value == 0.25
    assert found.evaluation is None


def test_latency_is_of_the_rows_that_completed(tmp_path: Path) -> None:
    def answer(variation: str, row: int) -> dict[str, str]:
        if row == 9:
            raise RowFailsError("It broke.")
        return {"answer": "Because"}

    run = read(Sample(rows=10, answer=answer).write(tmp_path)).facts.runs[0]
    assert run.latency(0.5) == pytest.approx(0.14)
    assert run.latency(0.95) == pytest.approx(0.18)
    assert run.failed == 1


def test_a_score_that_is_a_number_in_some_rows_is_numeric(tmp_path: Path) -> None:
    sample = Sample(grade=lambda variation, row, outputs: {"mixed": True if row else 0.5})
    assert read(sample.write(tmp_path)).facts.score_kinds == {"grade.mixed": "numeric"}


def test_the_quantile_of_nothing_is_none() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1, 2, 3, 4], 0.5) == 2
    assert quantile([1, 2, 3, 4], 1.0) == 4
    assert quantile([1, 2, 3, 4], 0.0) == 1
