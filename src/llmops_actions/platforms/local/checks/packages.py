"""The packages of this Python, and the versions that llmops-actions is locked to."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path

from llmops_actions.experiment.validation.requirements import InstalledPackage, Packages

_LOCK = Path(__file__).parents[5] / "requirements" / "runtime.txt"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)\s*(?:;\s*([^\\]*))?")


def this_python() -> Packages:
    """What is installed here, what is locked, and how to install more."""
    return Packages(_installed, locked_versions(_LOCK), install_advice)


def install_advice(requirements: str) -> str:
    """How to install a requirements file (as a command has to write it) here, beside what is locked."""
    if _is_private():
        return f"Give the action the input `requirements: {requirements}`."
    return f"Install it: {_install_command()} -r {requirements}"


def _is_private() -> bool:
    """Whether this is the environment that the actions make: it is complete, and nothing may be added to it."""
    return (Path(sys.prefix) / ".complete").is_file() and Path(sys.prefix).name.startswith("llmops-")


def _install_command() -> str:
    """Uv heeds the lock; pip cannot: with hashes in a constraint it refuses whatever has none."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or ("uv" if shutil.which("uv") else None)
    if importlib.util.find_spec("pip") is not None and (uv is None or not _LOCK.is_file()):
        return f"{shlex.quote(sys.executable)} -m pip install"
    words = [uv or "uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*words, "-c", str(_LOCK)] if _LOCK.is_file() else words)


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
