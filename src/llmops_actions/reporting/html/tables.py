"""What the tables of the page show: gates, variations, metrics, latency and cost, each line with its chart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from llmops_actions.reporting.facts import Facts, MetricFacts, RunFacts, aliases, quantile
from llmops_actions.reporting.html.charts import (
    Scale,
    distribution_chart,
    interval_chart,
    spread_chart,
)
from llmops_actions.reporting.results import Results, gate_tags
from llmops_actions.reporting.text import number, one_line
from llmops_actions.verdict_documents import GateRecord, IntervalRecord, VariationComparison

MOST_METRICS = 400
"""Lines of the tables of metrics; the CSV has all."""

NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class GateLine:
    """A gate with its chart, and sentences on what its numbers leave open."""

    record: GateRecord
    chart: Markup
    asides: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonLine:
    """A variation against the default, with its chart."""

    record: VariationComparison
    chart: Markup


@dataclass(frozen=True)
class MetricLine:
    """One metric of one run."""

    variation: str
    dataset: str
    value: float | None
    interval: IntervalRecord | None
    chart: Markup
    n: int
    failed: int
    distribution: Markup
    distribution_words: str


@dataclass(frozen=True)
class MetricTable:
    """One metric of all runs, on one scale."""

    name: str
    caption: str
    low: float
    high: float
    has_distribution: bool
    distribution_low: str
    distribution_high: str
    rows: tuple[MetricLine, ...]


@dataclass(frozen=True)
class UsageLine:
    """What a run took."""

    variation: str
    dataset: str
    rows: int
    failed: int
    median: float | None
    p95: float | None
    latency_chart: Markup
    tokens: int
    tokens_per_row: int
    cost: float | None
    evaluators_cost: float | None


def figure(value: float | None) -> str:
    """A metric's value: three decimals, more where it is tiny."""
    if value is None:
        return NONE
    return f"{value:.3g}" if 0 < abs(value) < 0.001 else f"{value:,.3f}"


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    return NONE if value is None else f"{value:+,.3f}".replace("-", "\N{MINUS SIGN}")


def seconds(value: float | None) -> str:
    """A time."""
    return NONE if value is None else f"{value:.2f} s" if value < 100 else f"{value:,.0f} s"


def gate_line(gate: GateRecord) -> GateLine:
    """A gate on a scale of its own; against a baseline the limit is a fall."""
    is_difference = gate.difference is not None
    value = gate.difference if is_difference else gate.value
    limit = gate.threshold
    if is_difference and limit is not None:
        limit = -abs(limit)
    bounds = [gate.interval.low, gate.interval.high] if gate.interval else []
    scale = Scale.over([value, limit, *bounds, *([0.0] if is_difference else [])])
    chart = interval_chart(scale, value, gate.interval, limit) if value is not None else Markup("")
    return GateLine(gate, chart, tuple(_asides(gate)), gate_tags(gate))


def _asides(gate: GateRecord) -> Iterator[str]:
    if gate.verdict == "inconclusive":
        if gate.detectable is not None and figure(gate.detectable) not in gate.reason:
            yield f"Smallest effect that this many rows show with 80 % power: {figure(gate.detectable)}."
        if gate.rows_needed is not None and number(gate.rows_needed) not in gate.reason:
            yield f"Rows that would settle it: about {number(gate.rows_needed)}."
    if gate.regressed:
        yield f"Regressed rows: {number(len(gate.regressed))}."
    if gate.only_candidate or gate.only_baseline:
        here, there = number(gate.only_candidate), number(gate.only_baseline)
        yield f"Rows without a partner: {here} here, {there} in the baseline."
    if gate.failed and gate.policy:
        yield f"Failed rows: {one_line(gate.policy)}."


def comparison_lines(results: Results) -> list[ComparisonLine]:
    """Every comparison with the default, all on one scale."""
    if results.comparison is None:
        return []
    records = results.comparison.comparisons
    bounds = [bound for each in records if each.interval for bound in (each.interval.low, each.interval.high)]
    scale = Scale.over([0.0, *(each.difference for each in records), *bounds])
    return [
        ComparisonLine(each, interval_chart(scale, each.difference, each.interval, 0.0))
        for each in records[:MOST_METRICS]
    ]


def metric_tables(facts: Facts) -> tuple[list[MetricTable], int]:
    """The tables, and how many lines were left out."""
    known_as = aliases(facts.metrics)
    by_name: dict[str, list[MetricFacts]] = {}
    kept = [each for each in facts.metrics if each.name not in known_as]
    for each in kept[:MOST_METRICS]:
        by_name.setdefault(each.name, []).append(each)
    others = {name: sorted(alias for alias, score in known_as.items() if score == name) for name in by_name}
    tables = [_metric_table(name, found, others[name]) for name, found in by_name.items()]
    return tables, len(kept) - sum(len(table.rows) for table in tables)


