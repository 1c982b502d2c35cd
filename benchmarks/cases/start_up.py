"""How long the smallest commands take: help, and steps that need no prompt flow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.cases.case import Bench, Case, walls
from benchmarks.measure import Sample, alternate, measure, spread
from benchmarks.results import CaseResult, Figure, Target
from benchmarks.sides import LLMOPS, ROOT, plain_environment, promptflow_environment

USE_CASE = "flows/web_classification"


def run(bench: Bench) -> CaseResult:
    """Our commands, with Python's own start and ``pf --version`` for comparison."""
    home = bench.folder / "promptflow-home"
    work = ["--work-dir", str(bench.folder / "work")]
    commands = {
        "llmops --help": [LLMOPS, "--help"],
        "llmops list flows": [LLMOPS, "list", "flows"],
        f"llmops plan {USE_CASE}": [LLMOPS, "plan", USE_CASE, *work],
        "python -c pass": [sys.executable, "-c", "pass"],
        "pf --version": [str(Path(sys.executable).with_name("pf")), "--version"],
    }
    targets = {"llmops --help": 0.2, "llmops list flows": 0.4, f"llmops plan {USE_CASE}": 0.4}
    environment = promptflow_environment(plain_environment(), home)
    sides = {name: _side(words, environment) for name, words in commands.items()}
    samples = alternate(sides, bench.at_least(7), bench.say)
    figures = tuple(
        Figure(
            name=f"`{name}`",
            unit="s",
            measured=spread(walls(of_side)),
            target=Target(limit=targets[name]) if name in targets else None,
        )
        for name, of_side in samples.items()
    )
    return CaseResult(title="start of the command", figures=figures, commands={"as processes": tuple(commands)})


def _side(words: list[str], environment: dict[str, str]) -> Callable[[], Sample]:
    return lambda: measure(words, ROOT, environment, memory_interval=None)


CASE = Case("start-up", "llmops --help, list and plan", run)
