"""``compare``: all variations of a sweep against the default, and the winner."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from llmops_actions.errors import UsageError
from llmops_actions.evaluation.selection import Compared, VariationRuns, select
from llmops_actions.evaluation.series import find_series, metric_names
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.gates import DEFAULT_CONFIDENCE
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.parsing import nearest_name
from llmops_actions.reporting.text import dollars, heading, markdown, number, table
from llmops_actions.steps.baselines import COMPARISON_FILE
from llmops_actions.steps.declaration import Outcome, Outputs, Step
from llmops_actions.steps.inputs import UseCaseInputs
from llmops_actions.steps.scores import evaluated_runs, percentile, read_metrics, read_scores
from llmops_actions.steps.services import Services
from llmops_actions.verdict_documents import (
    ComparisonDocument,
    IntervalRecord,
    VariationComparison,
    VariationTotals,
)
from llmops_actions.work_folder import WorkFolder, write_document


class ComparisonInputs(UseCaseInputs):
    """A use case whose runs were evaluated, and what to compare."""

    metric: str | None = Field(
        None,
        description="Score to choose by: <score> or <evaluator>.<score>; by default that of the first gate on a "
        "metric, else the first score of the first evaluator.",
    )
    lower_is_better: bool = Field(False, description="Whether the variation with the lowest score is the best.")
    confidence: float = Field(DEFAULT_CONFIDENCE, ge=0.5, lt=1, description="Level of the intervals and tests.")


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
    """
    experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    folder = WorkFolder.of(services.directory / inputs.work_dir, experiment.name, inputs.env)
    with folder.locked():
        document = make_comparison(experiment, folder, inputs, services)
        write_document(folder.root / COMPARISON_FILE, document)
    outputs = CompareOutputs(
        best_variation=document.best_variation,
        metric=document.metric,
        reason=document.reason,
        comparison=str(folder.root / COMPARISON_FILE),
    )
    summary = f"{heading('compare', experiment.name, 'passed')}\n\n{summarise(document)}"
    return Outcome("passed", outputs, summary)


def make_comparison(
    experiment: Experiment, folder: WorkFolder, inputs: ComparisonInputs, services: Services
) -> ComparisonDocument:
    """All variations that were evaluated, against the default."""
    variations = read_variations(folder)
    metric = _metric(inputs.metric, experiment, variations)
    selection = select(variations, metric, confidence=inputs.confidence, lower_is_better=inputs.lower_is_better)
    return ComparisonDocument(
        experiment=experiment.name,
        environment=experiment.environment,
        metric=metric,
        default=next((each.name for each in variations if each.is_default), ""),
        best_variation=selection.best,
        reason=selection.reason,
        variations=tuple(_totals(each) for each in variations),
        comparisons=tuple(_comparison(each, metric) for each in selection.compared),
        created_at=services.now().isoformat(timespec="seconds"),
    )


def read_variations(folder: WorkFolder) -> list[VariationRuns]:
    """Every variation that was evaluated, with its scores, in the order of the sweep.

    Raises:
        UsageError: nothing was evaluated.
    """
    metrics = read_metrics(folder)
    documents = evaluated_runs(folder, metrics)
    if not documents:
        raise UsageError(f"Nothing was evaluated in {folder.root}: the experiment has no evaluator that matches a run.")
    names = list(dict.fromkeys(document.variation.name for document in documents))
    found = []
    for name in names:
        own = [document for document in documents if document.variation.name == name]
        runs = tuple(read_scores(folder, document, metrics) for document in own)
        found.append(VariationRuns(name, own[0].variation.is_default, runs))
    return found


def _metric(wanted: str | None, experiment: Experiment, variations: Sequence[VariationRuns]) -> str:
    runs = [run for variation in variations for run in variation.runs]
    if wanted is None:
        wanted = next((gate.metric for gate, _ in experiment.gates if gate.metric), None)
    if wanted is None:
        series = next((series for run in runs for series in run.series), None)
        if series is None:
            raise UsageError("No evaluator gives a score for each row, so there is nothing to compare by.")
        return series.metric
    for run in runs:
        found = find_series(run, wanted)
        if found:
            return found.series.metric
    known = sorted({name for run in runs for name in metric_names(run)})
    nearest = nearest_name(wanted, [*known, *(name.partition(".")[2] for name in known)])
    hint = f"Did you mean `{nearest}`?" if nearest else f"There are {', '.join(known) or 'none'}."
    raise UsageError(f"No evaluator gives `{wanted}` for each row. {hint}")


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
    interval = each.comparison.difference
    return VariationComparison(
        variation=each.variation,
        dataset=each.dataset,
        metric=metric,
        value=each.comparison.candidate,
        default=each.comparison.baseline,
        difference=interval.estimate if interval else None,
        interval=IntervalRecord(low=interval.low, high=interval.high, confidence=interval.confidence)
        if interval
        else None,
        test=each.comparison.test.name if each.comparison.test else "",
        adjusted_p_value=each.adjusted_p_value,
        significant=each.significant,
        n=each.comparison.n,
        failed=each.failed,
    )


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
            dollars(costs.get(each.variation)),
        ]
        for each in document.comparisons
    ]
    winner = f"Best variation by {markdown(document.metric)}: **{markdown(document.best_variation)}**."
    best = f"{winner} {markdown(document.reason, 500)}"
    if not rows:
        return best
    header = ["variation", "dataset", "value", "default", "difference", "interval", "beyond chance", "cost"]
    return f"{best}\n\n{table(header, rows, 'llrrrrlr')}"


STEP = Step("compare", ComparisonInputs, CompareOutputs, run)
