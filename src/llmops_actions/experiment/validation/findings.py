"""Makes findings: short ways to write one, to turn an error into some, and to keep a flood of them readable."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.outcome import Finding

_PLACED_LINE = re.compile(r"^(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<text>.+)$")


def error(message: str, place: Location | None) -> Finding:
    """Something that keeps the use case from running."""
    return Finding("error", message, place)


def warning(message: str, place: Location | None) -> Finding:
    """Something that runs, but probably not as it was meant."""
    return Finding("warning", message, place)


def notice(message: str, place: Location | None) -> Finding:
    """Something worth knowing."""
    return Finding("notice", message, place)


def from_error(problem: ExperimentError) -> Iterator[Finding]:
    """The findings in an error: a schema error holds one problem a line, each with its own place."""
    first, *others = problem.message.split("\n")
    yield error(first, problem.location)
    for line in others:
        match = _PLACED_LINE.match(line)
        if match:
            place = Location(Path(match["file"]), int(match["line"]), int(match["column"]))
            yield error(match["text"], place)
        else:
            yield error(line, problem.location)


def hint(name: str, known: Collection[str]) -> str:
    """The way out of an unknown name: the nearest known one, else all of them."""
    return did_you_mean(name, known, f"There are {listing(known)}.")


def listing(names: Collection[str], most: int = 12) -> str:
    """Names for a sentence: ``a``, ``b`` and 3 more."""
    shown = [f"`{name}`" for name in list(names)[:most]]
    rest = len(names) - len(shown)
    return (", ".join(shown) + (f" and {rest} more" if rest else "")) or "none"
