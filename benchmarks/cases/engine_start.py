"""For information: how long the engine takes to its first row, and `validate` on a sample."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.cases.case import TEMPLATES, Bench, Case, walls
from benchmarks.measure import Sample, alternate, measure, spread
from benchmarks.results import CaseResult, Figure
from benchmarks.sides import LLMOPS, ROOT, Ours, Reference, model_environment, with_benchmarks
from benchmarks.use_case import UseCase, write_use_case
from llmops_actions.platforms.local.offline_model.process import start
from llmops_actions.platforms.local.offline_model.settings import Settings

SAMPLE = "flows/web_classification"
PROBE = "benchmarks.two_runs"


def run(bench: Bench) -> CaseResult:
    """One row at no latency: from cold, and again in the same process, where prompt flow is already loaded."""
    use_case = write_use_case(bench.subfolder("use-case"), rows=1)
    times: list[tuple[float, float]] = []
    sides: dict[str, Callable[[], Sample]] = {
        "llmops bulk-run": Ours(use_case, latency=0.0, evaluate=False),
        "PFClient.run": Reference(use_case, 0.0, TEMPLATES, bench.folder / "promptflow-home", evaluate=False),
        "two runs in one process": lambda: _two_runs(use_case, bench.folder, times),
        "llmops validate": lambda: _validate(bench.folder),
    }
    samples = alternate(sides, bench.runs, bench.say)
    cold, warm = (spread(values) for values in zip(*times, strict=True))
    figures = (
        Figure(
            name="`llmops bulk-run`, one row, whole process",
            unit="s",
            measured=spread(walls(samples["llmops bulk-run"])),
            reference=spread(walls(samples["PFClient.run"])),
        ),
        Figure(name="the step within a process, cold", unit="s", measured=cold),
        Figure(name="the step again in the same process, warm", unit="s", measured=warm),
        Figure(name=f"`llmops validate {SAMPLE}`", unit="s", measured=spread(walls(samples["llmops validate"]))),
    )
    commands = {
        "ours": ("llmops bulk-run . --work-dir work", f"python -m {PROBE} .", f"llmops validate {SAMPLE} --offline"),
        "reference": (f"python -m {TEMPLATES} jobs.json",),
    }
    return CaseResult(title="one row, model at no latency", figures=figures, commands=commands)


def _two_runs(use_case: UseCase, folder: Path, times: list[tuple[float, float]]) -> Sample:
    result = folder / "times.json"
    with start(Settings()) as model:
        environment = with_benchmarks(model_environment(model.url))
        words = [sys.executable, "-m", PROBE, ".", str(folder / "probe-work"), str(result)]
        sample = measure(words, use_case.folder, environment)
    cold, warm = json.loads(result.read_text())
    times.append((cold, warm))
    return sample


def _validate(folder: Path) -> Sample:
    with start(Settings()) as model:
        words = [LLMOPS, "validate", SAMPLE, "--offline", "--work-dir", str(folder / "validate-work")]
        return measure(words, ROOT, model_environment(model.url))


CASE = Case("engine-start", "one row from cold and warm, and llmops validate (for information)", run)
