"""What a child process is told before its first row."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmops_actions.experiment.prices import PriceTable
from llmops_actions.platforms.local.preloading import quiet_environment
from llmops_actions.platforms.local.user_environment import child_environment
from llmops_actions.platforms.ports import BulkRun, Connection, Program, RunSettings


@dataclass(frozen=True)
class ChildSetup:
    """Everything of a run that its child needs.

    ``environment`` is the whole environment of the child, without what only a GitHub action should see;
    ``import_path`` the parent's ``sys.path``; ``scratch`` a private folder of this child alone, removed by the parent;
    ``log`` the file that takes what user code prints.
    """

    run_name: str
    program: Program
    connections: Mapping[str, Connection]
    environment: Mapping[str, str] = field(repr=False)
    import_path: tuple[str, ...]
    scratch: Path
    log: Path
    line_timeout: float
    call_timeout: float
    attempts: int
    prices: PriceTable


def setup_for(run: BulkRun, settings: RunSettings, scratch: Path, home: Path) -> ChildSetup:
    """The setup of a child of ``run``; ``home`` is where prompt flow keeps its state."""
    program = run.program
    of_definition = program.definition.get("environment_variables")
    of_flow = of_definition if isinstance(of_definition, Mapping) else {}
    return ChildSetup(
        run_name=run.name,
        program=replace(
            program,
            folder=program.folder.absolute(),
            definition=_plain(program.definition),
            init=_plain(program.init),
            includes=tuple(path.absolute() for path in program.includes),
        ),
        connections=dict(run.connections),
        environment={
            **child_environment(os.environ),
            **quiet_environment(home),
            **{str(name): str(value) for name, value in of_flow.items()},
            **run.environment,
        },
        import_path=tuple(str(Path(entry or ".").absolute()) for entry in sys.path),
        scratch=scratch,
        log=run.folder.absolute() / "log.txt",
        line_timeout=settings.line_timeout,
        call_timeout=settings.call_timeout,
        attempts=settings.attempts,
        prices=settings.prices,
    )


def _plain(value: Any) -> Any:
    """``value`` in dictionaries and lists alone: another process knows them, too."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
