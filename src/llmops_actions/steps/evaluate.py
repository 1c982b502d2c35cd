"""``evaluate``: every evaluator on every bulk run that it matches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import Field

from llmops_actions.errors import ExperimentError, Location, UsageError
from llmops_actions.evaluation.scores import Metric, ScoreTotals, scores_of
from llmops_actions.experiment.datasets import not_scored
from llmops_actions.experiment.experiment import Evaluator, MappedDataset
from llmops_actions.experiment.fingerprint import of_folder
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.outcome import Finding, Verdict
from llmops_actions.platforms.ports import BulkRun, RunResult
from llmops_actions.reporting.text import counted, heading, markdown, number, stand_in_note, table
from llmops_actions.steps.declaration import Names, Outcome, Outputs, Step
from llmops_actions.steps.inputs import EngineInputs, OfflineInputs, SweepInputs, UseCaseInputs
from llmops_actions.steps.planning import (
    SweepRun,
    completed_mappings,
    described,
    fingerprint,
    plan_runs,
    program_identity,
    surroundings_identity,
)
from llmops_actions.steps.rows import DatasetFacts, EvaluationRows, content_hash, dataset_facts
from llmops_actions.steps.running import announce, judge, run_settings, total_cost, usage_records, worst
from llmops_actions.steps.services import Services
from llmops_actions.steps.use_case import PLAIN, Surroundings, UseCase, open_use_case, surroundings
from llmops_actions.work_folder import (
    ROWS_FILE,
    EvaluationRecord,
    MetricRecord,
    MetricsDocument,
    RowDocument,
    RunDocument,
    ScoreDocument,
    WorkFolder,
    folder_name,
    read_document,
    read_lines,
    write_document,
    write_lines,
)

SHOWN = 5
"""Names in a message that could have many."""


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
    """One evaluator on one run.

    ``data_rows``: how many rows the evaluator's dataset has. ``failed_before``: how many of the rows that are scored
    had failed in the bulk run. ``identity``: what scores it, as a fingerprint; scores of
    the same identity can be compared.
    """

    bulk_run: BulkRun
    run: RunDocument
    evaluator: Evaluator
    mapped: MappedDataset
    scores: Path
    data_file: Path
    data_rows: int
    failed_before: int
    identity: str


def run(inputs: EvaluateInputs, services: Services) -> Outcome[EvaluateOutputs]:
    """Score the bulk runs; writes ``scores/<evaluator>/<run>.jsonl`` and ``metrics.json``.

    Raises:
        UsageError: there is no bulk run to evaluate, no such evaluator, or variables are missing.
        ExperimentError: a dataset of an evaluator cannot be read.
        InterruptedRunError: someone stopped it; ``resume`` goes on from there.
    """
    runner = services.runner(inputs.engine)
    runner.prepare()
    use_case = open_use_case(inputs, services, inputs)
    evaluators = _chosen(use_case, inputs.evaluators)
    folder = use_case.work_folder
    with folder.locked(), surroundings(use_case.experiment, inputs, services) as around:
        runs, unusable, findings = _current_runs(use_case, around)
        findings += around.findings
        if not runs:
            # The scores of earlier runs are better than none: what is there stays.
            return _nothing_to_score(use_case, findings)
        evaluations = [each for evaluator in evaluators for each in _evaluations(evaluator, runs, around, use_case)]
        findings += [*_unmatched(evaluators, evaluations, unusable), *_unequal(evaluations)]
        services.progress.phase(
            f"evaluate: {counted(len(evaluators), 'evaluator')}, {counted(len(runs), 'run')}, "
            f"{counted(len(evaluations), 'evaluation')}"
        )
        bulk_runs = [each.bulk_run for each in evaluations]
        announce(bulk_runs, services.progress)
        results = runner.run(bulk_runs, run_settings(inputs, use_case.prices), services.progress.run)
        records = [_score(each, result, folder) for each, result in zip(evaluations, results, strict=True)]
        write_document(folder.metrics, _document(use_case, records))
        verdicts: list[Verdict] = ["failed" for finding in findings if finding.level == "error"]
        for evaluation, result in zip(evaluations, results, strict=True):
            verdict, finding = _judged(evaluation, result, inputs.max_failed_rows)
            verdicts.append(verdict)
            findings += [finding] if finding else []
    outputs = EvaluateOutputs(
        evaluations=len(records),
        rows=sum(record.rows for record in records),
        failed=sum(record.failed for record in records),
        cost=total_cost(result.cost for result in results),
        metrics=str(folder.metrics),
    )
    verdict = worst(verdicts)
    offline = stand_in_note(any(each.run.offline for each in evaluations))
    summary = f"{heading('evaluate', use_case.experiment.name, verdict)}\n\n{summarise(records)}{offline}"
    return Outcome(verdict, outputs, summary, tuple(findings))


def _nothing_to_score(use_case: UseCase, findings: Sequence[Finding]) -> Outcome[EvaluateOutputs]:
    """Every run is out of date: ``metrics.json`` stays as it is."""
    summary = f"{heading('evaluate', use_case.experiment.name, 'failed')}\n\nThere is no run that can be scored."
    return Outcome("failed", EvaluateOutputs(), summary, tuple(findings))


def _judged(evaluation: _Evaluation, result: RunResult, allowed: int) -> tuple[Verdict, Finding | None]:
    """The verdict on an evaluation; rows that failed in the bulk run before are not the evaluator's."""
    what = f"{evaluation.evaluator.name} on {evaluation.run.name}"
    own_failures = result.failed - evaluation.failed_before
    return judge(what, result, own_failures, allowed, evaluation.bulk_run.folder / ROWS_FILE)


