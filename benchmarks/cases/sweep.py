"""Two variants, two datasets, two evaluators, 3 rows each: 4 bulk runs and 8 evaluations."""

from __future__ import annotations

from benchmarks.cases.against_templates import compare
from benchmarks.cases.case import Bench, Case
from benchmarks.results import CaseResult
from benchmarks.use_case import write_use_case


def run(bench: Bench) -> CaseResult:
    """Ours in one process with its defaults, against one process that calls ``PFClient.run`` twelve times."""
    use_case = write_use_case(
        bench.subfolder("use-case"),
        rows=3,
        datasets=("pages",) if bench.quick else ("pages", "more_pages"),
        evaluators=("accuracy", "evidence"),
        sweep=True,
    )
    title = f"2 variants x {len(use_case.datasets)} datasets x 2 evaluators, 3 rows each, model at 0.2 s"
    return compare(bench, use_case, title, times_faster=12)


CASE = Case("sweep", "2 variants x 2 datasets x 2 evaluators on 3 rows each, against PFClient.run", run)
