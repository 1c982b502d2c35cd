"""``summary.md``: the verdict and what it rests on, for a step summary or a comment, never over a given length."""

from __future__ import annotations

from dataclasses import dataclass

from llmops_actions.evaluation.scores import Score
from llmops_actions.reporting import text
from llmops_actions.reporting.facts import Facts, MetricFacts
from llmops_actions.reporting.overview import Overview, RegressedCase
from llmops_actions.reporting.pairing import Pairing
from llmops_actions.reporting.results import Results, gate_tags
from llmops_actions.reporting.text import dollars, number, stand_in_note, table
from llmops_actions.verdict_documents import GateRecord, IntervalRecord

_JOINER = "\N{WORD JOINER}"
"""Invisible; what GitHub makes a mention or a reference of after Markdown is rendered, it does not after this."""


@dataclass(frozen=True)
class Subject:
    """All that a summary is made from."""

    results: Results
    facts: Facts
    pairing: Pairing
    overview: Overview
    commit: str | None


@dataclass(frozen=True)
class _Detail:
    """How much of each part is shown: entries of the tables, characters of a cell."""

    regressed: int
    gates: int
    metrics: int
    cell: int


SHORTEST = 15
"""Characters of a name with which the verdict always fits."""

_DETAILS = (
    _Detail(regressed=1000, gates=200, metrics=400, cell=300),
    _Detail(regressed=1000, gates=200, metrics=200, cell=120),
    _Detail(regressed=20, gates=100, metrics=100, cell=120),
    _Detail(regressed=10, gates=50, metrics=40, cell=80),
    _Detail(regressed=5, gates=20, metrics=12, cell=60),
    _Detail(regressed=0, gates=20, metrics=0, cell=60),
    _Detail(regressed=0, gates=8, metrics=0, cell=40),
    _Detail(regressed=0, gates=0, metrics=0, cell=40),
)
"""From everything to the verdict alone."""


def literal(value: object, limit: int = 200) -> str:
    """Text from outside in a summary: no markup, no link, no image, no mention, no reference to an issue."""
    escaped = text.markdown(value, limit)
    return escaped.replace("&#64;", f"&#64;{_JOINER}").replace("\\#", f"\\#{_JOINER}")


def summarise(subject: Subject, max_chars: int) -> str:
    """The summary, in as much detail as ``max_chars`` characters hold; the verdict comes first and always stays."""
    for detail in _DETAILS:
        written = "\n\n".join(part for part in _parts(subject, detail) if part) + "\n"
        if len(written) <= max_chars:
            return written
    return _verdict_line(subject.results, SHORTEST)[:max_chars]


def verdict_words(results: Results) -> str:
    """The verdict as a word, ``no verdict`` where gate did not run."""
    return results.verdict.verdict if results.verdict else "no verdict"


def _parts(subject: Subject, detail: _Detail) -> list[str]:
    results = subject.results
    if detail.gates == 0:
        return [_verdict_line(results, detail.cell), _reason(results, detail.cell * 2)]
    return [
        _verdict_line(results, detail.cell),
        _reason(results, 1000),
        _versus(subject, detail.cell),
        "\n".join(f"> {literal(note)}" for note in results.notes),
        _gates(results, detail),
        _variations(results, detail),
        _metrics(subject.facts, detail),
        _regressed(subject.overview, detail),
        _usage(subject.facts, detail),
        _provenance(subject, detail.cell),
    ]


def _verdict_line(results: Results, limit: int) -> str:
    where = f" ({literal(results.environment, limit)})" if results.environment else ""
    return f"## {literal(results.experiment, limit)}{where}: {verdict_words(results)}"


def _reason(results: Results, limit: int) -> str:
    if results.verdict is None:
        return ""
    advisory = "Advisory only: it holds nothing up. " if results.verdict.advisory else ""
    return advisory + literal(results.verdict.reason, limit)


def _versus(subject: Subject, limit: int) -> str:
    verdict = subject.results.verdict
    if verdict is None:
        return ""
    if verdict.baseline is None:
        return f"Variation {literal(verdict.variation, limit)}, without a baseline."
    baseline = verdict.baseline
    return (
        f"Variation {literal(verdict.variation, limit)} against the baseline {literal(baseline.source, limit)} "
        f"(variation {literal(baseline.variation, limit)}, of {literal(baseline.created_at, limit)})."
    )


def _gates(results: Results, detail: _Detail) -> str:
    if results.verdict is None:
        return ""
    gates = sorted(results.verdict.gates, key=_severity)
    if not gates:
        return "There are no gates."
    rows = [_gate_row(gate, detail.cell) for gate in gates[: detail.gates]]
    header = ["gate", "verdict", "value", "baseline", "difference", "rows", "test", "why"]
    return f"### Gates\n\n{table(header, rows, 'llrrrrll')}{_more(len(gates), detail.gates, 'gates')}"


def _severity(gate: GateRecord) -> int:
    return ("error", "failed", "inconclusive", "passed").index(gate.verdict)


