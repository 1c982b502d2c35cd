"""Reads what the evaluators said out of the work folder: one ``RunScores`` for each run of a variation."""

from __future__ import annotations

import contextlib
import gc
import json
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from llmops_actions.errors import Location, PlatformError, UsageError
from llmops_actions.evaluation.baseline import rows_of
from llmops_actions.evaluation.selection import VariationRuns
from llmops_actions.evaluation.series import LoggedMetric, RunScores, ScoreSeries
from llmops_actions.evaluation.statistics import Value
from llmops_actions.work_folder import (
    SCHEMA_VERSION,
    EvaluationRecord,
    MetricsDocument,
    PlanDocument,
    RowDocument,
    RunDocument,
    ScoreDocument,
    WorkFolder,
    read_document,
    read_line,
    read_lines,
)

TIMES = 5_000
"""How many rows' durations are kept at most for a percentile: every k-th row beyond that."""

_BATCH = 1_000
"""Lines that are parsed together: the parser is called a thousandth as often."""

_STATUSES = ("completed", "failed")
_NUMBERS = (bool, int, float)


@contextlib.contextmanager
def without_cycle_search() -> Iterator[None]:
    """Pause Python's search for reference cycles: of many rows and no cycles it takes a third of the time."""
    paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if paused:
            gc.enable()


def read_metrics(folder: WorkFolder) -> MetricsDocument:
    """``metrics.json``.

    Raises:
        UsageError: nothing was evaluated yet.
    """
    if not folder.metrics.is_file():
        raise UsageError(f"There is no metrics.json in {folder.root}. Run bulk-run and evaluate first.")
    return read_document(folder.metrics, MetricsDocument)


def evaluated_runs(folder: WorkFolder, metrics: MetricsDocument) -> list[RunDocument]:
    """The documents of the runs that were evaluated, in the order of ``metrics.json``; then the others of the plan.

    Of those, all variations that were evaluated; where nothing was, since there is no evaluator, every one.

    Raises:
        UsageError: there is no run, or one ran anew since it was evaluated.
    """
    fingerprints = {record.run: record.run_fingerprint for record in metrics.evaluations}
    documents = [read_document(folder.run_document(name), RunDocument) for name in fingerprints]
    for document in documents:
        if fingerprints[document.name] not in ("", document.fingerprint):
            raise UsageError(f"The run {document.name} ran anew since it was evaluated. Run evaluate again.")
    variations = {document.variation.name for document in documents}
    planned = read_document(folder.plan, PlanDocument).runs if folder.plan.is_file() else ()
    for each in planned:
        chosen = not variations or each.variation in variations
        if chosen and each.name not in fingerprints and folder.run_document(each.name).is_file():
            documents.append(read_document(folder.run_document(each.name), RunDocument))
    if not documents:
        raise UsageError(f"There are no runs in {folder.root}. Run bulk-run and evaluate first.")
    return documents


def read_variations(folder: WorkFolder, names: Sequence[str] = ()) -> list[VariationRuns]:
    """Every variation that was evaluated (or those of ``names``), with its scores, in the order of the sweep.

    Raises:
        UsageError: nothing was evaluated.
        PlatformError: a file is damaged.
    """
    metrics = read_metrics(folder)
    documents = evaluated_runs(folder, metrics)
    found = []
    for name in dict.fromkeys(document.variation.name for document in documents):
        if not names or name in names:
            own = [document for document in documents if document.variation.name == name]
            runs = tuple(read_scores(folder, document, metrics) for document in own)
            found.append(VariationRuns(name, own[0].variation.is_default, runs))
    return found


def read_scores(folder: WorkFolder, run: RunDocument, metrics: MetricsDocument) -> RunScores:
    """All that is known of one run."""
    records = [record for record in metrics.evaluations if record.run == run.name]
    labels = _labels(records)
    read = [
        _read_series(folder.root / record.scores, label, record, run)
        for label, record in zip(labels, records, strict=True)
    ]
    scored = bytearray(b"\1") * run.rows
    for each in read:
        scored = bytearray(a & b for a, b in zip(scored, each.scored, strict=True)) if 0 in each.scored else scored
    return RunScores(
        run=run.name,
        variation=run.variation.name,
        dataset=run.dataset.name,
        fingerprint=run.fingerprint,
        rows=run.rows,
        failed=run.failed,
        scored=sum(scored) if read else run.completed,
        tokens=run.tokens,
        cost=run.cost,
        latency_p95=percentile(_durations(folder.rows(run.name), run.rows), 0.95),
        series=tuple(series for each in read for series in each.series),
        logged=tuple(
            LoggedMetric(label, metric.name, metric.value)
            for label, record in zip(labels, records, strict=True)
            for metric in record.metrics
            if metric.source == "logged" and metric.value is not None
        ),
        evaluators={label: each.evaluator_fingerprint for label, each in zip(labels, records, strict=True)},
    )


