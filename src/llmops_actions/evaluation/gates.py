"""Gates: from the scores of a run, and of a baseline, to a verdict with its reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from llmops_actions.evaluation.series import (
    FoundSeries,
    RunScores,
    SeriesRow,
    find_series,
    logged_value,
    metric_names,
)
from llmops_actions.evaluation.statistics import (
    Comparison,
    FailedPolicy,
    Interval,
    Measurement,
    ScoreType,
    Value,
    aggregate_repeats,
    compare,
    failed_as,
    holm,
    measure,
    measurement_outlook,
    outlook,
    pair,
    score_type,
)
from llmops_actions.experiment.gates import GateBlock
from llmops_actions.experiment.parsing import nearest_name

GateVerdict = Literal["passed", "failed", "inconclusive", "error"]
GateKind = Literal["absolute", "baseline", "coverage", "each-row", "tokens-per-row", "cost", "latency"]

POINT = "what was measured"
"""Named as the test where the whole population was counted: nothing is inferred, so there is no interval."""


class UnknownMetricError(ValueError):
    """A gate names a metric that no evaluator gives."""


@dataclass(frozen=True)
class Regression:
    """A row that was better in the baseline."""

    key: str
    line: int
    score: str
    baseline: float | None
    candidate: float | None


@dataclass(frozen=True)
class GateResult:
    """How one gate ended on one run (see ``verdict_documents.GateRecord``, which has the same fields)."""

    rule: str
    kind: GateKind
    verdict: GateVerdict
    reason: str
    advisory: bool = False
    on_inconclusive: Literal["pass", "fail"] | None = None
    metric: str = ""
    run: str = ""
    dataset: str = ""
    threshold: float | None = None
    value: float | None = None
    baseline: float | None = None
    difference: float | None = None
    interval: Interval | None = None
    test: str = ""
    p_value: float | None = None
    adjusted_p_value: float | None = None
    shift_p_value: float | None = None
    n: int = 0
    pairs: int = 0
    failed: int = 0
    only_candidate: int = 0
    only_baseline: int = 0
    policy: str = ""
    identical: bool = False
    detectable: float | None = None
    rows_needed: int | None = None
    regressed: tuple[Regression, ...] = ()

    @property
    def counts_as(self) -> GateVerdict:
        """The verdict after ``on_inconclusive``."""
        if self.verdict == "inconclusive" and self.on_inconclusive:
            return "passed" if self.on_inconclusive == "pass" else "failed"
        return self.verdict


@dataclass(frozen=True)
class Evidence:
    """What the gates look at: the candidate's runs, the baseline's runs by dataset, and the rows of ``each_row``.

    ``required`` holds, for the ``rows`` of an ``each_row`` gate and a dataset, the keys that the rule is for.
    """

    runs: Sequence[RunScores]
    baseline: Mapping[str, RunScores] = field(default_factory=dict)
    has_baseline: bool = False
    required: Mapping[tuple[str, str], frozenset[str]] = field(default_factory=dict)


def judge_gates(gates: Sequence[GateBlock], evidence: Evidence) -> list[GateResult]:
    """Every gate on every run that it holds for; failures by evidence are corrected for their number (Holm 1979).

    Raises:
        UnknownMetricError: a gate that no run has the metric for.
    """
    results = [result for gate in gates for result in _judge(gate, evidence)]
    return _corrected(results)


def overall(results: Sequence[GateResult]) -> tuple[GateVerdict, str]:
    """The verdict: passed when all gates pass (intersection-union: Berger 1982), failed when any fails.

    Advisory gates are shown and do not decide.
    """
    deciding = [result for result in results if not result.advisory]
    for verdict in ("error", "failed", "inconclusive"):
        found = [result for result in deciding if result.counts_as == verdict]
        if found:
            rules = "; ".join(dict.fromkeys(f"{result.rule} ({result.dataset})" for result in found[:3]))
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            return verdict, f"{len(found)} of {len(deciding)} gates {verdict}: {rules}{more}."
    if not deciding:
        return "passed", "There is no gate that decides."
    return "passed", f"All {len(deciding)} gates passed."


def _judge(gate: GateBlock, evidence: Evidence) -> list[GateResult]:
    runs = [run for run in evidence.runs if gate.dataset in (None, run.dataset)]
    if not runs:
        raise UnknownMetricError(f"no run is over a dataset `{gate.dataset}`")
    if gate.cost:
        return [_cost(gate, runs)]
    metric = gate.metric or (gate.each_row.score if gate.each_row else None)
    if metric:
        known = [run for run in runs if find_series(run, metric) or logged_value(run, metric) is not None]
        if not known:
            raise UnknownMetricError(_unknown(metric, runs))
        return [_judge_metric(gate, metric, run, evidence) for run in known]
    return [_judge_run(gate, run) for run in runs]


def _unknown(metric: str, runs: Sequence[RunScores]) -> str:
    names = sorted({name for run in runs for name in metric_names(run)})
    bare = sorted({*names, *(name.partition(".")[2] for name in names)})
    nearest = nearest_name(metric, bare)
    hint = f"did you mean `{nearest}`?" if nearest else f"there are {', '.join(names) or 'no scores'}"
    return f"no evaluator gives `{metric}`; {hint}"


def _start(gate: GateBlock, kind: GateKind, run: RunScores, metric: str = "") -> GateResult:
    return GateResult(
        rule=gate.rule,
        kind=kind,
        verdict="inconclusive",
        reason="",
        advisory=gate.advisory,
        on_inconclusive=gate.on_inconclusive,
        metric=metric,
        run=run.run,
        dataset=run.dataset,
        n=run.rows,
        failed=run.failed,
    )


def _judge_run(gate: GateBlock, run: RunScores) -> GateResult:
    """Gates on what was counted or measured over the whole run: a point, no inference."""
    if gate.coverage:
        share = run.scored / run.rows if run.rows else 0.0
        start = _start(gate, "coverage", run)
        passed = run.rows > 0 and share >= gate.coverage.at_least
        reason = f"{run.scored} of {run.rows} rows ran and were scored ({share:.1%})."
        return _point(start, share, gate.coverage.at_least, reason, passed=passed)
    if gate.tokens_per_row:
        tokens = run.tokens / run.rows if run.rows else 0.0
        limit = gate.tokens_per_row.at_most
        start = _start(gate, "tokens-per-row", run)
        return _point(start, tokens, limit, f"{tokens:,.0f} tokens a row; {limit:,.0f} may be.", passed=tokens <= limit)
    assert gate.latency_p95  # noqa: S101 - a gate has exactly one subject
    limit = gate.latency_p95.at_most
    start = _start(gate, "latency", run)
    if run.latency_p95 is None:
        return replace(start, verdict="error", reason="No row completed, so there is no latency.", threshold=limit)
    reason = f"95 % of the rows took at most {run.latency_p95:.2f} s; {limit:g} s may be."
    return _point(start, run.latency_p95, limit, reason, passed=run.latency_p95 <= limit)


def _cost(gate: GateBlock, runs: Sequence[RunScores]) -> GateResult:
    assert gate.cost  # noqa: S101 - the caller looked
    limit = gate.cost.at_most
    start = replace(_start(gate, "cost", runs[0]), run="", dataset="all", n=sum(run.rows for run in runs))
    costs = [run.cost for run in runs if run.cost is not None]
    if len(costs) < len(runs):
        reason = "The price of a model is not known; add it to prices.yaml."
        return replace(start, verdict="error", reason=reason, threshold=limit)
    total = sum(costs)
    return _point(start, total, limit, f"The runs cost ${total:.4f}; ${limit:g} may be.", passed=total <= limit)


def _point(start: GateResult, value: float, limit: float, reason: str, *, passed: bool) -> GateResult:
    verdict: GateVerdict = "passed" if passed else "failed"
    return replace(start, verdict=verdict, reason=reason, value=value, threshold=limit, test=POINT)


def _judge_metric(gate: GateBlock, metric: str, run: RunScores, evidence: Evidence) -> GateResult:
    found = find_series(run, metric)
    if gate.each_row:
        return _each_row(gate, metric, run, evidence)
    if not gate.against:
        return _absolute(gate, metric, run, found)
    return _against_baseline(gate, metric, run, found, evidence)


def _absolute(gate: GateBlock, metric: str, run: RunScores, found: FoundSeries | None) -> GateResult:
    limit = gate.at_least if gate.at_least is not None else gate.at_most
    assert limit is not None  # noqa: S101 - a gate on a metric has a limit or a margin
    start = replace(_start(gate, "absolute", run, metric), threshold=limit)
    if found is None:
        return _no_rows(start, logged_value(run, metric))
    kind, policy, as_score = _policy(gate, found.series.rows)
    values = [each for _, each in aggregate_repeats(_with_repeats(found.series.rows), failed_as=as_score)]
    scored = [value for value in values if value is not None]
    measured = measure(
        scored,
        kind,
        confidence=gate.confidence,
        limit=limit,
        direction="at_least" if gate.at_least is not None else "at_most",
    )
    seen = measurement_outlook(measured, limit)
    evidence = measured.evidence
    against = (evidence.below if gate.at_least is not None else evidence.above) if evidence else None
    result = replace(
        start,
        verdict=measured.outcome,
        value=measured.mean.estimate if measured.mean else None,
        interval=measured.mean,
        test=f"{measured.mean.method} interval" if measured.mean else "",
        p_value=against,
        n=measured.n,
        failed=_failed(found.series.rows),
        policy=policy,
        detectable=seen.detectable if seen else None,
        rows_needed=seen.rows if seen and measured.outcome == "inconclusive" else None,
    )
    return replace(result, reason=_why_absolute(result, measured, found))


def _against_baseline(
    gate: GateBlock, metric: str, run: RunScores, found: FoundSeries | None, evidence: Evidence
) -> GateResult:
    margin = gate.max_drop if gate.max_drop is not None else gate.max_rise
    assert margin is not None  # noqa: S101 - a gate against the baseline has a margin
    start = replace(_start(gate, "baseline", run, metric), threshold=margin)
    other = evidence.baseline.get(run.dataset)
    if other is None:
        return _no_baseline(gate, start, evidence)
    if found is None:
        return _no_rows(start, logged_value(run, metric))
    before = find_series(other, found.series.metric)
    if before is None:
        return replace(start, verdict="error", reason=f"The baseline has no score `{found.series.metric}`.")
    rows = (*before.series.rows, *found.series.rows)
    kind, policy, as_score = _policy(gate, rows)
    sign = 1.0 if gate.max_drop is not None else -1.0
    paired = pair(
        aggregate_repeats(_with_repeats(before.series.rows), failed_as=as_score),
        aggregate_repeats(_with_repeats(found.series.rows), failed_as=as_score),
        failed_as=as_score,
    )
    compared = compare(
        [sign * value for value in paired.baseline],
        [sign * value for value in paired.candidate],
        kind,
        confidence=gate.confidence,
        max_drop=margin,
    )
    same = other.fingerprint == run.fingerprint
    seen = outlook(compared, margin)
    interval = _signed(compared.difference, sign)
    result = replace(
        start,
        verdict="passed" if same else compared.outcome,
        value=None if compared.candidate is None else sign * compared.candidate,
        baseline=None if compared.baseline is None else sign * compared.baseline,
        difference=interval.estimate if interval else None,
        interval=interval,
        test=f"{interval.method} interval" if interval else "",
        p_value=compared.evidence.below if compared.evidence else None,
        shift_p_value=compared.test.p_value if compared.test else None,
        n=compared.n,
        pairs=paired.n,
        failed=_failed(found.series.rows),
        only_candidate=len(paired.only_candidate),
        only_baseline=len(paired.only_baseline),
        policy=policy,
        identical=same,
        detectable=seen.detectable if seen else None,
        rows_needed=seen.rows if seen and compared.outcome == "inconclusive" and not same else None,
        regressed=_regressions(before, found, sign),
    )
    return replace(result, reason=_why_compared(result, compared, found))


def _each_row(gate: GateBlock, metric: str, run: RunScores, evidence: Evidence) -> GateResult:
    rule = gate.each_row
    assert rule is not None  # noqa: S101 - the caller looked
    start = _start(gate, "each-row", run, metric)
    found = find_series(run, metric)
    if found is None:
        return _no_rows(start, logged_value(run, metric))
    required = evidence.required.get((rule.rows, run.dataset)) if rule.rows else None
    rows = [row for row in found.series.rows if required is None or row.key in required]
    absent = len(required - {row.key for row in rows}) if required is not None else 0
    start = replace(start, n=len(rows), failed=_failed(rows), test=POINT)
    if absent:
        return replace(start, verdict="error", reason=f"{absent} rows of {rule.rows} are not in the run.")
    if rule.never == "failed":
        bad = tuple(Regression(row.key, row.line, metric, None, _number(row)) for row in rows if not _number(row))
    else:
        other = evidence.baseline.get(run.dataset)
        before = find_series(other, found.series.metric) if other else None
        if before is None:
            return _no_baseline(gate, start, evidence)
        keys = {row.key for row in rows}
        bad = tuple(each for each in _regressions(before, found, 1.0) if each.key in keys)
    reason = f"{len(bad)} of {len(rows)} rows {rule.never}." if bad else f"None of {len(rows)} rows {rule.never}."
    return replace(start, verdict="failed" if bad else "passed", reason=reason, regressed=bad)


def _no_rows(start: GateResult, value: float | None) -> GateResult:
    reason = (
        f"`{start.metric}` is logged by the evaluator and has no value for each row, so there is no interval and no "
        "pairing. Let the evaluator return a score for each row, and name that."
    )
    return replace(start, value=value, reason=reason)


def _no_baseline(gate: GateBlock, start: GateResult, evidence: Evidence) -> GateResult:
    verdicts: dict[str, GateVerdict] = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}
    what = f"The baseline has no run over `{start.dataset}`" if evidence.has_baseline else "There is NO BASELINE"
    reason = f"{what}; without_baseline: {gate.without_baseline} decides."
    return replace(start, verdict=verdicts[gate.without_baseline], reason=reason, value=None)


def _policy(gate: GateBlock, rows: Sequence[SeriesRow]) -> tuple[ScoreType, str, float | None]:
    kind = score_type([value for row in rows for value in row.values])
    policies: dict[str, FailedPolicy] = {"worst": "worst", "exclude": "exclude-and-report"}
    as_score = failed_as(kind, policies[gate.failed_rows], gate.worst)
    if kind == "boolean":
        return kind, "failed rows count as false", as_score
    shown = "are left out and reported" if as_score is None else f"count as {as_score:g}, the worst score"
    return kind, f"failed rows {shown}", as_score


def _with_repeats(rows: Sequence[SeriesRow]) -> list[tuple[str, Sequence[Value]]]:
    return [(row.key, row.values) for row in rows]


def _failed(rows: Sequence[SeriesRow]) -> int:
    return sum(all(value is None for value in row.values) for row in rows)


def _number(row: SeriesRow) -> float | None:
    """The mean over a row's repeats; ``None`` where one of them failed."""
    values = [value for value in row.values if value is not None]
    return sum(values) / len(values) if values and len(values) == len(row.values) else None


