"""Finds out what a child that died, or that no longer answers, was doing."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llmops_actions.platforms.local.user_frames import name_below

_THREAD = re.compile(r"^(Current thread|Thread) 0x([0-9a-f]+)")
_FRAME = re.compile(r'^\s+File "(.*)", line (\d+) in (.*)$')
_PATIENCE_FOR_A_DUMP = 2.0
_SAMPLE = 0.2


@dataclass(frozen=True)
class StackFrame:
    """A line of a stack."""

    file: str
    line: int
    function: str


@dataclass(frozen=True)
class ThreadStack:
    """A thread's stack, innermost frame first. ``current``: it is the one that a fatal error happened in."""

    thread: int
    current: bool
    frames: tuple[StackFrame, ...]


def parse_stacks(text: str) -> list[ThreadStack]:
    """The threads of the last dump that ``faulthandler`` wrote into ``text``."""
    threads: dict[int, tuple[bool, list[StackFrame]]] = {}
    current: list[StackFrame] | None = None
    for line in text.splitlines():
        if found := _THREAD.match(line):
            identifier = int(found[2], 16)
            current = []
            threads[identifier] = (found[1] == "Current thread", current)
        elif (found := _FRAME.match(line)) and current is not None:
            current.append(StackFrame(found[1], int(found[2]), found[3]))
    return [ThreadStack(thread, is_current, tuple(frames)) for thread, (is_current, frames) in threads.items()]


def where(stack: ThreadStack, folder: Path) -> str | None:
    """The innermost line below ``folder``, or else the innermost of all, e.g. "clean.py:12 (strip)"."""
    for frame in stack.frames:
        if (name := name_below(frame.file, folder)) is not None:
            return f"{name}:{frame.line} ({frame.function})"
    if not stack.frames:
        return None
    frame = stack.frames[0]
    return f"{Path(frame.file).name}:{frame.line} ({frame.function})"


def dump_stacks(stacks_file: Path, send: Callable[[int], None]) -> str:
    """Ask a child for its stacks: ``faulthandler`` answers even when Python code cannot run."""
    before = _size(stacks_file)
    send(signal.SIGUSR1)
    deadline = time.monotonic() + _PATIENCE_FOR_A_DUMP
    seen = before
    while time.monotonic() < deadline:
        time.sleep(0.02)
        size = _size(stacks_file)
        if size > before and size == seen:
            break
        seen = size
    return read_stacks(stacks_file)[before:]


def read_stacks(stacks_file: Path) -> str:
    """What the child's ``faulthandler`` wrote so far."""
    with contextlib.suppress(OSError):
        return stacks_file.read_text(encoding="utf-8", errors="replace")
    return ""


def busy_threads(process: int, threads: Iterable[int]) -> set[int]:
    """Which of the operating system's threads use the processor now (Linux; elsewhere: none are known to)."""
    natives = list(threads)
    before = _processor_times(process, natives)
    time.sleep(_SAMPLE)
    after = _processor_times(process, natives)
    return {thread for thread, ticks in after.items() if ticks > before.get(thread, ticks)}


def exit_text(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "the process disappeared"
    if code >= 0:
        return f"the process ended with exit code {code}"
    with contextlib.suppress(ValueError):
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"the process was ended by signal {signal.Signals(-code).name}{hint}"
    return f"the process was ended by signal {-code}"


def _processor_times(process: int, threads: list[int]) -> Mapping[int, int]:
    times: dict[int, int] = {}
    if sys.platform == "linux":
        for thread in threads:
            with contextlib.suppress(OSError, IndexError, ValueError):
                text = Path(f"/proc/{process}/task/{thread}/stat").read_text(encoding="utf-8", errors="replace")
                fields = text.rpartition(")")[2].split()
                times[thread] = int(fields[11]) + int(fields[12])
    return times


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
