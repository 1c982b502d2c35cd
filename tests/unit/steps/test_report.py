"""The report step: its files, its outputs, what it says where something is missing."""

from __future__ import annotations

from pathlib import Path

from tests.unit.steps.fakes import House, messages

from llmops_actions.work_folder import RunDocument, WorkFolder, read_document, write_document

GATES = """
gates:
- {metric: correct, at_least: 0.5}
- {metric: correct, against: baseline, max_drop: 0.2}
"""


def evaluated(house: House) -> WorkFolder:
    assert house.run("bulk-run").verdict == "passed"
    assert house.run("evaluate").verdict == "passed"
    return WorkFolder.of(house.directory / ".llmops", "support", None)


def with_gates(house: House) -> None:
    file = house.directory / "support" / "experiment.yaml"
    file.write_text(file.read_text(encoding="utf-8") + GATES, encoding="utf-8")


def test_the_files_are_where_the_outputs_say(house: House) -> None:
    folder = evaluated(house)
    outcome = house.run("report")
    assert outcome.verdict == "passed"
    paths = [outcome.outputs.report, outcome.outputs.summary, outcome.outputs.results, outcome.outputs.metrics_table]
    assert [Path(path).relative_to(folder.root).as_posix() for path in paths] == [
        "report/index.html",
        "report/summary.md",
        "report/results.csv",
        "report/metrics.csv",
    ]
    assert all(Path(path).stat().st_size for path in paths)
    assert outcome.summary.startswith("## support: no verdict")
    assert "The report is in `.llmops/support/base/report`." in outcome.summary
    assert messages(outcome) == "warning: There is no verdict: gate did not run."


def test_the_commit_is_in_the_report(house: House) -> None:
    evaluated(house)
    house.environ["GITHUB_SHA"] = "0123abcd" * 5
    outcome = house.run("report")
    for path in (outcome.outputs.report, outcome.outputs.summary, outcome.outputs.metrics_table):
        assert "0123abcd" * 5 in Path(path).read_text(encoding="utf-8")


def test_the_verdict_of_gate_is_told_and_the_step_passes(house: House) -> None:
    with_gates(house)
    house.runner.behaviour = lambda run, row: {"correct": row.line == 0} if "/" in run.name else {"answer": "x"}
    evaluated(house)
    assert house.run("gate", save_baseline="baseline.json").verdict != "usage"
    house.run("gate", baseline="baseline.json")
    outcome = house.run("report")
    assert outcome.verdict == "passed"
    assert outcome.outputs.decision in ("failed", "inconclusive")
    assert outcome.summary.startswith(f"## support: {outcome.outputs.decision}")
    page = Path(outcome.outputs.report).read_text(encoding="utf-8")
    assert "against the baseline baseline.json" in page
    assert outcome.outputs.regressed_rows == 0


def test_a_baseline_that_is_gone_does_not_stop_it(house: House) -> None:
    with_gates(house)
    evaluated(house)
    house.run("gate", save_baseline="baseline.json")
    house.run("gate", baseline="baseline.json")
    (house.directory / "baseline.json").unlink()
    assert house.run("report").verdict == "passed"


def test_the_summary_keeps_to_its_limit(house: House) -> None:
    evaluated(house)
    outcome = house.run("report", max_chars="300")
    assert len(Path(outcome.outputs.summary).read_text(encoding="utf-8")) <= 300


def test_a_work_folder_elsewhere_is_named_in_full(house: House, tmp_path_factory: object) -> None:
    elsewhere = house.directory.parent / f"{house.directory.name}-elsewhere"
    words = {"work_dir": str(elsewhere)}
    house.run("bulk-run", **words)
    outcome = house.run("report", **words)
    assert f"`{elsewhere.as_posix()}/support/base/report`" in outcome.summary


def test_there_must_be_a_run(house: House) -> None:
    outcome = house.run("report")
    assert outcome.verdict == "usage"
    assert "Run bulk-run first." in messages(outcome)


def test_a_run_that_did_not_end_is_told(house: House) -> None:
    folder = evaluated(house)
    file = folder.run_document("train.default")
    write_document(file, read_document(file, RunDocument).model_copy(update={"status": "running"}))
    assert house.run("report").verdict == "usage"
