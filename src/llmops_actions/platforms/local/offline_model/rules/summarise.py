"""Summaries: picks the sentences, or the key terms, that fit into the length asked for."""

from __future__ import annotations

import re
from collections import Counter

from llmops_actions.platforms.local.offline_model.rules.chance import draw, slips
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt
from llmops_actions.platforms.local.offline_model.rules.text import (
    STOP_WORDS,
    clip,
    content_stems,
    sentences,
    words,
)
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_WORDS = re.compile(r"(\d{1,4})(?:\s+|-)words?", re.IGNORECASE)
_SENTENCES = re.compile(r"\b(\d+|one|two|three|four|five|a single)\s+(?:short\s+)?sentences?", re.IGNORECASE)
_NUMBERS = {"one": 1, "a single": 1, "two": 2, "three": 3, "four": 4, "five": 5}
_TERMS = r"key ?words|key ?terms|bullet|key facts"
_DEFAULT_WORDS = 60
_LEAD_BONUS = 2.0
_LONGEST_TEXT = 20_000


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """A summary of the case's text that says nothing the text does not say."""
    text = prompt.case("text", "text content", "content", "article", "context", "question")
    found = sentences(text[:_LONGEST_TEXT])
    if not found:
        return "The text is empty."
    if len(found) > 2 and slips(request, "summary", text):
        del found[1 + int(draw("which sentence", text) * (len(found) - 1))]
    budget = _WORDS.search(prompt.instructions)
    limit = max(1, int(budget[1])) if budget else _DEFAULT_WORDS
    if prompt.says(_TERMS):
        return _terms(found, limit if budget else 2 * _DEFAULT_WORDS)
    count = _SENTENCES.search(prompt.instructions)
    most = max(1, int(_NUMBERS.get(count[1].lower(), 0) or count[1])) if count else len(found)
    return _chosen(found, most, limit)


def _terms(found: list[str], limit: int) -> str:
    """One bullet point a sentence with its words that carry meaning, without repeats."""
    seen: set[str] = set()
    lines: list[str] = []
    left = limit
    for sentence in found:
        fresh = [w for w in words(sentence) if w.lower() not in STOP_WORDS and w.lower() not in seen][:left]
        seen.update(word.lower() for word in fresh)
        left -= len(fresh)
        if fresh:
            lines.append("- " + " ".join(fresh))
    return "\n".join(lines)


def _chosen(found: list[str], most: int, limit: int) -> str:
    """The lead and the sentences with the most of the text's frequent words, in the order of the text."""
    frequent = Counter(stem for sentence in found for stem in content_stems(sentence))
    scores = [
        sum(frequent[stem] - 1 for stem in set(content_stems(sentence))) / (len(sentence.split()) + 3)
        + (_LEAD_BONUS if place == 0 else 0.0)
        for place, sentence in enumerate(found)
    ]
    ranked = sorted(range(len(found)), key=lambda place: (-scores[place], place))
    kept: list[int] = []
    left = limit
    for place in ranked[:most]:
        length = len(found[place].split())
        if kept and length > left:
            continue
        kept.append(place)
        left -= length
    return clip(" ".join(found[place] for place in sorted(kept)), limit)
