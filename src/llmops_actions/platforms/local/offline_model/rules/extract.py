"""Entities: finds names, titles, firms, places, dates and numbers in a text by their shape and their neighbours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from llmops_actions.platforms.local.offline_model.rules import gazetteer
from llmops_actions.platforms.local.offline_model.rules.chance import draw, slips
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_HONORIFICS = "Dr|Mr|Mrs|Ms|Prof|Professor|Sir|Dame|Judge|Captain|Sister|Father|Mayor|Senator"
_UPPER = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff]"
_NAME = rf"{_UPPER}[\w'\u2019-]*"
_RUN = re.compile(rf"{_NAME}(?:\.(?= {_NAME}))?(?: (?:(?:de|da|van|von|der|al|bin|&) )?{_NAME})*")
_DATE = re.compile(
    rf"\b(?:\d{{1,2}} (?:{_MONTHS})(?: \d{{4}})?|(?:{_MONTHS}) \d{{1,2}}(?:, \d{{4}})?|(?:{_MONTHS}) \d{{4}}"
    rf"|\d{{4}}-\d{{2}}-\d{{2}}|(?:{_DAYS}))\b"
)
_DAY_MONTH_YEAR = re.compile(rf"^(\d{{1,2}}) ({_MONTHS})( \d{{4}})?$")
_PHONE = re.compile(r"(?<![\w-])(?:\+\d{1,3}[ -]?)?(?:\(\d{2,5}\)[ -]?)?\d{2,4}(?:[ -]\d{2,4}){1,4}(?![\w-])")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MONEY = re.compile(
    r"(?:[$\u00a3\u20ac] ?\d[\d,.]*(?: ?(?:million|billion|k|m)\b)?"
    r"|\d[\d,.]* (?:million |billion )?(?:dollars|euros|pounds|crowns|francs))"
)
_TITLE = re.compile(
    rf"\b((?:(?:{gazetteer.TITLE_MODIFIERS})[ -]){{0,5}}(?:{gazetteer.TITLE_HEADS})s?)\b"
    r"( of (?!the\b|an?\b|our\b|his\b|her\b)[a-z]+)?",
    re.IGNORECASE,
)
_PLACE_BEFORE = re.compile(r"\b(?:in|from|near|to|outside|towards|through|around|at) (?:the )?$")
_FIRM_BEFORE = re.compile(r"\b(?:at|for|by|joined|joins|left|leaves|with|of|company|firm|owner|from) (?:the )?$")
_LONGEST_TEXT = 20_000
_EXAMPLE_SHARE = 0.8
_NARRATES, _SHORTENS, _REWRITES, _TAKES_TITLE = 0.5, 0.5, 0.4, 0.6


@dataclass(frozen=True)
class _Manners:
    """What the prompt says about how entities are to be written."""

    drops_honorific: bool
    whole_title: bool
    as_written: bool
    full_names: bool
    only_list: bool
    says_none: bool


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """The entities of the type that is asked for, in the format that the prompt asks for."""
    text = prompt.case("text", "text content", "content", "article", "context")
    text = text[:_LONGEST_TEXT]
    kind = prompt.field("entity type", "entity", "entities") or prompt.instructions
    manners = _manners(prompt, kind)
    found = list(dict.fromkeys(_finder(kind)(text, manners)))
    factor = _EXAMPLE_SHARE if prompt.examples else 1.0
    if slips(request, "entity", f"{kind}\n{text}", factor):
        found = found[:-1] if len(found) > 1 else found + _other_names(text, found)
    return _format(prompt, manners, kind, text, found)


def entities(text: str, kind: str) -> list[str]:
    """The entities of a type in a text, as a careful reader writes them, without repeats."""
    careful = _Manners(
        drops_honorific=True, whole_title=True, as_written=True, full_names=True, only_list=True, says_none=True
    )
    return list(dict.fromkeys(_finder(kind)(text, careful)))


def _manners(prompt: Prompt, kind: str) -> _Manners:
    honorific = re.compile(rf"\b(?:{_HONORIFICS})\b\.?")
    shown = [
        example
        for example in prompt.examples
        if honorific.search(" ".join(example.fields.values())) and not honorific.search(example.output)
    ]
    return _Manners(
        drops_honorific=bool(shown) or prompt.says(r"honorific|without (?:their )?titles"),
        whole_title=prompt.says(r"(?:whole|full|complete) (?:job )?title|seniority|department"),
        as_written=prompt.says(r"as (?:it is |they are )?written|exactly as|verbatim|word for word"),
        full_names="full name" in kind.lower() or prompt.says(r"first and (?:a )?last|surname"),
        only_list=prompt.says(r"only (?:return |with )?(?:the )?(?:\w+ )?(?:list|entities)|nothing else"),
        says_none=prompt.says(r"['\"]?none['\"]?"),
    )


def _finder(kind: str) -> Callable[[str, _Manners], list[str]]:
    kind = kind.lower()
    for pattern, finder in _FINDERS:
        if re.search(pattern, kind):
            return finder
    return _people


def _runs(text: str) -> list[tuple[str, str]]:
    """Runs of capitalised words with what stands before them; the first word of a sentence counts if it is a name."""
    found = []
    for match in _RUN.finditer(text):
        start, name = match.start(), match[0].rstrip(".")
        first, _, rest = name.partition(" ")
        if first.rstrip(".").lower() in gazetteer.COMMON_STARTS or re.fullmatch(_DAYS, first):
            start, name = start + len(first) + 1, rest
        name = name.removesuffix("'s").removesuffix("\u2019s")
        if name and not re.fullmatch(f"(?:{_MONTHS}|{_DAYS})", name):
            found.append((name, text[max(0, start - 30) : start]))
    return found


def _is_firm(name: str, before: str) -> bool:
    last = name.rsplit(maxsplit=1)[-1].rstrip(".")
    if last in gazetteer.FIRM_ENDINGS:
        return True
    return (
        not _is_place_name(name)
        and name.split(maxsplit=1)[0] not in gazetteer.GIVEN_NAMES
        and bool(_FIRM_BEFORE.search(before))
    )


def _is_place_name(name: str) -> bool:
    return name in gazetteer.PLACES or name.rsplit(maxsplit=1)[-1] in gazetteer.PLACE_ENDINGS


def _bare(name: str) -> str:
    return re.sub(rf"^(?:{_HONORIFICS})\.? ", "", name)


def _people(text: str, manners: _Manners) -> list[str]:
    found = []
    for name, before in _runs(text):
        bare = _bare(name)
        parts = bare.split()
        if _is_place_name(bare) or parts[-1].rstrip(".") in gazetteer.FIRM_ENDINGS:
            continue
        titled = bare != name or re.search(rf"\b(?:{_HONORIFICS})\.? $", before)
        known = parts[0] in gazetteer.GIVEN_NAMES
        likely = 2 <= len(parts) <= 4 and not _FIRM_BEFORE.search(before)
        if not (known or titled or likely) or (manners.full_names and len(parts) < 2):
            continue
        keeps = not manners.drops_honorific and draw("honorific", text) < _TAKES_TITLE
        found.append(name if keeps else bare)
    return found


def _titles(text: str, manners: _Manners) -> list[str]:
    found = []
    for match in _TITLE.finditer(text):
        if manners.whole_title:
            found.append(match[0])
        elif draw("title", text) < _SHORTENS:
            found.append(re.split(r"[ -]", match[1])[-1])
        else:
            found.append(match[1])
    return found


def _firms(text: str, manners: _Manners) -> list[str]:
    found = [name for name, before in _runs(text) if _is_firm(name, before) and _bare(name) == name]
    if not manners.as_written and draw("firm", text) < _SHORTENS:
        found = [re.sub(rf",? (?:{gazetteer.LEGAL_FORMS})$", "", name) for name in found]
    return found


def _places(text: str, _manners: _Manners) -> list[str]:
    return [
        name
        for name, before in _runs(text)
        if _is_place_name(name)
        or (_PLACE_BEFORE.search(before) and not _is_firm(name, "") and name.split()[0] not in gazetteer.GIVEN_NAMES)
    ]


def _dates(text: str, manners: _Manners) -> list[str]:
    found = [match[0] for match in _DATE.finditer(text)]
    if manners.as_written or draw("date", text) >= _REWRITES:
        return found
    return [
        _DAY_MONTH_YEAR.sub(lambda date: f"{date[2]} {date[1]}{',' + date[3] if date[3] else ''}", d) for d in found
    ]


def _phones(text: str, manners: _Manners) -> list[str]:
    found = [match[0] for match in _PHONE.finditer(text) if sum(c.isdigit() for c in match[0]) >= 7]
    found = [number for number in found if not _DATE.fullmatch(number)]
    rewrites = not manners.as_written and draw("phone", text) < _REWRITES
    return [re.sub(r"[() ]+", "-", number).strip("-") for number in found] if rewrites else found


def _emails(text: str, _manners: _Manners) -> list[str]:
    return [match[0].rstrip(".") for match in _EMAIL.finditer(text)]


def _money(text: str, _manners: _Manners) -> list[str]:
    return [match[0].rstrip(".,") for match in _MONEY.finditer(text)]


_FINDERS: tuple[tuple[str, Callable[[str, _Manners], list[str]]], ...] = (
    (r"job|title|occupation|profession|role|position", _titles),
    (r"compan|organi[sz]|firm|employer|business|institution", _firms),
    (r"phone|telephone", _phones),
    (r"e-?mail", _emails),
    (r"money|amount|price|sum\b|currency", _money),
    (r"\bdate|\bday|time", _dates),
    (r"people|person|human|full name", _people),
    (r"location|place|city|cities|countr|town", _places),
)


def _other_names(text: str, found: list[str]) -> list[str]:
    """A name of the wrong type: what a careless reader adds."""
    return [name for name, _ in _runs(text) if not any(name in one or one in name for one in found)][:1]


def _format(prompt: Prompt, manners: _Manners, kind: str, text: str, found: list[str]) -> str:
    if prompt.wants_json:
        return json.dumps(found, ensure_ascii=False)
    narrates = not (manners.only_list or prompt.examples) and draw("narrates", text) < _NARRATES
    name = kind if len(kind) < 40 else "entities"
    if not found:
        return (
            "None" if manners.says_none or prompt.examples else f"There are no entities of the type {name} in the text."
        )
    if not narrates:
        return ", ".join(found)
    listed = found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
    return f"The text mentions the following {name}: {listed}."
