"""Finds, in a stack, the line of the user's own code."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType


def where_raised(error: BaseException, folder: Path) -> str | None:
    """The innermost line below ``folder`` that ``error`` went through, e.g. "classify.py:12"."""
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    for file, line in reversed(frames):
        if (name := name_below(file, folder)) is not None:
            return f"{name}:{line}"
    return None


def where_threads_are(threads: Sequence[int], folder: Path) -> str | None:
    """The innermost line below ``folder`` that one of ``threads`` is at, or else the innermost line at all."""
    frames = sys._current_frames()
    stacks = [_stack(frames[thread]) for thread in threads if thread in frames]
    for stack in stacks:
        for file, line, function in stack:
            if (name := name_below(file, folder)) is not None:
                return f"{name}:{line} ({function})"
    for stack in stacks:
        for file, line, function in stack:
            return f"{Path(file).name}:{line} ({function})"
    return None


def _stack(frame: FrameType | None) -> list[tuple[str, int, str]]:
    """File, line and function of each frame, innermost first."""
    stack = []
    while frame is not None:
        stack.append((frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return stack


def name_below(file: str, folder: Path) -> str | None:
    """The name of ``file`` relative to ``folder``; ``None`` when it is not below it, or is an installed package."""
    for root in (folder, folder.resolve()):
        try:
            name = Path(file).relative_to(root)
        except ValueError:
            continue
        if not {"site-packages", ".venv"} & set(name.parts):
            return name.as_posix()
    return None