def _metric_table(name: str, found: Sequence[MetricFacts], others: Sequence[str]) -> MetricTable:
    kind = found[0].metric.kind
    bounds = [bound for each in found if each.interval for bound in (each.interval.low, each.interval.high)]
    scale = Scale.over([*(each.metric.value for each in found), *bounds], share=kind == "boolean")
    values = [value for each in found if each.distribution for value in each.distribution.values]
    spread = Scale.over([min(values), max(values)]) if values else scale
    captions = {
        "boolean": "Share of the rows for which it is true; rows without a score count as false.",
        "numeric": "Mean over the rows that have a score.",
        "logged": "Logged by the evaluator for the run as a whole; it has no interval.",
    }
    also = f" Also logged as {', '.join(one_line(each) for each in others)}." if others else ""
    return MetricTable(
        name=name,
        caption=captions[kind] + (" The upright line is the default." if len(found) > 1 else "") + also,
        low=scale.low,
        high=scale.high,
        has_distribution=bool(values),
        distribution_low="true" if kind == "boolean" else f"{spread.low:g}",
        distribution_high="false" if kind == "boolean" else f"{spread.high:g}",
        rows=tuple(_metric_line(each, found, scale, spread) for each in _by_dataset(found)),
    )


def _by_dataset(found: Sequence[MetricFacts]) -> list[MetricFacts]:
    """The variations of a dataset next to each other."""
    order = list(dict.fromkeys(each.run.dataset.name for each in found))
    return sorted(found, key=lambda each: order.index(each.run.dataset.name))


def _metric_line(each: MetricFacts, found: Sequence[MetricFacts], scale: Scale, spread: Scale) -> MetricLine:
    same_dataset = [other for other in found if other.run.dataset.name == each.run.dataset.name]
    default = next((other.metric.value for other in same_dataset if other.run.variation.is_default), None)
    mark = default if len(same_dataset) > 1 else None
    shown = each.distribution
    return MetricLine(
        variation=each.run.variation.name,
        dataset=each.run.dataset.name,
        value=each.metric.value,
        interval=each.interval,
        chart=interval_chart(scale, each.metric.value, each.interval, mark),
        n=each.metric.n,
        failed=each.metric.failed,
        distribution=distribution_chart(shown, each.metric.failed, spread) if shown else Markup(""),
        distribution_words=_distribution_words(each),
    )


def _distribution_words(each: MetricFacts) -> str:
    if each.distribution is None:
        return "not known"
    values = sorted(each.distribution.values)
    if each.distribution.boolean:
        true = round(sum(values))
        return f"{number(true)} true, {number(len(values) - true)} false, {number(each.metric.failed)} without"
    middle = quantile(values, 0.5)
    return f"from {values[0]:g} to {values[-1]:g}, median {middle:g}"


def latency_scale(facts: Facts) -> Scale:
    """From no time to the slowest run's 95th percentile."""
    return Scale.over([0.0, *(run.latency(0.95) for run in facts.runs)])


def usage_lines(facts: Facts) -> list[UsageLine]:
    """A line for each run."""
    scale = latency_scale(facts)
    return [_usage_line(run, scale, _evaluators_cost(facts, run)) for run in facts.runs]


def _usage_line(run: RunFacts, scale: Scale, evaluators: float | None) -> UsageLine:
    ordered = sorted(run.durations)
    found = [quantile(ordered, each) for each in (0.05, 0.25, 0.5, 0.75, 0.95)]
    spread = [value for value in found if value is not None]
    return UsageLine(
        variation=run.run.variation.name,
        dataset=run.run.dataset.name,
        rows=run.rows,
        failed=run.failed,
        median=found[2],
        p95=found[4],
        latency_chart=spread_chart(scale, spread) if spread else Markup(""),
        tokens=run.tokens,
        tokens_per_row=round(run.tokens / run.rows) if run.rows else 0,
        cost=run.run.cost,
        evaluators_cost=evaluators,
    )


def _evaluators_cost(facts: Facts, run: RunFacts) -> float | None:
    evaluations = {id(each.evaluation): each.evaluation for each in facts.metrics if each.run is run.run}
    costs = [each.cost for each in evaluations.values() if each is not None]
    return None if None in costs else sum(cost for cost in costs if cost is not None)