def _gate_row(gate: GateRecord, limit: int) -> list[str]:
    of_difference = gate.difference is not None
    return [
        literal(f"{gate.rule} ({gate.dataset})" if gate.dataset else gate.rule, limit),
        ", ".join([f"**{gate.verdict}**", *gate_tags(gate)]),
        _with_interval(gate.value, None if of_difference else gate.interval),
        number(gate.baseline),
        _with_interval(gate.difference, gate.interval if of_difference else None, signed=True),
        number(gate.n) + (f" ({number(gate.failed)} failed)" if gate.failed else ""),
        literal(gate.test, limit) + (f", p = {gate.p_value:.3g}" if gate.p_value is not None else ""),
        literal(gate.reason, limit),
    ]


def _with_interval(value: float | None, interval: IntervalRecord | None, *, signed: bool = False) -> str:
    shown = "-" if value is None else f"{value:+,.3f}" if signed else number(float(value))
    if interval is None:
        return shown
    sign = "+" if signed else ""
    return f"{shown} \\[{interval.low:{sign},.3f}, {interval.high:{sign},.3f}\\]"


def _more(count: int, shown: int, what: str) -> str:
    return f"\n\n{number(count - shown)} more {what} are in the report." if count > shown else ""


def _variations(results: Results, detail: _Detail) -> str:
    comparison = results.comparison
    if comparison is None:
        return ""
    best = f"Best variation: **{literal(comparison.best_variation, detail.cell)}**. {literal(comparison.reason, 500)}"
    changes = [
        [
            literal(each.variation, detail.cell),
            literal(f"{each.metric} ({each.dataset})", detail.cell),
            number(each.value),
            _with_interval(each.difference, each.interval, signed=True),
            "yes" if each.significant else "no",
        ]
        for each in comparison.comparisons
    ]
    if not changes or not detail.metrics:
        return f"### Variations\n\n{best}"
    header = ["variation", "metric", "value", "difference to the default", "significant"]
    shown = table(header, changes[: detail.metrics], "llrrl")
    return f"### Variations\n\n{best}\n\n{shown}{_more(len(changes), detail.metrics, 'comparisons')}"


def _metrics(facts: Facts, detail: _Detail) -> str:
    if not facts.metrics or not detail.metrics:
        return ""
    rows = [_metric_row(each, detail.cell) for each in facts.metrics[: detail.metrics]]
    header = ["variation", "dataset", "metric", "value", "n", "failed"]
    return f"### Metrics\n\n{table(header, rows, 'lllrrr')}{_more(len(facts.metrics), detail.metrics, 'metrics')}"


def _metric_row(each: MetricFacts, limit: int) -> list[str]:
    return [
        literal(each.run.variation.name, limit),
        literal(each.run.dataset.name, limit),
        literal(each.name, limit),
        _with_interval(each.metric.value, each.interval),
        number(each.metric.n),
        number(each.metric.failed),
    ]


def _regressed(overview: Overview, detail: _Detail) -> str:
    if not overview.regressed or not detail.regressed:
        return f"{number(overview.regressed)} rows regressed." if overview.regressed else ""
    rows = [_case_row(each, detail.cell) for each in overview.worst[: detail.regressed]]
    header = ["row", "input", "before", "after", "scores"]
    title = f"### Regressed rows: {number(overview.regressed)}"
    shown = [table(header, rows)] if rows else []
    more = _more(overview.regressed, len(rows), "regressed rows").strip()
    return "\n\n".join(part for part in (title, *shown, more) if part)


def _case_row(each: RegressedCase, limit: int) -> list[str]:
    scores = "; ".join(f"{change.score}: {_score(change.before)} → {_score(change.after)}" for change in each.changes)
    return [
        literal(f"{each.dataset} {each.line}", limit),
        literal(each.question, limit),
        literal(each.before, limit),
        literal(each.after, limit),
        literal(scores, limit),
    ]


def _score(value: Score) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _usage(facts: Facts, detail: _Detail) -> str:
    if not detail.metrics:
        return ""
    rows = []
    for each in facts.runs[: detail.metrics]:
        evaluators = {id(m.evaluation): m.evaluation for m in facts.metrics if m.run is each.run and m.evaluation}
        costs = [evaluation.cost for evaluation in evaluators.values()]
        p95 = each.latency(0.95)
        rows.append(
            [
                literal(each.run.variation.name, detail.cell),
                literal(each.run.dataset.name, detail.cell),
                number(each.rows),
                number(each.failed),
                number(each.tokens),
                dollars(each.run.cost),
                dollars(None if None in costs else sum(cost for cost in costs if cost is not None)),
                "-" if p95 is None else f"{p95:.2f} s",
            ]
        )
    header = ["variation", "dataset", "rows", "failed", "tokens", "cost", "evaluators' cost", "latency p95"]
    shown = table(header, rows, "llrrrrrr")
    return f"### Tokens and cost\n\n{shown}{_more(len(facts.runs), detail.metrics, 'runs')}"


def _provenance(subject: Subject, limit: int) -> str:
    runs = subject.results.runs
    models = sorted({model for run in runs for model in run.usage})
    parts = [
        f"commit {literal(subject.commit or 'unknown', limit)}",
        f"flow {literal(runs[0].flow, limit)}",
        f"models {literal(', '.join(models) or 'none', limit)}",
        f"run {literal(max(run.started_at for run in runs), limit)}",
    ]
    return f"What ran: {', '.join(parts)}.{stand_in_note(any(run.offline for run in runs))}"
