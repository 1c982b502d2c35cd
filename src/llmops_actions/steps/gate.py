"""``gate``: whether the results are good enough, by the experiment's gates and, where there is one, a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from llmops_actions.errors import UsageError
from llmops_actions.evaluation.gates import overall
from llmops_actions.evaluation.results import GateResult, GateVerdict
from llmops_actions.evaluation.selection import VariationRuns
from llmops_actions.evaluation.series import RunScores
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.parsing import nearest_name
from llmops_actions.outcome import Verdict
from llmops_actions.reporting.text import heading, markdown, number, stand_in_note, table
from llmops_actions.steps.baselines import VERDICT_FILE, Baseline, load_baseline, save_baseline
from llmops_actions.steps.compare import ComparisonInputs, make_comparison
from llmops_actions.steps.declaration import Outcome, Outputs, Step
from llmops_actions.steps.judging import (
    baseline_record,
    check_evaluated,
    findings,
    gate_record,
    judge,
    judged_runs,
)
from llmops_actions.steps.lineage import lineage
from llmops_actions.steps.scores import evaluated_runs, read_metrics, read_variations, without_cycle_search
from llmops_actions.steps.services import Services
from llmops_actions.verdict_documents import GateRecord, VerdictDocument
from llmops_actions.work_folder import WorkFolder, write_document

BEST = "best"
DEFAULT = "default"


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
    advisory: bool = Field(
        False, description="Show the verdict, but pass even if it is failed or inconclusive; not if it is an error."
    )
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
        PlatformError: a file of the work folder is damaged.
    """
    experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    folder = WorkFolder.of(services.directory / inputs.work_dir, experiment.name, inputs.env)
    with folder.locked(), without_cycle_search():
        variation = _variation(experiment, folder, inputs, services)
        check_evaluated(experiment, variation.name, read_metrics(folder))
        runs = judged_runs(experiment, variation.name, variation.runs)
        baseline = _baseline(inputs, services, experiment)
        results = [
            replace(each, on_inconclusive=each.on_inconclusive or inputs.on_inconclusive)
            for each in judge(experiment, runs, baseline)
        ]
        verdict, reason = overall(results)
        document = VerdictDocument(
            experiment=experiment.name,
            environment=experiment.environment,
            variation=variation.name,
            verdict=verdict,
            reason=reason,
            advisory=inputs.advisory,
            baseline=baseline_record(inputs.baseline or "", baseline) if baseline else None,
            gates=tuple(gate_record(result) for result in results),
            created_at=services.now().isoformat(timespec="seconds"),
        )
        write_document(folder.root / VERDICT_FILE, document)
        if inputs.save_baseline:
            save_baseline(services.directory / inputs.save_baseline, _as_baseline(document, runs, experiment, services))
    outputs = GateOutputs(
        decision=verdict,
        variation=variation.name,
        reason=reason,
        passed=_count(results, "passed"),
        failed=_count(results, "failed"),
        inconclusive=_count(results, "inconclusive"),
        regressed=_regressed(results),
        document=str(folder.root / VERDICT_FILE),
    )
    step_verdict: Verdict = "passed" if inputs.advisory and verdict != "error" else verdict
    shown = [replace(each, advisory=True) for each in results] if inputs.advisory else results
    offline = any(run.offline for run in evaluated_runs(folder, read_metrics(folder)))
    summary = f"{heading('gate', experiment.name, verdict)}\n\n{summarise(document)}{stand_in_note(offline)}"
    return Outcome(step_verdict, outputs, summary, findings(experiment, runs, shown, baseline))


def _count(results: Sequence[GateResult], verdict: GateVerdict) -> int:
    return sum(result.verdict == verdict for result in results)


def _regressed(results: Sequence[GateResult]) -> int:
    """Rows that are worse than in the baseline; those apart that broke a rule which needs none."""
    return len({(each.dataset, row.line) for each in results for row in each.regressed if row.baseline is not None})


def _variation(experiment: Experiment, folder: WorkFolder, inputs: GateInputs, services: Services) -> VariationRuns:
    """The variation to judge, with its scores; all are read only where they have to be compared."""
    documents = evaluated_runs(folder, read_metrics(folder))
    names = list(dict.fromkeys(document.variation.name for document in documents))
    wanted = inputs.variation
    if wanted == DEFAULT:
        wanted = next((each.variation.name for each in documents if each.variation.is_default), DEFAULT)
    elif wanted == BEST and len(names) == 1:
        [wanted] = names
    if wanted == BEST and BEST not in names:
        found = read_variations(folder)
        best = make_comparison(experiment, found, inputs, services).best_variation
        return next(each for each in found if each.name == best)
    if wanted not in names:
        nearest = nearest_name(wanted, names)
        hint = f"Did you mean `{nearest}`?" if nearest else f"There are {', '.join(names)}."
        raise UsageError(f"The variation `{wanted}` was not evaluated. {hint}")
    [found_one] = read_variations(folder, [wanted])
    return found_one


def _baseline(inputs: GateInputs, services: Services, experiment: Experiment) -> Baseline | None:
    if inputs.baseline is None:
        return None
    return load_baseline(inputs.baseline, services.directory, experiment.name, inputs.env)


def _as_baseline(
    document: VerdictDocument, runs: Sequence[RunScores], experiment: Experiment, services: Services
) -> Baseline:
    return Baseline(
        experiment=document.experiment,
        environment=document.environment,
        variation=document.variation,
        created_at=document.created_at,
        runs=tuple(runs),
        lineage=lineage(experiment.folder, services.environ),
    )


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
            markdown(gate.test) if gate.interval else "-",
            number(gate.n),
        ]
        for gate in document.gates
    ]
    header = ["gate", "dataset", "verdict", "value", "baseline", "interval", "test", "n"]
    parts = [head, table(header, rows, "lllrrrlr")]
    reasons = [
        f"- {markdown(gate.rule)} ({markdown(gate.dataset)}): {markdown(gate.reason, 600)}"
        for gate in document.gates
        if _needs_words(gate)
    ]
    if reasons:
        parts.append("\n".join(reasons))
    return "\n\n".join(parts)


def _needs_words(gate: GateRecord) -> bool:
    """Whether a table says too little: it did not pass, or passed for a reason of its own, or rows were left out."""
    alone = gate.only_candidate + gate.only_baseline + (gate.failed if gate.metric else 0)
    return gate.verdict != "passed" or gate.identical or gate.without_baseline or alone > 0


def _interval(gate: GateRecord) -> str:
    if gate.interval is None:
        return "-"
    sign = "+" if gate.kind == "baseline" else ""
    return f"{gate.interval.low:{sign}.3f} to {gate.interval.high:{sign}.3f}"


STEP = Step("gate", GateInputs, GateOutputs, run)
