"""How a step ended: a verdict, typed outputs, a summary and findings; and the exit code that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from llmops_actions.errors import Location

Verdict = Literal["passed", "failed", "usage", "error", "inconclusive"]

EXIT_CODES: dict[Verdict, int] = {"passed": 0, "failed": 1, "usage": 2, "error": 3, "inconclusive": 4}
"""What a process ends with for each verdict."""

Level = Literal["error", "warning", "notice"]


class Outputs(BaseModel):
    """What a step gives back, typed; every field has a default, for the step that did not get that far."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Finding:
    """Something to tell the user, at a place in a file if there is one."""

    level: Level
    message: str
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" if self.location else self.message


OutputsType = TypeVar("OutputsType", bound=Outputs)


@dataclass(frozen=True)
class Outcome(Generic[OutputsType]):
    """How a step ended. ``summary`` is Markdown; who shows it decides how.

    ``details`` is Markdown that goes on below the summary where the findings are not listed beside it.
    """

    verdict: Verdict
    outputs: OutputsType
    summary: str
    findings: tuple[Finding, ...] = ()
    details: str = ""

    @property
    def exit_code(self) -> int:
        """The exit code of a process that ends with this outcome."""
        return EXIT_CODES[self.verdict]
