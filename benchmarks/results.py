"""What the benchmarks found, as a JSON document: figures with their targets, and where and when they were measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from pydantic import BaseModel

from benchmarks.measure import Spread

SCHEMA_VERSION = 1
TIMES = "\N{MULTIPLICATION SIGN}"
"""The unit of a ratio."""
PACKAGES = ("llmops-actions", "promptflow", "promptflow-tools", "openai", "pydantic", "aiohttp")


class Target(BaseModel, frozen=True):
    """What is wanted of a figure's median: at most, or at least, ``limit``."""

    limit: float
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        """Whether ``value`` is good enough."""
        return value >= self.limit if self.at_least else value <= self.limit


class Figure(BaseModel, frozen=True):
    """One measured thing, in ``unit``; ``ours`` and ``reference`` are what a ratio was made of, in seconds."""

    name: str
    unit: str
    measured: Spread
    target: Target | None = None
    ours: Spread | None = None
    reference: Spread | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; nothing where there is none."""
        return self.target.met_by(self.measured.median) if self.target else None


class CaseResult(BaseModel, frozen=True):
    """One case: its figures, and the commands that were measured."""

    title: str
    figures: tuple[Figure, ...]
    commands: dict[str, tuple[str, ...]]
    date: str = ""
    revision: str = ""


class Machine(BaseModel, frozen=True):
    """Where it was measured, and with which versions."""

    processor: str
    processors_used: int
    memory_gb: float
    system: str
    versions: dict[str, str]


class Document(BaseModel, frozen=True):
    """``benchmarks/results.json``: the newest result of each case."""

    schema_version: int = SCHEMA_VERSION
    machine: Machine
    command: str
    cases: dict[str, CaseResult]


def this_machine() -> Machine:
    """This machine as far as it matters here; no name of it."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    versions = {name: metadata.version(name) for name in PACKAGES}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        processor=names[0].partition(":")[2].strip() if names else platform.machine(),
        processors_used=len(os.sched_getaffinity(0)),
        memory_gb=round(memory / 1e9, 1),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        versions={"python": platform.python_version(), **versions},
    )


def today() -> str:
    """The date, in UTC."""
    return datetime.now(timezone.utc).date().isoformat()


def revision(folder: Path) -> str:
    """The commit that was measured, with a ``+`` where files of it were changed since; empty without git."""
    try:
        commit = _git(folder, "rev-parse", "--short=10", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", "src")
    except (OSError, subprocess.CalledProcessError):
        return ""
    return f"{commit}+" if changed else commit


def _git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607


def read(file: Path) -> Document | None:
    """What an earlier run left, if it is still of this form."""
    if not file.is_file():
        return None
    document = Document.model_validate_json(file.read_text(encoding="utf-8"))
    return document if document.schema_version == SCHEMA_VERSION else None


def write(file: Path, document: Document) -> None:
    """Write ``document`` readably."""
    file.write_text(document.model_dump_json(indent=2) + "\n", encoding="utf-8")
