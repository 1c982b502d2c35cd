"""Which values are secrets: what the connections resolve to, and what is named like a secret."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmops_actions.errors import LlmopsError
from llmops_actions.experiment.environment import experiment_variables, flow_environment
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.secret_names import is_secret
from llmops_actions.experiment.variables import is_reference, read_variables

SHORTEST = 6
"""Shorter values are not masked: three stars for every ``test`` in a log hide the log, and no secret is that short."""


@dataclass(frozen=True)
class Secrets:
    """Values that nobody may read, each of ``SHORTEST`` characters or more."""

    values: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, values: Iterable[str]) -> Secrets:
        """Those of ``values`` that can be masked."""
        return cls(frozenset(value for value in values if len(value.strip()) >= SHORTEST))

    def lines(self) -> list[str]:
        """The values, and their single lines, since a log is read line by line."""
        lines = {line.strip() for value in self.values for line in value.splitlines()}
        return sorted(self.values | {line for line in lines if len(line) >= SHORTEST})

    def redact(self, text: str) -> str:
        """``text`` with stars for each secret, also where JSON has escaped it."""
        for value in sorted(self._spellings(), key=len, reverse=True):
            text = text.replace(value, "***")
        return text

    def _spellings(self) -> Iterator[str]:
        for value in self.lines():
            yield value
            yield json.dumps(value)[1:-1]
            yield json.dumps(value, ensure_ascii=False)[1:-1]


def find_secrets(
    environ: Mapping[str, str], directory: Path, use_case: str = "", environment: str | None = None
) -> Secrets:
    """The secrets of the process's environment and, if a use case is named, those that it resolves.

    A use case that cannot be read has only those of its ``.env`` and the environment: the step that follows says
    what is wrong with it, and has resolved no more than we could.
    """
    values = _named_like_secrets(environ)
    if use_case:
        folder = directory / use_case
        try:
            values += _resolved(environ, folder, environment)
        except (LlmopsError, OSError, ValueError):
            values += _written(environ, (folder, folder.parent, directory))
    return Secrets.of(values)


def _resolved(environ: Mapping[str, str], folder: Path, environment: str | None) -> list[str]:
    experiment = load_experiment(folder, environment)
    variables = experiment_variables(experiment, environ)
    found = flow_environment(experiment, variables)
    of_connections = [
        value
        for connection in found.connections.values()
        for value in connection.secrets.values()
        if not is_reference(value)
    ]
    return [*of_connections, *_named_like_secrets({**variables.dotenv, **found.variables})]


def _written(environ: Mapping[str, str], folders: Iterable[Path]) -> list[str]:
    try:
        return _named_like_secrets(read_variables(environ, folders).dotenv)
    except (LlmopsError, OSError, ValueError):
        return []


def _named_like_secrets(variables: Mapping[str, str]) -> list[str]:
    return [value for name, value in variables.items() if is_secret(name, value)]
