"""``bulk-run``: every variation of the flow over every dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from llmops_actions.platforms.ports import RunResult
from llmops_actions.reporting.text import dollars, heading, markdown, number, stand_in_note, table
from llmops_actions.steps.declaration import Outcome, Outputs, Step
from llmops_actions.steps.inputs import EngineInputs, OfflineInputs, RepeatInputs, SweepInputs, UseCaseInputs
from llmops_actions.steps.plan import size
from llmops_actions.steps.planning import SweepRun, make_plan, plan_runs, variation_record
from llmops_actions.steps.preconditions import refuse_what_cannot_run
from llmops_actions.steps.running import (
    announce,
    judge,
    run_settings,
    total_cost,
    total_tokens,
    usage_records,
    versions,
    worst,
)
from llmops_actions.steps.services import Services
from llmops_actions.steps.use_case import Surroundings, UseCase, open_use_case, surroundings
from llmops_actions.work_folder import RunDocument, write_document


class BulkRunInputs(EngineInputs, RepeatInputs, SweepInputs, OfflineInputs, UseCaseInputs):
    """A use case, its sweep, and how to run it."""


class BulkRunOutputs(Outputs):
    """What ran."""

    runs: tuple[str, ...] = Field((), description="Names of the bulk runs.")
    rows: int = Field(0, description="Number of rows, all runs together.")
    completed: int = Field(0, description="Rows that completed.")
    failed: int = Field(0, description="Rows that failed.")
    tokens: int | None = Field(
        None, description="Prompt and completion tokens, all models together; empty where they are not counted."
    )
    cost: float | None = Field(None, description="Cost in USD; empty where a price is not known.")
    work_folder: str = Field("", description="Folder with plan.json and runs/.")


def run(inputs: BulkRunInputs, services: Services) -> Outcome[BulkRunOutputs]:
    """Run the sweep; writes ``plan.json`` and ``runs/<run>/``.

    Raises:
        UsageError: no such use case or variation, or variables, columns or connections are missing: nothing ran.
        InterruptedRunError: someone stopped it; ``resume`` goes on from there.
    """
    runner = services.runner(inputs.engine)
    runner.prepare()
    use_case = open_use_case(inputs, services, inputs)
    with use_case.work_folder.locked(), surroundings(use_case.experiment, inputs, services) as around:
        runs = plan_runs(use_case, around, inputs.repeats)
        refuse_what_cannot_run(use_case, runs)
        plan = make_plan(use_case, runs)
        write_document(use_case.work_folder.plan, plan)
        services.progress.phase(f"bulk-run: {size(plan)}")
        documents = [_document(run, use_case, around, inputs, services) for run in runs]
        for document in documents:
            write_document(use_case.work_folder.run_document(document.name), document)
        bulk_runs = [run.bulk_run for run in runs]
        announce(bulk_runs, services.progress)
        results = runner.run(bulk_runs, run_settings(inputs, use_case.prices), services.progress.run)
        ended = [_ended(document, result) for document, result in zip(documents, results, strict=True)]
        for document in ended:
            write_document(use_case.work_folder.run_document(document.name), document)
    outcome = _outcome(inputs, use_case, ended, results)
    return replace(outcome, findings=(*around.findings, *outcome.findings))


def _document(
    run: SweepRun, use_case: UseCase, around: Surroundings, inputs: BulkRunInputs, services: Services
) -> RunDocument:
    return RunDocument(
        name=run.bulk_run.name,
        experiment=use_case.experiment.name,
        environment=use_case.experiment.environment,
        flow=str(use_case.experiment.flow.relative_to(use_case.experiment.repository)),
        flow_kind=use_case.flow.kind,
        variation=variation_record(run.variation),
        dataset=run.dataset,
        fingerprint=run.fingerprint,
        status="running",
        offline=around.offline_url is not None,
        repeats=run.repeats,
        rows=run.bulk_run.row_count,
        started_at=services.now().isoformat(timespec="seconds"),
        engine=inputs.engine,
        versions=versions(),
    )


def _ended(document: RunDocument, result: RunResult) -> RunDocument:
    return document.model_copy(
        update={
            "status": result.status,
            "completed": result.completed,
            "failed": result.failed,
            "reused": result.reused,
            "attempts": result.attempts,
            "usage": usage_records(result.usage),
            "cost": result.cost,
            "metrics": dict(result.metrics),
            "error": result.error,
            "duration": round(result.duration, 3),
        }
    )


def _outcome(
    inputs: BulkRunInputs, use_case: UseCase, documents: Sequence[RunDocument], results: Sequence[RunResult]
) -> Outcome[BulkRunOutputs]:
    folder = use_case.work_folder
    judged = [
        judge(result.name, result, result.failed, inputs.max_failed_rows, folder.rows(result.name))
        for result in results
    ]
    outputs = BulkRunOutputs(
        runs=tuple(document.name for document in documents),
        rows=sum(document.rows for document in documents),
        completed=sum(document.completed for document in documents),
        failed=sum(document.failed for document in documents),
        tokens=total_tokens(document.tokens for document in documents),
        cost=total_cost(result.cost for result in results),
        work_folder=str(folder.root),
    )
    findings = tuple(finding for _, finding in judged if finding)
    verdict = worst(verdict for verdict, _ in judged)
    summary = f"{heading('bulk-run', use_case.experiment.name, verdict)}\n\n{summarise(documents)}"
    return Outcome(verdict, outputs, summary, findings)


def summarise(documents: Sequence[RunDocument]) -> str:
    """A line for each run."""
    rows = [
        [
            markdown(document.variation.name),
            markdown(document.dataset.name),
            document.status,
            f"{number(document.completed)}/{number(document.rows)}",
            number(document.failed),
            number(document.tokens),
            dollars(document.cost),
            f"{document.duration:.1f} s",
        ]
        for document in documents
    ]
    header = ["variation", "dataset", "status", "completed", "failed", "tokens", "cost", "time"]
    offline = any(document.offline for document in documents)
    return table(header, rows, "lllrrrrr") + stand_in_note(offline)


STEP = Step("bulk-run", BulkRunInputs, BulkRunOutputs, run)
