"""Words and sentences: the little linguistics that the rules share."""

from __future__ import annotations

import re
from functools import lru_cache

_WORD = re.compile(r"[^\W\d_][\w'+-]*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]?[A-Z0-9])|\n+")
_ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|vol|e\.g|i\.e|Inc|Ltd|Co)\.$")

STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a about after again all also am an and any are as at be because been before being below between both but by
    can could did do does doing down during each few for from further get had has have having he her here hers him
    his how i if in into is it its just me more most my no nor not now of off on once only or other our out over own
    please same she should so some such than that the their them then there these they this those through to too
    under until up us very was we were what when where which while who whom why will with would you your""",
    )
)


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word in lower case without the commonest English endings, so that "installs" meets "install"."""
    word = word.lower().removesuffix("'s")
    for ending, put, least in (("ies", "y", 5), ("ing", "", 6), ("ed", "", 5), ("es", "e", 5), ("s", "", 4)):
        if len(word) >= least and word.endswith(ending) and not word.endswith("ss"):
            return _ending_once((word[: -len(ending)] + put).removesuffix("e"))
    return _ending_once(word.removesuffix("e") if len(word) > 4 else word)


def _ending_once(word: str) -> str:
    """The word with its last letter once, so that "cancelling" meets "cancel"; "ss" stays."""
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] != "s" else word


def words(text: str) -> list[str]:
    """The words of a text as written, in order; numbers are not words."""
    return _WORD.findall(text)


def content_stems(text: str) -> list[str]:
    """The stems of the words that carry meaning, in order, repeats included."""
    return [stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, stripped, none of them empty."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(text):
        stripped = piece.strip()
        if not stripped:
            continue
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {stripped}"
        else:
            found.append(stripped)
    return found


def clip(text: str, limit: int) -> str:
    """The text cut after `limit` words."""
    parts = text.split()
    return text if len(parts) <= limit else " ".join(parts[:limit])


def overlap(left: set[str], right: set[str]) -> float:
    """The share of `left` that `right` also has, 0 to 1; 0 for an empty `left`."""
    return len(left & right) / len(left) if left else 0.0
