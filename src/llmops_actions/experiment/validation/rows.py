"""Datasets: read once, row by row. Counts rows, gathers columns, and checks values against the inputs they become."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.validation.findings import error, from_error, listing, warning
from llmops_actions.experiment.validation.types import described, fits
from llmops_actions.outcome import Finding

MOST_FINDINGS = 5
"""Findings for one input and one problem; then "and N more"."""
MOST_COLUMNS = 2_000
"""Columns that are remembered: a dataset with more of them is taken to have any."""


@dataclass(frozen=True)
class Use:
    """A column of a dataset that becomes an input: of which type, and who (``the flow``) takes it."""

    column: str
    input: str
    type: str | None
    taker: str


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a dataset. ``rows`` and ``columns`` are ``None`` where it could not be read to its end."""

    rows: int | None
    columns: Collection[str] | None
    findings: tuple[Finding, ...] = ()


@dataclass
class _Problem:
    """One kind of problem with one use, wherever it occurs: the first few in full, then their number."""

    findings: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, finding: Finding) -> None:
        self.count += 1
        if self.count <= MOST_FINDINGS:
            self.findings.append(finding)

    def shown(self) -> Iterator[Finding]:
        *others, last = self.findings
        rest = self.count - len(self.findings)
        yield from others
        yield Finding(last.level, f"{last.message} And {rest:,} more rows." if rest else last.message, last.location)


def examine(file: Path, uses: Sequence[Use]) -> DatasetFacts:
    """Read the dataset once, whatever the number of ``uses``; memory does not grow with its rows."""
    problems: dict[tuple[Use, str], _Problem] = {}
    columns: dict[str, None] = {}
    rows = 0
    try:
        for line, row in read_rows(file):
            rows += 1
            if len(columns) <= MOST_COLUMNS:
                columns.update(dict.fromkeys(row))
            for use in uses:
                for kind, finding in _check_value(use, row, Location(file, line)):
                    problems.setdefault((use, kind), _Problem()).add(finding)
    except ExperimentError as problem:
        return DatasetFacts(None, None, (*from_error(problem), *_shown(problems, columns)))
    if rows == 0:
        return DatasetFacts(0, None, (error("The dataset has no rows. Add some.", Location(file)),))
    known = None if len(columns) > MOST_COLUMNS else tuple(columns)
    return DatasetFacts(rows, known, tuple(_shown(problems, known)))


def _shown(problems: Mapping[tuple[Use, str], _Problem], columns: Collection[str] | None) -> Iterator[Finding]:
    """What is worth telling: a column that no row has is told once, at the mapping that names it."""
    for (use, kind), problem in problems.items():
        if kind != "missing" or columns is None or use.column in columns:
            yield from problem.shown()


def _check_value(use: Use, row: dict[str, Any], place: Location) -> Iterator[tuple[str, Finding]]:
    if use.column not in row:
        text = f"The row has no `{use.column}`, which {use.taker} takes as `{use.input}`; it has {listing(row)}."
        yield "missing", error(text, place)
        return
    value = row[use.column]
    if value is None and use.type == "string":
        text = f"`{use.column}` is null: {use.taker} gets the text `None` as `{use.input}`. Give it a text."
        yield "null", warning(text, place)
    elif not fits(use.type, value):
        text = f"`{use.column}` is {described(value)}, but `{use.input}` of {use.taker} takes {_article(use.type)}."
        yield "type", error(text, place)


def _article(kind: str | None) -> str:
    return f"an {kind}" if kind in ("int", "object") else f"a {kind}"
