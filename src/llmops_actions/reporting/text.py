"""Makes text from outside safe to show: a model's or a dataset's words never become commands or markup."""

from __future__ import annotations

import re
import unicodedata

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|<>~@&$:-])")


def plain(text: object) -> str:
    """``text`` without control characters, reversed writing, carriage returns and what no encoding holds."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text).replace("\r\n", "\n"))


def one_line(text: object, limit: int = 200) -> str:
    """``text`` on one line, at most ``limit`` characters long."""
    line = " ".join(plain(text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def markdown(text: object, limit: int = 200) -> str:
    """``text`` as literal Markdown on one line: no table break, link, image, mention or HTML comes of it."""
    escaped = _MARKDOWN.sub(r"\\\1", one_line(text, limit))
    return escaped.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("\\&", "&amp;").replace("\\@", "&#64;")


def width(text: str) -> int:
    """The columns of a terminal that ``text`` takes: East Asian wide characters and emoji two, marks on others none."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def heading(step: str, subject: str, verdict: str) -> str:
    """The first line of a step's summary: the step, what it was about, how it ended."""
    return f"## {step} {markdown(subject)}: {verdict}"


def stand_in_note(offline: bool) -> str:
    """The paragraph that no result of the stand-in model goes without."""
    return "\n\nA stand-in answered instead of a language model." if offline else ""


def table(header: list[str], rows: list[list[str]], align: str = "") -> str:
    """A Markdown table. Cells are Markdown already; ``align`` has ``l`` or ``r`` for each column."""
    marks = ["---:" if mark == "r" else "---" for mark in align.ljust(len(header), "l")]
    lines = [header, marks, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def number(value: int | float | None, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    if value is None:
        return "-"
    return f"{value:,.{digits}f}" if isinstance(value, float) else f"{value:,}"


def counted(count: int, noun: str) -> str:
    """How many there are: ``1 run``, ``1,200 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def dollars(value: float | None) -> str:
    """An amount in US dollars; ``unknown`` where a price is."""
    if value is None:
        return "unknown"
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"
