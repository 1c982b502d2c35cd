"""Work folders for tests of the report: written by the real writers, with whatever answers and scores a test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_actions.evaluation.scores import ScoreTotals, scores_of
from llmops_actions.reporting.facts import Facts, gather
from llmops_actions.reporting.overview import Overview, overview
from llmops_actions.reporting.pairing import Pairing, make_pairing
from llmops_actions.reporting.results import Results, read_results
from llmops_actions.verdict_documents import (
    BaselineRecord,
    ComparisonDocument,
    GateRecord,
    IntervalRecord,
    RegressedRow,
    VariationComparison,
    VariationTotals,
    VerdictDocument,
)
from llmops_actions.work_folder import (
    DatasetRecord,
    ErrorRecord,
    EvaluationRecord,
    MetricRecord,
    MetricsDocument,
    RowDocument,
    RunDocument,
    ScoreDocument,
    UsageRecord,
    VariationRecord,
    WorkFolder,
    write_document,
    write_lines,
)

STARTED = "2026-01-02T03:04:05+00:00"
LATER = "2026-01-02T04:00:00+00:00"


class RowFailsError(Exception):
    """The flow fails on a row."""


def answer(variation: str, row: int) -> Mapping[str, Any]:
    """The default is right on every row but the third of three; ``brief`` is wrong on the first, right on the third."""
    right = row % 3 != 2 if variation == "default" else row % 3 != 0
    return {"answer": f"{'Because' if right else 'No idea'} of row {row}, I would say."}


def grade(variation: str, row: int, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """An evaluator that finds an answer right which begins with ``Because``."""
    right = str(outputs.get("answer", "")).startswith("Because")
    return {"correct": right, "length": len(str(outputs)), "reason": "It gives one." if right else "It gives none."}


@dataclass(frozen=True)
class Sample:
    """What a work folder holds; ``logged`` are metrics that the evaluator logs, the same in each run."""

    rows: int = 6
    variations: Sequence[str] = ("default", "brief")
    datasets: Sequence[str] = ("train",)
    answer: Callable[[str, int], Mapping[str, Any]] = answer
    grade: Callable[[str, int, Mapping[str, Any]], Mapping[str, Any]] = grade
    inputs: Callable[[int], Mapping[str, Any]] = lambda row: {"question": f"Why {row}?"}
    key: Callable[[int], str] = lambda row: f"{row:016x}"
    repeats: int = 1
    evaluators: Sequence[str] = ("grade",)
    logged: Mapping[str, float] = field(default_factory=dict)

    def write(self, root: Path) -> WorkFolder:
        """Write runs, scores and metrics."""
        folder = WorkFolder(root)
        evaluations = [
            evaluation
            for variation in self.variations
            for dataset in self.datasets
            for evaluation in self._run(folder, variation, dataset)
        ]
        document = MetricsDocument(experiment="support", environment="dev", evaluations=tuple(evaluations))
        write_document(folder.metrics, document)
        return folder

    def _run(self, folder: WorkFolder, variation: str, dataset: str) -> Iterator[EvaluationRecord]:
        name = f"{dataset}.{variation}"
        rows = [self._row(variation, line) for line in range(self.rows * self.repeats)]
        write_lines(folder.rows(name), rows)
        failed = sum(row.status == "failed" for row in rows)
        run = RunDocument(
            name=name,
            experiment="support",
            environment="dev",
            flow="flows/answer",
            flow_kind="dag",
            variation=VariationRecord(
                name=variation,
                is_default=variation == self.variations[0],
                variants={} if variation == self.variations[0] else {"reply": variation},
                hyperparameters={} if variation == self.variations[0] else {"reply": {"temperature": 0.5}},
            ),
            dataset=DatasetRecord(name=dataset, source=f"data/{dataset}.jsonl", rows=self.rows, sha256="5" * 64),
            fingerprint="f" * 64,
            status="completed",
            repeats=self.repeats,
            rows=len(rows),
            completed=len(rows) - failed,
            failed=failed,
            usage={"gpt": UsageRecord(calls=len(rows), prompt_tokens=10 * len(rows), completion_tokens=len(rows))},
            cost=0.001 * len(rows),
            started_at=STARTED,
            duration=1.5,
            engine="threads",
            versions={"python": "3.11.7"},
        )
        write_document(folder.run_document(name), run)
        for evaluator in self.evaluators:
            yield self._evaluate(folder, run, evaluator, rows)

    def _row(self, variation: str, line: int) -> RowDocument:
        row = line // self.repeats
        outputs: Mapping[str, Any] | None = None
        error = None
        try:
            outputs = self.answer(variation, row)
        except RowFailsError as problem:
            error = ErrorRecord(type="RowFailsError", message=str(problem), node="reply")
        return RowDocument(
            line=line,
            key=self.key(row),
            status="failed" if error else "completed",
            inputs=self.inputs(row),
            outputs=outputs,
            error=error,
            usage={"gpt": UsageRecord(calls=1, prompt_tokens=10, completion_tokens=1)},
            cost=0.001,
            duration=0.1 + 0.01 * row,
            attempts=1,
        )

    def _evaluate(
        self, folder: WorkFolder, run: RunDocument, evaluator: str, rows: Sequence[RowDocument]
    ) -> EvaluationRecord:
        totals = ScoreTotals()
        documents = []
        for row in rows:
            found = self.grade(run.variation.name, row.line // self.repeats, row.outputs) if row.outputs else None
            scores = scores_of(found) if found is not None else None
            totals.add(scores)
            documents.append(
                ScoreDocument(
                    line=row.line, key=row.key, status=row.status, scores=scores or {}, outputs=found, error=row.error
                )
            )
        file = folder.scores(evaluator, run.name)
        write_lines(file, documents)
        return EvaluationRecord(
            run=run.name,
            variation=run.variation.name,
            dataset=run.dataset.name,
            evaluator=evaluator,
            evaluation_dataset=run.dataset.name,
            scores=file.relative_to(folder.root).as_posix(),
            fingerprint="e" * 64,
            status="completed",
            rows=totals.rows,
            completed=totals.rows - totals.failed_rows,
            failed=totals.failed_rows,
            metrics=tuple(MetricRecord(**vars(metric)) for metric in totals.metrics(self.logged)),
            cost=0.0,
        )


@dataclass(frozen=True)
class Read:
    """A work folder, read in the way the step reads it."""

    results: Results
    facts: Facts
    pairing: Pairing
    overview: Overview


def read(folder: WorkFolder, baseline: Results | None = None, top: int = 10) -> Read:
    results = read_results(folder)
    facts = gather(results)
    pairing = make_pairing(results, baseline, facts.score_kinds)
    return Read(results, facts, pairing, overview(results, baseline, pairing, top))


def interval(low: float, high: float) -> IntervalRecord:
    return IntervalRecord(low=low, high=high, confidence=0.95)


FAILED_GATE = GateRecord(
    rule="correct at most 0.02 below the baseline",
    kind="baseline",
    verdict="failed",
    reason="correct fell by 0.167, and the whole interval lies below -0.02.",
    metric="grade.correct",
    run="train.brief",
    dataset="train",
    threshold=0.02,
    value=0.5,
    baseline=0.667,
    difference=-0.167,
    interval=interval(-0.3, -0.05),
    test="Tango interval",
    p_value=0.0012,
    adjusted_p_value=0.0024,
    n=6,
    pairs=6,
    failed=1,
    policy="they count as wrong",
    only_candidate=1,
    detectable=0.4,
    rows_needed=310,
    regressed=(RegressedRow(key=f"{0:016x}", line=0, score="correct", baseline=True, candidate=False),),
)

PASSED_GATE = GateRecord(
    rule="accuracy at least 0.4",
    kind="absolute",
    verdict="passed",
    reason="The whole interval lies above 0.4.",
    advisory=True,
    metric="grade.correct",
    run="train.brief",
    dataset="train",
    threshold=0.4,
    value=0.667,
    interval=interval(0.45, 0.8),
    test="Wilson interval",
    n=6,
)


def write_verdict(folder: WorkFolder, baseline: str | None = "before", **changes: Any) -> None:
    kept = BaselineRecord(
        source=baseline or "",
        experiment="support",
        environment="dev",
        variation="default",
        created_at="2026-01-01T00:00:00+00:00",
        lineage={"commit": "5f0c1d2"},
    )
    document = VerdictDocument(
        experiment="support",
        environment="dev",
        variation="brief",
        verdict="failed",
        reason="1 of 2 gates failed: correct at most 0.02 below the baseline.",
        baseline=kept if baseline is not None else None,
        gates=(PASSED_GATE, FAILED_GATE),
        created_at=LATER,
    )
    write_document(folder.root / "verdict.json", document.model_copy(update=changes))


def write_comparison(folder: WorkFolder, **changes: Any) -> None:
    document = ComparisonDocument(
        experiment="support",
        environment="dev",
        metric="grade.correct",
        default="default",
        best_variation="brief",
        reason="`brief` is better than the default beyond chance.",
        variations=(
            VariationTotals(
                variation="brief", is_default=False, rows=6, failed=0, tokens=66, cost=0.006, latency_p95=0.2
            ),
        ),
        comparisons=(
            VariationComparison(
                variation="brief",
                dataset="train",
                metric="grade.correct",
                value=0.8,
                default=0.6,
                difference=0.2,
                interval=interval(0.05, 0.3),
                test="Tango interval",
                adjusted_p_value=0.01,
                significant=True,
                n=6,
                failed=0,
            ),
        ),
        created_at=LATER,
    )
    write_document(folder.root / "comparison.json", document.model_copy(update=changes))
