"""Finds the use cases of a repository: the folders with an ``experiment.yaml``."""

from __future__ import annotations

import os
from pathlib import Path

from llmops_actions.errors import Location
from llmops_actions.experiment.fingerprint import IGNORED_FOLDERS
from llmops_actions.experiment.loading import FILE_NAME, is_environment
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.outcome import Finding

_PASSED_OVER = IGNORED_FOLDERS | {"node_modules", "site-packages", "dist", "build", "tests"}


def find_use_cases(root: Path) -> list[Path]:
    """Every folder below ``root`` (and ``root`` itself) that holds an ``experiment.yaml``, sorted.

    Hidden folders, virtual environments, dependencies and tests are passed over; links are not followed.
    """
    found = []
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(
            name
            for name in subfolders
            if name not in _PASSED_OVER and not name.startswith(".") and not (Path(folder, name, "pyvenv.cfg").exists())
        )
        if FILE_NAME in files:
            found.append(Path(folder))
    return found


def environments(use_case: Path) -> list[str]:
    """The environments that the use case has an overlay for: ``pr`` of ``experiment.pr.yaml``."""
    stem = FILE_NAME.removesuffix(".yaml")
    names = (file.name[len(stem) + 1 : -len(".yaml")] for file in use_case.glob(f"{stem}.*.yaml"))
    return sorted(name for name in names if is_environment(name))


def no_such_overlay(use_case: Path, environment: str) -> Finding | None:
    """What is told of an environment without an overlay in a use case that has overlays for others: it may be a typo.

    The base is used even so, as in the established templates.
    """
    known = environments(use_case)
    if not known or environment in known or not is_environment(environment):
        return None
    parts = (
        f"There is no experiment.{environment}.yaml, so experiment.yaml is taken as it is.",
        did_you_mean(environment, known),
        f"There are overlays for {', '.join(f'`{name}`' for name in known)}.",
    )
    return Finding("warning", " ".join(part for part in parts if part), Location(use_case / FILE_NAME))
