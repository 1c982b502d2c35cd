"""The environment that a flow runs in: ``environment/env.yaml``, ``.env``, connections and constructor arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.connections import Connection, resolve_connection
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.variables import Variables, is_one_reference, is_reference, plain_text, read_variables
from llmops_actions.experiment.yaml_source import read_yaml

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
ENVIRONMENT_FILE = Path("environment") / "env.yaml"


@dataclass(frozen=True)
class Missing:
    """A variable that somebody asks for and nobody defines: never its value, only its name and who asks."""

    variable: str
    asked_by: Location

    def __str__(self) -> str:
        return f"{self.asked_by} asks for `{self.variable}`"


@dataclass(frozen=True)
class FlowEnvironment:
    """What a flow gets from outside: environment variables and connections; and what of it is missing."""

    variables: Mapping[str, str] = field(repr=False, default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    missing: tuple[Missing, ...] = ()
    unusable: tuple[tuple[str, Location], ...] = ()
    """Entries of ``connections`` that have no type: names and places. They are passed over."""


def experiment_variables(experiment: Experiment, environ: Mapping[str, str]) -> Variables:
    """The variables that ``${NAME}`` can mean: the environment, then ``.env`` of the use case and the repository."""
    return read_variables(environ, dict.fromkeys((experiment.folder, experiment.repository)))


def flow_environment(experiment: Experiment, variables: Variables) -> FlowEnvironment:
    """Resolve ``environment/env.yaml`` and the connections.

    A variable of ``env.yaml`` that the environment or ``.env`` has as well keeps that value, as the established
    templates do; one without a value must be there. Everything in ``.env`` is handed to the flow, too. A name of
    ``env.yaml`` in small letters is handed over as written and in capitals.

    Raises:
        ExperimentError: a file that cannot be read, or a connection type that does not exist.
    """
    missing: list[Missing] = []
    values = {name: variables.environment.get(name) or value for name, value in variables.dotenv.items()}
    file = experiment.folder / ENVIRONMENT_FILE
    if file.is_file():
        values.update(_environment_file(file, variables, missing))
    connections: dict[str, Connection] = {}
    unusable = []
    for block, place in experiment.connections:
        if block.connection_type is None:
            unusable.append((block.name, place))
            continue
        connection = resolve_connection(block, variables, place)
        connections[connection.name] = connection
        missing.extend(Missing(name, place) for name in connection.missing)
    return FlowEnvironment(values, connections, tuple(missing), tuple(unusable))


def asked_by_environment_file(missing: Missing, experiment: Experiment) -> bool:
    """Whether ``environment/env.yaml`` asks for it: there, ``--offline`` leaves out what nobody defines."""
    return missing.asked_by.file == experiment.folder / ENVIRONMENT_FILE


def left_out(missing: Missing) -> str:
    """What is told of a variable that ``--offline`` leaves out of the environment."""
    return (
        f"`{missing.variable}` is not set, so this variable is left out, as --offline allows. Without --offline it "
        "must be set, in the environment or in `.env`."
    )


def _environment_file(file: Path, variables: Variables, missing: list[Missing]) -> dict[str, str]:
    document = read_yaml(file)
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        raise ExperimentError("It must hold names and values of environment variables.", document.locate())
    values = {}
    for name, written in document.value.items():
        place = document.locate((name,))
        if isinstance(written, dict | list):
            raise ExperimentError(f"`{name}` must be one plain value.", place)
        if not _VARIABLE.fullmatch(name):
            raise ExperimentError(f"`{name}` cannot be the name of an environment variable.", place)
        own = f"${{{name}}}"
        given = variables.find(name) is not None or written is None
        resolution = variables.resolve(own if given else plain_text(written))
        missing.extend(Missing(each, place) for each in resolution.missing)
        if not resolution.missing:
            values[name] = values[name.upper()] = resolution.text
    return values


def resolve_arguments(
    arguments: Mapping[str, Any], variables: Variables, place: Location
) -> tuple[dict[str, Any], list[Missing]]:
    """Replace ``${NAME}`` in constructor arguments.

    ``{"model_config": {"api_key": "${key}"}}`` is ``MODEL_CONFIG_KEY``, ``KEY`` or, named by its place as in the
    established templates, ``MODEL_CONFIG_API_KEY``.
    """
    missing: list[Missing] = []

    def resolved(value: Any, owner: str, named: str) -> Any:
        if isinstance(value, Mapping):
            return {key: resolved(nested, owner, f"{named}_{key}") for key, nested in value.items()}
        if isinstance(value, list):
            return [resolved(nested, owner, named) for nested in value]
        if not is_reference(value):
            return value
        resolution = variables.resolve(value, owner)
        by_place = variables.find(named) if resolution.missing and is_one_reference(value) else None
        if by_place is not None:
            return by_place
        missing.extend(Missing(name, place) for name in resolution.missing)
        return resolution.text

    return {name: resolved(value, name, name) for name, value in arguments.items()}, missing
