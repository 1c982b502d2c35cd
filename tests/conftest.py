"""What all tests share: the tools that they may need, and that nothing is skipped in silence."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

BROUGHT_BY = {
    "act": "make tools (needs Go)",
    "actionlint": "make tools (needs Go)",
    "chromium": "apt-get install chromium",
    "git": "apt-get install git",
    "go": "see Go's own installation page",
    "node": "apt-get install nodejs",
}
"""Every tool that a test may need beside Python and make, and the command that brings it."""

SKIPPED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what runs in its background with SIGINT ignored, and tests press Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.stash[SKIPPED] = []
    os.environ["PATH"] = os.pathsep.join([str(ROOT / ".cache" / "bin"), os.environ.get("PATH", os.defpath)])
    config.pluginmanager.register(SkippedTests(config.stash[SKIPPED]), "skipped-tests")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for tool in mark.args:
            if shutil.which(tool) is None:
                pytest.skip(f"needs {tool}, which is not here; it comes with: {BROUGHT_BY[tool]}")


class SkippedTests:
    """Under LLMOPS_TEST_ALL=1 a skipped test makes the session fail."""

    def __init__(self, skipped: list[str]) -> None:
        self.skipped = skipped
        self.forbidden = os.environ.get("LLMOPS_TEST_ALL") == "1"

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped.append(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.forbidden and self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.forbidden and self.skipped:
            terminalreporter.section("skipped, which LLMOPS_TEST_ALL=1 forbids", red=True)
            for name in self.skipped:
                terminalreporter.line(name)
