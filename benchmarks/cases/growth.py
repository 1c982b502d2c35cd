"""10,000 and 100,000 rows at no latency: what grows with the rows, and how many rows a second there are."""

from __future__ import annotations

import statistics

from benchmarks.cases.case import Bench, Case, peaks, walls, written
from benchmarks.measure import Sample, alternate, spread
from benchmarks.results import CaseResult, Figure, Target
from benchmarks.sides import Ours
from benchmarks.use_case import UseCase, write_use_case

FEW, MANY = 10_000, 100_000
ALLOWED = 100.0
"""Bytes for each further row: the engine keeps one 8-byte offset of each; the rest is how far measurements scatter."""


def run(bench: Bench) -> CaseResult:
    """The same run with few and with ten times as many rows."""
    few = _side(bench, "few", FEW)
    many = _side(bench, "many", 40 if bench.quick else MANY)
    sides = {f"{side.use_case.rows:,} rows": side for side in (few, many)}
    of_few, of_many = alternate(sides, bench.runs, bench.say).values()
    return CaseResult(
        title=f"{few.use_case.rows:,} against {many.use_case.rows:,} rows, model at no latency",
        figures=(
            _growth(of_few, of_many, many.use_case.rows - few.use_case.rows),
            peaks(f"peak memory, {few.use_case.rows:,} rows", of_few),
            peaks(f"peak memory, {many.use_case.rows:,} rows", of_many),
            Figure(
                name="within the long run: allocated memory of the last tenth less that of the second",
                unit="MB",
                measured=spread([drift(sample) for sample in of_many]),
            ),
            _speed(few.use_case, of_few),
            _speed(many.use_case, of_many),
        ),
        commands={"ours": written(few.commands)},
    )


def _side(bench: Bench, name: str, rows: int) -> Ours:
    use_case = write_use_case(bench.subfolder(name), bench.rows(rows) if name == "few" else rows)
    return Ours(use_case, latency=0.0, evaluate=False, memory_interval=0.5)


def _growth(few: list[Sample], many: list[Sample], more_rows: int) -> Figure:
    pairs = zip(few, many, strict=True)
    growth = spread([long.peak_own - short.peak_own for short, long in pairs])
    return Figure(
        name=f"peak memory: what {more_rows:,} more rows add",
        unit="MB",
        measured=growth,
        target=Target(limit=more_rows * ALLOWED / 1e6),
        note=f"allocated memory, files left out; the target allows {ALLOWED:g} bytes a row",
    )


def _speed(use_case: UseCase, samples: list[Sample]) -> Figure:
    speeds = spread([use_case.rows / wall for wall in walls(samples)])
    return Figure(name=f"rows a second, {use_case.rows:,} rows", unit="rows/s", measured=speeds)


def drift(sample: Sample) -> float:
    """How much more memory there is in the last tenth of a run than in its second, in megabytes."""
    second = [each.own for each in sample.memory if 0.1 <= each.at / sample.wall < 0.2]
    last = [each.own for each in sample.memory if each.at / sample.wall >= 0.9]
    return statistics.median(last) - statistics.median(second) if second and last else 0.0


CASE = Case("growth", "10,000 against 100,000 rows at no latency: what grows, and rows a second", run)
