"""Finds the labels that a prompt lists, in whatever way it lists them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_LONGEST_TEXT, _LONGEST_TAIL = 12_000, 600
_MOST_LABELS, _MOST_WORDS, _MOST_LETTERS = 60, 5, 48

_NOUN = (
    r"categor(?:y|ies)|label|class(?:es)?|tag|intent|topic|sentiment|option|type|department|value|choice|queue|team|"
    r"kind|priorit(?:y|ies)|urgency|severity|polarity|emotion|genre|language|verdict|group|subject|answer"
)
_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022]|\(?(\d{1,2}|[A-Za-z])[.)])[ \t]+(\S.*)")
_ITEM_PARTS = re.compile(r"(.{1,60}?)(?:[ \t]*[:=(]|[ \t]+[-\u2013\u2014]+[ \t]|$)(.*)")
_ANNOUNCES = re.compile(
    rf"\b(?:{_NOUN})s?\b|classif|categori[sz]|\bone of\b|following|\bchoose|\bpick|\bsort\b|\bassign|\broute",
    re.IGNORECASE,
)
_ENUM = re.compile(r"(?:[\"']enum[\"']\s*:|\benum\s*[:=]|\bLiteral)\s*\[([^\]]{1,1000})\]", re.IGNORECASE)
_EXPLICIT = re.compile(
    rf"(?:\b(?:categories|labels|classes|tags|intents|topics|sentiments|options|types|departments|values|choices|"
    rf"queues|teams|kinds|priorities|emotions|genres|languages|groups|answers)\b[^:\n.\"\[(]{{0,50}}(?::|\bare\b|[(\[=])"
    rf"|\bone of\b(?: (?:these|the|following|exactly|two|three|four|five|six|\d)){{0,3}}"
    rf"(?: (?:categories|labels|classes|tags|values|options|words|answers|choices|\w+ (?:categories|labels)))?"
    rf"|\b(?:{_NOUN})[\"'`]? (?:must|should|can|may|has to|is to)(?: only)? be (?:within|either|one of)?"
    rf"|[\"'](?:{_NOUN})[\"']\s*:(?=\s*[\"'<\[]?\s*[\"']?[\w -]{{1,40}}[\"']?\s*[|/])"
    rf"|\b(?:{_NOUN})\s*:?\s*(?=[(\[<{{]))\s*:?\s*",
    re.IGNORECASE,
)
_IMPLICIT = re.compile(
    r"(?:\beither\b"
    r"|\bbetween\b"
    r"|\b(?:classify|categori[sz]e|label|mark|tag|sort|route|assign|triage|file)\b[^.\n:]{0,80}?\b(?:as|into|to|under)\b"
    r"|\b(?:answer|reply|respond|return|output|say|write|print|choose|pick|select)(?: (?:me|with|only|just|exactly|"
    r"by|saying|from|in one word|a single word))*:?"
    r"|\b(?:whether|if|is|are|does|was)\b[^.\n,:]{0,60}?\b(?:is|are|as|expresses?|sounds?|feels?|review|message|text|"
    r"email|e-mail|mail|comment|ticket|tweet|it|this|sentence|sentiment|feedback|statement|claim|answer|tone)\b"
    r"|\b(?:classify|categori[sz]e|label)\b[^.\n:]{0,80}:"
    r"|(?=\((?:[\w-]+[/|]){1,9}[\w-]+\))"
    r"|(?=\byes\s*(?:/|or)\s*no\b)"
    r")\s*",
    re.IGNORECASE,
)
_PAREN = re.compile(r"\s*\(([^()\n]{0,300})\)")
_QUOTED = re.compile(r"[\"`\u201c]([^\"`\u201c\u201d\n]{1,48})[\"`\u201d]|(?<!\w)'([^'\n]{1,48})'(?!\w)|\*\*([^*\n]{1,48})\*\*")
_SENTENCE_END = re.compile(r"[.?!](?=\s|$)|\n\s*\n|\n(?=[ \t]*\w[\w ]{0,24}:)|[ \t]*\n(?=\s*[A-Z][a-z]+ )")
_TRAILING = re.compile(
    r"(?:^|\s)(?:based|depending|by|for|that|which|if|when|according|as|in|from|with|using|to|only|category|"
    r"categories|label|labels|instead|given|without|then|sentiment|please|according|depending|and nothing|or nothing|"
    r"class|based|toward|towards|about|without|overall)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_ARTICLE = re.compile(r"(?:an?|the|some|somebody|any|whether|what|it|this|is|to|me|your|how)\b", re.IGNORECASE)
_LAST_JOIN = re.compile(r"\s*\b(?:or|and)\b\s*", re.IGNORECASE)
_CAPITALS = re.compile(r"[A-Z][\w/&-]*(?: [A-Z][\w/&-]*)*")
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


@lru_cache(maxsize=256)
def find_listing(text: str, loose: bool = True) -> Listing | None:
    """The list of labels in a text, if it has one of two labels or more.

    A `loose` search also takes a list that nothing announces, as only a prompt that says "classify" means one.
    """
    text = text[:_LONGEST_TEXT]
    enum = _ENUM.search(text)
    if enum and (found := _accept(map(Listed, _quoted(enum[1])))):
        return Listing(found, enum.start(), enum.end())
    lists = list(_blocks(text))
    announced = next((listing for listing, is_announced in lists if is_announced), None)
    if announced:
        return announced
    return _inline(text, _EXPLICIT) or _inline(text, _IMPLICIT) or (lists[0][0] if lists and loose else None)


def _blocks(text: str) -> Iterable[tuple[Listing, bool]]:
    """Lists with one label a line, and whether the line before announces labels."""
    before, items, start, place = "", [], 0, 0
    bare = False
    for line in [*text.splitlines(keepends=True), "\n\0"]:
        item = _item(line, bare)
        if item:
            start = start if items else place
            items.append(item)
        elif items and line.strip():
            found = _accept(items)
            if found and len(found) == len(items):
                yield Listing(found, start, place), _ANNOUNCES.search(before) is not None
            items = []
        if item is None and line.strip():
            before = line
            bare = line.rstrip().endswith(":") and _ANNOUNCES.search(line) is not None
        elif not line.strip():
            if bare and items and not _ITEM.match(text[start : start + 200]):
                found = _accept(items)
                if found and len(found) == len(items):
                    yield Listing(found, start, place), True
                items = []
            bare = bare and not items and before.rstrip().endswith(":") and place > 0 and not start
        place += len(line)


def _item(line: str, bare: bool) -> Listed | None:
    found = _ITEM.match(line.rstrip())
    if found:
        rest, marker = found[2], found[1] or ""
    elif bare and line.strip() and not re.search(r",|\bor\b|/|\|", line.partition(":")[0]):
        rest, marker = line.strip(), ""
    else:
        return None
    parts = _ITEM_PARTS.match(rest)
    if parts is None:
        return None
    name = parts[1].strip(_EDGES)
    return Listed(name, parts[2].strip(_EDGES), marker) if _is_name(name) and not rest.rstrip().endswith("?") else None


def _inline(text: str, trigger: re.Pattern[str]) -> Listing | None:
    for number, found in enumerate(trigger.finditer(text)):
        if number > 40:
            break
        tail = _tail(text, found.end())
        names = _names(tail)
        if names:
            return Listing(names, found.end(), found.end() + len(tail))
    return None


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
        return [re.sub(r"^\s*(?:or|and)\s", "", part) for part in flat.split(";") if part.strip()]
    for sign in (",", "|", "/"):
        parts = [part for part in flat.split(sign) if part.strip(_EDGES)]
        if len(parts) >= 2:
            *most, last = (re.sub(r"^\s*(?:or|and)\s", "", part, flags=re.IGNORECASE) for part in parts)
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
    return len(name) <= _MOST_LETTERS and len(name.split()) <= _MOST_WORDS and any(map(str.isalnum, name))
