"""The errors that a user may meet: each says what was wrong, where, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Location:
    """A place in a file: line and column count from 1; ``None`` where they are not known."""

    file: Path
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = [str(self.file), *(str(number) for number in (self.line, self.column) if number is not None)]
        return ":".join(parts)


class LlmopsError(Exception):
    """The root of the tree. ``location`` tells where, when a file is to blame."""

    exit_code = 3

    def __init__(self, message: str, location: Location | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.location = location

    def __str__(self) -> str:
        return f"{self.location}: {self.message}" if self.location else self.message


class UsageError(LlmopsError):
    """Wrong words or a wrong file: nothing ran (exit code 2)."""

    exit_code = 2


class ExperimentError(UsageError):
    """What the user wrote in an experiment, a flow or a dataset cannot be used as it is (exit code 2)."""


class PlatformError(LlmopsError):
    """The step could not run to its end: a process, the network, a quota, a platform (exit code 3)."""


class InterruptedRunError(LlmopsError):
    """Someone stopped the step (Ctrl-C, SIGTERM): what is finished is kept (exit code 3)."""


def shortened(text: str) -> str:
    """What was written, cut short for a message."""
    return text if len(text) <= 60 else f"{text[:57]}…"
