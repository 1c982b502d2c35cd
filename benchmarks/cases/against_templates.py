"""Runs and evaluations, ours against ``PFClient.run`` as the templates call it: two of the cases."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases.case import LATENCY, TEMPLATES, Bench, peaks, processor_time, walls, written
from benchmarks.measure import Sample, alternate, ratios, spread
from benchmarks.results import TIMES, CaseResult, Figure, Target
from benchmarks.sides import Ours, Reference, require_same_results
from benchmarks.use_case import UseCase


def compare(bench: Bench, use_case: UseCase, title: str, times_faster: float) -> CaseResult:
    """Measure both sides in turn, and hold them to the same results."""
    ours = Ours(use_case, LATENCY)
    reference = Reference(use_case, LATENCY, TEMPLATES, bench.folder / "promptflow-home")
    apart = Ours(use_case, LATENCY, apart=True)
    sides: dict[str, Callable[[], Sample]] = {
        "ours, a command each": apart,
        "ours": ours,
        "PFClient.run": reference,
    }
    samples = alternate(sides, bench.runs, bench.say)
    require_same_results(ours, reference)
    mine, theirs = samples["ours"], samples["PFClient.run"]
    return CaseResult(
        title=title,
        figures=(
            Figure(
                name="wall time: times faster",
                unit=TIMES,
                ours=spread(walls(mine)),
                reference=spread(walls(theirs)),
                measured=ratios(walls(theirs), walls(mine)),
                target=Target(limit=times_faster, at_least=True),
            ),
            Figure(
                name="wall time, bulk-run and evaluate as a command each",
                unit="s",
                measured=spread(walls(samples["ours, a command each"])),
            ),
            processor_time("processor time, ours", mine),
            processor_time("processor time, reference", theirs),
            peaks("peak memory, ours", mine),
            peaks("peak memory, reference", theirs),
        ),
        commands={"ours": written(ours.commands), "reference": (f"python -m {TEMPLATES} jobs.json",)},
    )
