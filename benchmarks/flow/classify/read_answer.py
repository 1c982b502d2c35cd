"""Reads the model's answer."""

import json

from promptflow.core import tool


@tool
def read_answer(answer: str) -> dict:
    """Category and evidence; "None" where the answer names none."""
    try:
        value = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
    except ValueError:
        value = {}
    return {name: str(value.get(name, "None")) for name in ("category", "evidence")}
