"""Our own workflows are built safely, and the check to require sees every job."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")

each = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)


def jobs(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"]
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(file).values() for step in job.get("steps", [])]


def test_there_is_a_workflow() -> None:
    assert [file.name for file in WORKFLOWS] == ["ci.yml"]


@each
def test_nothing_is_granted_but_what_a_job_asks_for(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert document["permissions"] == {}
    assert document["concurrency"]["group"]
    for name, job in document["jobs"].items():
        assert "permissions" in job, name
        assert job["timeout-minutes"] <= 60, name


@each
def test_third_party_actions_are_pinned_by_commit(file: Path) -> None:
    for line in file.read_text(encoding="utf-8").splitlines():
        if "uses: " in line and "uses: $/" not in line:
            assert PINNED.search(line), line


@each
def test_one_action_has_one_version(file: Path) -> None:
    pins = set(re.findall(r"uses: ([\w.-]+/[\w./-]+)@(\S+)", file.read_text(encoding="utf-8")))
    assert len({name for name, _ in pins}) == len(pins)


@each
def test_no_credentials_stay_in_the_checkout(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each
def test_scripts_take_values_by_the_environment(file: Path) -> None:
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


def test_the_required_check_needs_every_job_and_always_reports() -> None:
    every = jobs(ROOT / ".github" / "workflows" / "ci.yml")
    assert set(every["passed"]["needs"]) == set(every) - {"passed"}
    assert every["passed"]["if"] == "always()"


def test_our_own_actions_exist() -> None:
    for file in WORKFLOWS:
        for step in steps(file):
            path = step.get("uses", "")
            if path.startswith("$/"):
                assert (ROOT / path.removeprefix("$/") / "action.yml").is_file()


def test_every_sample_is_run_by_the_actions() -> None:
    matrix = jobs(ROOT / ".github/workflows/ci.yml")["samples"]["strategy"]["matrix"]["include"]
    samples = sorted(file.parent.name for file in ROOT.glob("flows/*/experiment.yaml"))
    assert sorted(each["use-case"] for each in matrix) == samples


def test_a_commit_is_checked_by_what_lint_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = makefile[makefile.index("\nlint:") : makefile.index("\nformat:")]
    [hooks] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    entries = "\n".join(hook["entry"] for hook in hooks["hooks"])
    tools = set(re.findall(r"\$\(BIN\)/([\w-]+)", lint))
    assert tools == {"ruff", "mypy", "lint-imports", "cog"}
    for tool in tools:
        assert f".venv/bin/{tool}" in entries
