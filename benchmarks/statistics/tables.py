"""The tables of docs/statistics.md, made anew: each by its name, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.statistics import choice
from benchmarks.statistics.exact import coverage, newcombe_limits, outcomes, tango_limits
from benchmarks.statistics.scenarios import CONFIDENCE, SCENARIOS
from benchmarks.statistics.simulation import SIZES, alike, worse
from llmops_actions.evaluation.statistics.power import detectable_paired_shares, rows_for_paired_shares
from llmops_actions.evaluation.statistics.proportions import wilson

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"

MARGINS = (0.02, 0.05, 0.10)
DISCORDANCES = (0.05, 0.10, 0.20)
ROWS = (30, 100, 300)


def alike_table() -> str:
    rows = []
    for scenario in SCENARIOS:
        for n in SIZES:
            same = alike(scenario, n)
            rows.append(
                [
                    *(scenario.name, str(n), same.method),
                    *map(_percent, (same.significant, same.tested, same.failed, same.covered)),
                    _number(scenario.margin),
                    *map(_percent, (same.naive_failed, same.naive_significant)),
                ]
            )
    head = ["score", "rows", "interval", "0 left out", "test < 0.05", "gate fails", "coverage", "max_drop"]
    return _table([*head, "naive: means", "naive: repeats as rows"], rows, left=3)


def worse_table() -> str:
    rows = []
    for scenario in SCENARIOS:
        for n in SIZES:
            drop = worse(scenario, n)
            rows.append([scenario.name, str(n), f"{drop.drop:.3f}", _percent(drop.seen), _percent(drop.covered)])
    return _table(["score", "rows", "detectable drop", "power", "coverage"], rows, left=1)


def choice_table() -> str:
    rows = []
    for shape in choice.SHAPES:
        for n in choice.SIZES:
            each = choice.misses(shape, n)
            cells = [
                f"{_percent(one.coverage)} ({_percent(one.above)} / {_percent(one.below)})"
                for one in (each[name] for name in ("t", "two rows", "BCa", "ours"))
            ]
            rows.append([shape.name, str(n), *cells])
    return _table(["change of a row", "rows", "t", "t, two rows added", "BCa", "by rule"], rows, left=1)


def paired_table() -> str:
    rows = []
    for n in (30, 100):
        for discordance in (0.05, 0.10, 0.20, 0.40):
            cells = [str(n), _percent(discordance, 0)]
            for limits in (tango_limits, newcombe_limits):
                # The drop is the margin itself: all, half or a quarter of what differs.
                at_margin = [
                    outcomes(limits, n, (discordance - drop) / 2, (discordance + drop) / 2, drop)
                    for drop in (discordance, discordance / 2, discordance / 4)
                ]
                cells.append(_percent(coverage(limits, n, discordance / 2, discordance / 2)))
                cells += [_percent(max(each)) for each in zip(*at_margin, strict=True)]
            rows.append(cells)
    head = ["coverage", "false pass", "false fail"]
    return _table(["rows", "differ", *(f"Tango: {h}" for h in head), *(f"Newcombe: {h}" for h in head)], rows, left=0)


def decide_table() -> str:
    rows = []
    for n in ROWS:
        for discordance in DISCORDANCES:
            half = discordance / 2
            cells = [str(n), _percent(discordance, 0), _points(detectable_paired_shares(n, discordance, CONFIDENCE))]
            for margin in MARGINS:
                passed, _ = outcomes(tango_limits, n, half, half, margin)
                _, failed = outcomes(tango_limits, n, half, half + margin + 0.1, margin)
                cells += [_percent(passed, 0), _percent(failed, 0)]
            rows.append(cells)
    head = [f"{_points(margin)}: {what}" for margin in MARGINS for what in ("passes", "fails")]
    return _table(["rows", "differ", "detectable", *head], rows, left=0)


def rows_table() -> str:
    rows = [
        [_percent(discordance, 0)]
        + [str(rows_for_paired_shares(discordance / 2, discordance / 2, margin, CONFIDENCE)) for margin in MARGINS]
        for discordance in (0.0, *DISCORDANCES)
    ]
    return _table(["rows that differ", *(f"max_drop {_number(margin)}" for margin in MARGINS)], rows, left=0)


def same_table() -> str:
    rows = []
    for n in (10, 30, 50, 100, 300, 1000):
        low, _ = tango_limits(n, 0, 0)
        all_true = wilson(n, n, CONFIDENCE).low
        rows.append([str(n), _points(-low), _percent(all_true)])
    return _table(["rows, none changed", "drop not ruled out", "all true: share is at least"], rows, left=0)


TABLES: dict[str, Callable[[], str]] = {
    "decide": decide_table,
    "rows": rows_table,
    "same": same_table,
    "alike": alike_table,
    "worse": worse_table,
    "paired": paired_table,
    "choice": choice_table,
}


def committed(name: str) -> str:
    return _place(name, PAGE.read_text(encoding="utf-8"))["table"]


def write(names: Iterable[str]) -> None:
    for name in names:
        table = TABLES[name]()
        text = PAGE.read_text(encoding="utf-8")
        start, end = _place(name, text).span("table")
        PAGE.write_text(text[:start] + table + text[end:], encoding="utf-8")
        print(f"{name}\n{table}", flush=True)


def _place(name: str, text: str) -> re.Match[str]:
    match = re.search(rf"<!-- table: {name} -->\n(?P<table>.*?)<!-- end -->", text, re.DOTALL)
    assert match, f"docs/statistics.md has no place for the table {name}"
    return match


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    rule = ["---" if place < left and place != 1 else "--:" for place in range(len(head))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *rows))


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " points"


def _number(value: float) -> str:
    return f"{value:g}"
