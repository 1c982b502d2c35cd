"""The cases, in the order in which they run."""

from __future__ import annotations

from benchmarks.cases import engine_start, gate, growth, one_run, start_up, sweep, throughput
from benchmarks.cases.case import Case

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        one_run.CASE,
        sweep.CASE,
        throughput.CASE,
        growth.CASE,
        start_up.CASE,
        engine_start.CASE,
        gate.CASE,
    )
}