def _labels(records: Sequence[EvaluationRecord]) -> list[str]:
    """The evaluators' names; with the dataset where one scored the run on several."""
    counts = Counter(record.evaluator for record in records)
    return [
        f"{each.evaluator}@{each.evaluation_dataset}" if counts[each.evaluator] > 1 else each.evaluator
        for each in records
    ]


class _Read(NamedTuple):
    """The series of an evaluator, and for each row of the run a 1 where it was scored.

    A series ends where the evaluator's dataset does, if that is shorter than the run.
    """

    series: list[ScoreSeries]
    scored: bytearray


def _read_series(file: Path, label: str, record: EvaluationRecord, run: RunDocument) -> _Read:
    names = [metric.name for metric in record.metrics if metric.source == "mean"]
    columns: list[list[Value]] = [[] for _ in names]
    keys: list[str] = []
    scored = bytearray()
    for row in _score_rows(file):
        if row["line"] != len(scored):
            raise PlatformError(
                f"The file is damaged: line {len(scored)} is missing. Run evaluate again.", Location(file)
            )
        if len(scored) % run.repeats == 0:
            keys.append(row["key"])
        scored.append(row["status"] == "completed")
        scores = row["scores"]
        for column, name in zip(columns, names, strict=True):
            column.append(scores.get(name))
    if len(scored) != record.rows or len(scored) > run.rows:
        problem = f"The file has {len(scored)} rows, not the {record.rows} that were evaluated."
        raise PlatformError(f"{problem} Run evaluate again.", Location(file))
    scored.extend(bytes(run.rows - len(scored)))
    series = [
        ScoreSeries(label, name, rows_of(keys, column, run.repeats))
        for name, column in zip(names, columns, strict=True)
    ]
    return _Read(series, scored)


def _score_rows(file: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a file of scores, parsed a thousand at a time.

    Where a line is not what it should be, the slow reader reads the file, and says what and where.
    """
    if not file.is_file():
        raise PlatformError("The file is missing. Run evaluate again.", Location(file))
    with file.open("rb") as lines:
        while batch := list(islice(lines, _BATCH)):
            try:
                rows = json.loads(b"[%s]" % b",".join(batch), parse_constant=_no_number)
            except (ValueError, RecursionError):
                rows = []
            if len(rows) != len(batch) or not all(map(_is_score_row, rows)):
                _refuse(file)
            yield from rows


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _refuse(file: Path) -> NoReturn:
    deque(read_lines(file, ScoreDocument), maxlen=0)
    raise PlatformError("The file is damaged. Run evaluate again.", Location(file))


def _is_score_row(row: Any) -> bool:
    """Whether a line is what ``ScoreDocument`` is, as far as it is used here."""
    try:
        return (
            row.get("schema_version", SCHEMA_VERSION) == SCHEMA_VERSION
            and type(row["line"]) is int
            and type(row["key"]) is str
            and row["status"] in _STATUSES
            and all(type(value) in _NUMBERS for value in row["scores"].values())
        )
    except (AttributeError, KeyError, TypeError):
        return False


def _durations(file: Path, rows: int) -> list[float]:
    """The seconds that rows took; one that failed counts as the slowest, so that failing is never fast."""
    step = max(1, math.ceil(rows / TIMES))
    durations: list[float] = []
    failed = 0
    if not file.is_file():
        raise PlatformError("The file is missing. Run bulk-run again.", Location(file))
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            if number % step:
                continue
            row = read_line(line, RowDocument, Location(file, number + 1))
            if row.status == "completed":
                durations.append(row.duration)
            else:
                failed += 1
    return durations + [max(durations)] * failed if durations else []


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least ``share`` of the values do not exceed (nearest rank); ``None`` of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
