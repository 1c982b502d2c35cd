"""The locked requirements are in step with what they are made from, and carry hashes and no addresses."""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

import pytest
import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[3]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
ENTRY = re.compile(
    r"^(?P<requirement>[a-z0-9][^\\\n]*?) \\\n(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


@dataclass(frozen=True)
class Locked:
    name: str
    version: Version


def read_lock(name: str) -> list[Locked]:
    """The entries of a lock; fails on any line that is neither an entry with its hashes nor a comment."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    left_over = [line for line in ENTRY.sub("", text).splitlines() if line and not line.startswith("#")]
    assert left_over == [], "lines without a hash, or that are no requirement"
    requirements = [Requirement(entry["requirement"]) for entry in ENTRY.finditer(text)]
    versions = [(each.name, re.fullmatch(r"==([^,*]+)", str(each.specifier))) for each in requirements]
    return [Locked(canonicalize_name(name), Version(version[1])) for name, version in versions if version]


def read_input(name: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def declared(*extras: str) -> list[Requirement]:
    project = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for one in lists for line in one]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_entry_is_pinned_by_hash_and_holds_no_address(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    assert len(read_lock(path.name)) == len(re.findall(r"^[a-z0-9]\S*==", text, re.MULTILINE)) > 0


@pytest.mark.parametrize(
    ("lock", "inputs"),
    [
        ("uv.txt", read_input("uv.in")),
        ("runtime.txt", declared()),
        ("azure.txt", declared("azure", "parquet")),
        ("dev.txt", [*declared("parquet"), *read_input("dev.in")]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_input_is_met_by_its_lock(lock: str, inputs: list[Requirement]) -> None:
    entries = read_lock(lock)
    for wanted in inputs:
        versions = [each.version for each in entries if each.name == canonicalize_name(wanted.name)]
        assert versions, f"{wanted} is not in {lock}: run `make lock`"
        assert all(version in wanted.specifier for version in versions), f"{wanted} is not met: run `make lock`"


def test_the_locks_agree_with_each_other() -> None:
    widest = set(read_lock("azure.txt"))
    assert set(read_lock("runtime.txt")) <= widest
    names = {each.name for each in widest}
    assert {each for each in read_lock("dev.txt") if each.name in names} <= widest


def test_no_azure_machine_learning_without_its_extra() -> None:
    for lock in ("runtime.txt", "dev.txt"):
        assert {"azure-ai-ml", "promptflow-azure"}.isdisjoint(each.name for each in read_lock(lock))


def owners() -> dict[str, set[str]]:
    """Which distributions bring a top-level module, by their files: Python 3.10 itself asks `top_level.txt` alone."""
    found: dict[str, set[str]] = {}
    for each in distributions():
        for file in each.files or []:
            module = file.parts[0].removesuffix(".py")
            found.setdefault(module, set()).add(canonicalize_name(each.metadata["Name"]))
    return found


def test_what_is_imported_is_declared() -> None:
    """What only comes along with another package may go with it; pydantic_core is pydantic's own other half."""
    brought_by = owners()
    names = {canonicalize_name(each.name) for each in declared("azure", "parquet")}
    undeclared = {
        (file.relative_to(ROOT).as_posix(), module)
        for file in (ROOT / "src").rglob("*.py")
        for module in imported(file)
        if module not in sys.stdlib_module_names
        and module not in ("llmops_actions", "pydantic_core")
        and names.isdisjoint(brought_by.get(module, ()))
    }
    assert undeclared == set()


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found
