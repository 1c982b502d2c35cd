"""An outcome for a terminal, or as JSON for a program."""

from __future__ import annotations

import json
import re
from typing import Any

from llmops_actions.outcome import Finding, Outcome
from llmops_actions.reporting.text import plain, width

_COLORS = {"error": "31", "failed": "31", "usage": "31", "warning": "33", "inconclusive": "33", "passed": "32"}
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+!|<>~@&$:-])")
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&#64;": "@", "&amp;": "&"}


def outcome_as_json(step: str, outcome: Outcome[Any]) -> dict[str, Any]:
    """The outcome as a JSON document."""
    return {
        "schema_version": 1,
        "step": step,
        "verdict": outcome.verdict,
        "exit_code": outcome.exit_code,
        # By way of text: pydantic writes what JSON does not have, an infinite number, as null there.
        "outputs": json.loads(outcome.outputs.model_dump_json()),
        "findings": [_finding(finding) for finding in outcome.findings],
        "summary": outcome.summary,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    place = finding.location
    return {
        "level": finding.level,
        "message": finding.message,
        "file": str(place.file) if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
    }


def outcome_as_text(step: str, outcome: Outcome[Any], *, verbose: bool = False, color: bool = False) -> str:
    """The outcome for a terminal: the findings, the summary, the verdict last.

    A step that did not get as far as a summary has its verdict there: it is not said twice.
    """
    parts = [
        f"{_painted(finding.level, finding.level, color)}: {plain(finding)}"
        for finding in outcome.findings
        if verbose or finding.level != "notice"
    ]
    summary = _readable(outcome.summary)
    if summary != f"{step}: {outcome.verdict}":
        parts.append(summary)
    parts.append(f"{step}: {_painted(outcome.verdict, outcome.verdict, color)}")
    return "\n".join(parts) + "\n"


def _painted(text: str, key: str, color: bool) -> str:
    code = _COLORS.get(key)
    return f"\x1b[{code}m{text}\x1b[0m" if color and code else text


def _readable(markdown: str) -> str:
    """Markdown as text: tables in columns, no escapes."""
    lines: list[str] = []
    table: list[list[str]] = []
    for line in [*plain(markdown).splitlines(), ""]:
        if line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line.strip().removeprefix("|").removesuffix("|"))
            table.append([cell.strip() for cell in cells])
            continue
        if table:
            lines.extend(_columns(table))
            table = []
        lines.append(_unescaped(re.sub(r"^#+ ", "", line)))
    return "\n".join(lines).rstrip()


def _columns(table: list[list[str]]) -> list[str]:
    header, marks, *rows = table
    cells = [[_unescaped(cell) for cell in row] for row in (header, *rows)]
    widths = [max(width(row[index]) for row in cells) for index in range(len(header))]
    right = [mark.endswith(":") for mark in marks]
    texts = ["  ".join(map(_padded, row, widths, right)).rstrip() for row in cells]
    return [f"  {text}" for text in [texts[0], "  ".join("-" * each for each in widths), *texts[1:]]]


def _padded(cell: str, columns: int, is_right: bool) -> str:
    padding = " " * (columns - width(cell))
    return padding + cell if is_right else cell + padding


def _unescaped(text: str) -> str:
    text = _ESCAPE.sub(r"\1", text.replace("**", ""))
    for entity, character in _ENTITIES.items():
        text = text.replace(entity, character)
    return text
