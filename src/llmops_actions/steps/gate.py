"""``gate``: whether the results are good enough, by the experiment's gates and, where there is one, a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from llmops_actions.errors import ExperimentError, UsageError
from llmops_actions.evaluation.baseline import BaselineDigest
from llmops_actions.evaluation.gates import (
    Evidence,
    GateResult,
    GateVerdict,
    UnknownMetricError,
    judge_gates,
    overall,
)
from llmops_actions.evaluation.series import RunScores
from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.loading import find_dataset, load_experiment
from llmops_actions.experiment.mapping import MappingError, apply
from llmops_actions.outcome import Finding, Verdict
from llmops_actions.reporting.text import heading, markdown, number, table
from llmops_actions.steps.baselines import VERDICT_FILE, digest_folder, load_baseline, restored
from llmops_actions.steps.compare import ComparisonInputs, make_comparison
from llmops_actions.steps.declaration import Outcome, Outputs, Step
from llmops_actions.steps.lineage import lineage
from llmops_actions.steps.planning import completed_mappings
from llmops_actions.steps.scores import evaluated_runs, read_metrics, read_scores
from llmops_actions.steps.services import Services
from llmops_actions.verdict_documents import (
    BaselineRecord,
    GateRecord,
    IntervalRecord,
    RegressedRow,
    VerdictDocument,
)
from llmops_actions.work_folder import WorkFolder, atomic_writer, write_document

BEST = "best"
DEFAULT = "default"
SHOWN_REGRESSIONS = 5


class GateInputs(ComparisonInputs):
    """A use case whose runs were evaluated, and what to hold them against."""

    variation: str = Field(
        BEST, description="Variation to judge: best (as compare chooses), default (of the sweep), or its name."
    )
    baseline: str | None = Field(
        None, description="Baseline: a baseline.json, a folder with one, or the work folder of an earlier run."
    )
    save_baseline: Path | None = Field(
        None, description="File to write the judged variation's scores to, as a baseline for later runs."
    )
    advisory: bool = Field(False, description="Show the verdict, but pass whatever it is.")
    on_inconclusive: Literal["pass", "fail"] | None = Field(
        None, description="What an inconclusive gate counts as, where the gate does not say itself."
    )


class GateOutputs(Outputs):
    """The decision."""

    decision: str = Field("", description="The verdict on the results: passed, failed, inconclusive or error.")
    variation: str = Field("", description="Variation that was judged.")
    reason: str = Field("", description="Why, in one sentence.")
    passed: int = Field(0, description="Number of gates that passed.")
    failed: int = Field(0, description="Number of gates that failed.")
    inconclusive: int = Field(0, description="Number of gates that are inconclusive.")
    regressed: int = Field(0, description="Number of rows that are worse than in the baseline.")
    document: str = Field("", description="Path of verdict.json.")


def run(inputs: GateInputs, services: Services) -> Outcome[GateOutputs]:
    """Judge one variation; writes ``verdict.json``.

    Raises:
        UsageError: nothing was evaluated, no such variation, or no such baseline.
        ExperimentError: a gate names what does not exist.
    """
    experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    folder = WorkFolder.of(services.directory / inputs.work_dir, experiment.name, inputs.env)
    with folder.locked():
        variation = _variation(experiment, folder, inputs, services)
        metrics = read_metrics(folder)
        documents = [each for each in evaluated_runs(folder, metrics) if each.variation.name == variation]
        runs = [read_scores(folder, document, metrics) for document in documents]
        baseline = _baseline(inputs, services, experiment)
        results = _judge(experiment, runs, baseline, inputs)
        verdict, reason = overall(results)
        document = VerdictDocument(
            experiment=experiment.name,
            environment=experiment.environment,
            variation=variation,
            verdict=verdict,
            reason=reason,
            baseline=_baseline_record(inputs.baseline or "", baseline) if baseline else None,
            gates=tuple(_record(result) for result in results),
            created_at=services.now().isoformat(timespec="seconds"),
        )
        write_document(folder.root / VERDICT_FILE, document)
        if inputs.save_baseline:
            digest = digest_folder(folder, variation, lineage(experiment.folder, services.environ), document.created_at)
            with atomic_writer(services.directory / inputs.save_baseline) as stream:
                stream.write(f"{digest.model_dump_json()}\n")
    outputs = GateOutputs(
        decision=verdict,
        variation=variation,
        reason=reason,
        passed=_count(results, "passed"),
        failed=_count(results, "failed"),
        inconclusive=_count(results, "inconclusive"),
        regressed=len({(row.key, row.line) for result in results for row in result.regressed}),
        document=str(folder.root / VERDICT_FILE),
    )
    findings = _findings(experiment, results, baseline)
    step_verdict: Verdict = "passed" if inputs.advisory else verdict
    summary = f"{heading('gate', experiment.name, verdict)}\n\n{summarise(document)}"
    return Outcome(step_verdict, outputs, summary, findings)


def _count(results: Sequence[GateResult], verdict: GateVerdict) -> int:
    return sum(result.verdict == verdict for result in results)


def _variation(experiment: Experiment, folder: WorkFolder, inputs: GateInputs, services: Services) -> str:
    documents = evaluated_runs(folder, read_metrics(folder))
    names = list(dict.fromkeys(document.variation.name for document in documents))
    if not names:
        raise UsageError(f"Nothing was evaluated in {folder.root}: the experiment has no evaluator that matches a run.")
    if inputs.variation in names:
        return inputs.variation
    if inputs.variation == DEFAULT:
        return next((document.variation.name for document in documents if document.variation.is_default), names[0])
    if inputs.variation == BEST:
        return names[0] if len(names) == 1 else make_comparison(experiment, folder, inputs, services).best_variation
    raise UsageError(f"The variation `{inputs.variation}` was not evaluated. There are {', '.join(names)}.")


def _baseline(inputs: GateInputs, services: Services, experiment: Experiment) -> BaselineDigest | None:
    if inputs.baseline is None:
        return None
    return load_baseline(inputs.baseline, services.directory, experiment.name, inputs.env)


def _judge(
    experiment: Experiment, runs: Sequence[RunScores], baseline: BaselineDigest | None, inputs: GateInputs
) -> list[GateResult]:
    evidence = Evidence(
        runs=runs,
        baseline=restored(baseline) if baseline else {},
        has_baseline=baseline is not None,
        required=_required(experiment, runs),
    )
    for gate, place in experiment.gates:
        try:
            judge_gates([gate], evidence)
        except UnknownMetricError as error:
            raise ExperimentError(f"The gate cannot be judged: {error}.", place) from error
    results = judge_gates([gate for gate, _ in experiment.gates], evidence)
    return [
        replace(
            result,
            advisory=result.advisory or inputs.advisory,
            on_inconclusive=result.on_inconclusive or inputs.on_inconclusive,
        )
        for result in results
    ]


def _required(experiment: Experiment, runs: Sequence[RunScores]) -> Mapping[tuple[str, str], frozenset[str]]:
    """The keys of the rows that ``each_row`` gates name, by file and dataset."""
    files = {gate.each_row.rows: place for gate, place in experiment.gates if gate.each_row and gate.each_row.rows}
    if not files:
        return {}
    flow = load_flow(experiment.flow)
    judged = {run.dataset for run in runs}
    required = {}
    for written, place in files.items():
        file = find_dataset(experiment, written, place)
        for mapped in experiment.datasets:
            if mapped.dataset.name in judged:
                mappings = completed_mappings(flow, mapped.mappings)
                try:
                    keys = frozenset(row_key(apply(mappings, values, {})) for _, values in read_rows(file))
                except MappingError as error:
                    raise ExperimentError(f"A row of {written}: {error}", place) from error
                required[written, mapped.dataset.name] = keys
    return required


def _baseline_record(source: str, baseline: BaselineDigest) -> BaselineRecord:
    return BaselineRecord(
        source=source,
        experiment=baseline.experiment,
        environment=baseline.environment,
        variation=baseline.variation,
        created_at=baseline.created_at,
        lineage=baseline.lineage,
    )


def _record(result: GateResult) -> GateRecord:
    interval = result.interval
    fields = {name: getattr(result, name) for name in GateRecord.model_fields if name not in ("interval", "regressed")}
    return GateRecord(
        **fields,
        interval=IntervalRecord(low=interval.low, high=interval.high, confidence=interval.confidence)
        if interval
        else None,
        regressed=tuple(
            RegressedRow(key=row.key, line=row.line, score=row.score, baseline=row.baseline, candidate=row.candidate)
            for row in result.regressed
        ),
    )


def _findings(
    experiment: Experiment, results: Sequence[GateResult], baseline: BaselineDigest | None
) -> tuple[Finding, ...]:
    places = {gate.rule: place for gate, place in experiment.gates}
    findings: list[Finding] = []
    if not experiment.gates:
        findings.append(
            Finding("warning", "The experiment has no `gates`, so nothing decides: passed by default.", experiment.file)
        )
    if baseline is None and any(gate.against for gate, _ in experiment.gates):
        findings.append(
            Finding("warning", "THERE IS NO BASELINE: gates against it count as their without_baseline says.")
        )
    if baseline is not None and baseline.experiment != experiment.name:
        findings.append(Finding("warning", f"The baseline is of another experiment, `{baseline.experiment}`."))
    for result in results:
        if result.verdict != "passed":
            severe = not result.advisory and result.counts_as in ("failed", "error")
            message = f"{result.rule} ({result.dataset}): {result.verdict}. {result.reason}"
            findings.append(Finding("error" if severe else "warning", message, places.get(result.rule)))
    return tuple(findings)


def summarise(document: VerdictDocument) -> str:
    """The decision in words, and a line for each gate."""
    head = f"**{document.verdict}**: {markdown(document.reason, 500)} Variation: {markdown(document.variation)}."
    if not document.gates:
        return head
    rows = [
        [
            markdown(gate.rule),
            markdown(gate.dataset),
            f"{gate.verdict}{' (advisory)' if gate.advisory else ''}",
            number(gate.value),
            number(gate.baseline),
            _interval(gate),
            number(gate.n),
        ]
        for gate in document.gates
    ]
    header = ["gate", "dataset", "verdict", "value", "baseline", "interval", "n"]
    parts = [head, table(header, rows, "lllrrrr")]
    reasons = [
        f"- {markdown(gate.rule)} ({markdown(gate.dataset)}): {markdown(gate.reason, 600)}"
        for gate in document.gates
        if gate.verdict != "passed" or gate.identical
    ]
    if reasons:
        parts.append("\n".join(reasons))
    return "\n\n".join(parts)


def _interval(gate: GateRecord) -> str:
    if gate.interval is None:
        return "-"
    sign = "+" if gate.kind == "baseline" else ""
    return f"{gate.interval.low:{sign}.3f} to {gate.interval.high:{sign}.3f}"


STEP = Step("gate", GateInputs, GateOutputs, run)
