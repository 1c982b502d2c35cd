"""Runs a use case's own tests with pytest, in a child process."""

from __future__ import annotations

import importlib.util
import json
import shlex
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from llmops_actions.errors import Location
from llmops_actions.outcome import Finding
from llmops_actions.platforms.local.checks import pytest_report
from llmops_actions.platforms.local.checks.processes import ChildProcesses, Ended

FOLDER = "tests"
_NO_TESTS = 5
"""pytest's exit code when nothing was collected."""
_OPTIONS = ("-q", "--color=no", "-p", "no:cacheprovider", "-p", pytest_report.__name__)
_MOST_REPORTED = 5_000_000


@dataclass(frozen=True)
class TestResults:
    """How many tests there were, and what is wrong."""

    __test__ = False

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    findings: tuple[Finding, ...] = ()


class _Failure(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["failure"]
    test: str
    message: str
    crash: tuple[str, int] | None = None
    file: str
    line: int | None = None


class _Counts(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: Literal["counts"]
    passed: int
    failed: int
    skipped: int


def run_tests(use_case: Path, environment: Mapping[str, str], children: ChildProcesses, timeout: float) -> TestResults:
    """Run ``tests/`` of the use case, with its folder as the working directory."""
    folder = use_case / FOLDER
    if not folder.is_dir():
        return TestResults(findings=(Finding("notice", "The use case has no tests/.", Location(use_case)),))
    if importlib.util.find_spec("pytest") is None:
        command = f"{shlex.quote(sys.executable)} -m pip install pytest"
        text = f"The use case has tests, but pytest is not installed. Install it: {command}; or: --no-tests"
        return TestResults(findings=(Finding("error", text, Location(folder)),))
    with tempfile.TemporaryDirectory(prefix="llmops-tests-") as scratch:
        report = Path(scratch) / "report.jsonl"
        ended = children.run(
            [sys.executable, "-m", "pytest", *_OPTIONS, FOLDER],
            use_case,
            {**environment, pytest_report.VARIABLE: str(report)},
            timeout,
        )
        failures, counts = _read(report)
    return _results(folder, ended, failures, counts, timeout)


def _read(report: Path) -> tuple[list[_Failure], _Counts | None]:
    failures: list[_Failure] = []
    counts: _Counts | None = None
    if not report.is_file():
        return failures, counts
    with report.open("rb") as lines:
        written = lines.read(_MOST_REPORTED).splitlines()
    for line in written:
        try:
            entry = json.loads(line)
            if isinstance(entry, dict) and entry.get("kind") == "counts":
                counts = _Counts.model_validate(entry)
            else:
                failures.append(_Failure.model_validate(entry))
        except (ValueError, RecursionError, ValidationError):
            continue
    return failures, counts


def _results(
    folder: Path, ended: Ended, failures: list[_Failure], counts: _Counts | None, timeout: float
) -> TestResults:
    findings = [_finding(folder, each) for each in failures]
    place = Location(folder)
    if ended.code is None:
        findings.append(Finding("error", f"The tests took longer than {timeout:g} seconds and were ended.", place))
    elif ended.code == _NO_TESTS:
        findings.append(Finding("warning", "tests/ holds no test. Name the files test_*.py.", place))
    elif ended.code != 0 and not findings:
        said = " / ".join(ended.output.strip().splitlines()[-5:])
        findings.append(Finding("error", f"pytest ended with exit code {ended.code}: {said}", place))
    if counts is None:
        return TestResults(failed=len(failures), findings=tuple(findings))
    return TestResults(counts.passed, counts.failed, counts.skipped, tuple(findings))


def _finding(folder: Path, failure: _Failure) -> Finding:
    """At the line that failed, if it is one of the tests' own; else at the test."""
    place = Location(Path(failure.file), failure.line)
    if failure.crash is not None and Path(failure.crash[0]).is_relative_to(folder):
        place = Location(Path(failure.crash[0]), failure.crash[1])
    return Finding("error", f"{failure.test} fails: {failure.message}", place)
