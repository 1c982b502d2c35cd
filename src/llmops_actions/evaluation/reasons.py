"""Why a gate ended as it did, in words."""

from __future__ import annotations

from llmops_actions.evaluation.results import GateResult
from llmops_actions.evaluation.series import FoundSeries
from llmops_actions.evaluation.statistics import Comparison, Interval, Measurement

IDENTICAL = "The run has the baseline's own fingerprint: the same flow, data and settings. Passed by identity."
OTHER_EVALUATOR = " The evaluator is not the one that scored the baseline: the difference may be its own."

_RULES = {"too few rows": " Too few rows to decide: it takes 10.", "identical": " No row changed."}


def absolute(result: GateResult, measured: Measurement, found: FoundSeries) -> str:
    """Of a gate with a limit."""
    if result.value is None:
        return f"No row has a score.{_rows(result)}"
    text = f"{result.value:.3f}, {_interval(result.interval)}, over {result.n} rows."
    return f"{text}{_RULES.get(measured.rule or '', '')}{_rows(result)}{_alias(found)}"


def compared(result: GateResult, comparison: Comparison, found: FoundSeries, *, same_evaluator: bool) -> str:
    """Of a gate against the baseline."""
    other = "" if same_evaluator else OTHER_EVALUATOR
    if result.difference is None:
        text = "No row has a partner in the baseline."
        return f"{IDENTICAL if result.identical else text}{_rows(result)}{other}"
    text = (
        f"{result.difference:+.3f} against {result.baseline:.3f}, {_interval(result.interval, '+')}, over "
        f"{result.pairs} pairs ({comparison.improved} better, {comparison.regressed} worse)."
    )
    if result.identical:
        noise = "What differs is noise: " if same_evaluator else ""
        return f"{IDENTICAL} {noise}{text}{_rows(result)}{other}"
    return f"{text}{_RULES.get(comparison.rule or '', '')}{_rows(result)}{_alias(found)}{other}"


def each_row(result: GateResult, never: str, bad: int) -> str:
    """Of a rule for each row."""
    text = f"{bad or 'None'} of {result.n} rows {never}."
    alone = f" {result.only_candidate} of them are not in the baseline." if result.only_candidate else ""
    return f"{IDENTICAL} What differs is noise: {text}{alone}" if result.identical else f"{text}{alone}"


def no_rows(result: GateResult) -> str:
    """Of a metric that has no value for each row."""
    if result.identical:
        return IDENTICAL
    return (
        f"`{result.metric}` is logged by the evaluator and has no value for each row, so there is no interval and no "
        "pairing. Let the evaluator return a score for each row, and name that."
    )


def outlook(result: GateResult) -> str:
    """What these rows could have seen, and how many would settle it."""
    seen = f" {result.n} rows could have seen a difference of {result.detectable:.3g}." if result.detectable else ""
    rows = f" About {result.rows_needed:,} rows would settle it." if result.rows_needed else ""
    return f"{seen}{rows}"


def _interval(interval: Interval | None, sign: str = "") -> str:
    if interval is None or interval.low == -interval.high == float("-inf"):
        return "without an interval"
    return f"{100 * interval.confidence:.4g} % interval {interval.low:{sign}.3f} to {interval.high:{sign}.3f}"


def _rows(result: GateResult) -> str:
    failed = f" {result.failed} {result.policy}." if result.failed else ""
    sides = [
        f"{count} {where}"
        for count, where in ((result.only_candidate, "only in the run"), (result.only_baseline, "only in the baseline"))
        if count
    ]
    alone = f" Rows not compared: {', '.join(sides)}." if sides else ""
    return f"{failed}{alone}"


def _alias(found: FoundSeries) -> str:
    return f" Its rows are those of `{found.series.score}`, whose share it is." if found.alias else ""
