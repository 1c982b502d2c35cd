"""What a report is made from: the files of a work folder, joined row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from llmops_actions.evaluation.scores import Score
from llmops_actions.verdict_documents import ComparisonDocument, GateRecord, VerdictDocument
from llmops_actions.work_folder import (
    DocumentType,
    EvaluationRecord,
    MetricsDocument,
    PlanDocument,
    RowDocument,
    RunDocument,
    ScoreDocument,
    VariationRecord,
    WorkFolder,
    read_document,
    read_lines,
)

VERDICT_FILE = "verdict.json"
COMPARISON_FILE = "comparison.json"


@dataclass(frozen=True)
class Answer:
    """What a run made of a row, and what the evaluators made of that.

    ``scores`` are named ``<evaluator>.<score>``; ``remarks`` are the evaluators' other outputs and their errors.
    ``row`` is ``None`` where only scores were kept: in a baseline that is a digest. ``line`` is the row's place in its
    dataset, ``repeat`` which of its repeats this is, both from zero.
    """

    row: RowDocument | None
    scores: Mapping[str, Score]
    remarks: Mapping[str, Any]
    line: int = 0
    repeat: int = 0

    @property
    def failed(self) -> bool:
        """Whether the flow failed on the row."""
        return self.row is not None and self.row.status == "failed"


@dataclass(frozen=True)
class Results:
    """The results in one work folder. ``notes`` says what is missing or out of date, a sentence each."""

    folder: WorkFolder
    experiment: str
    environment: str | None
    runs: tuple[RunDocument, ...]
    evaluations: tuple[EvaluationRecord, ...]
    verdict: VerdictDocument | None
    comparison: ComparisonDocument | None
    notes: tuple[str, ...]

    @property
    def variations(self) -> tuple[VariationRecord, ...]:
        """The variations that ran, the default first."""
        found = {run.variation.name: run.variation for run in self.runs}
        return tuple(sorted(found.values(), key=lambda each: not each.is_default))

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets, in the order of the runs."""
        return tuple(dict.fromkeys(run.dataset.name for run in self.runs))

    def run_of(self, variation: str, dataset: str) -> RunDocument | None:
        """The run of a variation over a dataset."""
        return next((run for run in self.runs if run.variation.name == variation and run.dataset.name == dataset), None)

    @cached_property
    def _repeated(self) -> frozenset[tuple[str, str]]:
        counts = Counter((each.run, each.evaluator) for each in self.evaluations)
        return frozenset(which for which, count in counts.items() if count > 1)

    def label(self, evaluation: EvaluationRecord) -> str:
        """The evaluator's name; with the dataset it took, where it scored a run on several."""
        if (evaluation.run, evaluation.evaluator) in self._repeated:
            return f"{evaluation.evaluator}@{evaluation.evaluation_dataset}"
        return evaluation.evaluator

    def answers(self, run: RunDocument) -> Iterator[Answer]:
        """The rows of a run with their scores, in line order; streams."""
        evaluations = [each for each in self.evaluations if each.run == run.name]
        files = [(self.label(each), self.folder.root / each.scores) for each in evaluations]
        scorers = [_Scorer(label, file) for label, file in files if file.is_file()]
        for row in read_lines(self.folder.rows(run.name), RowDocument):
            scores: dict[str, Score] = {}
            remarks: dict[str, Any] = {}
            for scorer in scorers:
                document = scorer.of(row)
                if document is None:
                    continue
                scores |= {f"{scorer.label}.{name}": value for name, value in document.scores.items()}
                others = {
                    name: value for name, value in (document.outputs or {}).items() if name not in document.scores
                }
                remarks |= {f"{scorer.label}.{name}": value for name, value in others.items()}
                if document.error and row.status == "completed":
                    remarks[f"{scorer.label}: {document.error.type}"] = document.error.message
            yield Answer(row, scores, remarks, *divmod(row.line, run.repeats))


class _Scorer:
    """One file of scores, read alongside the rows. Scores of another row (the run is newer) are none of this one."""

    def __init__(self, label: str, file: Path) -> None:
        self.label = label
        self._documents = read_lines(file, ScoreDocument)
        self._next = next(self._documents, None)

    def of(self, row: RowDocument) -> ScoreDocument | None:
        while self._next is not None and self._next.line < row.line:
            self._next = next(self._documents, None)
        found = self._next
        return found if found is not None and found.line == row.line and found.key == row.key else None


