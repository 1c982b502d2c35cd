"""One line of ``rows.jsonl``: how a row ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmops_actions.platforms.local.messages import UsageNumbers

SCHEMA_VERSION = 1

_LONGEST_MESSAGE = 8_000


@dataclass(frozen=True)
class RowError:
    """Why a row failed. ``node`` is the flow's node that failed, where there is one."""

    type: str
    message: str
    node: str | None = None


@dataclass(frozen=True)
class RowRecord:
    """A row that ended. ``inputs`` is the JSON object that the row was run with, as bytes."""

    line: int
    key: str
    inputs: bytes
    outputs: Mapping[str, Any] | None = None
    error: RowError | None = None
    usage: Mapping[str, UsageNumbers] = field(default_factory=dict)
    cost: float | None = 0.0
    duration: float = 0.0
    attempts: int = 0

    def encode(self) -> bytes:
        """The line, with its line feed. ASCII only: no separator of any reader can occur inside.

        Raises:
            TypeError, ValueError, RecursionError: the outputs are not JSON.
        """
        outputs = b"null" if self.outputs is None else strict_json(self.outputs)
        head = json.dumps({"schema_version": SCHEMA_VERSION, "line": self.line, "key": self.key})[:-1]
        status = "failed" if self.error else "completed"
        tail = json.dumps(
            {
                "error": _error(self.error),
                "usage": {
                    model: {"calls": calls, "prompt_tokens": prompt, "completion_tokens": completion}
                    for model, (calls, prompt, completion) in self.usage.items()
                },
                "cost": self.cost,
                "duration": round(self.duration, 4),
                "attempts": self.attempts,
            }
        )[1:]
        return b"".join(
            (
                head.encode("ascii"),
                f', "status": "{status}", "inputs": '.encode("ascii"),
                self.inputs,
                b', "outputs": ',
                outputs,
                b", ",
                tail.encode("ascii"),
                b"\n",
            )
        )


def strict_json(value: object) -> bytes:
    """``value`` as JSON that every reader takes: ASCII, one line, no NaN, text as keys.

    Raises:
        TypeError, ValueError, RecursionError: it is not JSON.
    """
    return json.dumps(value, allow_nan=False).encode("ascii")


def _error(error: RowError | None) -> dict[str, str | None] | None:
    if error is None:
        return None
    message = error.message
    if len(message) > _LONGEST_MESSAGE:
        message = f"{message[:_LONGEST_MESSAGE]} … ({len(error.message)} characters)"
    return {"type": error.type, "message": message, "node": error.node}
