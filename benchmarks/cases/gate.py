"""``llmops gate`` against a baseline: over 100,000 rows, and over few."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.cases.case import Bench, Case, peaks, walls, written
from benchmarks.measure import Sample, alternate, measure, spread
from benchmarks.results import CaseResult, Figure, Target
from benchmarks.sides import LLMOPS, plain_environment
from benchmarks.use_case import write_use_case
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.work_folder import (
    DatasetRecord,
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

MANY, FEW = 100_000, 30
GATES = [
    {"metric": "correct", "at_least": 0.5},
    {"metric": "correct", "against": "baseline", "max_drop": 0.05},
    {"coverage": {"at_least": 0.9}},
    {"latency_p95": {"at_most": 60}},
]
RUN = "pages.default"


def run(bench: Bench) -> CaseResult:
    """A boolean score of each row, paired with its baseline."""
    environment = plain_environment()
    sides: dict[str, Callable[[], Sample]] = {}
    folders: dict[str, Path] = {}
    for name, rows in (("few", FEW), ("many", bench.rows(MANY))):
        folders[name] = _prepared(bench.subfolder(name), rows)
        sides[name] = _side(
            [LLMOPS, "gate", ".", "--advisory", "--baseline", "baseline.json"], folders[name], environment
        )
    samples = alternate(sides, bench.at_least(5), bench.say)
    rows = bench.rows(MANY)
    return CaseResult(
        title=f"{FEW} and {rows:,} rows against a baseline",
        figures=(
            _wall(f"`llmops gate`, {FEW} rows", samples["few"], 0.4),
            _wall(f"`llmops gate`, {rows:,} rows", samples["many"], 2.0),
            peaks(f"peak memory, {rows:,} rows", samples["many"]),
            *_sizes(folders["many"] / "baseline.json", rows),
        ),
        commands={"ours": written([["llmops", "gate", ".", "--advisory", "--baseline", "baseline.json"]])},
    )


def _wall(name: str, samples: list[Sample], limit: float) -> Figure:
    return Figure(name=name, unit="s", measured=spread(walls(samples)), target=Target(limit=limit))


def _sizes(file: Path, rows: int) -> Iterable[Figure]:
    content = file.read_bytes()
    for name, size in (("as it is", len(content)), ("compressed (gzip)", len(gzip.compress(content)))):
        yield Figure(
            name=f"baseline.json, a row with one boolean score, {name}", unit="bytes", measured=spread([size / rows])
        )


def _side(words: list[str], folder: Path, environment: dict[str, str]) -> Callable[[], Sample]:
    return lambda: measure(words, folder, environment)


def _prepared(folder: Path, rows: int) -> Path:
    """A use case with results in its work folder, and a baseline of other results beside it."""
    case = write_use_case(folder / "benchmark", 1).folder
    experiment = json.loads((case / "experiment.yaml").read_text())
    (case / "experiment.yaml").write_text(json.dumps({**experiment, "gates": GATES}))
    work = WorkFolder.of(case / ".llmops", "benchmark", None)
    environment = plain_environment()
    _write_results(work, rows, seed=1)
    measure([LLMOPS, "gate", ".", "--advisory", "--save-baseline", "baseline.json"], case, environment)
    _write_results(work, rows, seed=2)
    return case


def _write_results(work: WorkFolder, rows: int, seed: int) -> None:
    chance = random.Random(seed)
    usage = {"gpt-35-turbo": UsageRecord(calls=1, prompt_tokens=400, completion_tokens=20)}
    keys = [row_key({"url": f"https://site.example/{number}"}) for number in range(rows)]
    write_lines(
        work.rows(RUN),
        (
            RowDocument(
                line=number,
                key=key,
                status="completed",
                inputs={"url": f"https://site.example/{number}", "text": "A page about this and that. " * 10},
                outputs={"category": "News", "evidence": "Both"},
                error=None,
                usage=usage,
                cost=0.0003,
                duration=chance.random(),
                attempts=1,
            )
            for number, key in enumerate(keys)
        ),
    )
    scores = work.scores("accuracy", RUN)
    write_lines(
        scores,
        (
            ScoreDocument(
                line=number,
                key=key,
                status="completed",
                scores={"correct": chance.random() < 0.8},
                outputs={"grade": "Correct"},
                error=None,
            )
            for number, key in enumerate(keys)
        ),
    )
    fingerprint = f"{seed:064x}"
    write_document(work.run_document(RUN), _run_document(rows, fingerprint, usage))
    metric = MetricRecord(name="correct", value=0.8, source="mean", kind="boolean", n=rows, failed=0)
    record = EvaluationRecord(
        run=RUN,
        variation="default",
        dataset="pages",
        evaluator="accuracy",
        evaluation_dataset="pages",
        scores=scores.relative_to(work.root).as_posix(),
        fingerprint=fingerprint,
        run_fingerprint=fingerprint,
        status="completed",
        rows=rows,
        completed=rows,
        failed=0,
        metrics=(metric,),
    )
    write_document(work.metrics, MetricsDocument(experiment="benchmark", environment=None, evaluations=(record,)))


def _run_document(rows: int, fingerprint: str, usage: dict[str, UsageRecord]) -> RunDocument:
    return RunDocument(
        name=RUN,
        experiment="benchmark",
        environment=None,
        flow="flows/classify",
        flow_kind="dag",
        variation=VariationRecord(name="default", is_default=True),
        dataset=DatasetRecord(name="pages", source="data/pages.jsonl", rows=rows, sha256="0" * 64),
        fingerprint=fingerprint,
        status="completed",
        rows=rows,
        completed=rows,
        usage=usage,
        cost=1.0,
    )


CASE = Case("gate", "llmops gate over 30 and over 100,000 rows, against a baseline", run)
