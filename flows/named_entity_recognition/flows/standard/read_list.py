"""Reads the list of entities out of the model's answer. The answer is text from outside: nothing is assumed."""

import json
import re

from promptflow.core import tool

LONGEST_ANSWER = 10_000
MOST_ENTITIES = 50
LONGEST_ENTITY = 120


@tool
def read_list(answer: str) -> list:
    """The entities of the answer, without repeats, at most 50 of at most 120 characters each.

    A JSON list, a comma separated list and a list of lines are understood; "None" is the empty list.
    """
    text = answer[:LONGEST_ANSWER] if isinstance(answer, str) else ""
    cleaned = (" ".join(piece.split()).strip(" \"'.*-")[:LONGEST_ENTITY] for piece in _pieces(text))
    entities = [entity for entity in cleaned if entity and entity.lower() != "none"]
    return list(dict.fromkeys(entities))[:MOST_ENTITIES]


def _pieces(text: str) -> list:
    start, end = text.find("["), text.rfind("]")
    if 0 <= start < end:
        try:
            value = json.loads(text[start : end + 1])
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list):
            return [piece for piece in value if isinstance(piece, str)]
    return re.split(r"[,\n;]", text)
