"""Whether a value can be taken as a type of prompt flow, by the rules of prompt flow's own conversion."""

from __future__ import annotations

import json
from typing import Any

from llmops_actions.errors import shortened

KNOWN = (
    *("string", "int", "double", "bool", "list", "object"),
    *("secret", "prompt_template", "file_path", "image", "assistant_definition"),
)
"""The types of inputs and outputs (``promptflow.contracts.tool.ValueType``)."""


def fits(kind: str | None, value: Any) -> bool:
    """Whether prompt flow takes ``value`` for an input of type ``kind`` (``ValueType.parse`` of prompt flow 1.18.5).

    A text that reads as a number is fine for ``int`` and ``double``, ``"true"`` for ``bool`` and the JSON text of a
    list for ``list``; everything is fine for ``string``, ``object`` and a type that is not declared.
    """
    if kind in ("int", "double"):
        return _is_number(int if kind == "int" else float, value)
    if kind == "bool":
        return isinstance(value, bool) or (isinstance(value, str) and value.lower() in ("true", "false"))
    if kind == "list":
        return isinstance(_parsed(value), list)
    return True


def _is_number(number: type[int] | type[float], value: Any) -> bool:
    try:
        number(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def described(value: Any) -> str:
    """A value for a message: its JSON, cut short."""
    return shortened(json.dumps(value, ensure_ascii=False, default=str))
