"""Charts as inline SVG: positions in per cent, so that they fit any width; words beside them say the same.

No chart holds text from outside.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from llmops_actions.reporting.facts import Distribution
from llmops_actions.verdict_documents import IntervalRecord

MARGIN = 4.0
"""Per cent of a chart's width kept free on each side."""

BINS = 20


@dataclass(frozen=True)
class Scale:
    """Maps values to per cent of the width."""

    low: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float | None], *, share: bool = False) -> Scale:
        """A scale that holds all values; that of a ``share`` is 0 to 1."""
        known = [value for value in values if value is not None and math.isfinite(value)]
        if share:
            known += [0.0, 1.0]
        low, high = (min(known), max(known)) if known else (0.0, 1.0)
        if low == high:
            room = abs(low) * 0.1 or 0.5
            return cls(low - room, high + room)
        return cls(low, high)

    def at(self, value: float) -> float:
        """The position of a value in per cent, within the chart."""
        share = (value - self.low) / (self.high - self.low)
        return round(MARGIN + (100 - 2 * MARGIN) * min(1.0, max(0.0, share)), 2)


def _svg(kind: str, height: int, content: Iterable[str]) -> Markup:
    return Markup('<svg class="chart {}" height="{}" aria-hidden="true" focusable="false">{}</svg>').format(
        kind,
        height,
        Markup("").join(map(Markup, content)),
    )


def _line(kind: str, x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1}%" x2="{x2}%" y1="{y1}" y2="{y2}"/>'


def interval_chart(
    scale: Scale, value: float | None, interval: IntervalRecord | None, mark: float | None = None
) -> Markup:
    """A dot with its interval; ``mark`` is a line to read it against: the default's value, or a gate's limit."""
    content = [_line("axis", MARGIN, 100 - MARGIN, 12, 12)]
    if mark is not None:
        content.append(_line("mark", scale.at(mark), scale.at(mark), 0, 24))
    if interval is not None:
        low, high = scale.at(interval.low), scale.at(interval.high)
        content += [
            _line("interval", low, high, 12, 12),
            _line("end", low, low, 8, 16),
            _line("end", high, high, 8, 16),
        ]
    if value is not None and math.isfinite(value):
        content.append(f'<circle class="dot" cx="{scale.at(value)}%" cy="12" r="4.5"/>')
    return _svg("intervals", 24, content)


def spread_chart(scale: Scale, quantiles: Sequence[float]) -> Markup:
    """A line from the first to the last of five quantiles, a box in between, and the median."""
    least, lower, middle, upper, most = (scale.at(value) for value in quantiles)
    width = round(max(0.5, upper - lower), 2)
    return _svg(
        "spread",
        24,
        [
            _line("interval", least, most, 12, 12),
            f'<rect class="box" x="{lower}%" width="{width}%" y="6" height="12"/>',
            _line("median", middle, middle, 4, 20),
        ],
    )


def distribution_chart(distribution: Distribution, missing: int, scale: Scale) -> Markup:
    """How the values of a score lie: shares of true and false, or a histogram on the scale of the metric."""
    if distribution.boolean:
        return _shares(round(sum(distribution.values)), len(distribution.values), missing)
    counts = histogram(distribution.values, scale)
    most = max(counts.values(), default=1)
    step = (100 - 2 * MARGIN) / BINS
    content = [_line("axis", MARGIN, 100 - MARGIN, 33, 33)]
    for number, count in sorted(counts.items()):
        height = round(max(1.5, 32 * count / most), 1)
        left = round(MARGIN + step * number, 2)
        content.append(
            f'<rect class="bar" x="{left}%" width="{step * 0.86:.2f}%" y="{33 - height}" height="{height}"/>'
        )
    return _svg("histogram", 34, content)


def histogram(values: Iterable[float], scale: Scale) -> Counter[int]:
    """How many values lie in each of the equal bins of the scale."""
    width = (scale.high - scale.low) / BINS
    return Counter(min(BINS - 1, max(0, int((value - scale.low) / width))) for value in values)


def _shares(true: int, n: int, missing: int) -> Markup:
    total = max(1, n + missing)
    content = []
    left = 0.0
    for kind, count in (("true", true), ("false", n - true), ("missing", missing)):
        width = round(100 * count / total, 2)
        if count:
            content.append(f'<rect class="{kind}" x="{left:.2f}%" width="{width}%" y="8" height="18"/>')
        left += width
    return _svg("shares", 34, content)
