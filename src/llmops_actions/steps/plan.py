"""``plan``: what a sweep will run, how many model calls that is, and what it will cost."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from llmops_actions.reporting.text import counted, dollars, heading, markdown, number, table
from llmops_actions.steps.declaration import Outcome, Outputs, Step
from llmops_actions.steps.inputs import RepeatInputs, SweepInputs, UseCaseInputs
from llmops_actions.steps.planning import make_plan, plan_runs
from llmops_actions.steps.services import Services
from llmops_actions.steps.use_case import open_use_case, unresolved_surroundings
from llmops_actions.work_folder import PlanDocument, write_document


class PlanInputs(RepeatInputs, SweepInputs, UseCaseInputs):
    """A use case and its sweep."""


class PlanOutputs(Outputs):
    """The size of the sweep."""

    runs: int = Field(0, description="Number of bulk runs: variations times datasets.")
    rows: int = Field(0, description="Number of rows, all runs together.")
    model_calls: int = Field(0, description="Number of model calls that the flow's definition tells of.")
    cost: float | None = Field(None, description="Estimated cost in USD; empty where a price is not known.")
    matrix: dict[str, Any] = Field(
        default_factory=dict, description="A GitHub matrix: include, with one entry (variation) for each variation."
    )
    plan: str = Field("", description="Path of plan.json.")


def run(inputs: PlanInputs, services: Services) -> Outcome[PlanOutputs]:
    """Plan the sweep; writes ``plan.json`` and runs nothing."""
    use_case = open_use_case(inputs, services, inputs)
    around = unresolved_surroundings(use_case.experiment, services)
    plan = make_plan(use_case, plan_runs(use_case, around, inputs.repeats))
    write_document(use_case.work_folder.plan, plan)
    outputs = PlanOutputs(
        runs=len(plan.runs),
        rows=plan.rows,
        model_calls=plan.model_calls,
        cost=plan.cost,
        matrix={"include": [{"variation": variation.name} for variation in plan.variations]},
        plan=str(use_case.work_folder.plan),
    )
    summary = f"{heading('plan', plan.experiment, 'passed')}\n\n{summarise(plan)}"
    return Outcome("passed", outputs, summary)


def summarise(plan: PlanDocument) -> str:
    """The plan in words: its size, and a line for each run."""
    rows = [
        [
            markdown(run.variation),
            markdown(run.dataset),
            number(run.rows),
            number(run.model_calls),
            dollars(run.cost),
        ]
        for run in plan.runs
    ]
    return "\n".join([size(plan), "", table(["variation", "dataset", "rows", "model calls", "cost"], rows, "llrrr")])


def size(plan: PlanDocument) -> str:
    """The size of the plan in one line."""
    return (
        f"{counted(len(plan.variations), 'variation')} x {counted(len(plan.datasets), 'dataset')} = "
        f"{counted(len(plan.runs), 'run')}, {counted(plan.rows, 'row')}, {counted(plan.model_calls, 'model call')}, "
        f"estimated cost {dollars(plan.cost)}"
    )


STEP = Step("plan", PlanInputs, PlanOutputs, run)
