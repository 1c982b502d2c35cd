"""``compare``: all variations of a sweep against the default, and the winner."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from llmops_actions.errors import UsageError
from llmops_actions.evaluation.paired import FailedRows
from llmops_actions.evaluation.selection import Compared, Criterion, Selection, VariationRuns, select
from llmops_actions.evaluation.series import MetricNameError, RunScores, find_series, logged_value, unknown_metric
from llmops_actions.evaluation.statistics import Interval
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.gates import DEFAULT_CONFIDENCE
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.reporting.text import dollars, heading, markdown, number, stand_in_note, table
from llmops_actions.steps.baselines import COMPARISON_FILE
from llmops_actions.steps.declaration import Finding, Outcome, Outputs, Step
from llmops_actions.steps.inputs import UseCaseInputs
from llmops_actions.steps.scores import (
    evaluated_runs,
    percentile,
    read_metrics,
    read_variations,
    without_cycle_search,
)
from llmops_actions.steps.services import Services
from llmops_actions.verdict_documents import (
    ComparisonDocument,
    IntervalRecord,
    VariationComparison,
    VariationTotals,
)
from llmops_actions.work_folder import WorkFolder, write_document

NOTHING_TO_COMPARE = "No evaluator gives a score for each row, so variations cannot be compared; the default stays."


class ComparisonInputs(UseCaseInputs):
    """A use case whose runs were evaluated, and what to compare."""

    metric: str | None = Field(
        None,
        description="Score to choose by: <score> or <evaluator>.<score>; by default that of the first gate on a "
        "metric, else the first score of the first evaluator.",
    )
    lower_is_better: bool = Field(
        False,
        description="Whether the variation with the lowest score is the best; a gate on the score that has at_most or "
        "max_rise says so, too.",
    )
    confidence: float = Field(
        DEFAULT_CONFIDENCE,
        ge=0.5,
        lt=1,
        description="Level of the intervals and tests by which variations are compared; gates have their own.",
    )


class CompareOutputs(Outputs):
    """The winner."""

    best_variation: str = Field("", description="Name of the best variation.")
    metric: str = Field("", description="Score that it was chosen by.")
    reason: str = Field("", description="Why it is the best, in one sentence.")
    comparison: str = Field("", description="Path of comparison.json.")


def run(inputs: ComparisonInputs, services: Services) -> Outcome[CompareOutputs]:
    """Compare the variations; writes ``comparison.json``.

    Raises:
        UsageError: nothing was evaluated, or no evaluator gives the metric.
        PlatformError: a file of the work folder is damaged.
    """
    experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    folder = WorkFolder.of(services.directory / inputs.work_dir, experiment.name, inputs.env)
    with folder.locked(), without_cycle_search():
        variations = read_variations(folder)
        document = make_comparison(experiment, variations, inputs, services)
        write_document(folder.root / COMPARISON_FILE, document)
    outputs = CompareOutputs(
        best_variation=document.best_variation,
        metric=document.metric,
        reason=document.reason,
        comparison=str(folder.root / COMPARISON_FILE),
    )
    findings = () if document.metric or len(variations) == 1 else (Finding("warning", document.reason),)
    offline = any(run.offline for run in evaluated_runs(folder, read_metrics(folder)))
    summary = f"{heading('compare', experiment.name, 'passed')}\n\n{summarise(document)}{stand_in_note(offline)}"
    return Outcome("passed", outputs, summary, findings)


def make_comparison(
    experiment: Experiment, variations: Sequence[VariationRuns], inputs: ComparisonInputs, services: Services
) -> ComparisonDocument:
    """All variations that were evaluated, against the default.

    Raises:
        UsageError: no evaluator gives the metric that was asked for.
    """
    criterion = _criterion(inputs, experiment, variations)
    default = next((each.name for each in variations if each.is_default), "")
    if criterion:
        selection = select(variations, criterion)
    else:
        selection = Selection(default or variations[0].name, NOTHING_TO_COMPARE, ())
    return ComparisonDocument(
        experiment=experiment.name,
        environment=experiment.environment,
        metric=criterion.metric if criterion else "",
        default=default,
        best_variation=selection.best,
        reason=selection.reason,
        variations=tuple(_totals(each) for each in variations),
        comparisons=tuple(_comparison(each, criterion.metric) for each in selection.compared) if criterion else (),
        created_at=services.now().isoformat(timespec="seconds"),
    )


def _criterion(
    inputs: ComparisonInputs, experiment: Experiment, variations: Sequence[VariationRuns]
) -> Criterion | None:
    """What to choose by; ``None`` where there is nothing. A gate on the score says how it is read."""
    runs = [run for variation in variations for run in variation.runs]
    gates = [(gate, full_name(gate.metric, runs)) for gate, _ in experiment.gates if gate.metric]
    if inputs.metric is not None:
        metric = full_name(inputs.metric, runs)
        if metric is None:
            raise UsageError(_no_rows(inputs.metric, runs))
    else:
        named = [name for _, name in gates if name] + [series.metric for run in runs for series in run.series]
        metric = next(iter(named), None)
    if metric is None:
        return None
    gate = next((gate for gate, name in gates if name == metric), None)
    return Criterion(
        metric,
        inputs.confidence,
        lower_is_better=inputs.lower_is_better or (gate is not None and gate.lower_is_better),
        failed=FailedRows(gate.failed_rows, gate.worst) if gate else FailedRows(),
    )


def full_name(metric: str, runs: Sequence[RunScores]) -> str | None:
    """``<evaluator>.<score>`` of the score that a name stands for; ``None`` where it has no values for each row.

    Raises:
        UsageError: several evaluators have it.
    """
    for run in runs:
        try:
            found = find_series(run, metric, runs)
        except MetricNameError as error:
            raise UsageError(str(error)) from error
        if found:
            return found.series.metric
    return None


def _no_rows(metric: str, runs: Sequence[RunScores]) -> str:
    if any(logged_value(run, metric) is not None for run in runs):
        return f"`{metric}` is logged by its evaluator and has no value for each row, so nothing can be compared by it."
    return unknown_metric(metric, runs)


def _totals(variation: VariationRuns) -> VariationTotals:
    latencies = [run.latency_p95 for run in variation.runs if run.latency_p95 is not None]
    return VariationTotals(
        variation=variation.name,
        is_default=variation.is_default,
        rows=sum(run.rows for run in variation.runs),
        failed=sum(run.failed for run in variation.runs),
        tokens=variation.tokens,
        cost=variation.cost,
        latency_p95=percentile(latencies, 1.0),
    )


def _comparison(each: Compared, metric: str) -> VariationComparison:
    return VariationComparison(
        variation=each.variation,
        dataset=each.dataset,
        metric=metric,
        value=each.value,
        default=each.reference,
        difference=each.difference.estimate if each.difference else None,
        interval=interval_record(each.difference),
        test=each.test,
        adjusted_p_value=each.adjusted_p_value,
        significant=each.significant,
        n=each.n,
        failed=each.failed,
    )


def interval_record(interval: Interval | None) -> IntervalRecord | None:
    """The interval as documents keep it: none where it has no ends."""
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return None
    return IntervalRecord(low=interval.low, high=interval.high, confidence=interval.confidence)


def summarise(document: ComparisonDocument) -> str:
    """The winner in words, and a line for each variation and dataset."""
    costs = {each.variation: each.cost for each in document.variations}
    rows = [
        [
            markdown(each.variation),
            markdown(each.dataset),
            number(each.value),
            number(each.default),
            f"{each.difference:+.3f}" if each.difference is not None else "-",
            f"{each.interval.low:+.3f} to {each.interval.high:+.3f}" if each.interval else "-",
            "yes" if each.significant else "no",
            number(each.n),
            number(each.failed),
            dollars(costs.get(each.variation)),
        ]
        for each in document.comparisons
    ]
    by = f" by {markdown(document.metric)}" if document.metric else ""
    winner = f"Best variation{by}: **{markdown(document.best_variation)}**."
    best = f"{winner} {markdown(document.reason, 500)}"
    if not rows:
        return best
    other = "default" if document.default else "best mean"
    header = ["variation", "dataset", "value", other, "difference", "interval", "beyond chance", "n", "failed", "cost"]
    return f"{best}\n\n{table(header, rows, 'llrrrrlrrr')}"


STEP = Step("compare", ComparisonInputs, CompareOutputs, run)
