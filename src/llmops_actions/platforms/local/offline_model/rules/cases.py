"""Tells the case of a classification from its instructions and examples, when its labels are known."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmops_actions.platforms.local.offline_model.types import Message

_LONGEST_CASE = 20_000
_NAMED_LINE = re.compile(r"^[ \t*#>-]*([A-Za-z][\w -]{0,30}?)[ \t*]*:[ \t*]*(.*)$")
_EMPTY_NAMED_END = re.compile(r"(?:^|\n)[ \t*#]*[A-Za-z][\w -]{0,30}[ \t*]*:[ \t*]*\s*\Z")
_SEPARATOR = re.compile(r"(?:\s[-=]+>|\s*\u2192|\s*=>|\s*\||\s+[-\u2013\u2014]|\s*[:,\t])\s*\Z")
_MARKED = re.compile(r"<(\w{1,20})>(.{1,20000}?)</\1>|(\"\"\"|```|''')\w*\n?(.{1,20000}?)\3", re.DOTALL)
_ORDER = re.compile(
    r"classif|categor|\blabels?\b|\brespond\b|\breply\b|\breturn\b|\banswer\b|\boutput\b|\byou are\b|\bone of\b|"
    r"\bdetermine\b|\bexamples?\b|\bdecide\b|\bchoose\b|\bjson\b|\bpick\b|\brate\b|\bscale\b|\bscore\b|\btell me\b|"
    r"\bsentiment of\b|\broute\b|\bassign\b|\bis (?:the|this)\b[^.\n]*\?",
    re.IGNORECASE,
)
_QUOTES = " \t\"'`*_.[]<>"


@dataclass(frozen=True)
class Shown:
    """An example: a text and the label that the prompt gives to it."""

    text: str
    label: str


@dataclass(frozen=True)
class Case:
    """The text to classify and the examples shown before it."""

    text: str
    examples: tuple[Shown, ...]


def read_case(system: str, turns: Sequence[Message], listed: tuple[int, int] | None, names: Sequence[str]) -> Case:
    """Take the messages apart.

    `turns` are the messages after the system message; `listed` are the offsets of the list of labels in the last one,
    None if the list is in the system message.
    """
    known = {name.lower(): name for name in names}
    _, shown = _scan(system, known)
    for asked, given in pairwise(turns[:-1]):
        label = _label(given.content, known)
        if asked.role == "user" and given.role == "assistant" and label:
            shown.append(Shown(_content(asked.content), label))
    body = turns[-1].content[: 2 * _LONGEST_CASE] if turns else ""
    if listed:
        body = _without_list(body, *listed)
    rest, more = _scan(body, known)
    return Case(_content(rest)[:_LONGEST_CASE], tuple(shown + more))


def _without_list(body: str, start: int, end: int) -> str:
    """The body without its list of labels and without the rest of the lines around the list."""
    before, after = body[:start], body[end:]
    line_start = before.rfind("\n") + 1
    line, _, rest = after.partition("\n")
    if body[:end].rstrip().endswith(":"):
        return after
    sentence = re.split(r"(?<=[.?!:])\s", line, maxsplit=1)
    kept = sentence[1] if len(sentence) > 1 and not _ORDER.search(sentence[1]) else ""
    return f"{before[:line_start]}\n\n{kept}\n{rest}"


def _scan(text: str, known: dict[str, str]) -> tuple[str, list[Shown]]:
    """What stands after the last example, and the examples."""
    shown: list[Shown] = []
    block: list[str] = []
    for line in text.split("\n"):
        before, label = _labelled(line, known)
        if label is None:
            block.append(line)
            continue
        text_of = before if before.strip() else _last_paragraph("\n".join(block))
        if text_of.strip():
            shown.append(Shown(_content(text_of), label))
        block = []
    return "\n".join(block), shown


def _labelled(line: str, known: dict[str, str]) -> tuple[str, str | None]:
    """The text before a label that ends the line, and that label; ("", None) if none does."""
    stripped = line.strip()
    if not stripped or len(stripped) > 2000:
        return "", None
    if stripped.endswith("}"):
        brace = stripped.find("{")
        return stripped[:brace].rpartition(":")[0] if brace else "", _label(stripped[brace:], known)
    bare = stripped.rstrip(_QUOTES)
    for lowered, name in known.items():
        if bare.lower().endswith(lowered):
            before = bare[: len(bare) - len(lowered)].rstrip("\"'`*_[<")
            separator = _SEPARATOR.search(before[-8:])
            if not before.strip(" \t-*"):
                return "", name
            if separator is None or (
                before.endswith((" ", ",")) and before.strip().endswith(",") and "," in before[:-2]
            ):
                continue
            before = before[: len(before) - (len(before[-8:]) - separator.start())]
            return ("" if _is_field_name(before) else before), name
    return "", None


def _is_field_name(text: str) -> bool:
    """Whether a text before a label is only the name of the field, as in "Category: billing"."""
    return re.fullmatch(r"[ \t*#>-]*(?:[A-Za-z]\w*[ \t]?){1,2}[*]*", text) is not None


def _label(text: str, known: dict[str, str]) -> str | None:
    """The label that a text is, as bare text, after a name, or as the value in a JSON object."""
    stripped = text.strip()
    if stripped.startswith("{"):
        try:
            value = json.loads(stripped)
        except (ValueError, RecursionError):
            return None
        values = value.values() if isinstance(value, dict) else ()
        return next((known[str(one).lower()] for one in values if str(one).lower() in known), None)
    bare = stripped.rpartition(":")[2].strip(_QUOTES).lower()
    return known.get(bare)


def _last_paragraph(text: str) -> str:
    return re.split(r"\n[ \t]*\n", text.strip())[-1]


def _content(text: str) -> str:
    """The text of a case without its marks, field names, and the orders around it."""
    text = _EMPTY_NAMED_END.sub("", text[: 2 * _LONGEST_CASE])
    marked = _MARKED.search(text)
    if marked:
        return (marked[2] or marked[4]).strip()
    lines = text.strip().split("\n")
    for number, line in enumerate(lines):
        named = _NAMED_LINE.match(line)
        if named and not _ORDER.search(line.partition(":")[0]):
            rest = "\n".join(lines[number + 1 :])
            if named[2] or rest.strip():
                return f"{named[2]}\n{rest}".strip()
    paragraphs = [part for part in re.split(r"\n[ \t]*\n", text) if part.strip()]
    kept = [part for part in paragraphs if not _ORDER.search(part)]
    if kept and len(kept) < len(paragraphs):
        return "\n\n".join(kept).strip()
    order, colon, rest = text.partition(":")
    if colon and rest.strip() and _ORDER.search(order) and "\n" not in order.strip():
        return rest.strip()
    return text.strip()