def read_results(folder: WorkFolder) -> Results:
    """Read what the steps left in ``folder``; what is not there is a note, not an error.

    Raises:
        PlatformError: a file is damaged, or of another schema version.
    """
    plan = _optional(folder.plan, PlanDocument)
    metrics = _optional(folder.metrics, MetricsDocument)
    verdict = _optional(folder.root / VERDICT_FILE, VerdictDocument)
    comparison = _optional(folder.root / COMPARISON_FILE, ComparisonDocument)
    wanted = list(dict.fromkeys([each.name for each in plan.runs] if plan else []))
    wanted += [each.run for each in metrics.evaluations if each.run not in wanted] if metrics else []
    wanted = list(dict.fromkeys(wanted)) or sorted(file.parent.name for file in folder.root.glob("runs/*/run.json"))
    documents = [_optional(folder.run_document(name), RunDocument) for name in wanted]
    runs = tuple(
        each for each in documents if each is not None and each.status != "running" and folder.rows(each.name).is_file()
    )
    missing = [name for name in wanted if name not in {run.name for run in runs}]
    evaluations, stale = _evaluations_of(runs, metrics)
    notes = [f"{len(missing)} runs are not there or did not end, so not in this report."] if missing else []
    notes += [f"{len(stale)} runs ran anew since they were evaluated: run evaluate again."] if stale else []
    if metrics is None:
        notes.append("There are no scores: evaluate did not run.")
    notes += _verdict_notes(verdict, comparison, runs)
    first = runs[0] if runs else None
    return Results(
        folder=folder,
        experiment=first.experiment if first else plan.experiment if plan else folder.root.parent.name,
        environment=first.environment if first else plan.environment if plan else None,
        runs=runs,
        evaluations=evaluations,
        verdict=verdict,
        comparison=comparison,
        notes=tuple(notes),
    )


def _optional(file: Path, kind: type[DocumentType]) -> DocumentType | None:
    return read_document(file, kind) if file.is_file() else None


def _evaluations_of(
    runs: Sequence[RunDocument], metrics: MetricsDocument | None
) -> tuple[tuple[EvaluationRecord, ...], set[str]]:
    """The evaluations of the runs as they are now, and the names of the runs that were others when evaluated."""
    fingerprints = {run.name: run.fingerprint for run in runs}
    known = [each for each in metrics.evaluations if each.run in fingerprints] if metrics else []
    stale = {each.run for each in known if each.run_fingerprint not in ("", fingerprints[each.run])}
    return tuple(each for each in known if each.run not in stale), stale


def _verdict_notes(
    verdict: VerdictDocument | None, comparison: ComparisonDocument | None, runs: Sequence[RunDocument]
) -> Iterator[str]:
    newest = max((moment for run in runs if (moment := _moment(run.started_at))), default=None)
    if verdict is None:
        yield "There is no verdict: gate did not run."
    elif _is_older(verdict.created_at, newest):
        yield "The verdict is older than the runs: run gate again."
    if comparison is None:
        if len({run.variation.name for run in runs}) > 1:
            yield "The variations are not compared: compare did not run."
    elif _is_older(comparison.created_at, newest):
        yield "The comparison is older than the runs: run compare again."


def _is_older(created_at: str, newest: datetime | None) -> bool:
    created = _moment(created_at)
    return created is not None and newest is not None and created < newest


def _moment(text: str) -> datetime | None:
    """A time with its offset, as steps write it; ``None`` for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def read_baseline(results: Results, directory: Path) -> Results | None:
    """The runs of the work folder that the verdict's baseline is, where it is a work folder, and is here."""
    if results.verdict is None or results.verdict.baseline is None:
        return None
    baseline = results.verdict.baseline
    path = directory / baseline.source
    try:
        roots = (path, WorkFolder.of(path, results.experiment, results.environment).root)
        root = next((root for root in roots if root.is_dir() and any(root.glob("runs/*/run.json"))), None)
    except (OSError, ValueError):
        return None
    if root is None or (path / "baseline.json").is_file():
        return None
    found = read_results(WorkFolder(root))
    chosen = tuple(run for run in found.runs if run.variation.name == baseline.variation)
    return replace(found, runs=chosen) if chosen else None


def gate_tags(gate: GateRecord) -> tuple[str, ...]:
    """What a reader must know beside the verdict of a gate, in a word or two each."""
    tags = ["advisory"] if gate.advisory else []
    tags += ["no baseline"] if gate.without_baseline else []
    if gate.verdict == "inconclusive" and gate.on_inconclusive is not None:
        tags.append(f"counts as {gate.on_inconclusive}ed")
    return tuple(tags)
