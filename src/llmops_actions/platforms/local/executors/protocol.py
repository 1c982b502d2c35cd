"""What a child process asks of a program, whatever its kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from llmops_actions.platforms.local.metering import Meter

NOTHING = object()
"""No value at all, where ``None`` is one."""


@dataclass(frozen=True)
class LineOutput:
    """What one row gave: its outputs, and what aggregation needs of it (``NOTHING`` where nothing aggregates)."""

    outputs: Mapping[str, Any]
    aggregation: Any = NOTHING


@dataclass
class Aggregation:
    """What the program logged over all rows. ``values`` are as logged; they may be anything."""

    values: dict[str, Any] = field(default_factory=dict)


class NodeFailedError(Exception):
    """A node of the flow failed. ``cause`` is what it raised."""

    def __init__(self, node: str, cause: BaseException) -> None:
        super().__init__(f"{node}: {cause}")
        self.node = node
        self.cause = cause


class ProgramError(Exception):
    """The program does not fit what it is asked: a missing input, a wrong form. The message is for its author."""


class Executor(Protocol):
    """A loaded program."""

    def execute(self, inputs: Mapping[str, Any], line: int, meter: Meter) -> LineOutput:
        """Run one row. Called from many threads at once.

        Raises:
            NodeFailedError: a node failed.
            Exception: whatever the program raises.
        """
        ...

    def aggregate(self, rows: Iterable[Any]) -> Aggregation:
        """Run once over what the completed rows gave for it, in line order.

        Raises:
            Exception: whatever the program raises.
        """
        ...
