"""``list``: the use cases of a repository."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from llmops_actions.errors import LlmopsError, UsageError
from llmops_actions.experiment.discovery import environments, find_use_cases
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.reporting.text import markdown, table
from llmops_actions.steps.declaration import POSITIONAL, Finding, Inputs, Outcome, Outputs, Step
from llmops_actions.steps.services import Services


class ListInputs(Inputs):
    """Where to look."""

    root: Path = Field(Path(), description="Folder to look in.", json_schema_extra=POSITIONAL)


class UseCaseEntry(BaseModel):
    """A use case that was found."""

    path: str
    name: str
    flow_kind: str
    datasets: tuple[str, ...]
    evaluators: tuple[str, ...]
    environments: tuple[str, ...]


class ListOutputs(Outputs):
    """What was found."""

    use_cases: tuple[UseCaseEntry, ...] = Field((), description="The use cases: path, name, flow kind, datasets.")


def run(inputs: ListInputs, services: Services) -> Outcome[ListOutputs]:
    """Find the use cases; those that cannot be read are findings, and the others are shown all the same."""
    root = (services.directory / inputs.root).resolve()
    if not root.is_dir():
        raise UsageError(f"`{inputs.root}` is no folder.")
    entries: list[UseCaseEntry] = []
    findings: list[Finding] = []
    for folder in find_use_cases(root):
        try:
            entries.append(_entry(folder, root))
        except LlmopsError as error:
            findings.append(Finding("error", error.message, error.location))
    rows = [
        [
            markdown(entry.path),
            markdown(entry.name),
            entry.flow_kind,
            str(len(entry.datasets)),
            str(len(entry.evaluators)),
            markdown(", ".join(entry.environments) or "-"),
        ]
        for entry in entries
    ]
    header = ["path", "name", "flow", "datasets", "evaluators", "environments"]
    summary = table(header, rows, "lllrrl") if entries else f"No folder below {markdown(root)} has an experiment.yaml."
    return Outcome("failed" if findings else "passed", ListOutputs(use_cases=tuple(entries)), summary, tuple(findings))


def _entry(folder: Path, root: Path) -> UseCaseEntry:
    experiment = load_experiment(folder)
    return UseCaseEntry(
        path=str(folder.relative_to(root)),
        name=experiment.name,
        flow_kind=load_flow(experiment.flow, experiment.repository).kind,
        datasets=tuple(mapped.dataset.name for mapped in experiment.datasets),
        evaluators=tuple(evaluator.name for evaluator in experiment.evaluators),
        environments=tuple(environments(folder)),
    )


STEP = Step("list", ListInputs, ListOutputs, run)
