"""Resolves ``${NAME}`` references: from the environment, then from ``.env`` files."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmops_actions.experiment.yaml_source import read_text

_REFERENCE = re.compile(r"\$\{([^${}]+)\}")


@dataclass(frozen=True)
class Resolution:
    """Text with its references replaced, and the names that nobody defines (then ``text`` still holds them)."""

    text: str = field(repr=False)
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variables:
    """What ``${NAME}`` can mean. The environment wins over ``.env``; an empty value counts as missing."""

    environment: Mapping[str, str] = field(repr=False, default_factory=dict)
    dotenv: Mapping[str, str] = field(repr=False, default_factory=dict)

    def find(self, name: str, owner: str | None = None) -> str | None:
        """The value of ``name``.

        With an ``owner`` (a connection, a constructor argument) ``<OWNER>_<NAME>`` is tried first, since it is the
        more specific one; every name as written, then upper-cased, then with ``_`` for what no variable's name holds.
        """
        names = [f"{owner}_{name}", name] if owner else [name]
        for source in (self.environment, self.dotenv):
            for candidate in (spelling for each in names for spelling in (each, each.upper(), _as_variable(each))):
                if source.get(candidate):
                    return source[candidate]
        return None

    def resolve(self, text: str, owner: str | None = None) -> Resolution:
        """Replace each ``${NAME}`` in ``text``."""
        missing: list[str] = []

        def replace(match: re.Match[str]) -> str:
            value = self.find(match[1].strip(), owner)
            if value is None:
                missing.append(expected_name(match[1].strip(), owner))
                return match[0]
            return value

        return Resolution(_REFERENCE.sub(replace, text), tuple(missing))


def expected_name(name: str, owner: str | None = None) -> str:
    """The environment variable that we tell a user to set for ``${name}``: a name in capitals is one already."""
    if name == name.upper():
        owner = None
    return _as_variable(f"{owner}_{name}" if owner else name)


def _as_variable(name: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", name.upper())


def plain_text(value: object) -> str:
    """A plain YAML value as the text of a variable: ``true`` and ``false`` as YAML writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_reference(text: object) -> bool:
    """Whether ``text`` holds a ``${NAME}``."""
    return isinstance(text, str) and bool(_REFERENCE.search(text))


def is_one_reference(text: str) -> bool:
    """Whether ``text`` is a ``${NAME}`` and nothing else."""
    return _REFERENCE.fullmatch(text.strip()) is not None


def read_variables(environment: Mapping[str, str], folders: Iterable[Path]) -> Variables:
    """The variables of ``environment`` and of the ``.env`` files in ``folders`` (the first folder wins).

    Raises:
        ExperimentError: a ``.env`` that cannot be read, or is not UTF-8.
    """
    merged: dict[str, str] = {}
    for folder in folders:
        file = folder / ".env"
        if file.is_file():
            from dotenv import dotenv_values

            for name, value in dotenv_values(stream=io.StringIO(read_text(file)), interpolate=False).items():
                merged[name] = merged.get(name) or value or ""
    return Variables(dict(environment), merged)
