"""Reports an outcome on GitHub: outputs, step summary, annotations and the text of the log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actions_toolkit import core

from llmops_actions.errors import Location
from llmops_actions.github.commands import WorkflowLog
from llmops_actions.outcome import Finding, Outcome
from llmops_actions.progress import LineProgress
from llmops_actions.reporting.terminal import outcome_as_text
from llmops_actions.reporting.text import markdown, plain
from llmops_actions.steps.execution import input_name

ANNOTATIONS = 10
"""GitHub shows that many errors, warnings and notices of a step, each, and drops the others."""

MESSAGE_LIMIT = 4000
"""Characters of an annotation; the runner cuts at 4096."""

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step summary; GitHub refuses a larger one whole."""

_CUT = "\n\n_The summary is cut here: GitHub shows one MiB. The work folder has all of it._\n"


@dataclass(frozen=True)
class Place:
    """Where an action runs. ``directory`` is what the locations of findings start from."""

    workspace: Path
    directory: Path
    summary: Path | None
    output: Path | None

    @classmethod
    def of(cls, environ: Mapping[str, str], directory: Path) -> Place:
        """The place that the runner tells of; without one, nothing is written to its files."""

        def file(name: str) -> Path | None:
            return Path(environ[name]) if environ.get(name) else None

        workspace = environ.get("GITHUB_WORKSPACE")
        return cls(
            workspace=Path(workspace) if workspace else directory,
            directory=directory,
            summary=file("GITHUB_STEP_SUMMARY"),
            output=file("GITHUB_OUTPUT"),
        )


class GroupedProgress(LineProgress):
    """Progress in the log of an action: each phase is a group of lines that folds."""

    def __init__(self, log: WorkflowLog) -> None:
        super().__init__(log.stream)
        self._log = log

    def close(self) -> None:
        """End the group."""
        super().close()
        self._log.end_group()

    def _title(self, title: str) -> None:
        self._log.group(title)

    def _write(self, text: str) -> None:
        self._log.line(text)


def report(step: str, outcome: Outcome[Any], place: Place, log: WorkflowLog) -> None:
    """Report ``outcome``; commands are stopped when it is called, and work again when it returns."""
    log.line(outcome_as_text(step, outcome))
    log.resume()
    if place.output is not None:
        place.output.touch()
        set_outputs(outcome, log)
    if place.summary is not None:
        append_summary(place.summary, log.redact(summary_of(outcome)))
    for finding in shown_findings(outcome.findings):
        annotate(step, finding, place, log)


def set_outputs(outcome: Outcome[Any], log: WorkflowLog) -> None:
    """Set each output of the step, and ``verdict``: text as it is, everything else as JSON, nothing as empty."""
    values = {"verdict": outcome.verdict, **outcome.outputs.model_dump(mode="json")}
    for name, value in values.items():
        core.set_output(input_name(name), log.redact(output_text(value)))


def output_text(value: Any) -> str:
    """An output as GitHub's expressions read it; ``fromJSON`` reads all but text."""
    if value is None:
        return ""
    # A lone surrogate (a file name that is no UTF-8) cannot be written to the runner's file.
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def summary_of(outcome: Outcome[Any]) -> str:
    """The Markdown for the step summary; a step that did not get to its own says what stopped it."""
    if outcome.verdict not in ("usage", "error"):
        return f"{outcome.summary.rstrip()}\n\n{outcome.details}" if outcome.details else outcome.summary
    return "\n".join([outcome.summary, "", *(f"- {markdown(finding, 1000)}" for finding in outcome.findings)])


def append_summary(file: Path, text: str, limit: int = SUMMARY_LIMIT) -> None:
    """Append ``text`` to the step summary, cut at the end of a line where it would grow over ``limit`` bytes."""
    before = file.stat().st_size if file.exists() else 0
    content = f"{text.rstrip()}\n\n".encode("utf-8", "replace")
    room = limit - before
    if len(content) > room:
        kept = content[: max(0, room - len(_CUT.encode()))]
        content = kept[: kept.rfind(b"\n") + 1] + _CUT.encode() if room > len(_CUT.encode()) else b""
    with file.open("ab") as summary:
        summary.write(content)


def shown_findings(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that GitHub shows as annotations and, if that leaves some out, a last one that says so."""
    shown = _first_of_each(findings, {"error": ANNOTATIONS, "warning": ANNOTATIONS, "notice": ANNOTATIONS})
    if len(shown) == len(findings):
        return shown
    shown = _first_of_each(findings, {"error": ANNOTATIONS, "warning": ANNOTATIONS, "notice": ANNOTATIONS - 1})
    left = Counter(finding.level for finding in findings) - Counter(finding.level for finding in shown)
    counts = ", ".join(f"{count} more of level {level}" for level, count in left.items())
    text = f"{len(findings)} findings in all; {counts}: GitHub shows no more. The log has every error and warning."
    return [*shown, Finding("notice", text)]


def _first_of_each(findings: Iterable[Finding], limits: Mapping[str, int]) -> list[Finding]:
    seen: Counter[str] = Counter()
    kept = []
    for finding in findings:
        seen[finding.level] += 1
        if seen[finding.level] <= limits[finding.level]:
            kept.append(finding)
    return kept


def annotate(step: str, finding: Finding, place: Place, log: WorkflowLog) -> None:
    """Issue the annotation of a finding: at its line, if its file is in the workspace, else naming it in the text."""
    properties = {"title": f"llmops {step}", **_position(finding.location, place)}
    message = finding.message if "file" in properties else str(finding)
    text = plain(message)
    log.command(finding.level, text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…", **properties)


def _position(location: Location | None, place: Place) -> dict[str, str]:
    if location is None:
        return {}
    try:
        file = (place.directory / location.file).resolve().relative_to(place.workspace.resolve())
    except (OSError, ValueError):
        return {}
    position = {"file": file.as_posix()}
    if location.line is not None:
        position["line"] = str(location.line)
        if location.column is not None:
            position["col"] = str(location.column)
    return position
