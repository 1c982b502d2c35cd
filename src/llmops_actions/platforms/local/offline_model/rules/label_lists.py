"""Finds the labels that a prompt lists, in whatever way it lists them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from itertools import accumulate

_LONGEST_TEXT, _LONGEST_TAIL = 12_000, 600
_MOST_LABELS, _MOST_WORDS, _MOST_LETTERS = 60, 5, 48

_NOUN = (
    r"categor(?:y|ies)|label|class(?:es)?|tag|intent|topic|sentiment|option|type|department|choice|queue|team|"
    r"kind|priorit(?:y|ies)|urgency|severity|polarity|emotion|genre|language|verdict"
)
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]|\(?(\d{1,2}|[A-Za-z])[.)])[ \t]+(\S.*)")
_ITEM_PARTS = re.compile(r"(.{1,60}?)(?:[ \t]*[:=(]|[ \t]+[-\u2013\u2014]+[ \t]|$)(.*)")
_ANNOUNCES = re.compile(
    rf"\b(?:{_NOUN})s?\b|classif|categori[sz]|\bone of\b|\bchoose|\bpick|\bsort\b|\bassign|\broute", re.IGNORECASE
)
_RULES = re.compile(r"\brules?\b|guideline|instruction|\bsteps?\b|\bnotes?\b|\bexamples?\b|format", re.IGNORECASE)
_NAMES_LABELS = re.compile(
    r"\b(?:categories|labels|classes|tags|intents|topics|options|types|departments|queues|teams|choices|one of)\b",
    re.IGNORECASE,
)
_SEVERAL = re.compile(r",|\bor\b|[/|?]|[-=]>")
_ENUM = re.compile(r"(?:[\"']enum[\"']\s*:|\benum\s*[:=]|\bLiteral)\s*\[([^\]]{1,1000})\]", re.IGNORECASE)
_EXPLICIT = re.compile(
    rf"(?:\b(?:categories|labels|classes|tags|intents|topics|sentiments|options|types|departments|values|choices|"
    rf"queues|teams|kinds|priorities|emotions|genres|languages|groups|answers)\b[^:\n.\"\[(]{{0,50}}(?::|\bare\b|[-=]>|(?=[(\[])|=)"
    rf"|\bone of\b(?: (?:these|the|following|exactly|two|three|four|five|six|\d)){{0,3}}"
    rf"(?: (?:categories|labels|classes|tags|values|options|words|answers|choices|\w+ (?:categories|labels)))?"
    rf"|\b(?:{_NOUN})[\"'`]? (?:must|should|can|may|has to|is to)(?: only)? be (?:within|either|one of)?"
    rf"|[\"'](?:{_NOUN})[\"']\s*:(?=\s*[\"'<\[]?\s*[\"']?[\w -]{{1,40}}[\"']?\s*[|/])"
    rf"|\b(?:{_NOUN})[ \t]{{0,3}}:?\s{{0,3}}(?=[(\[<{{]))\s{{0,9}}:?\s{{0,9}}",
    re.IGNORECASE,
)
_IMPLICIT = re.compile(
    r"(?:\beither\b"
    r"|\bbetween\b"
    r"|\b(?:classify|categori[sz]e|label|mark|tag|sort|route|assign|triage|file)\b[^.\n:]{0,80}?\b(?:as|into|to|under)\b:?"
    r"|\b(?:answer|reply|respond|return|output|say|write|print|choose|pick|select)(?: (?:me|with|only|just|exactly|"
    r"by|saying|from|in one word|a single word))*:?"
    r"|\b(?:whether|if|is|are|does|was)\b[^.?\n,:]{0,60}\b(?:is|are|as|expresses?|sounds?|feels?|review|message|text|"
    r"email|e-mail|mail|comment|ticket|tweet|it|this|sentence|sentiment|feedback|statement|claim|answer|tone)\b"
    r"|\b(?:classify|categori[sz]e|label)\b[^.\n:]{0,80}:"
    r"|(?=\((?:[\w-]+[/|]){1,9}[\w-]+\))"
    r"|(?=\byes\s*(?:/|or)\s*no\b)"
    r")\s*",
    re.IGNORECASE,
)
_PAREN = re.compile(r"\s*\(([^()\n]{0,300})\)")
_QUOTED = re.compile(
    r"[\"`\u201c]([^\"`\u201c\u201d\n]{1,48})[\"`\u201d]|(?<!\w)'([^'\n]{1,48})'(?!\w)|\*\*([^*\n]{1,48})\*\*"
)
_SENTENCE_END = re.compile(r"[.?!](?=\s|$)|\n\s*\n|\n(?=[ \t]*\w[\w ]{0,24}:)|[ \t]*\n(?=\s*[A-Z][a-z]+ )")
_TRAILING = re.compile(
    r"(?:^|\s)(?:based|depending|by|for|that|which|if|when|according|as|in|from|with|using|to|only|category|"
    r"categories|label|labels|instead|given|without|then|sentiment|please|class|towards?|about|overall)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_ARTICLE = re.compile(
    r"(?:[Aa]n?|[Tt]he|[Ss]ome|[Aa]ny|[Ww]hether|[Ww]hat|[Ii]t|[Tt]his|[Ii]s|[Tt]o|[Mm]e|[Yy]our|[Hh]ow)(?![\w-])"
)
_MORE_ORDERS = re.compile(
    r",?\s+(?:and|but|or) (?:nothing|no other|do|don't|give|explain|return|reply|output|respond)\b.*", re.DOTALL
)
_LEADING = re.compile(r"\A\s*(?:either|or|and|as)\s", re.IGNORECASE)
_LAST_JOIN = re.compile(r"\s*\b(?:or|and)\b\s*", re.IGNORECASE)
_CAPITALS = re.compile(r"[A-Z][\w/&-]*(?: [A-Z][\w/&-]*)*")
_NAME = re.compile(r"\A(?!.*(?:[-=]>|\{\{|\u2192)).*[^\W_]")
_INTO = re.compile(r"\b(?:into|as):?\s*\Z|:\s*\Z")
_JOINED = re.compile(r"\b(?:or|and)\b|[/|\[(]", re.IGNORECASE)
_EDGES = " \t\n\"'`*_<>[]{}().,:;\u201c\u201d"


@dataclass(frozen=True)
class Listed:
    """A label as the prompt writes it, what stands beside it, and its number or letter in the list ("" if none)."""

    name: str
    description: str = ""
    marker: str = ""


@dataclass(frozen=True)
class Listing:
    """The labels of a prompt and the part of its text (two offsets) that lists them."""

    labels: tuple[Listed, ...]
    start: int
    end: int


class Search(Enum):
    """How much must announce a list before it counts as labels.

    STRICT takes what words such as "categories:" or "one of" announce, MEDIUM also "A or B" after such words as
    "answer" or "whether", LOOSE also a list that nothing announces, which means labels if a prompt says "classify".
    """

    STRICT = "strict"
    MEDIUM = "medium"
    LOOSE = "loose"


@lru_cache(maxsize=256)
def find_listing(text: str, search: Search = Search.LOOSE) -> Listing | None:
    """The list of labels in a text, if it has one of two labels or more."""
    text = text[:_LONGEST_TEXT].replace("\0", " ")
    enum = _ENUM.search(text)
    if enum and (found := _accept(map(Listed, _quoted(enum[1])))):
        return Listing(found, enum.start(), enum.end())
    lists = list(_blocks(text))
    announced = next((listing for listing, is_announced in lists if is_announced), None)
    if announced:
        return announced
    found_inline = _inline(text, _EXPLICIT)
    if found_inline is None and search is not Search.STRICT:
        found_inline = _inline(text, _IMPLICIT)
    return found_inline or (lists[0][0] if lists and search is Search.LOOSE else None)


def _blocks(text: str) -> Iterable[tuple[Listing, bool]]:
    """Lists with one label a line, and whether the line before announces labels."""
    lines = text.splitlines(keepends=True)
    places = [0, *accumulate(map(len, lines))]
    before, number = "", 0
    while number < len(lines):
        bare = before.rstrip().endswith(":") and _NAMES_LABELS.search(before) is not None
        items, end = _run(lines, number, _bullet if _ITEM.match(lines[number]) or not bare else _plain)
        if found := _accept(items):
            announced = _ANNOUNCES.search(before) is not None and _RULES.search(before) is None
            yield Listing(found, places[number], places[end]), announced
        end = max(end, number + 1)
        before = next((line for line in reversed(lines[number:end]) if line.strip()), before)
        number = end


def _run(lines: list[str], start: int, read: Callable[[str], Listed | None]) -> tuple[list[Listed], int]:
    """The labels of lines that follow each other, and the line after them; bullet points may have gaps."""
    items: list[Listed] = []
    end = start
    for number in range(start, len(lines)):
        item = read(lines[number])
        if item:
            items.append(item)
            end = number + 1
        elif lines[number].strip() or not items or read is _plain:
            break
    return items, end


def _bullet(line: str) -> Listed | None:
    found = _ITEM.match(line.rstrip())
    return _item(found[2], found[1] or "") if found else None


def _plain(line: str) -> Listed | None:
    name = line.partition(":")[0]
    return None if _SEVERAL.search(name) else _item(line.strip(), "")


def _item(text: str, marker: str) -> Listed | None:
    parts = _ITEM_PARTS.match(text)
    name = parts[1].strip(_EDGES) if parts else ""
    if parts is None or not _is_name(name) or text.endswith("?"):
        return None
    return Listed(name, parts[2].strip(_EDGES), marker)


def _inline(text: str, trigger: re.Pattern[str]) -> Listing | None:
    for number, found in enumerate(trigger.finditer(text)):
        if number > 40:
            break
        tail = _tail(text, found.end())
        names = _names(tail)
        if names and (trigger is _EXPLICIT or _JOINED.search(tail) or len(names) > 2 or _INTO.search(found[0])):
            length = len(tail)
            if _case_follows(names):
                length = tail.rindex(names[-1].description)
                names = (*names[:-1], Listed(names[-1].name))
            return Listing(names, found.end(), found.end() + length)
    return None


def _case_follows(names: tuple[Listed, ...]) -> bool:
    """Whether what stands after the last label is the case: no other label has a description."""
    return bool(names[-1].description) and not any(one.description for one in names[:-1])


def _tail(text: str, start: int) -> str:
    """What may be a list: to the closing bracket, or to the end of the sentence."""
    tail = text[start : start + _LONGEST_TAIL]
    opened = tail[:1]
    closing = {"[": "]", "(": ")", "{": "}", "<": ">"}.get(opened)
    if closing and closing in tail:
        return tail[: tail.index(closing) + 1]
    end = _SENTENCE_END.search(tail)
    return tail[: end.start()] if end else tail


def _names(tail: str) -> tuple[Listed, ...]:
    tail = _LEADING.sub("", _MORE_ORDERS.sub("", tail), count=1) if tail[:1] not in "([{" else tail
    descriptions: list[str] = []

    def keep(found: re.Match[str]) -> str:
        descriptions.append(found[1])
        return f"\x00{len(descriptions) - 1}\x00"

    flat = _PAREN.sub(keep, tail) if tail[:1] != "(" else tail[1:].removesuffix(")")
    quoted = _quoted(flat)
    if len(quoted) >= 2 and "\x00" not in flat and not re.search(r"[\"'`]\s*:", flat):
        return _accept(map(Listed, quoted))
    parts = _parts(flat)
    named = [_listed(part, descriptions) for part in parts]
    if len(named) >= 2:
        named[-1] = _without_prose(named[:-1], named[-1])
    if any(_ARTICLE.match(one.name) for one in named):
        return ()
    return _accept(named)


def _parts(flat: str) -> list[str]:
    if ";" in flat:
        return [_LEADING.sub("", part, count=1) for part in flat.split(";") if part.strip()]
    for sign in (",", "|", "/"):
        parts = [part for part in flat.split(sign) if part.strip(_EDGES)]
        if len(parts) >= 2:
            *most, last = (_LEADING.sub("", part, count=1) for part in parts)
            return most + ([last] if sign != "," else [one for one in _LAST_JOIN.split(last, maxsplit=1) if one])
    parts = re.split(r"\s+or\s+", flat, flags=re.IGNORECASE)
    return parts if len(parts) >= 2 else re.split(r"\s+and\s+", flat)


def _listed(part: str, descriptions: list[str]) -> Listed:
    name, _, number = part.partition("\x00")
    described = descriptions[int(number.partition("\x00")[0])] if number else ""
    if not described:
        name, _, described = re.sub(r"\s*=\s*|:\s+|\s+[-\u2013]\s+", "\x00", name, count=1).partition("\x00")
    return Listed(name.strip(_EDGES), described.strip(_EDGES))


def _without_prose(others: list[Listed], last: Listed) -> Listed:
    """The last label without the rest of its sentence."""
    if all(_CAPITALS.fullmatch(other.name) for other in others) and (found := _CAPITALS.match(last.name)):
        return Listed(found[0], last.description)
    return Listed(_TRAILING.sub("", last.name).strip(_EDGES) or last.name, last.description)


def _quoted(text: str) -> list[str]:
    return [(found[1] or found[2] or found[3]).strip() for found in _QUOTED.finditer(text)]


def _accept(found: Iterable[Listed]) -> tuple[Listed, ...]:
    """The labels without repeats, or () if they are no list of labels."""
    labels: dict[str, Listed] = {}
    for label in found:
        if not _is_name(label.name):
            return ()
        labels.setdefault(label.name, label)
    return tuple(labels.values()) if 2 <= len(labels) <= _MOST_LABELS else ()


def _is_name(name: str) -> bool:
    return len(name) <= _MOST_LETTERS and len(name.split()) <= _MOST_WORDS and _NAME.search(name) is not None
