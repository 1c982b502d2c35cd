"""The results as Markdown, and their place in ``benchmarks/README.md``."""

from __future__ import annotations

from benchmarks.measure import Spread
from benchmarks.results import TIMES, CaseResult, Document, Figure, Target

BEGIN = "<!-- results: written by `make bench`, not by hand -->"
END = "<!-- end of results -->"
_WORDS = {True: "yes", False: "**no**", None: ""}


def render(document: Document) -> str:
    """Machine, versions and one table for each case."""
    machine = document.machine
    place = f"{machine.processors_used} processors of {machine.processor}, {machine.memory_gb:g} GB, {machine.system}"
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    lines = [
        f"{place}. {versions}.",
        "",
        f"Command: `{document.command}`. Medians; in brackets the lowest and highest.",
    ]
    for name, case in document.cases.items():
        lines += ["", *_case(name, case)]
    return "\n".join(lines)


def _case(name: str, case: CaseResult) -> list[str]:
    lines = [
        f"### {name}: {case.title}",
        "",
        "| what | ours | reference | target | measured | runs | met |",
        "|---|---:|---:|---:|---:|---:|---|",
        *(_row(figure) for figure in case.figures),
        "",
    ]
    lines += [f"- {figure.name}: {figure.note}" for figure in case.figures if figure.note]
    for side, commands in case.commands.items():
        lines.append(f"- {side}: {'; '.join(f'`{command}`' for command in commands)}")
    lines.append(f"- {case.date}" + (f", commit {case.revision}" if case.revision else ""))
    return lines


def _row(figure: Figure) -> str:
    cells = [
        figure.name,
        _spread(figure.ours, "s"),
        _spread(figure.reference, "s"),
        _target(figure.target, figure.unit),
        _spread(figure.measured, figure.unit),
        str(figure.measured.count),
        _WORDS[figure.met],
    ]
    return f"| {' | '.join(cells)} |"


def _target(target: Target | None, unit: str) -> str:
    if target is None:
        return ""
    return f"{'≥' if target.at_least else '≤'} {_with_unit(f'{target.limit:g}', unit)}"


def _spread(values: Spread | None, unit: str) -> str:
    if values is None:
        return ""
    median = _with_unit(_number(values.median), unit)
    if values.count == 1:
        return median
    return f"{median} ({_number(values.lowest)}–{_number(values.highest)})"  # noqa: RUF001


def _with_unit(number: str, unit: str) -> str:
    return f"{number}{unit}" if unit == TIMES else f"{number} {unit}"


def _number(value: float) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def insert(readme: str, table: str) -> str:
    """``readme`` with ``table`` between the markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks the lines {BEGIN!r} and {END!r}, between which the results go.")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"
