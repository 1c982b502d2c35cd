"""Gates on scores: absolute, against the baseline, and for each row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from llmops_actions.evaluation import reasons
from llmops_actions.evaluation.paired import (
    FailedRows,
    Regression,
    Scale,
    compare_pairs,
    mean_of,
    numbers_of,
    pair_series,
    partners,
    regressions,
    scale_of,
)
from llmops_actions.evaluation.results import POINT, GateResult, GateVerdict, start
from llmops_actions.evaluation.series import (
    FoundSeries,
    RunScores,
    ScoreSeries,
    SeriesRow,
    find_series,
    logged_value,
)
from llmops_actions.evaluation.statistics import (
    Comparison,
    Outlook,
    Paired,
    measure,
    measurement_outlook,
    outlook,
)
from llmops_actions.experiment.gates import EachRow, GateBlock

RequiredRows = Mapping[tuple[str, str], Sequence[str | None]]


@dataclass(frozen=True)
class Evidence:
    """What the gates look at: the candidate's runs, and the baseline's runs by dataset.

    ``required`` holds, for the ``rows`` of an ``each_row`` gate and a dataset, the key of each row that the rule is
    for; ``None`` for one that the dataset's mappings do not fit.
    """

    runs: Sequence[RunScores]
    baseline: Mapping[str, RunScores] = field(default_factory=dict)
    has_baseline: bool = False
    required: RequiredRows = field(default_factory=dict)

    def series(self, run: RunScores, metric: str) -> FoundSeries | None:
        """The values behind a metric; what a logged name stands for must hold in every run that there is."""
        return find_series(run, metric, [*self.runs, *self.baseline.values()])


def judge_metric(gate: GateBlock, index: int, run: RunScores, evidence: Evidence) -> GateResult:
    """A gate on the mean of a score."""
    assert gate.metric  # noqa: S101 - the caller looked
    found = evidence.series(run, gate.metric)
    if gate.against:
        return _against_baseline(gate, index, run, found, evidence)
    return _absolute(gate, index, run, found)


def _absolute(gate: GateBlock, index: int, run: RunScores, found: FoundSeries | None) -> GateResult:
    limit = gate.at_least if gate.at_least is not None else gate.at_most
    assert gate.metric  # noqa: S101 - the caller looked
    assert limit is not None  # noqa: S101 - an absolute gate has a limit
    begun = replace(start(gate, index, "absolute", run), metric=gate.metric, threshold=limit)
    if found is None:
        return _no_rows(begun, run)
    scale = _scale(gate, [found.series])
    values = numbers_of(found.series, scale)
    measured = measure(
        values,
        scale.kind,
        confidence=gate.confidence,
        limit=limit,
        direction="at_most" if gate.lower_is_better else "at_least",
    )
    seen, against = measurement_outlook(measured, limit), measured.evidence
    result = replace(
        begun,
        verdict=measured.outcome,
        can_fail=measured.rule is None,
        value=measured.mean.estimate if measured.mean else None,
        interval=measured.mean,
        test=measured.mean.method if measured.mean else "",
        p_value=(against.above if gate.lower_is_better else against.below) if against else None,
        n=measured.n,
        failed=found.series.failed,
        policy=scale.policy,
    )
    result = _with_outlook(result, seen)
    return replace(result, reason=reasons.absolute(result, measured, found))


def _against_baseline(
    gate: GateBlock, index: int, run: RunScores, found: FoundSeries | None, evidence: Evidence
) -> GateResult:
    assert gate.metric  # noqa: S101 - the caller looked
    margin = gate.max_drop if gate.max_drop is not None else gate.max_rise
    begun = replace(start(gate, index, "baseline", run), metric=gate.metric, threshold=margin)
    other = evidence.baseline.get(run.dataset)
    if other is None:
        return _no_baseline(gate, begun, evidence)
    begun = replace(begun, identical=other.fingerprint == run.fingerprint)
    if found is None:
        return _no_rows(begun, run)
    before = _same_series(other, found.series)
    if before is None:
        return _no_partner(begun, found.series)
    scale = _scale(gate, [before, found.series])
    paired = pair_series(before, found.series, scale, other.key_digits)
    compared = compare_pairs(paired, scale, confidence=gate.confidence, margin=margin or 0.0)
    result = _compared(begun, compared, paired, scale)
    worse = regressions(before, found.series, other.key_digits, lower_is_better=gate.lower_is_better)
    result = replace(result, failed=found.series.failed, regressed=tuple(worse))
    same_evaluator = _same_evaluator(run, other, found.series.evaluator)
    return replace(result, reason=reasons.compared(result, compared, found, same_evaluator=same_evaluator))


def _compared(begun: GateResult, compared: Comparison, paired: Paired, scale: Scale) -> GateResult:
    interval = scale.difference_back(compared.difference)
    test = compared.test
    of_shift = test.name if test and not test.name.startswith("mean change") else ""
    result = replace(
        begun,
        verdict="passed" if begun.identical else compared.outcome,
        can_fail=not begun.identical and compared.rule in (None, "identical"),
        value=scale.back(compared.candidate),
        baseline=scale.back(compared.baseline),
        difference=interval.estimate if interval else None,
        interval=interval,
        test="; ".join(each for each in (interval.method, of_shift) if each) if interval else "",
        p_value=compared.evidence.below if compared.evidence else None,
        shift_p_value=test.p_value if test else None,
        n=compared.n,
        pairs=paired.n,
        only_candidate=len(paired.only_candidate),
        only_baseline=len(paired.only_baseline),
        policy=scale.policy,
    )
    return _with_outlook(result, outlook(compared, begun.threshold or 0.0))


def judge_each_row(gate: GateBlock, index: int, runs: Sequence[RunScores], evidence: Evidence) -> list[GateResult]:
    """A rule for every single row: of all runs, or of those rows that a file names, wherever they are."""
    rule = gate.each_row
    assert rule is not None  # noqa: S101 - the caller looked
    absent = _absent(rule, runs, evidence)
    results = []
    for run in runs:
        begun = replace(start(gate, index, "each-row", run), metric=rule.score, test=POINT)
        found = evidence.series(run, rule.score)
        keys = _required(rule, run, evidence)
        if found is None:
            results.append(_no_rows(begun, run))
        elif absent:
            reason = f"{absent} rows of {rule.rows} are in no run that has the score, so nothing is known of them."
            results.append(replace(begun, verdict="error", reason=reason, n=0, failed=0))
        else:
            rows = [row for row in found.series.rows if keys is None or row.key in keys]
            if rows or keys is None:
                results.append(_each_of(gate, begun, rows, found, evidence))
    return results


def _required(rule: EachRow, run: RunScores, evidence: Evidence) -> frozenset[str | None] | None:
    return frozenset(evidence.required[rule.rows, run.dataset]) if rule.rows else None


def _absent(rule: EachRow, runs: Sequence[RunScores], evidence: Evidence) -> int:
    """How many of the rows that the rule names are in none of the runs."""
    if not rule.rows:
        return 0
    there: list[set[str]] = []
    wanted: list[Sequence[str | None]] = []
    for run in runs:
        found = evidence.series(run, rule.score)
        there.append({row.key for row in found.series.rows} if found else set())
        wanted.append(evidence.required[rule.rows, run.dataset])
    return sum(
        not any(key in keys for key, keys in zip(same_row, there, strict=True))
        for same_row in zip(*wanted, strict=True)
    )


def _each_of(
    gate: GateBlock, begun: GateResult, rows: Sequence[SeriesRow], found: FoundSeries, evidence: Evidence
) -> GateResult:
    rule = gate.each_row
    assert rule is not None  # noqa: S101 - the caller looked
    begun = replace(begun, n=len(rows), failed=sum(row.failed for row in rows))
    if rule.never == "failed":
        return _ended(begun, rule, _failing(rule, rows, found.series))
    other = evidence.baseline.get(begun.dataset)
    if other is None:
        return _no_baseline(gate, begun, evidence)
    run = next(each for each in evidence.runs if each.run == begun.run)
    begun = replace(begun, identical=other.fingerprint == run.fingerprint)
    before = _same_series(other, found.series)
    if before is None:
        return _no_partner(begun, found.series)
    judged = {row.line for row in rows}
    alone = [row for row, partner in partners(before, found.series, other.key_digits) if partner is None]
    worse = regressions(before, found.series, other.key_digits, lower_is_better=rule.lower_is_better)
    alone = [row for row in alone if row.line in judged]
    begun = replace(begun, pairs=len(rows) - len(alone), only_candidate=len(alone))
    return _ended(begun, rule, [each for each in worse if each.line in judged])


def _failing(rule: EachRow, rows: Sequence[SeriesRow], series: ScoreSeries) -> list[Regression]:
    """Rows without a score; of a boolean score also those that are not true (false, where lower is better)."""
    kind = scale_of([series], FailedRows(), lower_is_better=rule.lower_is_better).kind
    right = 0.0 if rule.lower_is_better else 1.0
    found = []
    for row in rows:
        score = mean_of(row)
        if score is None or (kind == "boolean" and score != right):
            found.append(Regression(row.key, row.line, series.metric, None, score))
    return found


def _ended(begun: GateResult, rule: EachRow, bad: Sequence[Regression]) -> GateResult:
    verdict: GateVerdict = "failed" if bad and not begun.identical else "passed"
    reason = reasons.each_row(begun, rule.never, len(bad))
    return replace(begun, verdict=verdict, reason=reason, regressed=tuple(bad))


def _scale(gate: GateBlock, series: Sequence[ScoreSeries]) -> Scale:
    return scale_of(series, FailedRows(gate.failed_rows, gate.worst), lower_is_better=gate.lower_is_better)


def _with_outlook(result: GateResult, seen: Outlook | None) -> GateResult:
    if seen is None:
        return result
    detectable = seen.detectable if math.isfinite(seen.detectable) else None
    return replace(result, detectable=detectable, rows_needed=seen.rows)


def _same_series(other: RunScores, series: ScoreSeries) -> ScoreSeries | None:
    same = (each for each in other.series if (each.evaluator, each.score) == (series.evaluator, series.score))
    return next(same, None)


def _same_evaluator(run: RunScores, other: RunScores, evaluator: str) -> bool:
    """Whether nothing says that another version of the evaluator scored the baseline."""
    mine, its = run.evaluators.get(evaluator), other.evaluators.get(evaluator)
    return not mine or not its or mine == its


def _no_rows(begun: GateResult, run: RunScores) -> GateResult:
    value = logged_value(run, begun.metric)
    verdict: GateVerdict = "passed" if begun.identical else "inconclusive"
    return replace(begun, value=value, verdict=verdict, reason=reasons.no_rows(begun))


def _no_baseline(gate: GateBlock, begun: GateResult, evidence: Evidence) -> GateResult:
    verdicts: dict[str, GateVerdict] = {"pass": "passed", "fail": "failed", "inconclusive": "inconclusive"}
    what = f"The baseline has no run over `{begun.dataset}`" if evidence.has_baseline else "There is NO BASELINE"
    reason = f"{what}; without_baseline: {gate.without_baseline} decides."
    return replace(begun, verdict=verdicts[gate.without_baseline], reason=reason, without_baseline=True)


def _no_partner(begun: GateResult, series: ScoreSeries) -> GateResult:
    if begun.identical:
        return replace(begun, verdict="passed", reason=reasons.IDENTICAL)
    reason = f"The baseline has no score `{series.metric}`. Make a new one with gate --save-baseline."
    return replace(begun, verdict="error", reason=reason)
