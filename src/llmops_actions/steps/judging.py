"""What ``gate`` looks at and what it says: evidence from files, records for the document, findings at their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location, UsageError
from llmops_actions.evaluation.gates import check_names, judge_gates
from llmops_actions.evaluation.metric_gates import Evidence, RequiredRows
from llmops_actions.evaluation.results import GateResult
from llmops_actions.evaluation.series import MetricNameError, RunScores
from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.loading import find_dataset
from llmops_actions.experiment.mapping import MappingError, Mappings, apply
from llmops_actions.outcome import Finding
from llmops_actions.steps.baselines import Baseline, restored
from llmops_actions.steps.compare import interval_record
from llmops_actions.steps.planning import completed_mappings
from llmops_actions.verdict_documents import BaselineRecord, GateRecord, RegressedRow
from llmops_actions.work_folder import MetricsDocument


def judged_runs(experiment: Experiment, variation: str, runs: Sequence[RunScores]) -> list[RunScores]:
    """The variation's runs over the datasets that the experiment has in this environment.

    Raises:
        UsageError: a dataset was not run.
    """
    found = []
    for mapped in experiment.datasets:
        name = mapped.dataset.name
        run = next((run for run in runs if run.dataset == name), None)
        if run is None:
            raise UsageError(f"`{variation}` did not run over `{name}`. Run bulk-run and evaluate first.")
        found.append(run)
    return found


def check_evaluated(experiment: Experiment, variation: str, metrics: MetricsDocument) -> None:
    """Whether every evaluator that was at work scored all that it is for: what is missing could hide a failure.

    Raises:
        UsageError: with what is missing.
    """
    done = {(each.evaluator, each.dataset) for each in metrics.evaluations if each.variation == variation}
    at_work = {each.evaluator for each in metrics.evaluations}
    for evaluator in experiment.evaluators:
        for mapped in experiment.datasets:
            name = mapped.dataset.name
            if evaluator.name in at_work and evaluator.datasets_for(name) and (evaluator.name, name) not in done:
                raise UsageError(
                    f"`{evaluator.name}` did not score `{variation}` on `{name}`. Run bulk-run and evaluate again."
                )


def judge(experiment: Experiment, runs: Sequence[RunScores], baseline: Baseline | None) -> list[GateResult]:
    """Every gate on every run that it holds for.

    Raises:
        ExperimentError: a gate names a metric that does not exist, or rows that cannot be read.
    """
    evidence = Evidence(
        runs=runs,
        baseline=restored(baseline) if baseline else {},
        has_baseline=baseline is not None,
        required=_required(experiment),
    )
    for gate, place in experiment.gates:
        try:
            check_names(gate, evidence)
        except MetricNameError as error:
            raise ExperimentError(f"The gate cannot be judged: {error}", place) from error
    return judge_gates([gate for gate, _ in experiment.gates], evidence)


def _required(experiment: Experiment) -> RequiredRows:
    """The keys of the rows that ``each_row`` gates name, by file and dataset."""
    files = {gate.each_row.rows: place for gate, place in experiment.gates if gate.each_row and gate.each_row.rows}
    required: dict[tuple[str, str], list[str | None]] = {}
    for written, place in files.items():
        flow = load_flow(experiment.flow, experiment.repository)
        mappings = {each.dataset.name: completed_mappings(flow, each.mappings) for each in experiment.datasets}
        keys = _keys(find_dataset(experiment, written, place), mappings, place)
        required |= {(written, name): [each[name] for each in keys] for name in mappings}
    return required


def _keys(file: Path, mappings: dict[str, Mappings], place: Location) -> list[dict[str, str | None]]:
    """For each row of a file, its key in each dataset; ``None`` where the dataset's mappings do not fit."""
    keys = []
    for number, (_, values) in enumerate(read_rows(file), 1):
        of_row: dict[str, str | None] = {}
        problem = ""
        for name, each in mappings.items():
            try:
                of_row[name] = row_key(apply(each, values, {}))
            except MappingError as error:
                of_row[name] = None
                problem = str(error)
        if not any(of_row.values()):
            raise ExperimentError(f"Row {number} of {file.name} fits no dataset: {problem}", place)
        keys.append(of_row)
    return keys


def gate_record(result: GateResult) -> GateRecord:
    """The result as the document keeps it."""
    fields = {name: getattr(result, name) for name in GateRecord.model_fields if name not in ("interval", "regressed")}
    return GateRecord(
        **fields,
        interval=interval_record(result.interval),
        regressed=tuple(
            RegressedRow(key=row.key, line=row.line, score=row.score, baseline=row.baseline, candidate=row.candidate)
            for row in result.regressed
        ),
    )


def baseline_record(source: str, baseline: Baseline) -> BaselineRecord:
    """Where the baseline came from."""
    return BaselineRecord(
        source=source,
        experiment=baseline.experiment,
        environment=baseline.environment,
        variation=baseline.variation,
        created_at=baseline.created_at,
        lineage=baseline.lineage,
    )


def findings(
    experiment: Experiment, runs: Sequence[RunScores], results: Sequence[GateResult], baseline: Baseline | None
) -> tuple[Finding, ...]:
    """What to tell, with its place in the experiment file."""
    return (
        *_about_gates(experiment),
        *_about_baseline(experiment, runs, baseline),
        *(found for result in results for found in _about_result(experiment, result)),
    )


def _about_gates(experiment: Experiment) -> Iterator[Finding]:
    active = {each.dataset.name for each in experiment.datasets}
    if not experiment.gates:
        message = "The experiment has no `gates`, so nothing decides: passed by default."
        yield Finding("warning", message, experiment.file)
    for gate, place in experiment.gates:
        if gate.dataset is not None and gate.dataset not in active:
            message = f"{gate.rule}: not judged, since `{gate.dataset}` is not a dataset of this environment."
            yield Finding("warning", message, place)


def _about_baseline(experiment: Experiment, runs: Sequence[RunScores], baseline: Baseline | None) -> Iterator[Finding]:
    if baseline is None:
        if any(gate.needs_baseline for gate, _ in experiment.gates):
            yield Finding("warning", "THERE IS NO BASELINE: gates against it count as their without_baseline says.")
        return
    if baseline.experiment != experiment.name:
        yield Finding("warning", f"The baseline is of another experiment, `{baseline.experiment}`.")
    others = restored(baseline)
    alone = sorted(others.keys() - {run.dataset for run in runs})
    if alone:
        yield Finding("notice", f"The baseline also ran over {', '.join(alone)}, which nothing is compared with here.")
    changed = {
        name
        for run in runs
        if run.dataset in others
        for name, made_of in run.evaluators.items()
        if others[run.dataset].evaluators.get(name, made_of) not in ("", made_of)
    }
    for name in sorted(changed):
        message = f"The evaluator {name} is not the one that scored the baseline: differences may be its own."
        yield Finding("warning", message)


def _about_result(experiment: Experiment, result: GateResult) -> Iterator[Finding]:
    place = experiment.gates[result.index][1]
    message = f"{result.rule} ({result.dataset}): {result.verdict}. {result.reason}"
    if result.verdict != "passed":
        severe = result.decides and result.counts_as in ("failed", "error")
        yield Finding("error" if severe else "warning", message, place)
    elif result.without_baseline:
        yield Finding("warning", message, place)
