"""``evaluate``: every evaluator on every bulk run that it matches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import Field

from llmops_actions.errors import UsageError
from llmops_actions.evaluation.scores import Metric, ScoreTotals, scores_of
from llmops_actions.experiment.experiment import Evaluator, MappedDataset
from llmops_actions.experiment.flows import load_flow
from llmops_actions.outcome import Finding, Verdict
from llmops_actions.platforms.ports import BulkRun, RunResult
from llmops_actions.reporting.text import markdown, number, table
from llmops_actions.steps.declaration import Names, Outcome, Outputs, Step
from llmops_actions.steps.inputs import EngineInputs, OfflineInputs, SweepInputs, UseCaseInputs
from llmops_actions.steps.planning import (
    completed_mappings,
    plan_runs,
    program_identity,
    surroundings_identity,
    without_address,
)
from llmops_actions.steps.rows import EvaluationRows, content_hash
from llmops_actions.steps.running import judge, run_settings, total_cost, usage_records, worst
from llmops_actions.steps.services import Services
from llmops_actions.steps.use_case import PLAIN, Surroundings, UseCase, open_use_case, surroundings
from llmops_actions.work_folder import (
    EvaluationRecord,
    MetricRecord,
    MetricsDocument,
    RunDocument,
    WorkFolder,
    read_document,
    read_lines,
    write_document,
    write_lines,
)


class EvaluateInputs(EngineInputs, SweepInputs, OfflineInputs, UseCaseInputs):
    """A use case whose bulk runs are there, and how to run the evaluators."""

    evaluators: Names = Field((), description="Names of the evaluators to run; all of the experiment by default.")


class EvaluateOutputs(Outputs):
    """What was scored."""

    evaluations: int = Field(0, description="Number of evaluations: evaluators times matching runs.")
    rows: int = Field(0, description="Rows that were to be scored, all evaluations together.")
    failed: int = Field(0, description="Rows without a score, those included that had failed in the bulk run.")
    cost: float | None = Field(None, description="Cost of the evaluators in USD; empty where a price is not known.")
    metrics: str = Field("", description="Path of metrics.json.")


@dataclass(frozen=True)
class _Evaluation:
    """One evaluator on one run."""

    bulk_run: BulkRun
    run: RunDocument
    evaluator: Evaluator
    mapped: MappedDataset
    scores: Path


def run(inputs: EvaluateInputs, services: Services) -> Outcome[EvaluateOutputs]:
    """Score the bulk runs; writes ``scores/<evaluator>/<run>.jsonl`` and ``metrics.json``.

    Raises:
        UsageError: there is no bulk run to evaluate, no such evaluator, or variables are missing.
        InterruptedRunError: someone stopped it; ``resume`` goes on from there.
    """
    use_case = open_use_case(inputs, services, inputs)
    evaluators = _chosen(use_case, inputs.evaluators)
    folder = use_case.work_folder
    with folder.locked(), surroundings(use_case.experiment, inputs, services) as around:
        runs, stale = _current_runs(use_case, around)
        evaluations = [each for evaluator in evaluators for each in _evaluations(evaluator, runs, around, folder)]
        services.progress.phase(
            f"evaluate: {len(evaluators)} evaluators, {len(runs)} runs, {len(evaluations)} evaluations"
        )
        results = services.runner(inputs.engine).run(
            [each.bulk_run for each in evaluations], run_settings(inputs, use_case.prices), services.progress.run
        )
        records, judged = [], []
        for evaluation, result in zip(evaluations, results, strict=True):
            records.append(_score(evaluation, result, folder))
            own_failures = result.failed - evaluation.run.failed
            what = f"{evaluation.evaluator.name} on {evaluation.run.name}"
            rows = evaluation.bulk_run.folder / "rows.jsonl"
            judged.append(judge(what, result, own_failures, inputs.max_failed_rows, rows))
        write_document(folder.metrics, _document(use_case, records))
    outputs = EvaluateOutputs(
        evaluations=len(records),
        rows=sum(record.rows for record in records),
        failed=sum(record.failed for record in records),
        cost=total_cost(result.cost for result in results),
        metrics=str(folder.metrics),
    )
    verdicts: list[Verdict] = [verdict for verdict, _ in judged]
    verdict = worst([*verdicts, "failed"] if stale else verdicts)
    findings = (*stale, *(finding for _, finding in judged if finding))
    where = f"Metrics: {markdown(folder.metrics, 500)}; a line for each row: {markdown(folder.root / 'scores', 500)}"
    return Outcome(verdict, outputs, f"{summarise(records)}\n\n{where}", findings)


def _chosen(use_case: UseCase, names: Sequence[str]) -> list[Evaluator]:
    known = {evaluator.name: evaluator for evaluator in use_case.experiment.evaluators}
    for name in names:
        if name not in known:
            raise UsageError(f"There is no evaluator `{name}`. The experiment has {', '.join(known) or 'none'}.")
    return [known[name] for name in names] if names else list(known.values())


def _current_runs(use_case: UseCase, around: Surroundings) -> tuple[list[RunDocument], list[Finding]]:
    """The bulk runs that ended and are still true of what is written; and a finding for each that is not."""
    runs: list[RunDocument] = []
    findings: list[Finding] = []
    for planned in plan_runs(use_case, around):
        name = planned.bulk_run.name
        file = use_case.work_folder.run_document(name)
        if not file.is_file():
            continue
        document = read_document(file, RunDocument)
        if document.fingerprint != planned.bulk_run.fingerprint:
            other = " (it ran against the stand-in model)" if document.offline and not around.offline_url else ""
            message = f"The run {name} is out of date: flow, data or settings changed{other}. Run bulk-run again."
            findings.append(Finding("error", message))
        elif document.status == "running":
            findings.append(Finding("error", f"The run {name} did not end. Go on with bulk-run --resume."))
        else:
            runs.append(document)
    if not runs and not findings:
        raise UsageError(f"There are no bulk runs in {use_case.work_folder.root}. Run bulk-run first.")
    return runs, findings


def _evaluations(
    evaluator: Evaluator, runs: Sequence[RunDocument], around: Surroundings, folder: WorkFolder
) -> Iterator[_Evaluation]:
    flow = load_flow(evaluator.path)
    program = around.program(flow, PLAIN)
    identity = program_identity(program)
    outside = surroundings_identity(around)
    for document in runs:
        matching = evaluator.datasets_for(document.dataset.name)
        for mapped in matching:
            name = document.name if len(matching) == 1 else f"{document.name}@{mapped.dataset.name}"
            file = mapped.dataset.local_file(mapped.location)
            mappings = completed_mappings(flow, mapped.mappings)
            rows = EvaluationRows(file, mappings, folder.rows(document.name))
            fingerprint = without_address(
                {
                    "program": identity,
                    "surroundings": outside,
                    "data": content_hash(file),
                    "run": document.fingerprint,
                    "rows": content_hash(folder.rows(document.name)),
                    "mappings": {key: str(source) for key, source in mappings.items()},
                },
                around,
            )
            bulk_run = BulkRun(
                name=f"{evaluator.name}/{name}",
                program=program,
                rows=rows,
                row_count=document.rows,
                folder=folder.evaluation_run(evaluator.name, name),
                fingerprint=fingerprint,
                connections=around.connections,
                environment=around.environment,
            )
            yield _Evaluation(bulk_run, document, evaluator, mapped, folder.scores(evaluator.name, name))


def _score(evaluation: _Evaluation, result: RunResult, folder: WorkFolder) -> EvaluationRecord:
    """Write the scores; the record for ``metrics.json``."""
    totals = ScoreTotals()

    def records() -> Iterator[dict[str, object]]:
        for row in read_lines(evaluation.bulk_run.folder / "rows.jsonl"):
            completed = row["status"] == "completed"
            outputs = row["outputs"] if completed else None
            scores = scores_of(outputs) if outputs is not None else None
            totals.add(scores)
            yield {
                "schema_version": 1,
                "line": row["line"],
                "key": row["key"],
                "status": row["status"],
                "scores": scores or {},
                "outputs": outputs,
                "error": row["error"],
            }

    write_lines(evaluation.scores, records())
    return EvaluationRecord(
        run=evaluation.run.name,
        variation=evaluation.run.variation.name,
        dataset=evaluation.run.dataset.name,
        evaluator=evaluation.evaluator.name,
        evaluation_dataset=evaluation.mapped.dataset.name,
        scores=evaluation.scores.relative_to(folder.root).as_posix(),
        fingerprint=evaluation.bulk_run.fingerprint,
        status=result.status,
        rows=totals.rows,
        completed=totals.rows - totals.failed_rows,
        failed=totals.failed_rows,
        metrics=tuple(_metric_record(metric) for metric in totals.metrics(result.metrics)),
        usage=usage_records(result.usage),
        cost=result.cost,
        error=result.error,
        duration=round(result.duration, 3),
    )


def _metric_record(metric: Metric) -> MetricRecord:
    return MetricRecord(**asdict(replace(metric, value=None if metric.value is None else round(metric.value, 12))))


def _document(use_case: UseCase, records: Sequence[EvaluationRecord]) -> MetricsDocument:
    return MetricsDocument(
        experiment=use_case.experiment.name,
        environment=use_case.experiment.environment,
        evaluations=tuple(records),
    )


def summarise(records: Sequence[EvaluationRecord]) -> str:
    """A line for each run and metric."""
    rows = [
        [
            markdown(record.variation),
            markdown(record.dataset),
            markdown(f"{record.evaluator}.{metric.name}"),
            number(metric.value),
            number(metric.n),
            number(metric.failed),
        ]
        for record in records
        for metric in record.metrics
    ]
    if not rows:
        return "There are no scores."
    return table(["variation", "dataset", "metric", "value", "n", "failed"], rows, "lllrrr")


STEP = Step("evaluate", EvaluateInputs, EvaluateOutputs, run)