def _chosen(use_case: UseCase, names: Sequence[str]) -> list[Evaluator]:
    known = {evaluator.name: evaluator for evaluator in use_case.experiment.evaluators}
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known, f"The experiment has {', '.join(known) or 'none'}.")
            raise UsageError(f"There is no evaluator `{name}`. {hint}")
    return [each for each in known.values() if each.name in names] if names else list(known.values())


def _current_runs(
    use_case: UseCase, around: Surroundings
) -> tuple[list[RunDocument], list[RunDocument], list[Finding]]:
    """The bulk runs that ended and are still true of what is written; those that are not, with a finding for each."""
    runs: list[RunDocument] = []
    unusable: list[RunDocument] = []
    findings: list[Finding] = []
    missing: list[str] = []
    for planned in plan_runs(use_case, around):
        name = planned.bulk_run.name
        file = use_case.work_folder.run_document(name)
        if not file.is_file():
            missing.append(name)
            continue
        document = read_document(file, RunDocument)
        problem = _problem_of(document, planned, use_case.work_folder, around)
        if problem:
            unusable.append(document)
            findings.append(Finding("error", problem))
        else:
            runs.append(document)
    if not runs and not findings:
        raise UsageError(f"There are no bulk runs in {use_case.work_folder.root}. Run bulk-run first.")
    if missing:
        names = ", ".join(missing[:SHOWN]) + (", …" if len(missing) > SHOWN else "")
        what = "run of the sweep is" if len(missing) == 1 else "runs of the sweep are"
        findings.append(Finding("warning", f"{len(missing)} {what} not there, so not scored: {names}."))
    return runs, unusable, findings


def _problem_of(document: RunDocument, planned: SweepRun, folder: WorkFolder, around: Surroundings) -> str | None:
    """Why a run cannot be scored, ``None`` if it can."""
    name = document.name
    if document.offline and not around.offline_url:
        return f"The run {name} ran against the stand-in model. Run bulk-run again, or add --offline."
    if not document.offline and around.offline_url:
        return f"The run {name} ran against real models. Run bulk-run again with --offline, or leave out --offline."
    if document.fingerprint != planned.fingerprint:
        return f"The run {name} is out of date: flow, data or settings changed. Run bulk-run again."
    if document.status == "running":
        return f"The run {name} did not end. Go on with bulk-run --resume."
    if not folder.rows(name).is_file():
        return f"The run {name} has lost its {ROWS_FILE}. Run bulk-run again."
    return None


def _unmatched(
    evaluators: Sequence[Evaluator], evaluations: Sequence[_Evaluation], unusable: Sequence[RunDocument]
) -> list[Finding]:
    """A warning for each evaluator without a run; runs that are out of date are told of already."""
    matched = {each.evaluator.name for each in evaluations}
    matched |= {each.name for each in evaluators if any(each.datasets_for(run.dataset.name) for run in unusable)}
    return [
        Finding("warning", f"The evaluator {each.name} matches none of the runs, so it scored nothing.", each.location)
        for each in evaluators
        if each.name not in matched
    ]


def _unequal(evaluations: Sequence[_Evaluation]) -> Iterator[Finding]:
    """A dataset with more or fewer rows than the run: perhaps one in between, and all after it are joined wrongly.

    What only one side has is left out, as prompt flow does, so that a file that it takes runs here as well.
    """
    told = set()
    for each in evaluations:
        name, rows = each.mapped.dataset.name, each.run.dataset.rows
        if each.data_rows != rows and name not in told:
            told.add(name)
            if each.data_rows < rows:
                text = f"{not_scored(rows, each.data_rows, each.data_file.name)} Rows are joined by their number."
            else:
                text = (
                    f"`{name}` has {counted(each.data_rows, 'row')}, its runs have {rows:,}. Rows are joined by their "
                    "number, and those beyond are not used."
                )
            yield Finding("warning", text, each.mapped.location)


