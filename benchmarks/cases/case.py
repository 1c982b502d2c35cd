"""What a case is, and what it gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Sample, spread
from benchmarks.results import CaseResult, Figure

LATENCY = 0.2
"""Seconds that the stand-in model takes for an answer."""
TEMPLATES = "benchmarks.reference.templates"
BARE = "benchmarks.reference.bare"


@dataclass(frozen=True)
class Bench:
    """What a case gets: a private folder, how often to measure, and where to say how it goes.

    ``quick`` makes a smoke test of it: everything runs once, on few rows; the numbers mean nothing.
    """

    folder: Path
    runs: int
    quick: bool
    say: Callable[[str], None]

    def rows(self, full: int) -> int:
        """How many rows to take."""
        return min(full, 4) if self.quick else full

    def at_least(self, runs: int) -> int:
        """How often to measure what is cheap and noisy."""
        return self.runs if self.quick else max(self.runs, runs)

    def subfolder(self, name: str) -> Path:
        """A new folder within the private one."""
        folder = self.folder / name
        folder.mkdir()
        return folder


@dataclass(frozen=True)
class Case:
    """One comparison."""

    name: str
    summary: str
    run: Callable[[Bench], CaseResult]


def walls(samples: Sequence[Sample]) -> list[float]:
    """Seconds from start to end of each."""
    return [sample.wall for sample in samples]


def peaks(name: str, samples: Sequence[Sample], **more: object) -> Figure:
    """The highest memory of the whole tree, without counting shared pages twice."""
    rss = spread([sample.peak_rss for sample in samples])
    note = f"sum of PSS over the tree; the sum of RSS is {rss.median:.0f} MB"
    return Figure.model_validate(
        {"name": name, "unit": "MB", "measured": spread([sample.peak_pss for sample in samples]), "note": note, **more}
    )


def processor_time(name: str, samples: Sequence[Sample]) -> Figure:
    """Processor time of the whole tree."""
    return Figure(name=name, unit="s", measured=spread([sample.cpu for sample in samples]))


def written(commands: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Commands as they are typed."""
    return tuple(" ".join(words) for words in commands)
