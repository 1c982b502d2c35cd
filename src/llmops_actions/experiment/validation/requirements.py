"""A flow's ``requirements.txt``: against what is installed, and against the lock of llmops-actions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.validation.findings import error, from_error, notice, warning
from llmops_actions.experiment.yaml_source import read_text
from llmops_actions.outcome import Finding

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_RENAMED = {"promptflow-sdk": "promptflow"}
"""Packages that the established templates still ask for by their old names (PyPI: promptflow-sdk, until 2023)."""


@dataclass(frozen=True)
class InstalledPackage:
    """A package of this Python: its version, and what it says it needs (PEP 508, also for extras)."""

    version: str
    requires: Sequence[str] = ()


@dataclass(frozen=True)
class Packages:
    """The packages of this Python, and the versions that llmops-actions is locked to, by canonical name.

    ``advice`` says how to install a requirements file, as a sentence.
    """

    installed: Callable[[str], InstalledPackage | None]
    locked: Mapping[str, str]
    advice: Callable[[str], str]


@dataclass(frozen=True)
class _Line:
    number: int
    text: str


def check(file: Path, packages: Packages, shown: str) -> Iterator[Finding]:
    """Every requirement is installed in a version that it allows, and can stand beside the lock.

    ``shown`` is the file as it is written in what is recommended.
    """
    try:
        lines = list(_lines(read_text(file)))
    except ExperimentError as problem:
        yield from from_error(problem)
        return
    for line in lines:
        yield from _check_line(line, Location(file, line.number), packages, packages.advice(shown))


def _lines(text: str) -> Iterator[_Line]:
    """Logical lines: continuations joined, comments and hashes away (the file format of pip)."""
    joined = ""
    start = 1
    for number, raw in enumerate([*text.splitlines(), ""], 1):
        joined = f"{joined} {raw}" if joined else raw
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        content = re.sub(r"(^|\s)#.*$", "", joined).strip()
        content = re.sub(r"\s--(hash|config-settings|global-option)[= ]\S+", "", content)
        if content:
            yield _Line(start, content)
        joined, start = "", number + 1


def _check_line(line: _Line, place: Location, packages: Packages, advice: str) -> Iterator[Finding]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    if line.text.startswith("-") or re.match(r"^(\.{0,2}/|[a-z+]+:)", line.text):
        yield notice(f"`{line.text}` is not checked: only named requirements are.", place)
        return
    try:
        requirement = Requirement(line.text)
    except InvalidRequirement as problem:
        reason = str(problem).splitlines()[0]
        yield error(f"`{line.text}` is no requirement: {reason}.", place)
        return
    if requirement.marker is None or requirement.marker.evaluate():
        successor = _RENAMED.get(canonicalize_name(requirement.name))
        if successor:
            # Versions of the old name say nothing of the new one's, and neither do its extras.
            requirement = Requirement(successor)
            yield notice(f"`{line.text}` is known as `{successor}` now, and taken as that.", place)
        yield from _check_requirement(requirement, place, packages, advice)


def _check_requirement(requirement: Requirement, place: Location, packages: Packages, advice: str) -> Iterator[Finding]:
    from packaging.utils import canonicalize_name

    name = canonicalize_name(requirement.name)
    installed = packages.installed(name)
    locked = packages.locked.get(name)
    fits = installed is not None and requirement.specifier.contains(installed.version, prereleases=True)
    if locked is not None and not requirement.specifier.contains(locked, prereleases=True):
        text = f"`{requirement}` cannot stand beside llmops-actions, which is locked to {name}=={locked}."
        if fits and installed:
            yield warning(f"{text} Here {installed.version} is installed; allow {locked} as well.", place)
        else:
            yield error(f"{text} Allow that version: `{requirement.name}=={locked}`.", place)
    elif installed is None:
        yield error(f"`{requirement}` is not installed. {advice}", place)
    elif not fits:
        yield error(f"`{requirement}` is asked for, but {installed.version} is installed. {advice}", place)
    else:
        yield from _check_extras(requirement, installed, place, packages, advice)


def _check_extras(
    requirement: Requirement, installed: InstalledPackage, place: Location, packages: Packages, advice: str
) -> Iterator[Finding]:
    """What the extras of a requirement need, one level deep."""
    from packaging.requirements import Requirement as Parsed

    for written in installed.requires if requirement.extras else ():
        needed = Parsed(written)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            continue
        if not any(needed.marker.evaluate({"extra": extra}) for extra in sorted(requirement.extras)):
            continue
        found = packages.installed(needed.name)
        if found is None or not needed.specifier.contains(found.version, prereleases=True):
            yield error(
                f"`{requirement}` needs `{needed.name}{needed.specifier}`, which is not installed. {advice}", place
            )
