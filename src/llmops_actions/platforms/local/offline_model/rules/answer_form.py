"""Writes a label in the form that the prompt asks for: plain, after a word such as "Answer:", or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from llmops_actions.platforms.local.offline_model.rules.label_lists import Listed
from llmops_actions.platforms.local.offline_model.rules.prompt import Prompt

_NOUNS = (
    "category|label|class|classification|sentiment|intent|topic|type|tag|answer|result|prediction|verdict|priority|"
    "urgency|severity|department|team|queue|kind|output|emotion|polarity|language|decision|is_\\w+"
)
_SCHEMA_KEY = re.compile(r"[\"'](\w{1,40})[\"']\s*:\s*\{[^{}]{0,200}[\"']enum[\"']")
_TEMPLATE = re.compile(r"\{\s*([\"'`]?\w[^{}]{0,400})\}")
_TEMPLATE_KEY = re.compile(r"(?:^|[,\n])\s*[\"'`]?(\w{1,40})[\"'`]?\s*:")
_NAMED_KEY = re.compile(
    r"\b(?:keys?|fields?|property|properties|attribute)\s*:?\s+(?:named |called |of )?[\"'`](\w{1,40})[\"'`]"
    r"|[\"'`](\w{1,40})[\"'`]\s+(?:key|field|property|attribute)\b"
    r"|\b(?:key|field|property)\s+(?:named |called )?(\w{1,40})\b",
    re.IGNORECASE,
)
_QUOTED_NOUN = re.compile(rf"[\"'`]({_NOUNS})[\"'`]", re.IGNORECASE)
_LED = re.compile(
    r"(?:^|[\"'`\n:]|\b(?:format|form|as|like|with|write)[ \t]{1,4})[ \t\"'`]*"
    r"([A-Z][A-Za-z]{1,20}(?: [a-z]{1,12})?):[ \t]*"
    r"(?:<[^<>,\n]{1,40}>|\[[^\[\],\n]{1,40}\]|\{[^{},\n]{1,40}\}|\.\.\.|\u2026)",
    re.MULTILINE,
)
_STARTS_WITH = re.compile(r"(?:start|begin|prefix)\w*[^\"'`\n]{0,40}[\"'`]([A-Za-z ]{1,20}):[ ]?[\"'`]", re.IGNORECASE)
_TAGGED = re.compile(rf"<({_NOUNS})>[^<\n]{{0,40}}</\1>", re.IGNORECASE)
_BY_MARKER = re.compile(
    r"\b(?:answer|reply|respond|return|output|give|write|choose|only)\b[^.\n]{0,30}\b(?:letter|number)\b", re.IGNORECASE
)
_CONFIDENCE = 0.9


def in_form(prompt: Prompt, labels: Sequence[Listed], name: str) -> str:
    """The label `name`, one of `labels`, as the prompt wants it written."""
    text = f"{prompt.instructions}\n{prompt.body}" if prompt.body not in prompt.instructions else prompt.instructions
    marker = next((label.marker for label in labels if label.name == name), "")
    said = marker if marker and _BY_MARKER.search(text) else name
    if prompt.wants_json or _looks_like_template(text):
        return _json(text, prompt, said)
    if tagged := _TAGGED.search(text):
        return f"<{tagged[1]}>{said}</{tagged[1]}>"
    led = _LED.search(text) or _STARTS_WITH.search(text)
    return f"{led[1].strip()}: {said}" if led else said


def json_keys(text: str) -> list[str]:
    """The keys of the JSON object that a prompt describes, the most likely key of the answer first."""
    if schema := _SCHEMA_KEY.search(text):
        return [schema[1]]
    for template in _TEMPLATE.finditer(text):
        keys = _TEMPLATE_KEY.findall(template[1])
        if keys:
            return sorted(keys, key=lambda key: re.fullmatch(_NOUNS, key, re.IGNORECASE) is None)
    if named := _NAMED_KEY.search(text):
        return [next(filter(None, named.groups()))]
    quoted = _QUOTED_NOUN.search(text)
    return [quoted[1]] if quoted else []


def _looks_like_template(text: str) -> bool:
    return re.search(r"\{\s*\"\w{1,40}\"\s*:", text) is not None


def _json(text: str, prompt: Prompt, said: str) -> str:
    shown = "\n".join(example.output for example in prompt.examples if example.output.startswith("{"))
    keys = json_keys(f"{text}\n{shown}")
    key = keys[0] if keys else "category"
    answer: dict[str, str | float | bool] = {key: said.lower() == "true" if said in ("true", "false") else said}
    for other in keys[1:]:
        if re.search(r"reason|explanation|rationale|why|justification", other, re.IGNORECASE):
            answer[other] = f"The words of the text speak for {said}."
        elif re.search(r"confidence|score|probability|certainty", other, re.IGNORECASE):
            answer[other] = _CONFIDENCE
    return json.dumps(answer, ensure_ascii=False)
