"""A pytest plugin that writes what ``validate`` needs to know: one line of JSON for each failure and for the count.

It is loaded into the child that runs a use case's tests (``-p``), and imports next to nothing.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from llmops_actions.platforms.local.checks.processes import end_with_parent

VARIABLE = "LLMOPS_TEST_REPORT"
"""The environment variable that names the report."""
_MOST_TEXT = 1_000
_PLACE = re.compile(r'^(?P<path>[^\s:]+\.py):(?P<at>\d+): |File "(?P<file>[^"]+)", line (?P<line>\d+)', re.MULTILINE)


def pytest_configure(config: Any) -> None:
    """Start reporting, in the process that sees all tests."""
    end_with_parent()
    file = os.environ.get(VARIABLE)
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(Path(file), Path(config.rootpath)), "llmops-report")


class Reporter:
    """Writes failures as they come, and the number of tests at the end."""

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self._root = root
        self._counts = {"passed": 0, "failed": 0, "skipped": 0}

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Count a test by its own outcome, or by a failure to set it up or clean up after it."""
        if report.when == "call" or report.outcome != "passed":
            self._counts[report.outcome] += 1
        if report.failed:
            self._write_failure(report)

    def pytest_collectreport(self, report: Any) -> None:
        """A file that cannot be collected."""
        if report.failed:
            self._counts["failed"] += 1
            self._write_failure(report)

    def pytest_sessionfinish(self) -> None:
        """The counts close the report."""
        self._write({"kind": "counts", **self._counts})
        self._file.close()

    def _write_failure(self, report: Any) -> None:
        crash = getattr(report.longrepr, "reprcrash", None)
        file, line = report.location[:2] if getattr(report, "location", None) else (report.nodeid, None)
        text = str(report.longrepr)
        self._write(
            {
                "kind": "failure",
                "test": report.nodeid,
                "message": (crash.message if crash else _last_error(text))[:_MOST_TEXT],
                "crash": [str(crash.path), crash.lineno] if crash else self._last_line(text),
                "file": str(self._root / file),
                "line": None if line is None else line + 1,
            }
        )

    def _last_line(self, text: str) -> list[str | int] | None:
        """The last line of a traceback that stands in a file below the root."""
        for match in reversed([*_PLACE.finditer(text)]):
            file = self._root / (match["path"] or match["file"])
            if file.is_relative_to(self._root):
                return [str(file), int(match["at"] or match["line"])]
        return None

    def _write(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


def _last_error(text: str) -> str:
    """The message of an error that pytest shows as text: its last line, without pytest's mark."""
    lines = [line.removeprefix("E ").strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "unknown"
