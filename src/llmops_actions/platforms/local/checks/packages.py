"""The packages of this Python, and the versions that llmops-actions is locked to."""

from __future__ import annotations

import functools
import importlib.metadata
import re
import shlex
import sys
from pathlib import Path

from llmops_actions.experiment.validation.requirements import InstalledPackage, Packages

_LOCK = Path(__file__).parents[5] / "requirements" / "runtime.txt"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)\s*(?:;\s*([^\\]*))?")


def this_python() -> Packages:
    """What is installed here, what is locked, and how to install more."""
    return Packages(_installed, locked_versions(_LOCK), f"{shlex.quote(sys.executable)} -m pip install -r")


@functools.cache
def _installed(name: str) -> InstalledPackage | None:
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None
    return InstalledPackage(found.version, tuple(found.requires or ()))


def locked_versions(lock: Path) -> dict[str, str]:
    """The pins of a lock file; without one (llmops-actions was installed from a package) its own exact pins."""
    if lock.is_file():
        lines = lock.read_text(encoding="utf-8").splitlines()
    else:
        own = _installed("llmops-actions")
        lines = list(own.requires) if own else []
    return dict(pin for line in lines if (pin := _pin(line)) is not None)


def _pin(line: str) -> tuple[str, str] | None:
    from packaging.markers import Marker
    from packaging.utils import canonicalize_name

    match = _PINNED.match(line)
    if match is None:
        return None
    if match[3] and not Marker(match[3].strip()).evaluate({"extra": ""}):
        return None
    return canonicalize_name(match[1]), match[2]
