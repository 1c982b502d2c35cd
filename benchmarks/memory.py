"""The memory of a process and of everything below it, read from Linux's /proc."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
LARGEST_SHARE = 0.05
"""Of one processor, what sampling may take: what is measured must not notice it."""


@dataclass(frozen=True)
class MemorySample:
    """A tree at one moment. ``at`` in seconds since sampling began; memory in megabytes (10^6 bytes).

    The proportional set size (PSS) divides a page by the number of processes that share it, so that a sum over a tree
    counts each page once; the sum of the resident set sizes (RSS) counts it for every process. ``own`` is that part of
    the PSS that is no file: what a program allocates. Other programs that have the same files open do not change it.
    """

    at: float
    pss: float
    rss: float
    own: float
    processes: int


class TreeMemory:
    """Samples the tree below ``root`` in a thread. A process that was once in the tree stays, whoever its parent is."""

    def __init__(self, root: int, interval: float) -> None:
        self._known = {root}
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = time.monotonic()
        self.samples: list[MemorySample] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> list[MemorySample]:
        """End, and give what was seen."""
        self._stop.set()
        self._thread.join()
        return self.samples

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            before = time.thread_time()
            sample = self.sample()
            if sample is not None:
                self.samples.append(sample)
            pause = max(self._interval, (time.thread_time() - before) / LARGEST_SHARE)

    def sample(self) -> MemorySample | None:
        """Look at the tree now; nothing where it is gone."""
        self._known = _with_descendants(self._known)
        memories = [memory for process in self._known if (memory := _memory(process)) is not None]
        if not memories:
            return None
        pss, rss, own = (sum(numbers) / 1e6 for numbers in zip(*memories, strict=True))
        return MemorySample(time.monotonic() - self._started, pss, rss, own, len(memories))


def _with_descendants(processes: set[int]) -> set[int]:
    """Those of ``processes`` that are still there, and all that they started."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = _parent((entry / "stat").read_text())
    found = processes & parents.keys()
    growing = True
    while growing:
        below = {process for process, parent in parents.items() if parent in found} - found
        found |= below
        growing = bool(below)
    return found


def _parent(stat: str) -> int:
    """The parent in /proc/<process>/stat: the second field behind the command in brackets (proc(5))."""
    return int(stat.rpartition(")")[2].split()[1])


def _memory(process: int) -> tuple[int, ...] | None:
    """PSS, RSS and anonymous PSS in bytes; nothing where the process is gone."""
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    numbers = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith(" kB")}
    return tuple(numbers[name] for name in ("Pss", "Rss", "Pss_Anon")) if "Pss" in numbers else None
