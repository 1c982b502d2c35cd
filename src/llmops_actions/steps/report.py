"""``report``: the results as a page, as tables, and as a summary for a comment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from llmops_actions.errors import LlmopsError, UsageError
from llmops_actions.evaluation.series import RunScores
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.reporting.csv_files import write_metrics, write_results
from llmops_actions.reporting.facts import gather
from llmops_actions.reporting.overview import overview
from llmops_actions.reporting.pairing import make_pairing
from llmops_actions.reporting.results import Results, read_baseline, read_results
from llmops_actions.reporting.summary import Subject, summarise
from llmops_actions.steps.baselines import load_baseline, restored
from llmops_actions.steps.declaration import Finding, Outcome, Outputs, Step
from llmops_actions.steps.inputs import UseCaseInputs
from llmops_actions.steps.lineage import lineage
from llmops_actions.steps.services import Services
from llmops_actions.work_folder import WorkFolder, atomic_writer

FOLDER = "report"
STEP_SUMMARY = 6000
"""Characters of the step's own summary; ``summary.md`` has more."""


class ReportInputs(UseCaseInputs):
    """A use case whose runs are there, and how much of them the summary tells."""

    top_rows: int = Field(10, ge=0, le=1000, description="Regressed rows that summary.md shows.")
    max_chars: int = Field(
        65_000, ge=200, description="Characters that summary.md has at most; a comment on GitHub holds 65536."
    )


class ReportOutputs(Outputs):
    """Where the report is, and what it says."""

    report: str = Field("", description="Path of index.html.")
    summary: str = Field("", description="Path of summary.md.")
    results: str = Field("", description="Path of results.csv.")
    metrics_table: str = Field("", description="Path of metrics.csv.")
    decision: str = Field("", description="The verdict on the results: passed, failed, inconclusive or error.")
    regressed_rows: int = Field(0, description="Rows that regressed, of those that the report compares.")


def run(inputs: ReportInputs, services: Services) -> Outcome[ReportOutputs]:
    """Write ``report/`` into the work folder: ``index.html``, ``results.csv``, ``metrics.csv`` and ``summary.md``.

    The step passes when the report is written, whatever the verdict in it says.

    Raises:
        UsageError: there is no run to report.
        ExperimentError: the experiment file cannot be read.
        PlatformError: a file of the work folder is damaged.
    """
    from llmops_actions.reporting.html.page import Report, write_page

    experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    folder = WorkFolder.of(services.directory / inputs.work_dir, experiment.name, inputs.env)
    results = read_results(folder)
    if not results.runs:
        raise UsageError(f"There are no bulk runs that ended in {folder.root}. Run bulk-run first.")
    with folder.locked():
        services.progress.phase(f"report: {len(results.runs)} runs, {len(results.evaluations)} evaluations")
        baseline = read_baseline(results, services.directory) or _kept_scores(results, services.directory)
        facts = gather(results)
        pairing = make_pairing(results, baseline, facts.score_kinds)
        seen = overview(results, baseline, pairing, inputs.top_rows)
        origin = lineage(experiment.folder, services.environ)
        target = folder.root / FOLDER
        report = Report(results, baseline, facts, pairing, seen, origin, services.now())
        write_page(target / "index.html", report)
        write_results(target / "results.csv", results)
        write_metrics(target / "metrics.csv", facts, origin.get("commit"))
        subject = Subject(results, facts, pairing, seen, origin.get("commit"))
        with atomic_writer(target / "summary.md") as stream:
            stream.write(summarise(subject, inputs.max_chars))
    outputs = ReportOutputs(
        report=str(target / "index.html"),
        summary=str(target / "summary.md"),
        results=str(target / "results.csv"),
        metrics_table=str(target / "metrics.csv"),
        decision=results.verdict.verdict if results.verdict else "",
        regressed_rows=seen.regressed,
    )
    summary = (
        f"{summarise(subject, min(inputs.max_chars, STEP_SUMMARY))}\nThe report is in `{_shown(target, services)}`.\n"
    )
    return Outcome("passed", outputs, summary, tuple(_findings(results)))


def _kept_scores(results: Results, directory: Path) -> Mapping[str, RunScores] | None:
    """The scores of the verdict's baseline; ``None`` where it is not on this machine, or cannot be read any more."""
    if results.verdict is None or results.verdict.baseline is None:
        return None
    try:
        baseline = load_baseline(results.verdict.baseline.source, directory, results.experiment, results.environment)
    except LlmopsError:
        return None
    return restored(baseline)


def _shown(target: Path, services: Services) -> str:
    inside = target.is_relative_to(services.directory)
    return (target.relative_to(services.directory) if inside else target).as_posix()


def _findings(results: Results) -> list[Finding]:
    return [Finding("warning", note) for note in results.notes]


STEP = Step("report", ReportInputs, ReportOutputs, run)
