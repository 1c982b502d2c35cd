"""``lifecycle``: the steps one after another, stopping where a verdict says so."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, Field, create_model

from llmops_actions.errors import LlmopsError, UsageError
from llmops_actions.outcome import Verdict
from llmops_actions.reporting.text import markdown, table
from llmops_actions.steps import load_step
from llmops_actions.steps.declaration import Inputs, Names, Outcome, Outputs, Step
from llmops_actions.steps.execution import outcome_of
from llmops_actions.steps.services import OFFLINE_MODEL_VARIABLE, Services
from llmops_actions.steps.use_case import offline_model_address

PARTS: tuple[str, ...] = ("validate", "bulk-run", "evaluate", "compare", "gate", "report")
"""The steps of the lifecycle, in their order. A new step joins by its name."""

EVEN_SO: dict[str, str] = {"report": "evaluate"}
"""Steps that run whatever the verdicts were, once the step behind the colon has run: bad news needs a report, too."""


def _inputs() -> type[Inputs]:
    """The inputs of all parts together: a word means the same in each of them."""
    fields: dict[str, Any] = {}
    for name in PARTS:
        for field, details in load_step(name).inputs.model_fields.items():
            fields.setdefault(field, (details.annotation, details))
    fields["skip"] = (Names, Field((), description=f"Steps to leave out, of {', '.join(PARTS)}."))
    model: type[Inputs] = create_model(
        "LifecycleInputs", __base__=Inputs, __doc__="The inputs of every part.", **fields
    )
    return model


class PartOutcome(BaseModel):
    """How one part ended."""

    step: str
    verdict: Verdict
    outputs: dict[str, Any]


class LifecycleOutputs(Outputs):
    """What ran."""

    steps: tuple[PartOutcome, ...] = Field((), description="Every step that ran, with its verdict and outputs.")
    stopped_at: str = Field("", description="The step whose verdict stopped the lifecycle; empty if none did.")


@dataclass(frozen=True)
class _Ended:
    step: Step[Any, Any]
    outcome: Outcome[Any]


def run(inputs: Inputs, services: Services) -> Outcome[LifecycleOutputs]:
    """Run the parts; the first verdict that is not ``passed`` ends the lifecycle with that verdict.

    With ``offline`` one stand-in model serves all parts. What ends a part, Ctrl-C too, leaves the outcomes of those
    before it in the outcome of the whole.

    Raises:
        UsageError: ``skip`` names no step of the lifecycle, or all of them.
    """
    steps = [load_step(name) for name in _chosen(inputs)]
    ended: list[_Ended] = []
    with contextlib.ExitStack() as stack:
        shared = _with_one_model(inputs, services, stack)
        for step in steps:
            stopped = any(each.outcome.verdict != "passed" for each in ended)
            if not stopped or EVEN_SO.get(step.name) in [each.step.name for each in ended]:
                ended.append(_Ended(step, _run_part(step, inputs, shared)))
    return _outcome(ended)


def _run_part(step: Step[Any, Any], inputs: Inputs, services: Services) -> Outcome[Any]:
    try:
        outcome: Outcome[Any] = step.run(_inputs_of(step, inputs), services)
    except LlmopsError as error:
        return outcome_of(step, error)
    return outcome


def _chosen(inputs: Inputs) -> list[str]:
    skipped: Sequence[str] = getattr(inputs, "skip", ())
    for name in skipped:
        if name not in PARTS:
            raise UsageError(f"`{name}` is no step of the lifecycle; its steps are {', '.join(PARTS)}.")
    chosen = [name for name in PARTS if name not in skipped]
    if not chosen:
        raise UsageError("`skip` leaves out every step of the lifecycle, so there is nothing to run.")
    return chosen


def _with_one_model(inputs: Inputs, services: Services, stack: contextlib.ExitStack) -> Services:
    if not getattr(inputs, "offline", False) or offline_model_address(services):
        return services
    url = stack.enter_context(services.offline_model()).url
    services.progress.note(f"A stand-in answers instead of a language model, at {url}.")
    return replace(services, environ={**services.environ, OFFLINE_MODEL_VARIABLE: url})


def _inputs_of(step: Step[Any, Any], inputs: Inputs) -> Inputs:
    values = {name: getattr(inputs, name) for name in step.inputs.model_fields if name in inputs.model_fields_set}
    part: Inputs = step.inputs.model_validate(values)
    return part


def _outcome(ended: Sequence[_Ended]) -> Outcome[LifecycleOutputs]:
    stopped = next((each for each in ended if each.outcome.verdict != "passed"), None)
    verdict: Verdict = stopped.outcome.verdict if stopped else "passed"
    outputs = LifecycleOutputs(
        steps=tuple(
            PartOutcome(
                step=each.step.name, verdict=each.outcome.verdict, outputs=each.outcome.outputs.model_dump(mode="json")
            )
            for each in ended
        ),
        stopped_at=stopped.step.name if stopped else "",
    )
    # What two parts say alike (a variable that both leave out) is said once.
    findings = list(dict.fromkeys(finding for each in ended for finding in each.outcome.findings))
    parts = [each.outcome.summary.rstrip() for each in ended]
    details = "\n\n".join(each.outcome.details.rstrip() for each in ended if each.outcome.details)
    parts.append(table(["step", "verdict"], [[markdown(each.step.name), each.outcome.verdict] for each in ended]))
    return Outcome(verdict, outputs, "\n\n".join(parts), tuple(findings), details)


STEP: Step[Inputs, LifecycleOutputs] = Step("lifecycle", _inputs(), LifecycleOutputs, run)
