"""Takes the program out of the model's answer. The answer is text from outside: nothing is assumed."""

import json
import re

from promptflow.core import tool

LONGEST_ANSWER = 20_000
FENCE = re.compile(r"```[ \t]*(?:python|py|json)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)


@tool
def code_refine(answer: str) -> str:
    """The program of the answer: the value of "code" in a JSON object, a fenced block, or the whole answer.

    The program is not checked here; the node that runs it does that.
    """
    text = answer[:LONGEST_ANSWER] if isinstance(answer, str) else ""
    fenced = FENCE.search(text)
    inner = fenced[1] if fenced else text
    return (_code_of_object(inner) or inner).strip()


def _code_of_object(text: str) -> str:
    start = text.find("{")
    if start < 0:
        return ""
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        return ""
    code = value.get("code") if isinstance(value, dict) else None
    return code if isinstance(code, str) else ""
