"""What is known to fail every row before a sweep runs: columns and connections that are not there."""

from __future__ import annotations

from collections.abc import Sequence

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.experiment import MappedDataset
from llmops_actions.experiment.flows import Flow
from llmops_actions.experiment.validation.connections import check_used
from llmops_actions.experiment.validation.findings import hint
from llmops_actions.experiment.validation.places import Places
from llmops_actions.experiment.validation.use_case import connections_named
from llmops_actions.steps.planning import SweepRun, completed_mappings
from llmops_actions.steps.use_case import UseCase

WAY_OUT = "Nothing ran. `llmops validate` tells all that is wrong."


def refuse_what_cannot_run(use_case: UseCase, runs: Sequence[SweepRun]) -> None:
    """Look at the first row of each dataset, and at the connections that the flow names.

    Raises:
        ExperimentError: a mapping names a column that the first row does not have, or the flow a connection that
            nobody defines; with the place where it is named.
    """
    for mapped in use_case.experiment.datasets:
        _refuse_missing_columns(mapped, use_case.flow)
    programs = [run.bulk_run.program for run in runs]
    used = connections_named("the flow", use_case.flow, programs)
    for finding in check_used(use_case.experiment, used):
        raise ExperimentError(f"{finding.message} {WAY_OUT}", finding.location)


def _refuse_missing_columns(mapped: MappedDataset, flow: Flow) -> None:
    _, first = next(read_rows(mapped.dataset.local_file(mapped.location)))
    for name, source in completed_mappings(flow, mapped.mappings).items():
        if source.kind == "data" and source.name not in first:
            keys = ("mappings", name) if name in mapped.mappings else ("mappings",)
            raise ExperimentError(
                f"The input `{name}` takes the column `{source.name}`, which the first row of `{mapped.dataset.name}` "
                f"does not have. {hint(source.name, first)} {WAY_OUT}",
                Places().below(mapped.location, *keys),
            )
