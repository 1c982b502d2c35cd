"""Gates: from the scores of a run, and of a baseline, to a verdict with its reason. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmops_actions.evaluation import reasons
from llmops_actions.evaluation.metric_gates import Evidence, judge_each_row, judge_metric
from llmops_actions.evaluation.results import GateResult, GateVerdict
from llmops_actions.evaluation.run_gates import judge_cost, judge_run
from llmops_actions.evaluation.series import MetricNameError, RunScores, logged_value, unknown_metric
from llmops_actions.evaluation.statistics import holm
from llmops_actions.experiment.gates import GateBlock

SHOWN_RULES = 3


def check_names(gate: GateBlock, evidence: Evidence) -> None:
    """Whether the gate names a metric that there is; look at all gates before any is judged.

    Raises:
        MetricNameError: no run has it, or a run has several of that name.
    """
    runs = _runs(gate, evidence)
    metric = _metric(gate)
    if metric and runs and not _known(metric, runs, evidence):
        raise MetricNameError(unknown_metric(metric, runs))


def judge_gates(gates: Sequence[GateBlock], evidence: Evidence) -> list[GateResult]:
    """Every gate on every run that it holds for; none for a gate on a dataset that was not run.

    Failures by evidence are corrected for the number of gates (Holm 1979).

    Raises:
        MetricNameError: see ``check_names``.
    """
    for gate in gates:
        check_names(gate, evidence)
    results = [result for index, gate in enumerate(gates) for result in _judge(gate, index, evidence)]
    covered = {(gate.dataset or run.dataset) for gate in gates if _covers(gate) for run in evidence.runs}
    return [_with_outlook(each) for each in _corrected([_with_coverage(result, covered) for result in results])]


def overall(results: Sequence[GateResult]) -> tuple[GateVerdict, str]:
    """The verdict: passed when all gates pass (intersection-union: Berger 1982), failed when any fails.

    Advisory gates are shown and do not decide, unless they could not be judged.
    """
    deciding = [result for result in results if result.decides]
    verdicts: tuple[GateVerdict, ...] = ("error", "failed", "inconclusive")
    for verdict in verdicts:
        found = [result for result in deciding if result.counts_as == verdict]
        if found:
            names = list(dict.fromkeys(f"{result.rule} ({result.dataset})" for result in found))
            more = f" and {len(names) - SHOWN_RULES} more" if len(names) > SHOWN_RULES else ""
            shown = "; ".join(names[:SHOWN_RULES])
            return verdict, f"{len(found)} of {len(deciding)} gates {verdict}: {shown}{more}."
    if not deciding:
        return "passed", "There is no gate that decides."
    notes = [
        (sum(each.verdict == "inconclusive" for each in deciding), "inconclusive (on_inconclusive: pass)"),
        (sum(each.without_baseline for each in deciding), "WITHOUT A BASELINE (without_baseline: pass)"),
    ]
    said = "".join(f", {count} of them {what}" for count, what in notes if count)
    what = f"All {len(deciding)} gates" if len(deciding) > 1 else "The one gate that decides"
    return "passed", f"{what} passed{said}."


def _runs(gate: GateBlock, evidence: Evidence) -> list[RunScores]:
    return [run for run in evidence.runs if gate.dataset in (None, run.dataset)]


def _metric(gate: GateBlock) -> str | None:
    return gate.each_row.score if gate.each_row else gate.metric


def _known(metric: str, runs: Sequence[RunScores], evidence: Evidence) -> list[RunScores]:
    """The runs that have the metric: not every evaluator scores every dataset."""
    return [run for run in runs if evidence.series(run, metric) or logged_value(run, metric) is not None]


def _judge(gate: GateBlock, index: int, evidence: Evidence) -> list[GateResult]:
    runs = _runs(gate, evidence)
    metric = _metric(gate)
    if not runs:
        return []
    if gate.cost:
        return [judge_cost(gate, index, runs)]
    if not metric:
        return [judge_run(gate, index, run) for run in runs]
    known = _known(metric, runs, evidence)
    if gate.each_row:
        return judge_each_row(gate, index, known, evidence)
    return [judge_metric(gate, index, run, evidence) for run in known]


def _covers(gate: GateBlock) -> bool:
    return gate.coverage is not None and not gate.advisory


def _with_coverage(result: GateResult, covered: set[str]) -> GateResult:
    """Failed rows that are left out of a mean must be seen by a coverage gate; else nobody would see them."""
    left_out = result.failed and "left out" in result.policy
    if result.verdict != "passed" or result.identical or not left_out or result.dataset in covered:
        return result
    reason = (
        f"{result.reason} No coverage gate watches over the rows that are left out: add one, or failed_rows: worst."
    )
    return replace(result, verdict="inconclusive", reason=reason, rows_needed=None)


def _corrected(results: Sequence[GateResult]) -> list[GateResult]:
    """Holm over all gates whose test could fail the verdict: one that does not survive is inconclusive, and says so.

    The family is every such gate, not only those that failed: which those are is known only after looking.
    """
    family = [
        index for index, each in enumerate(results) if each.can_fail and not each.advisory and each.p_value is not None
    ]
    adjusted = holm([results[index].p_value or 0.0 for index in family])
    corrected = list(results)
    for index, p_value in zip(family, adjusted, strict=True):
        result = replace(results[index], adjusted_p_value=p_value)
        if result.verdict == "failed" and result.interval and p_value >= (1 - result.interval.confidence) / 2:
            reason = f"{result.reason} That does not survive the correction for {len(family)} tests (Holm)."
            result = replace(result, verdict="inconclusive", reason=reason)
        corrected[index] = result
    return corrected


def _with_outlook(result: GateResult) -> GateResult:
    if result.verdict != "inconclusive":
        return replace(result, rows_needed=None)
    return replace(result, reason=f"{result.reason}{reasons.outlook(result)}")
