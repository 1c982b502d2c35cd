"""Gates on what was counted or measured over a whole run: coverage, tokens, cost, latency. No inference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmops_actions.evaluation.results import POINT, GateResult, GateVerdict, start
from llmops_actions.evaluation.series import RunScores
from llmops_actions.experiment.gates import GateBlock

EVERY_DATASET = "all"
_NOT_COUNTED = "The promptflow engine does not measure {what}. Run with the engine threads."


def judge_run(gate: GateBlock, index: int, run: RunScores) -> GateResult:
    """A gate on coverage, tokens or latency."""
    if gate.coverage:
        return _coverage(start(gate, index, "coverage", run), gate.coverage.at_least, run)
    if gate.tokens_per_row:
        return _tokens(start(gate, index, "tokens-per-row", run), gate.tokens_per_row.at_most, run)
    assert gate.latency_p95  # noqa: S101 - a gate has exactly one subject
    return _latency(start(gate, index, "latency", run), gate.latency_p95.at_most, run)


def judge_cost(gate: GateBlock, index: int, runs: Sequence[RunScores]) -> GateResult:
    """What all runs cost together; a price that is not known is an error, never nothing."""
    assert gate.cost  # noqa: S101 - the caller looked
    limit = gate.cost.at_most
    rows, failed = sum(run.rows for run in runs), sum(run.failed for run in runs)
    dataset = gate.dataset or EVERY_DATASET
    begun = replace(start(gate, index, "cost", runs[0]), run="", dataset=dataset, n=rows, failed=failed)
    if any(run.tokens is None for run in runs):
        return replace(begun, verdict="error", reason=_NOT_COUNTED.format(what="cost"), threshold=limit)
    unknown = [run.run for run in runs if run.cost is None]
    if unknown:
        reason = f"The price of a model is not known ({', '.join(unknown)}). Add it to prices.yaml."
        return replace(begun, verdict="error", reason=reason, threshold=limit)
    total = sum(run.cost for run in runs if run.cost is not None)
    return _point(begun, total, limit, f"The runs cost ${total:.4f}; ${limit:g} may be.", passed=total <= limit)


def _coverage(begun: GateResult, limit: float, run: RunScores) -> GateResult:
    share = run.scored / run.rows if run.rows else 0.0
    reason = f"{run.scored} of {run.rows} rows ran and were scored ({share:.1%})."
    return _point(begun, share, limit, reason, passed=run.rows > 0 and share >= limit)


def _tokens(begun: GateResult, limit: float, run: RunScores) -> GateResult:
    """All tokens over the rows that completed: rows that fail early cannot make a run look frugal."""
    completed = run.rows - run.failed
    if run.tokens is None:
        return replace(begun, verdict="error", reason=_NOT_COUNTED.format(what="tokens"), threshold=limit)
    if not completed:
        return _nothing(begun, limit)
    tokens = run.tokens / completed
    return _point(begun, tokens, limit, f"{tokens:,.0f} tokens a row; {limit:,.0f} may be.", passed=tokens <= limit)


def _latency(begun: GateResult, limit: float, run: RunScores) -> GateResult:
    if run.latency_p95 is None:
        return _nothing(begun, limit)
    reason = f"95 % of the rows took at most {run.latency_p95:.2f} s; {limit:g} s may be."
    return _point(begun, run.latency_p95, limit, reason, passed=run.latency_p95 <= limit)


def _nothing(begun: GateResult, limit: float) -> GateResult:
    return replace(begun, verdict="error", reason="No row completed, so nothing was measured.", threshold=limit)


def _point(begun: GateResult, value: float, limit: float, reason: str, *, passed: bool) -> GateResult:
    verdict: GateVerdict = "passed" if passed else "failed"
    return replace(begun, verdict=verdict, reason=reason, value=value, threshold=limit, test=POINT)
