"""Grading: scores an answer by how much of the reference it covers, on the scale that the prompt names."""

from __future__ import annotations

import json
import re

from llmops_actions.platforms.local.offline_model.rules.chance import slips
from llmops_actions.platforms.local.offline_model.rules.extract import entities
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt
from llmops_actions.platforms.local.offline_model.rules.text import content_stems, overlap
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_SCALE = re.compile(
    r"(?:scale of|scale from|from|between)\s+(\d+(?:\.\d+)?)\s*(?:to|and|-|\u2013)\s*(\d+(?:\.\d+)?)", re.IGNORECASE
)
_ENOUGH = 0.75


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """A score, with a reason if the prompt asks for JSON."""
    scale = _SCALE.search(prompt.instructions)
    low, high = (float(scale[1]), float(scale[2])) if scale else (1.0, 5.0)
    share, reason = _quality(prompt)
    score = low + (high - low) * share
    whole = high - low > 1
    step = 1.0 if whole else 0.5
    if slips(request, "score", prompt.body):
        score += step if score + step <= high else -step
    shown = round(score) if whole else round(score, 2)
    return json.dumps({"score": shown, "reason": reason}) if prompt.wants_json else str(shown)


def _quality(prompt: Prompt) -> tuple[float, str]:
    """How good the answer is, 0 to 1, and why."""
    value = prompt.field("value")
    if value:
        return _entity_quality(value, prompt.field("entity", "entity type"), prompt.field("text"))
    given = set(content_stems(prompt.field("answer", "response", "output")))
    reference = prompt.field(
        "reference answer", "reference", "ground truth", "groundtruth", "expected facts", "facts", "context"
    )
    wanted = set(content_stems(reference or prompt.field("question", "query")))
    if not given:
        return 0.0, "There is no answer."
    covered = overlap(wanted, given)
    against = "reference" if reference else "question"
    return min(1.0, covered / _ENOUGH), f"The answer has {covered:.0%} of the words of the {against} that matter."


def _entity_quality(value: str, kind: str, text: str) -> tuple[float, str]:
    found = entities(text, kind)
    if value in found:
        return 1.0, "The value is an entity of this type."
    if any(value in one or one in value for one in found):
        return 0.5, "The value is a part of an entity, or more than one."
    return 0.0, "The value is no entity of this type."
