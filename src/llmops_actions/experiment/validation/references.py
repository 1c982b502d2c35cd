"""References inside a dag flow: ``${inputs.url}``, ``${classify.output}``, ``${classify.output.category}``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

_INPUT_PREFIXES = ("inputs.", "flow.")


@dataclass(frozen=True)
class Reference:
    """A reference to a flow input or to a node; ``section`` is the part of the node, always ``output``."""

    kind: Literal["input", "node"]
    name: str
    section: str = "output"


def parse_reference(value: Any) -> Reference | None:
    """The reference that prompt flow reads in ``value`` (``InputAssignment.deserialize``); ``None`` for a literal."""
    if not isinstance(value, str) or len(value) <= 3 or not (value.startswith("${") and value.endswith("}")):
        return None
    written = value[2:-1]
    for prefix in _INPUT_PREFIXES:
        if written.startswith(prefix):
            return Reference("input", written[len(prefix) :])
    name, _, rest = written.partition(".")
    return Reference("node", name, rest.partition(".")[0] or "output")


def holds_reference(value: Any) -> bool:
    """Whether a literal text looks as if a reference was meant inside it; prompt flow takes it literally."""
    return isinstance(value, str) and parse_reference(value) is None and "${" in value and "}" in value
