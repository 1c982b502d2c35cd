"""2,000 rows: what the engine costs on top of calling the flow, and its memory."""

from __future__ import annotations

from benchmarks.cases.case import BARE, LATENCY, Bench, Case, peaks, processor_time, walls, written
from benchmarks.measure import alternate, ratios, spread
from benchmarks.results import TIMES, CaseResult, Figure, Target
from benchmarks.sides import Ours, Reference, require_same_results
from benchmarks.use_case import write_use_case

ONE, TWO, REFERENCE = "ours, 1 process", "ours, 2 processes", "bare exec_line"
_IN_FLIGHT = ("--concurrency", "64")


def run(bench: Bench) -> CaseResult:
    """Our engine with one and two processes, against bare ``FlowExecutor.exec_line`` in 64 threads."""
    use_case = write_use_case(bench.subfolder("use-case"), bench.rows(2000))
    one = Ours(use_case, LATENCY, ("--processes", "1", *_IN_FLIGHT), evaluate=False)
    two = Ours(use_case, LATENCY, ("--processes", "2", *_IN_FLIGHT), evaluate=False)
    bare = Reference(use_case, LATENCY, BARE, bench.folder / "promptflow-home", evaluate=False)
    samples = alternate({ONE: one, REFERENCE: bare, TWO: two}, bench.runs, bench.say)
    require_same_results(two, bare)
    walls_of = {side: walls(of_side) for side, of_side in samples.items()}
    return CaseResult(
        title=f"{use_case.rows:,} rows, 64 in flight, model at 0.2 s",
        figures=(
            Figure(
                name="wall time with 1 process: times that of bare exec_line",
                unit=TIMES,
                ours=spread(walls_of[ONE]),
                reference=spread(walls_of[REFERENCE]),
                measured=ratios(walls_of[ONE], walls_of[REFERENCE]),
                target=Target(limit=1.2),
            ),
            Figure(
                name="wall time with 2 processes", unit="s", measured=spread(walls_of[TWO]), target=Target(limit=20)
            ),
            peaks("peak memory with 1 process", samples[ONE], target=Target(limit=250)),
            peaks("peak memory with 2 processes", samples[TWO]),
            peaks("peak memory, reference", samples[REFERENCE]),
            *(processor_time(f"processor time, {side}", of_side) for side, of_side in samples.items()),
        ),
        commands={"ours": written([*one.commands, *two.commands]), "reference": (f"python -m {BARE} jobs.json",)},
    )


CASE = Case("throughput", "2,000 rows with 64 in flight: wall and memory, against bare FlowExecutor.exec_line", run)
