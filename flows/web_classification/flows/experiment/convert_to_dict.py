"""Turns the model's answer into a category and its evidence. The answer is text from outside: nothing is assumed."""

import json

from promptflow.core import tool

CATEGORIES = ("App", "Academic", "Video", "Profile", "Document", "News", "Shopping", "None")
EVIDENCE = ("Url", "Text content", "Both")
LONGEST_ANSWER = 10_000
LONGEST_VALUE = 60


@tool
def convert_to_dict(answer: str) -> dict:
    """The category and evidence that the answer names.

    A JSON object is looked for anywhere in the answer. A category that is not on the list stays as it was written, cut
    to a sensible length, so that the evaluation can show it; an answer without one reads "None".
    """
    found = _first_object(answer if isinstance(answer, str) else "")
    return {
        "category": _value(found.get("category"), CATEGORIES),
        "evidence": _value(found.get("evidence"), EVIDENCE),
    }


def _first_object(text: str) -> dict:
    text = text[:LONGEST_ANSWER]
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and "category" in value:
            return value
        start = text.find("{", start + 1)
    return {}


def _value(value: object, known: tuple) -> str:
    if not isinstance(value, str) or not value.strip():
        return "None"
    plain = " ".join(value.split())[:LONGEST_VALUE]
    return next((name for name in known if name.lower() == plain.lower()), plain)
