"""Runs for tests: scores written as a row of marks, or as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from llmops_actions.evaluation.gates import judge_gates
from llmops_actions.evaluation.metric_gates import Evidence
from llmops_actions.evaluation.results import GateResult
from llmops_actions.evaluation.series import LoggedMetric, RunScores, ScoreSeries, SeriesRow
from llmops_actions.evaluation.statistics import Value
from llmops_actions.experiment.gates import GateBlock

MARKS: Mapping[str, Value] = {"1": True, "0": False, "-": None}

Scores = str | Sequence[Value | tuple[Value, ...]]
"""One value for each row, or all its repeats; ``1``, ``0`` and ``-`` for true, false and failed."""


def key(content: object) -> str:
    return f"{content:0>16}"


def series(metric: str, scores: Scores, keys: Sequence[object] | None = None) -> ScoreSeries:
    evaluator, _, score = metric.partition(".")
    values = [MARKS[mark] for mark in scores] if isinstance(scores, str) else scores
    rows = tuple(
        SeriesRow(key((keys or range(len(values)))[line]), line, value if isinstance(value, tuple) else (value,))
        for line, value in enumerate(values)
    )
    return ScoreSeries(evaluator, score, rows)


def run(
    scores: Mapping[str, Scores] | None = None,
    *,
    dataset: str = "data",
    variation: str = "default",
    keys: Sequence[object] | None = None,
    logged: Mapping[str, float] | None = None,
    **details: Any,
) -> RunScores:
    """A run whose rows all completed, unless ``details`` says something else."""
    all_series = tuple(series(metric, each, keys) for metric, each in (scores or {}).items())
    rows = sum(len(row.values) for row in all_series[0].rows) if all_series else 10
    plain = RunScores(
        run=f"{dataset}.{variation}",
        variation=variation,
        dataset=dataset,
        fingerprint=f"of {variation} on {dataset}",
        rows=rows,
        failed=0,
        scored=rows,
        tokens=100 * rows,
        cost=0.01 * rows,
        latency_p95=1.5,
        series=all_series,
        logged=tuple(logged_metric(name, value) for name, value in (logged or {}).items()),
    )
    return replace(plain, **details)


def logged_metric(name: str, value: float) -> LoggedMetric:
    evaluator, _, metric = name.partition(".")
    return LoggedMetric(evaluator, metric, value)


def gate(**keys: Any) -> GateBlock:
    return GateBlock.model_validate(keys)


def before(*runs: RunScores, fingerprint: str = "of before") -> dict[str, RunScores]:
    """The runs as a baseline, with a fingerprint of its own."""
    return {each.dataset: replace(each, fingerprint=fingerprint) for each in runs}


def judge(
    rule: GateBlock | Mapping[str, Any],
    *runs: RunScores,
    baseline: Mapping[str, RunScores] | None = None,
    **required: Sequence[str | None],
) -> list[GateResult]:
    """One gate on some runs. ``required``: by dataset, the keys of the rows of the file that the gate names."""
    block = rule if isinstance(rule, GateBlock) else gate(**rule)
    rows = block.each_row.rows if block.each_row else None
    evidence = Evidence(
        runs=runs,
        baseline=baseline or {},
        has_baseline=baseline is not None,
        required={(rows or "", dataset): keys for dataset, keys in required.items()},
    )
    return judge_gates([block], evidence)