def _evaluations(
    evaluator: Evaluator, runs: Sequence[RunDocument], around: Surroundings, use_case: UseCase
) -> Iterator[_Evaluation]:
    folder = use_case.work_folder
    flow = load_flow(evaluator.path, use_case.experiment.repository)
    program = around.program(flow, PLAIN)
    identity = {
        "program": program_identity(program, of_folder(flow.folder, flow.includes)),
        "surroundings": surroundings_identity(around),
    }
    facts: dict[Path, DatasetFacts] = {}
    for document in runs:
        matching = evaluator.datasets_for(document.dataset.name)
        for mapped in matching:
            file = mapped.dataset.local_file(mapped.location)
            if file not in facts:
                facts[file] = dataset_facts(file)
            if not facts[file].rows:
                raise ExperimentError(f"The dataset `{mapped.dataset.name}` has no rows.", Location(file))
            mappings = completed_mappings(flow, mapped.mappings)
            name = document.name
            if len(matching) > 1:
                name = f"{document.name}@{folder_name(mapped.dataset.name)}"
            parts = {
                **identity,
                "data": facts[file].sha256,
                "run": document.fingerprint,
                "rows": content_hash(folder.rows(document.name)),
                "mappings": described(mappings),
            }
            bulk_run = BulkRun(
                name=f"{evaluator.name}/{name}",
                program=program,
                rows=EvaluationRows(file, mappings, folder.rows(document.name), document.repeats),
                row_count=min(document.rows, facts[file].rows * document.repeats),
                folder=folder.evaluation_run(evaluator.name, name),
                fingerprint=fingerprint(parts, around),
                connections=around.connections,
                environment=around.environment,
            )
            scores = folder.scores(evaluator.name, name)
            scorer = fingerprint({**identity, "mappings": described(mappings)}, around)
            yield _Evaluation(
                bulk_run=bulk_run,
                run=document,
                evaluator=evaluator,
                mapped=mapped,
                scores=scores,
                data_file=file,
                data_rows=facts[file].rows,
                failed_before=_failed_before(document, folder, bulk_run.row_count),
                identity=scorer,
            )


def _failed_before(document: RunDocument, folder: WorkFolder, rows: int) -> int:
    """How many of the first ``rows`` rows of a run failed in it."""
    if rows == document.rows or not document.failed:
        return document.failed
    records = read_lines(folder.rows(document.name), RowDocument)
    return sum(record.line < rows and record.status == "failed" for record in records)


def _score(evaluation: _Evaluation, result: RunResult, folder: WorkFolder) -> EvaluationRecord:
    """Write the scores; the record for ``metrics.json``."""
    totals = ScoreTotals()

    def documents() -> Iterator[ScoreDocument]:
        for row in read_lines(evaluation.bulk_run.folder / ROWS_FILE, RowDocument):
            completed = row.status == "completed"
            scores = scores_of(row.outputs or {}) if completed else None
            totals.add(scores)
            yield ScoreDocument(
                line=row.line,
                key=row.key,
                status=row.status,
                scores=scores or {},
                outputs=row.outputs if completed else None,
                error=row.error,
            )

    write_lines(evaluation.scores, documents())
    return EvaluationRecord(
        run=evaluation.run.name,
        variation=evaluation.run.variation.name,
        dataset=evaluation.run.dataset.name,
        evaluator=evaluation.evaluator.name,
        evaluation_dataset=evaluation.mapped.dataset.name,
        scores=evaluation.scores.relative_to(folder.root).as_posix(),
        fingerprint=evaluation.bulk_run.fingerprint,
        run_fingerprint=evaluation.run.fingerprint,
        evaluator_fingerprint=evaluation.identity,
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
    """A line for each run and metric; one with dashes where an evaluation has no metric."""
    evaluations = Counter((record.run, record.evaluator) for record in records)
    rows = []
    for record in records:
        several = evaluations[record.run, record.evaluator] > 1
        dataset = f"{record.dataset} ({record.evaluation_dataset})" if several else record.dataset
        where = [markdown(record.variation), markdown(dataset)]
        if not record.metrics:
            rows.append([*where, markdown(record.evaluator), "-", number(0), number(record.failed)])
        for metric in record.metrics:
            name = markdown(f"{record.evaluator}.{metric.name}")
            rows.append([*where, name, number(metric.value), number(metric.n), number(metric.failed)])
    if not rows:
        return "There are no scores."
    return table(["variation", "dataset", "metric", "value", "n", "failed"], rows, "lllrrr")


STEP = Step("evaluate", EvaluateInputs, EvaluateOutputs, run)