def _regressions(before: FoundSeries, after: FoundSeries, sign: float) -> tuple[Regression, ...]:
    """Rows that are worse than their partner, or lost their score, in the candidate's order."""
    partners: dict[str, list[SeriesRow]] = {}
    for row in before.series.rows:
        partners.setdefault(row.key, []).append(row)
    found = []
    for row in after.series.rows:
        waiting = partners.get(row.key)
        partner = waiting.pop(0) if waiting else None
        old, new = (_number(partner) if partner else None), _number(row)
        if old is not None and (new is None or sign * new < sign * old):
            found.append(Regression(row.key, row.line, after.series.metric, old, new))
    return tuple(found)


def _signed(interval: Interval | None, sign: float) -> Interval | None:
    if interval is None or sign > 0:
        return interval
    return replace(interval, estimate=-interval.estimate, low=-interval.high, high=-interval.low)


def _corrected(results: Sequence[GateResult]) -> list[GateResult]:
    """Holm over the gates that fail by evidence: one that does not survive is inconclusive, and says so."""
    failing = [
        index for index, result in enumerate(results) if result.verdict == "failed" and result.p_value is not None
    ]
    adjusted = holm([results[index].p_value or 0.0 for index in failing])
    corrected = list(results)
    for index, p_value in zip(failing, adjusted, strict=True):
        result = replace(results[index], adjusted_p_value=p_value)
        level = (1 - (result.interval.confidence if result.interval else 0.95)) / 2
        if p_value >= level:
            reason = f"{result.reason} It does not survive the correction for {len(failing)} failing gates (Holm)."
            result = replace(result, verdict="inconclusive", reason=reason)
        corrected[index] = result
    return corrected


