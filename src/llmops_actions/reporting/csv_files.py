"""``results.csv`` and ``metrics.csv``: everything, for spreadsheets and data frames. No cell is a formula."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops_actions.reporting.facts import Facts, MetricFacts, tokens_of
from llmops_actions.reporting.results import Answer, Results
from llmops_actions.work_folder import RunDocument, UsageRecord, atomic_writer

_FORMULA = re.compile(r"[\s\ufeff\u200b]*[=+\-@\uff1d\uff0b\uff0d\uff20\t\r\n]")
"""How a cell starts that a spreadsheet may run (OWASP, "CSV Injection"), the full-width forms too."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")

_RUN = ("run", "variation", "dataset", "line", "repeat", "key", "status")
_END = ("error_type", "error", "node", "prompt_tokens", "completion_tokens", "tokens", "cost", "duration", "attempts")
_METRIC = (
    "experiment", "environment", "flow", "run", "variation", "variants", "hyperparameters", "dataset",
    "dataset_source", "dataset_sha256", "evaluator", "evaluation_dataset", "metric", "source", "kind", "value", "low",
    "high", "confidence", "n", "failed", "rows", "repeats", "run_status", "run_fingerprint", "evaluation_status",
    "evaluation_fingerprint", "models", "tokens", "cost", "evaluation_tokens", "evaluation_cost", "offline",
    "started_at", "duration", "engine", "versions", "commit",
)  # fmt: skip


def cell(value: object) -> str | int | float:
    """A value as a cell: numbers stay numbers, nested values are JSON, and text that could be a formula gets a ``'``.

    A ``'`` makes a spreadsheet take what follows as text. Control characters become U+FFFD.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def write_results(file: Path, results: Results) -> int:
    """Write a line for each run and row; returns their number. Reads all rows twice: memory does not grow with them."""
    columns = _columns(results)
    named = [f"{part}.{name}" if part != "scores" else name for part in columns for name in columns[part]]
    count = 0
    with atomic_writer(file) as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(map(cell, (*_RUN, *named, *_END)))
        for run in results.runs:
            for answer in results.answers(run):
                writer.writerow([cell(value) for value in _values(run, answer, columns)])
                count += 1
    return count


def _parts(answer: Answer) -> Iterator[tuple[str, Mapping[str, Any]]]:
    assert answer.row is not None  # noqa: S101 - answers of runs have a row
    yield "inputs", answer.row.inputs
    yield "outputs", answer.row.outputs or {}
    yield "scores", answer.scores
    yield "remarks", answer.remarks


def _columns(results: Results) -> dict[str, dict[str, None]]:
    """The names of all inputs, outputs, scores and remarks, in the order in which they turn up."""
    found: dict[str, dict[str, None]] = {"inputs": {}, "outputs": {}, "scores": {}, "remarks": {}}
    for run in results.runs:
        for answer in results.answers(run):
            for part, values in _parts(answer):
                found[part].update(dict.fromkeys(values))
    return found


def _values(run: RunDocument, answer: Answer, columns: Mapping[str, Mapping[str, None]]) -> Iterator[object]:
    row = answer.row
    assert row is not None  # noqa: S101 - answers of runs have a row
    yield from (run.name, run.variation.name, run.dataset.name, answer.line + 1, answer.repeat + 1, row.key, row.status)
    parts = dict(_parts(answer))
    for part, names in columns.items():
        yield from (parts[part].get(name) for name in names)
    error = row.error
    yield from (error.type, error.message, error.node) if error else (None, None, None)
    usage = row.usage.values()
    yield sum(each.prompt_tokens for each in usage)
    yield sum(each.completion_tokens for each in usage)
    yield from (tokens_of(row.usage), row.cost, row.duration, row.attempts)


def write_metrics(file: Path, facts: Facts, commit: str | None) -> int:
    """Write a line for each run and metric, with all that it was made from; returns their number."""
    with atomic_writer(file) as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(_METRIC)
        for each in facts.metrics:
            values = _metric_values(each) | {"commit": commit}
            writer.writerow([cell(values[name]) for name in _METRIC])
    return len(facts.metrics)


def _metric_values(facts: MetricFacts) -> dict[str, object]:
    run, metric, evaluation, interval = facts.run, facts.metric, facts.evaluation, facts.interval
    usage: dict[str, UsageRecord] = dict(evaluation.usage) if evaluation else {}
    return {
        "experiment": run.experiment,
        "environment": run.environment,
        "flow": run.flow,
        "run": run.name,
        "variation": run.variation.name,
        "variants": dict(run.variation.variants),
        "hyperparameters": {node: dict(values) for node, values in run.variation.hyperparameters.items()},
        "dataset": run.dataset.name,
        "dataset_source": run.dataset.source,
        "dataset_sha256": run.dataset.sha256,
        "evaluator": evaluation.evaluator if evaluation else None,
        "evaluation_dataset": evaluation.evaluation_dataset if evaluation else None,
        "metric": metric.name,
        "source": metric.source,
        "kind": metric.kind,
        "value": metric.value,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "confidence": interval.confidence if interval else None,
        "n": metric.n,
        "failed": metric.failed,
        "rows": run.rows,
        "repeats": run.repeats,
        "run_status": run.status,
        "run_fingerprint": run.fingerprint,
        "evaluation_status": evaluation.status if evaluation else None,
        "evaluation_fingerprint": evaluation.fingerprint if evaluation else None,
        "models": " ".join(run.usage),
        "tokens": tokens_of(run.usage),
        "cost": run.cost,
        "evaluation_tokens": tokens_of(usage),
        "evaluation_cost": evaluation.cost if evaluation else None,
        "offline": run.offline,
        "started_at": run.started_at,
        "duration": run.duration,
        "engine": run.engine,
        "versions": dict(run.versions),
    }
