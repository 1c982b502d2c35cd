"""What steps get from outside: processes, clocks, the environment. Tests hand in others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

from llmops_actions.platforms.ports import Runner, RunProgress

OFFLINE_MODEL_VARIABLE = "LLMOPS_OFFLINE_MODEL_URL"
"""Where this variable is set, ``--offline`` uses the stand-in model at that address instead of starting one."""


class Progress(Protocol):
    """Shows that work goes on. Never called from two threads at once."""

    def phase(self, title: str) -> None:
        """A new part of the work starts."""
        ...

    def run(self, progress: RunProgress) -> None:
        """A bulk run moved on."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...

    def close(self) -> None:
        """Nothing more comes."""
        ...


class OfflineModelProcess(Protocol):
    """A running stand-in model."""

    @property
    def url(self) -> str:
        """Its address, such as ``http://127.0.0.1:4711``."""
        ...


@dataclass(frozen=True)
class Services:
    """The collaborators of a step. ``directory`` is what relative paths start from."""

    environ: Mapping[str, str] = field(repr=False)
    progress: Progress
    runner: Callable[[str], Runner]
    offline_model: Callable[[], AbstractContextManager[OfflineModelProcess]]
    directory: Path
    now: Callable[[], datetime]


def real_services(environ: Mapping[str, str], progress: Progress) -> Services:
    """The services of this machine."""
    return Services(
        environ=environ,
        progress=progress,
        runner=_local_runner,
        offline_model=_start_offline_model,
        directory=Path.cwd(),
        now=lambda: datetime.now(timezone.utc),
    )


def _local_runner(engine: str) -> Runner:
    if engine == "promptflow":
        from llmops_actions.platforms.local.promptflow_pool import PromptFlowPoolRunner

        runner: Runner = PromptFlowPoolRunner()
        return runner
    from llmops_actions.platforms.local.runner import LocalRunner

    return LocalRunner()


def _start_offline_model() -> AbstractContextManager[OfflineModelProcess]:
    from llmops_actions.platforms.local.offline_model.process import start
    from llmops_actions.platforms.local.offline_model.settings import Settings

    return start(Settings())
