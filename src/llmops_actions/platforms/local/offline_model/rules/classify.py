"""Classification: weighs the words of a page and its address for each label that the prompt offers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmops_actions.platforms.local.offline_model.rules.chance import draw, slips
from llmops_actions.platforms.local.offline_model.rules.knowledge import (
    CONCEPTS,
    NOTHING,
    UNNAMED,
    Concept,
    concept_of,
)
from llmops_actions.platforms.local.offline_model.rules.label_lists import find_listing
from llmops_actions.platforms.local.offline_model.rules.prompt import Example, Prompt
from llmops_actions.platforms.local.offline_model.rules.text import content_stems, stem, words
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_STRONG, _WEAK, _ADDRESS, _DESCRIBED = 1.0, 0.4, 1.2, 0.45
_SHARED_WORD, _SHARED_ADDRESS, _MOST_SHARED = 0.3, 0.5, 1.5
_NOTHING_SCORE = 1.0
_CLOSE, _CLEAR = 0.6, 2.0
_PROSE_RATE = 0.3
_ADDRESS_NOISE = frozenset({"http", "https", "www", "com", "org", "net", "example", "html", "index", "id"})

_QUOTED = re.compile(r"[\"'`]([^\"'`\n]{1,40})[\"'`]")
_EVIDENCE = re.compile(r"\"?evidence\"?[^.\n]{0,60}?(?:within|one of|be)[: ]+([^.\n]+)", re.IGNORECASE)
_KEY_OF_LABEL = re.compile(r"[\"'`](category|label|class|kind|type|topic|sentiment)[\"'`]", re.IGNORECASE)


@dataclass(frozen=True)
class Label:
    """A label that the prompt offers, with what the prompt says about it."""

    name: str
    description: frozenset[str]
    concept: Concept | None


@dataclass(frozen=True)
class _Case:
    stems: frozenset[str]
    url: str
    address: frozenset[str]


def labels(instructions: str) -> tuple[Label, ...]:
    """The labels that the instructions list, in any of the usual ways; () if they list none."""
    listing = find_listing(instructions)
    return tuple(_label(one.name, one.description) for one in listing.labels) if listing else ()


def _label(name: str, description: str) -> Label:
    return Label(name, frozenset(content_stems(description)), concept_of(name))


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """The label of the case, in the format that the prompt asks for."""
    url = prompt.field("url")
    text = prompt.field("text content", "text", "content", "summary", "article", "question", "statement")
    text = text if text or url else prompt.body
    case = _Case(frozenset(content_stems(text)), url, _address(url))
    offered = labels(prompt.instructions)
    name, evidence = _decide(prompt, request, case, offered, f"{url}\n{text}")
    return _format(prompt, request, name, evidence, f"{url}\n{text}")


def _decide(
    prompt: Prompt, request: ChatRequest, case: _Case, offered: Sequence[Label], content: str
) -> tuple[str, str]:
    known = offered or tuple(Label(concept.names[0], frozenset(), concept) for concept in CONCEPTS[:8])
    by_text = {label.name: _text_score(label, case) for label in known}
    by_url = {label.name: _url_score(label, case) for label in known}
    for name, text_points, url_points in _from_examples(prompt.examples, case):
        if name in by_text:
            by_text[name] = by_text[name] + text_points
            by_url[name] = by_url[name] + url_points
    total = {name: by_text[name] + by_url[name] for name in by_text}
    for name in total:
        if name.lower() in NOTHING:
            total[name] += _NOTHING_SCORE
    ranked = sorted(total, key=lambda name: -total[name])
    best = ranked[0]
    if len(ranked) > 1 and slips(request, "label", content, _doubt(total[best] - total[ranked[1]])):
        best = ranked[1]
    evidence = _evidence(by_text[best], by_url[best])
    return (best if offered else _invented(best, total[best], content)), evidence


def _doubt(margin: float) -> float:
    """How much more often than usual a decision by this margin goes wrong."""
    return 2.5 if margin < _CLOSE else 0.8 if margin < _CLEAR else 0.25


def _text_score(label: Label, case: _Case) -> float:
    score = _DESCRIBED * len(label.description & case.stems)
    score += _STRONG * len({stem(word) for word in words(label.name)} & case.stems)
    if label.concept:
        score += _STRONG * len(label.concept.strong & case.stems) + _WEAK * len(label.concept.weak & case.stems)
    return score


def _url_score(label: Label, case: _Case) -> float:
    return _ADDRESS if label.concept and label.concept.address.search(case.url) else 0.0


def _from_examples(examples: Sequence[Example], case: _Case) -> list[tuple[str, float, float]]:
    found = []
    for example in examples:
        text = " ".join(value for name, value in example.fields.items() if name != "url")
        shared = len(case.stems.intersection(content_stems(text)))
        address = len(case.address & _address(example.fields.get("url", "")))
        name = _label_of_example(example.output)
        found.append((name, min(_MOST_SHARED, _SHARED_WORD * shared), min(_MOST_SHARED, _SHARED_ADDRESS * address)))
    return found


def _label_of_example(output: str) -> str:
    try:
        value = json.loads(output)
    except ValueError:
        return output.strip(" \"'.")
    if isinstance(value, dict):
        return next((str(part) for part in value.values()), "")
    return str(value)


def _address(url: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]{2,}", url.lower())) - _ADDRESS_NOISE


def _evidence(text_points: float, url_points: float) -> str:
    if url_points and text_points >= _STRONG:
        return "both"
    return "url" if url_points > text_points else "text content"


def _invented(name: str, score: float, content: str) -> str:
    """What a model writes when nobody told it the names: near misses more often than not."""
    names = next((concept.names for concept in CONCEPTS if concept.names[0] == name), UNNAMED)
    names = names if score >= _NOTHING_SCORE else UNNAMED
    return names[int(draw("name", content) * len(names))]


def _evidence_name(instructions: str, evidence: str) -> str:
    listed = _EVIDENCE.search(instructions)
    offered = _QUOTED.findall(listed[1]) if listed else []
    return next((name for name in offered if name.lower() == evidence), evidence.capitalize())


def _format(prompt: Prompt, request: ChatRequest, name: str, evidence: str, content: str) -> str:
    if not prompt.wants_json:
        return name
    source = prompt.instructions + "".join(example.output for example in prompt.examples)
    key = _KEY_OF_LABEL.search(source)
    value: Mapping[str, str] = {key[1] if key else "category": name}
    if "evidence" in source.lower():
        value = {**value, "evidence": _evidence_name(prompt.instructions, evidence)}
    text = json.dumps(value, ensure_ascii=False)
    shown = any(example.output.startswith("{") for example in prompt.examples)
    if prompt.only_json or (shown and not slips(request, "prose", content)) or draw("prose", content) > _PROSE_RATE:
        return text
    return f"Sure! Here is the classification of the page:\n\n```json\n{text}\n```\nLet me know if you need more."
