"""What GitHub is told of an outcome: outputs, summary and annotations, within GitHub's limits."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from tests.unit.github.corpus import CORPUS
from tests.unit.github.runner import Read, read_log, read_outputs

from llmops_actions.errors import Location
from llmops_actions.github.commands import WorkflowLog
from llmops_actions.github.masking import Secrets
from llmops_actions.github.presenter import SUMMARY_LIMIT, Place, append_summary, report, shown_findings
from llmops_actions.outcome import Finding, Outcome, Outputs


class SampleOutputs(Outputs):
    text: str = "plain"
    is_good: bool = True
    failed_rows: int = 0
    share: float | None = None
    names: tuple[str, ...] = ()
    nested: dict[str, Any] = Field(default_factory=dict)


class Job:
    """A job of which the files can be read back."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.output = folder / "output"
        self.summary = folder / "summary"
        self.stream = io.StringIO()
        self.log = WorkflowLog(self.stream)
        environ = {
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GITHUB_OUTPUT": str(self.output),
        }
        monkeypatch.setenv("GITHUB_OUTPUT", str(self.output))
        self.place = Place.of(environ, self.workspace)

    def report(self, outcome: Outcome[Any]) -> Read:
        self.log.stop()
        report("sample", outcome, self.place, self.log)
        return read_log(self.stream.getvalue())


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    return Job(tmp_path, monkeypatch)


def outcome(
    verdict: Any = "passed", *findings: Finding, summary: str = "# Done", **outputs: Any
) -> Outcome[SampleOutputs]:
    return Outcome(verdict, SampleOutputs(**outputs), summary, findings)


def test_outputs_are_typed(job: Job) -> None:
    job.report(outcome(is_good=False, failed_rows=3, share=None, names=("a", "b"), nested={"a": [1, None]}))
    assert read_outputs(job.output) == {
        "verdict": "passed",
        "text": "plain",
        "is-good": "false",
        "failed-rows": "3",
        "share": "",
        "names": '["a", "b"]',
        "nested": '{"a": [1, null]}',
    }


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS)
def test_hostile_text_stays_one_output(job: Job, text: str) -> None:
    read = job.report(outcome("failed", Finding("error", text), summary=text, text=text, names=(text,)))
    outputs = read_outputs(job.output)
    assert outputs["text"] == text.encode("utf-8", "replace").decode()
    assert json.loads(outputs["names"]) == [text]
    assert outputs["verdict"] == "failed"
    assert [command.name for command in read.commands] == ["error"]


def test_an_annotation_has_file_line_column_and_title(job: Job) -> None:
    inside = Finding("error", "no such column", Location(Path("flows/sample, or not/experiment.yaml"), 12, 3))
    absolute = Finding("warning", "odd", Location(job.workspace / "data.jsonl", 2))
    whole = Finding("notice", "whole file", Location(job.workspace / "data.jsonl"))
    outside = Finding("error", "far away", Location(Path("/elsewhere/x.yaml"), 4))
    nowhere = Finding("error", "no place")
    read = job.report(outcome("failed", inside, absolute, whole, outside, nowhere))
    title = {"title": "llmops sample"}
    assert [(each.name, each.message, each.properties) for each in read.annotations] == [
        ("error", "no such column", title | {"file": "flows/sample, or not/experiment.yaml", "line": "12", "col": "3"}),
        ("warning", "odd", title | {"file": "data.jsonl", "line": "2"}),
        ("notice", "whole file", title | {"file": "data.jsonl"}),
        ("error", "/elsewhere/x.yaml:4: far away", title),
        ("error", "no place", title),
    ]


def test_a_location_counts_from_the_steps_directory(job: Job) -> None:
    place = Place(job.workspace, job.workspace / "app", None, None)
    job.log.stop()
    report("sample", outcome("failed", Finding("error", "x", Location(Path("a.yaml"), 1))), place, job.log)
    assert read_log(job.stream.getvalue()).annotations[0].properties["file"] == "app/a.yaml"
    assert not job.output.exists()
    assert not job.summary.exists()


def test_more_than_github_shows_ends_in_one_notice() -> None:
    findings = [
        *(Finding("error", f"error {number}") for number in range(12)),
        *(Finding("warning", f"warning {number}") for number in range(11)),
        *(Finding("notice", f"notice {number}") for number in range(10)),
    ]
    shown = shown_findings(findings)
    levels = [finding.level for finding in shown]
    assert (levels.count("error"), levels.count("warning"), levels.count("notice")) == (10, 10, 10)
    assert shown[-1].message.startswith("33 findings in all; 2 more of level error, 1 more of level warning, 1 more of")


def test_as_many_as_github_shows_need_no_notice() -> None:
    findings = [Finding("error", str(number)) for number in range(10)]
    findings += [Finding("notice", str(number)) for number in range(10)]
    assert shown_findings(findings) == findings


def test_a_long_message_is_cut(job: Job) -> None:
    [annotation] = job.report(outcome("failed", Finding("error", "y" * 9000))).annotations
    assert annotation.message == "y" * 3999 + "…"


def test_a_summary_is_appended(job: Job) -> None:
    job.summary.write_text("before\n", encoding="utf-8")
    job.report(outcome(summary="## Mine\n\n- café"))
    assert job.summary.read_text(encoding="utf-8") == "before\n## Mine\n\n- café\n\n"


@pytest.mark.parametrize("before", [0, 1000, SUMMARY_LIMIT - 10, SUMMARY_LIMIT])
def test_a_summary_stays_within_githubs_limit(tmp_path: Path, before: int) -> None:
    file = tmp_path / "summary"
    file.write_bytes(b"b" * before)
    append_summary(file, "| é | row |\n" * 200_000)
    content = file.read_bytes()
    assert len(content) <= SUMMARY_LIMIT
    assert content.startswith(b"b" * before)
    added = content[before:].decode("utf-8")
    if before <= 1000:
        assert len(content) > SUMMARY_LIMIT - 200
        assert added.rstrip().endswith("The work folder has all of it._")
        assert set(added.partition("\n\n_")[0].splitlines()) == {"| é | row |"}
    else:
        assert added == ""


def test_details_follow_the_summary(job: Job) -> None:
    job.report(replace(outcome(summary="## Mine\n"), details="| finding |\n"))
    assert job.summary.read_text(encoding="utf-8") == "## Mine\n\n| finding |\n\n"


def test_a_step_that_did_not_run_says_why_in_its_summary(job: Job) -> None:
    finding = Finding("error", "no <such> thing", Location(Path("a.yaml"), 3))
    job.report(outcome("usage", finding, summary="**sample**: usage"))
    assert job.summary.read_text(encoding="utf-8") == "**sample**: usage\n\n- a.yaml\\:3\\: no &lt;such&gt; thing\n\n"


def test_no_secret_is_reported_anywhere(job: Job) -> None:
    job.log.mask(Secrets.of(["s3cret-value"]))
    job.stream.truncate(0)
    finding = Finding("error", "s3cret-value", Location(Path("s3cret-value.yaml"), 1))
    job.report(outcome("failed", finding, summary="s3cret-value", text="s3cret-value", names=("s3cret-value",)))
    everything = job.stream.getvalue() + job.summary.read_text() + job.output.read_text()
    assert "s3cret-value" not in everything
    assert read_outputs(job.output)["names"] == '["***"]'
