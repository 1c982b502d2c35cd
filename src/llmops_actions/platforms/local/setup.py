"""What a child process is told before its first row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmops_actions.experiment.prices import PriceTable
from llmops_actions.platforms.ports import Connection, Program


@dataclass(frozen=True)
class ChildSetup:
    """Everything of a run that its child needs.

    ``environment`` is the whole environment of the child; ``import_path`` the parent's ``sys.path``; ``scratch`` a
    private folder of this child alone, removed by the parent; ``log`` the file that takes what user code prints.
    """

    run_name: str
    program: Program
    connections: Mapping[str, Connection]
    environment: Mapping[str, str] = field(repr=False)
    import_path: tuple[str, ...]
    scratch: Path
    log: Path
    line_timeout: float
    attempts: int
    prices: PriceTable
