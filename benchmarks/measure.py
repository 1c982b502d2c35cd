"""Measures whole processes: wall time, processor time, and the memory of their tree; and sums measurements up."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from benchmarks.memory import MemorySample, TreeMemory

LONGEST = 3600.0
"""Seconds after which a process is given up."""
MEMORY_INTERVAL = 0.25


class BenchmarkError(Exception):
    """A measurement that means nothing: a process failed, or two sides gave different results."""


@dataclass(frozen=True)
class Sample:
    """One run of one side: seconds of wall and processor time of all its processes, and its memory over time."""

    wall: float
    cpu: float
    memory: tuple[MemorySample, ...] = ()

    def __add__(self, other: Sample) -> Sample:
        later = [replace(each, at=each.at + self.wall) for each in other.memory]
        return Sample(self.wall + other.wall, self.cpu + other.cpu, (*self.memory, *later))

    @property
    def peak_pss(self) -> float:
        """Megabytes at the highest point of the whole tree."""
        return max((each.pss for each in self.memory), default=0.0)

    @property
    def peak_own(self) -> float:
        """Megabytes at the highest point, without files that are mapped."""
        return max((each.own for each in self.memory), default=0.0)

    @property
    def peak_rss(self) -> float:
        """Megabytes at the highest point, pages that processes share counted for each."""
        return max((each.rss for each in self.memory), default=0.0)


class Spread(BaseModel, frozen=True):
    """Several measurements of the same thing."""

    median: float
    lowest: float
    highest: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Median, lowest and highest of ``values``."""
    return Spread(median=statistics.median(values), lowest=min(values), highest=max(values), count=len(values))


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """How many times ``above`` is ``below``, pair by pair: neighbours in time, so that slow drift cancels out."""
    return spread([one / other for one, other in zip(above, below, strict=True)])


def measure(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], memory_interval: float | None = MEMORY_INTERVAL
) -> Sample:
    """Run ``words`` as a process in ``folder`` and wait for its end.

    Raises:
        BenchmarkError: it did not succeed; with the end of what it said.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        started = time.perf_counter()
        process = _start(words, folder, environment, said)
        memory = TreeMemory(process.pid, memory_interval) if memory_interval else None
        alarm = threading.Timer(LONGEST, _kill, [process.pid])
        alarm.start()
        try:
            if memory:
                memory.start()
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            _kill(process.pid)
            process.wait()
            raise
        finally:
            alarm.cancel()
            samples = memory.stop() if memory else []
        if process.returncode:
            said.seek(0)
            raise BenchmarkError(f"{' '.join(words)} ended with {process.returncode}:\n{said.read()[-4000:]}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, tuple(samples))


def _start(
    words: Sequence[str], folder: Path, environment: Mapping[str, str], output: IO[str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise BenchmarkError(f"{words[0]} cannot be started: {error.strerror}") from error


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)


def alternate(
    sides: Mapping[str, Callable[[], Sample]], runs: int, say: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Measure each side ``runs`` times, taking turns: A B A B."""
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    for number in range(1, runs + 1):
        for name, side in sides.items():
            sample = side()
            samples[name].append(sample)
            peak = f", peak {sample.peak_pss:.0f} MB" if sample.memory else ""
            say(f"{name}, {number} of {runs}: {sample.wall:.2f} s (processors {sample.cpu:.2f} s{peak})")
    return samples
