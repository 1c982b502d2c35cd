"""Grading: scores an answer by how much of the reference it covers, on the scale that the prompt names."""

from __future__ import annotations

import json
import re

from llmops_actions.platforms.local.offline_model.rules import common_labels
from llmops_actions.platforms.local.offline_model.rules.answer_form import json_keys
from llmops_actions.platforms.local.offline_model.rules.chance import slips
from llmops_actions.platforms.local.offline_model.rules.extract import entities
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt
from llmops_actions.platforms.local.offline_model.rules.text import content_stems, overlap
from llmops_actions.platforms.local.offline_model.types import ChatRequest

_SCALE = re.compile(
    r"(?:scale of|scale from|from|between)\s{1,3}(\d{1,4}(?:\.\d{1,3})?)(?:\s{0,3}\([^()\n]{0,200}\))?"
    r"\s{0,3}(?:to|and|-|\u2013)\s{0,3}(\d{1,4}(?:\.\d{1,3})?)",
    re.IGNORECASE,
)
_BARE_SCALE = re.compile(r"\b(\d{1,2})\s?(?:-|\u2013|to)\s?(\d{1,3})\b")
_LISTED_SCALE = re.compile(r"\b(\d{1,2})(?:,\s?\d{1,2}){1,9},?\s?(?:or|and)\s(\d{1,3})\b")
_URGENCY = r"urgen|priorit|severity|critical"
_NEGATIVE_SCALE = r"how (?:negative|toxic|angry|unhappy|rude)|toxicity|anger"
_ENOUGH = 0.75


def answer(prompt: Prompt, request: ChatRequest) -> str:
    """A score, with a reason if the prompt asks for JSON."""
    low, high = _scale(prompt.instructions)
    share, reason = _quality(prompt)
    score = low + (high - low) * share
    whole = high - low > 1
    step = 1.0 if whole else 0.5
    if slips(request, "score", prompt.body):
        score += step if score + step <= high else -step
    shown = round(score) if whole else round(score, 2)
    return _json(prompt, shown, reason) if prompt.wants_json else str(shown)


def _json(prompt: Prompt, shown: float, reason: str) -> str:
    keys = json_keys(prompt.instructions)
    if len(keys) == 1 and not prompt.says("reason|explain|explanation"):
        return json.dumps({keys[0]: shown})
    return json.dumps(
        {next((key for key in keys if re.search("scor|rat|grade", key)), "score"): shown, "reason": reason}
    )


def _scale(instructions: str) -> tuple[float, float]:
    """The ends of the scale that a prompt names, 1 and 5 if it names none."""
    patterns = (_SCALE, _BARE_SCALE, _LISTED_SCALE)
    found = next((found for pattern in patterns if (found := pattern.search(instructions))), None)
    low, high = (float(found[1]), float(found[2])) if found else (1.0, 5.0)
    return min(low, high), max(low, high)


def _opinion(prompt: Prompt) -> tuple[float, str]:
    """Where a text that is no answer to a question stands between bad and good, or calm and urgent."""
    text = prompt.field("text", "text content", "content") or prompt.subject()
    kept, negated = common_labels.without_negated(text)
    stems, denied = set(content_stems(kept)), set(content_stems(negated))
    positive, negative = common_labels.speaking_for("positive"), common_labels.speaking_for("negative")
    if prompt.says(_URGENCY):
        signs = len(stems & common_labels.speaking_for("urgent"))
        return min(1.0, 0.25 + 0.25 * signs), f"{signs} words of the text are urgent."
    good = len((stems - denied) & positive) + len(denied & negative)
    bad = len((stems - denied) & negative) + len(denied & positive)
    share = 0.5 + (good - bad) / (2 * max(2, good + bad))
    reason = f"{good} words of the text are positive and {bad} are negative."
    return (1.0 - share if prompt.says(_NEGATIVE_SCALE) else share), reason


def _quality(prompt: Prompt) -> tuple[float, str]:
    """How good the answer is, 0 to 1, and why."""
    value = prompt.field("value")
    if value:
        return _entity_quality(value, prompt.field("entity", "entity type"), prompt.field("text"))
    if not any(name in prompt.fields for name in ("answer", "response", "output", "reference", "reference answer")):
        return _opinion(prompt)
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
