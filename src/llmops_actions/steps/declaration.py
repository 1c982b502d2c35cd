"""The one form that every step has: what goes in, what runs, what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from llmops_actions.errors import Location
from llmops_actions.steps import STEPS
from llmops_actions.steps.services import Services

Verdict = Literal["passed", "failed", "usage", "error", "inconclusive"]

EXIT_CODES: dict[Verdict, int] = {"passed": 0, "failed": 1, "usage": 2, "error": 3, "inconclusive": 4}
"""What a process ends with for each verdict."""

Level = Literal["error", "warning", "notice"]

POSITIONAL: dict[str, Any] = {"positional": True}
"""``json_schema_extra`` of the input that the command line takes without a name."""


def _split(value: Any) -> Any:
    return (
        [part.strip() for part in value.replace("\n", ",").split(",") if part.strip()]
        if isinstance(value, str)
        else value
    )


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]
"""Several names, written with commas or line ends between them."""


class Inputs(BaseModel):
    """What a step takes: each field with a description and, unless it is required, a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


InputsType = TypeVar("InputsType", bound=Inputs)
OutputsType = TypeVar("OutputsType", bound=Outputs)


@dataclass(frozen=True)
class Outcome(Generic[OutputsType]):
    """How a step ended. ``summary`` is Markdown; who shows it decides how."""

    verdict: Verdict
    outputs: OutputsType
    summary: str
    findings: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of a process that ends with this outcome."""
        return EXIT_CODES[self.verdict]


@dataclass(frozen=True)
class Step(Generic[InputsType, OutputsType]):
    """A step: a value that the command line, the actions and their documentation are all made from."""

    name: str
    inputs: type[InputsType]
    outputs: type[OutputsType]
    run: Callable[[InputsType, Services], Outcome[OutputsType]]

    @property
    def summary(self) -> str:
        """What the step does, in one sentence."""
        return STEPS[self.name]


def required(description: str, **extra: Any) -> Any:
    """A field without a default."""
    return Field(description=description, **extra)
