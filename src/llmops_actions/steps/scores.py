"""Reads what the evaluators said out of the work folder: one ``RunScores`` for each run of a variation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from llmops_actions.errors import UsageError
from llmops_actions.evaluation.series import RunScores, ScoreSeries, SeriesRow
from llmops_actions.evaluation.statistics import Value
from llmops_actions.work_folder import (
    EvaluationRecord,
    MetricsDocument,
    RowDocument,
    RunDocument,
    ScoreDocument,
    WorkFolder,
    read_document,
    read_lines,
)

TIMES = 5_000
"""How many rows' durations are kept at most for a percentile: every k-th row beyond that."""


def read_metrics(folder: WorkFolder) -> MetricsDocument:
    """``metrics.json``.

    Raises:
        UsageError: nothing was evaluated yet.
    """
    if not folder.metrics.is_file():
        raise UsageError(f"There is no metrics.json in {folder.root}. Run bulk-run and evaluate first.")
    return read_document(folder.metrics, MetricsDocument)


def evaluated_runs(folder: WorkFolder, metrics: MetricsDocument) -> list[RunDocument]:
    """The documents of the runs that were evaluated, in the order of ``metrics.json``."""
    names = list(dict.fromkeys(record.run for record in metrics.evaluations))
    return [read_document(folder.run_document(name), RunDocument) for name in names]


def read_scores(folder: WorkFolder, run: RunDocument, metrics: MetricsDocument) -> RunScores:
    """All that is known of one run."""
    records = [record for record in metrics.evaluations if record.run == run.name]
    scored_everywhere: bytearray | None = None
    series: list[ScoreSeries] = []
    for record in records:
        found, scored = _read_series(folder.root / record.scores, record, run.repeats)
        series.extend(found)
        if scored_everywhere is None:
            scored_everywhere = scored
        else:
            scored_everywhere = bytearray(a & b for a, b in zip(scored_everywhere, scored, strict=True))
    logged = {
        f"{record.evaluator}.{metric.name}": metric.value
        for record in records
        for metric in record.metrics
        if metric.source == "logged" and metric.value is not None
    }
    usage = run.usage.values()
    return RunScores(
        run=run.name,
        variation=run.variation.name,
        dataset=run.dataset.name,
        fingerprint=run.fingerprint,
        rows=run.rows,
        failed=run.failed,
        scored=sum(scored_everywhere) if scored_everywhere is not None else run.completed,
        tokens=sum(each.prompt_tokens + each.completion_tokens for each in usage),
        cost=run.cost,
        latency_p95=percentile(_durations(folder.rows(run.name), run.rows), 0.95),
        series=tuple(series),
        logged=logged,
    )


def _read_series(file: Path, record: EvaluationRecord, repeats: int) -> tuple[list[ScoreSeries], bytearray]:
    names = [metric.name for metric in record.metrics if metric.source == "mean"]
    columns: dict[str, list[Value]] = {name: [] for name in names}
    keys: list[str] = []
    scored = bytearray()
    for row in read_lines(file, ScoreDocument):
        scored.append(row.status == "completed")
        if row.line % repeats == 0:
            keys.append(row.key)
        for name in names:
            columns[name].append(row.scores.get(name))
    return [ScoreSeries(record.evaluator, name, _rows(keys, columns[name], repeats)) for name in names], scored


def _rows(keys: Sequence[str], values: Sequence[Value], repeats: int) -> tuple[SeriesRow, ...]:
    return tuple(
        SeriesRow(key, line, tuple(values[line * repeats : (line + 1) * repeats])) for line, key in enumerate(keys)
    )


def _durations(file: Path, rows: int) -> list[float]:
    step = max(1, math.ceil(rows / TIMES))
    return [
        row.duration
        for number, row in enumerate(read_lines(file, RowDocument))
        if number % step == 0 and row.status == "completed"
    ]


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of the values do not exceed (nearest rank); ``None`` of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