def _why_absolute(result: GateResult, measured: Measurement, found: FoundSeries) -> str:
    if result.interval is None:
        return "No row has a score."
    low, high = result.interval.low, result.interval.high
    text = (
        f"{result.value:.3f}, {result.interval.confidence:.0%} interval {low:.3f} to {high:.3f}, over {result.n} rows."
    )
    return f"{text}{_rule(measured.rule)}{_alias(found)}{_settle(result)}"


def _why_compared(result: GateResult, compared: Comparison, found: FoundSeries) -> str:
    if result.interval is None:
        return "No row has a partner in the baseline."
    low, high = result.interval.low, result.interval.high
    text = (
        f"{result.difference:+.3f} against {result.baseline:.3f}, {result.interval.confidence:.0%} interval {low:+.3f} "
        f"to {high:+.3f}, over {result.pairs} pairs ({compared.improved} better, {compared.regressed} worse)."
    )
    if result.identical:
        return (
            f"The run has the baseline's own fingerprint: the same flow, data and settings. Passed by identity; "
            f"what differs is noise: {text}"
        )
    return f"{text}{_rule(compared.rule)}{_alias(found)}{_settle(result)}"


def _rule(rule: str | None) -> str:
    texts = {"too few rows": " Too few rows to decide.", "identical": " Every row is the same.", "no rows": " No rows."}
    return texts.get(rule or "", "")


def _alias(found: FoundSeries) -> str:
    return f" Its rows are those of `{found.series.score}`, whose share it is." if found.alias else ""


def _settle(result: GateResult) -> str:
    if result.verdict != "inconclusive":
        return ""
    seen = f" {result.n} rows could have seen a difference of {result.detectable:.3f}." if result.detectable else ""
    rows = f" About {result.rows_needed:,} rows would settle it." if result.rows_needed else ""
    return f"{seen}{rows}"
