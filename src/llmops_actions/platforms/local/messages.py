"""What the parent and its child processes say to each other, and how it is put into bytes.

A frame is two lengths (4 bytes each, big-endian), a JSON object with the message's kind and fields, and raw bytes:
a row's inputs or its finished record travel as they are, so that the parent never parses them. A child is never
trusted with more than JSON: only the parent's ``Setup`` is pickled.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

_LENGTHS = struct.Struct("!II")

UsageNumbers = tuple[int, int, int]
"""Calls that succeeded, prompt tokens, completion tokens."""


@dataclass(frozen=True)
class Message:
    """The base of all messages. ``payload`` holds the bytes that need no parsing."""

    kind: ClassVar[str]
    payload: bytes = field(default=b"", repr=False, kw_only=True)


# From the parent to a child.


@dataclass(frozen=True)
class Setup(Message):
    """The first message: the payload is a pickled ``setup.ChildSetup``."""

    kind = "setup"


@dataclass(frozen=True)
class RunRow(Message):
    """Run one row in worker thread ``slot``. The payload is the JSON object of its inputs."""

    kind = "run-row"
    slot: int
    line: int
    key: str


@dataclass(frozen=True)
class CancelRow(Message):
    """The row's time is up: answer with ``RowEnded`` (failed) and abandon its thread."""

    kind = "cancel-row"
    slot: int
    line: int
    seconds: float


@dataclass(frozen=True)
class Aggregate(Message):
    """Aggregate over the completed rows: ``spool`` holds what is JSON, ``private`` what had to be pickled."""

    kind = "aggregate"
    spool: str
    private: str


@dataclass(frozen=True)
class Stop(Message):
    """No more work: end."""

    kind = "stop"


# From a child to the parent.


@dataclass(frozen=True)
class Started(Message):
    """The child lives. ``process`` is its process id."""

    kind = "started"
    process: int


@dataclass(frozen=True)
class Ready(Message):
    """The program is loaded: rows may come. ``notes`` are remarks for the user."""

    kind = "ready"
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class LoadFailed(Message):
    """The program cannot be loaded: no row of it can run."""

    kind = "load-failed"
    type: str
    message: str


@dataclass(frozen=True)
class SlotStarted(Message):
    """Worker thread ``slot`` runs as this thread (Python's identifier and the operating system's)."""

    kind = "slot-started"
    slot: int
    thread: int
    native: int


@dataclass(frozen=True)
class RowEnded(Message):
    """A row ended. The payload is its record (``record_size`` bytes) and what aggregation needs of it.

    ``hosts`` says how many calls and tokens went to which host; ``aggregation`` is "none", "json" or "pickle".
    """

    kind = "row-ended"
    slot: int
    line: int
    failed: bool
    usage: Mapping[str, UsageNumbers]
    hosts: Mapping[str, tuple[int, int]]
    attempts: int
    duration: float
    record_size: int
    aggregation: str = "none"
    abandoned: bool = False


@dataclass(frozen=True)
class Throttled(Message):
    """``host`` answered 429 and gets no call for ``seconds``.

    ``asked`` is set where the row that heard it fails: for how many seconds the host asked.
    """

    kind = "throttled"
    host: str
    seconds: float
    asked: float = 0.0


@dataclass(frozen=True)
class Aggregated(Message):
    """Aggregation ended. ``metrics`` are finite numbers; ``error`` says why it failed."""

    kind = "aggregated"
    metrics: Mapping[str, float]
    notes: list[str]
    usage: Mapping[str, UsageNumbers]
    attempts: int
    error: str | None = None


_KINDS: dict[str, type[Message]] = {
    message.kind: message
    for message in (
        Setup,
        RunRow,
        CancelRow,
        Aggregate,
        Stop,
        Started,
        Ready,
        LoadFailed,
        SlotStarted,
        RowEnded,
        Throttled,
        Aggregated,
    )
}


def encode(message: Message) -> bytes:
    """The frame of ``message``."""
    fields = {name: value for name, value in vars(message).items() if name != "payload"}
    header = json.dumps([message.kind, fields], separators=(",", ":")).encode("ascii")
    return _LENGTHS.pack(len(header), len(message.payload)) + header + message.payload


class Decoder:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take ``data`` and give every message that is now complete."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _LENGTHS.size:
            header_size, payload_size = _LENGTHS.unpack_from(self._buffer, start)
            header_end = start + _LENGTHS.size + header_size
            end = header_end + payload_size
            if len(self._buffer) < end:
                break
            kind, fields = json.loads(self._buffer[start + _LENGTHS.size : header_end])
            payload = bytes(self._buffer[header_end:end])
            start = end
            yield _KINDS[kind](**fields, payload=payload)
        del self._buffer[:start]
