"""What the reference processes are told to run, and what they say came out: JSON files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel


class RunJob(BaseModel, frozen=True):
    """One bulk run: a flow over a JSONL file. ``variant`` as ``${node.variant}``, if not the default one."""

    name: str
    flow: Path
    data: Path
    mappings: dict[str, str]
    variant: str | None = None


class EvaluationJob(BaseModel, frozen=True):
    """One evaluation flow over one of the bulk runs."""

    name: str
    flow: Path
    data: Path
    mappings: dict[str, str]
    run: str


class Jobs(BaseModel, frozen=True):
    """All that one process does, one after another; ``results`` is the file to write."""

    runs: tuple[RunJob, ...]
    evaluations: tuple[EvaluationJob, ...] = ()
    results: Path
    threads: int = 64


class Results(BaseModel, frozen=True):
    """The outputs by run and line, and the metrics by evaluation."""

    outputs: dict[str, list[dict[str, Any]]]
    metrics: dict[str, dict[str, float]]
