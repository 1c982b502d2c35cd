"""What bulk runs and evaluations share: settings, results as documents, and failures in words."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from llmops_actions import __version__
from llmops_actions.experiment.prices import PriceTable
from llmops_actions.outcome import Finding, Verdict
from llmops_actions.platforms.ports import BulkRun, RunProgress, RunResult, RunSettings, Usage
from llmops_actions.reporting.text import counted, one_line
from llmops_actions.steps.inputs import EngineInputs
from llmops_actions.steps.rows import FAILED_BEFORE
from llmops_actions.steps.services import Progress
from llmops_actions.work_folder import RowDocument, UsageRecord, read_lines

SHOWN_PROBLEMS = 3
SHOWN_LINES = 5


def run_settings(inputs: EngineInputs, prices: PriceTable) -> RunSettings:
    """The inputs as a runner takes them."""
    return RunSettings(
        concurrency=inputs.concurrency,
        processes=inputs.processes,
        line_timeout=inputs.line_timeout,
        call_timeout=inputs.call_timeout,
        run_timeout=inputs.run_timeout,
        attempts=inputs.attempts,
        resume=inputs.resume,
        retry_failed=inputs.retry_failed,
        prices=prices,
    )


def announce(runs: Iterable[BulkRun], progress: Progress) -> None:
    """Tell how much is to come, so that what is done is a share of all of it from the start."""
    for run in runs:
        progress.run(RunProgress(run.name, 0, 0, run.row_count))


def usage_records(usage: Mapping[str, Usage]) -> dict[str, UsageRecord]:
    """Usage as documents keep it."""
    return {
        model: UsageRecord(calls=each.calls, prompt_tokens=each.prompt_tokens, completion_tokens=each.completion_tokens)
        for model, each in sorted(usage.items())
    }


def total_cost(costs: Iterable[float | None]) -> float | None:
    """The sum in USD; ``None`` where one is unknown."""
    known = list(costs)
    return None if any(cost is None for cost in known) else sum(cost for cost in known if cost is not None)


def total_tokens(counts: Iterable[int | None]) -> int | None:
    """The sum of the tokens of runs; ``None`` where those of one were not counted."""
    known = list(counts)
    return None if any(count is None for count in known) else sum(count or 0 for count in known)


def versions() -> dict[str, str]:
    """What ran: the versions of Python and of the packages that can change a result."""
    found = {"python": sys.version.split()[0], "llmops-actions": __version__}
    for package in ("promptflow", "promptflow-tools", "openai"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass
class Problems:
    """The reasons why rows of a run failed: how often each, and the first few lines."""

    counts: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)

    def add(self, line: int, problem: str) -> None:
        """Count one failed row; beyond a hundred different reasons the others share one."""
        key = problem if problem in self.counts or len(self.counts) < 100 else "other reasons"
        self.counts[key] = self.counts.get(key, 0) + 1
        lines = self.lines.setdefault(key, [])
        if len(lines) < SHOWN_LINES:
            lines.append(line + 1)

    def describe(self) -> str:
        """The most frequent reasons, in words."""
        parts = []
        for problem in sorted(self.counts, key=lambda each: -self.counts[each])[:SHOWN_PROBLEMS]:
            lines = ", ".join(map(str, self.lines[problem]))
            more = ", …" if self.counts[problem] > len(self.lines[problem]) else ""
            which = f"row {lines}" if self.counts[problem] == 1 else f"rows {lines}{more}"
            parts.append(f"{self.counts[problem]} x {problem} ({which})")
        rest = len(self.counts) - SHOWN_PROBLEMS
        return "; ".join(parts) + (f"; {rest} other reasons" if rest > 0 else "")


def read_problems(rows: Path) -> Problems:
    """The reasons why rows in ``rows.jsonl`` failed, those apart that had failed in the bulk run before."""
    problems = Problems()
    for record in read_lines(rows, RowDocument):
        error = record.error
        if error and not error.message.startswith(FAILED_BEFORE):
            node = f" in node {error.node}" if error.node else ""
            problems.add(record.line, f"{error.type}{node}: {one_line(error.message, 300)}")
    return problems


def judge(what: str, result: RunResult, failed: int, allowed: int, rows: Path) -> tuple[Verdict, Finding | None]:
    """The verdict on one run, and why. ``failed`` rows count against ``allowed``; ``rows`` is its ``rows.jsonl``."""
    if result.status == "timed-out":
        return "error", Finding("error", f"{what}: {result.error or 'time is up'}")
    if result.error:
        return "failed", Finding("error", f"{what}: {result.error}")
    if failed > allowed:
        total = result.completed + result.failed
        message = f"{what}: {failed:,} of {counted(total, 'row')} failed: {read_problems(rows).describe()}"
        way_out = f"--max-failed-rows {failed} allows that."
        return "failed", Finding("error", f"{message}. Rows count from 1; all of them: {rows}. {way_out}")
    if failed:
        message = f"{what}: {counted(failed, 'row')} failed ({allowed:,} may): {read_problems(rows).describe()}"
        return "passed", Finding("warning", f"{message}. Rows count from 1; all of them: {rows}.")
    return "passed", None


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on several runs: an error before a failure before a pass."""
    found = set(verdicts)
    return next((verdict for verdict in ("error", "failed") if verdict in found), "passed")
