"""The one form that every step has: what goes in, what runs, what comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from llmops_actions.outcome import Finding, Outcome, Outputs, OutputsType, Verdict
from llmops_actions.steps import STEPS
from llmops_actions.steps.services import Services

__all__ = ["Finding", "Inputs", "Names", "Outcome", "Outputs", "Step", "Verdict", "required"]

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


InputsType = TypeVar("InputsType", bound=Inputs)


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
