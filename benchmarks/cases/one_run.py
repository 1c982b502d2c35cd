"""200 rows: one bulk run and its evaluation."""

from __future__ import annotations

from benchmarks.cases.against_templates import compare
from benchmarks.cases.case import Bench, Case
from benchmarks.results import CaseResult
from benchmarks.use_case import write_use_case


def run(bench: Bench) -> CaseResult:
    """Ours in one process with its defaults, against one process that calls ``PFClient.run`` twice."""
    use_case = write_use_case(bench.subfolder("use-case"), bench.rows(200))
    title = f"{use_case.rows} rows, one bulk run and its evaluation, model at 0.2 s"
    return compare(bench, use_case, title, times_faster=8)


CASE = Case("one-run", "200 rows, one bulk run and its evaluation, against PFClient.run", run)
