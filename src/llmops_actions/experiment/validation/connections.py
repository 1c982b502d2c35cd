"""Connections: those that flows name are defined and can be resolved. Names of what is missing, never values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.connections import connection_type
from llmops_actions.experiment.environment import FlowEnvironment, Missing, asked_by_environment_file, left_out
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.validation.findings import error, from_error, hint, warning
from llmops_actions.outcome import Finding


@dataclass(frozen=True)
class UsedConnection:
    """A connection that a flow names: which one, who names it, and where."""

    name: str
    user: str
    place: Location


def connection_types(experiment: Experiment) -> dict[str, str]:
    """The type of each connection that has a known one."""
    types = {}
    for block, _ in experiment.connections:
        try:
            types[block.name] = connection_type(block.connection_type or "")
        except ExperimentError:
            continue
    return types


def check_entries(experiment: Experiment) -> Iterator[Finding]:
    """Every entry of ``connections`` has a type that prompt flow knows."""
    for block, place in experiment.connections:
        if block.connection_type is None:
            yield warning(
                f"The connection `{block.name}` has no `connection_type`, so it is passed over. Add one.", place
            )
            continue
        try:
            connection_type(block.connection_type, place)
        except ExperimentError as problem:
            yield from from_error(problem)


def check_used(experiment: Experiment, used: Iterable[UsedConnection]) -> Iterator[Finding]:
    """Every connection that a flow names is defined."""
    known = [block.name for block, _ in experiment.connections]
    usable = {block.name for block, _ in experiment.connections if block.connection_type is not None}
    for each in dict.fromkeys(used):
        if each.name not in known:
            way_out = hint(each.name, known) if known else "Define it under `connections` in experiment.yaml."
            yield error(f"{each.user} uses the connection `{each.name}`, which is not defined. {way_out}", each.place)
        elif each.name not in usable:
            yield error(
                f"{each.user} uses the connection `{each.name}`, which has no `connection_type`. Add one there.",
                each.place,
            )


def check_missing(
    experiment: Experiment,
    environment: FlowEnvironment,
    arguments: Iterable[Missing],
    used: Iterable[UsedConnection],
    offline: bool,
) -> Iterator[Finding]:
    """Every variable that is asked for is defined, whether it is used or not: without it nothing is run.

    With ``offline`` a model connection needs none: the stand-in takes its place; and ``env.yaml`` does without.
    """
    names = {place: block.name for block, place in experiment.connections}
    users = _users(used)
    for missing in dict.fromkeys((*environment.missing, *arguments)):
        name = names.get(missing.asked_by)
        connection = environment.connections.get(name) if name else None
        if connection is not None and offline and connection.is_model:
            continue
        if offline and asked_by_environment_file(missing, experiment):
            yield warning(left_out(missing), missing.asked_by)
            continue
        who = f"The connection `{name}`" if name else "This file"
        needed_by = f", which {users[name][:1].lower()}{users[name][1:]} uses," if name in users else ""
        yield error(
            f"{who}{needed_by} asks for `{missing.variable}`, which is not set. "
            "Set it in the environment or in a .env file of the use case or the repository.",
            missing.asked_by,
        )


def _users(used: Iterable[UsedConnection]) -> Mapping[str | None, str]:
    users: dict[str | None, str] = {}
    for each in used:
        users.setdefault(each.name, each.user)
    return users
