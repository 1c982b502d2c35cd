"""Progress: lines for a log, one live line for a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ
from typing import TextIO

import pytest

from llmops_actions.platforms.ports import BulkRun, Program, RunProgress
from llmops_actions.progress import LineProgress, LiveProgress, SilentProgress, describe
from llmops_actions.steps.running import announce

PROGRAM = Program("dag", Path(), "flow.dag.yaml", {})
HOSTILE = "\x1b[2Jcleared\r\n::error::no\u202e"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def moved(ended: int, failed: int = 0, total: int = 10, name: str = "run", note: str | None = None) -> RunProgress:
    return RunProgress(name, ended, failed, total, note)


def test_a_line_for_each_phase_for_each_end_and_now_and_then() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock, interval=10)
    progress.phase("bulk-run")
    progress.run(moved(1))
    clock.now += 9.9
    progress.run(moved(2))
    clock.now += 0.2
    progress.run(moved(3, 1))
    progress.run(moved(4, 1))
    progress.run(moved(10, 1))
    progress.run(moved(10, 1))
    progress.close()
    assert stream.getvalue().splitlines() == [
        "==> bulk-run",
        "    run: 3/10 rows, 1 failed",
        "    run: 10/10 rows, 1 failed",
    ]


def test_a_run_that_ends_again_in_another_phase_is_told_again() -> None:
    stream = io.StringIO()
    progress = LineProgress(stream, Clock())
    for title in ("one", "two"):
        progress.phase(title)
        progress.run(moved(10))
        progress.run(moved(10, note="late"))
    assert stream.getvalue().count("run: 10/10 rows") == 2
    assert stream.getvalue().count("    run: late") == 2


@pytest.mark.parametrize("kind", [LineProgress, LiveProgress])
def test_nothing_from_outside_moves_the_cursor_or_starts_a_line(kind: type[LineProgress] | type[LiveProgress]) -> None:
    stream = io.StringIO()
    progress = kind(stream, Clock())
    progress.phase(HOSTILE)
    progress.note(HOSTILE)
    progress.run(moved(1, note=HOSTILE))
    progress.close()
    shown = stream.getvalue().replace("\r\x1b[K", "").replace("\x1b[K", "")
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert not re.search(r"^::", shown, re.MULTILINE)
    assert "cleared" in shown


def test_silence() -> None:
    progress = SilentProgress()
    progress.phase("x")
    progress.run(moved(1))
    progress.note("x")
    progress.close()


def test_the_live_line_sums_up_all_runs() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LiveProgress(stream, clock, interval=0.1)
    progress.phase("bulk-run")
    progress.run(moved(5, name="a"))
    clock.now += 0.05
    progress.run(moved(6, name="a"))
    clock.now += 0.06
    progress.run(moved(5, 2, name="b"))
    progress.run(moved(10, 2, name="b"))
    progress.note("a note")
    progress.close()
    progress.close()
    frames = [frame.removesuffix("\x1b[K") for frame in stream.getvalue().split("\r")]
    assert frames == [
        "==> bulk-run\n",
        f"    {'█' * 10:░<20} 5/10 rows, 0/1 runs",
        f"    {'█' * 11:░<20} 11/20 rows, 2 failed, 0/2 runs",
        f"    {'█' * 16:░<20} 16/20 rows, 2 failed, 1/2 runs",
        "\x1b[K    a note\n",
        f"    {'█' * 16:░<20} 16/20 rows, 2 failed, 1/2 runs\x1b[K\n",
    ]


def test_runs_without_rows_and_phases_without_runs() -> None:
    stream = io.StringIO()
    progress = LiveProgress(stream, Clock())
    progress.run(moved(0, total=0))
    progress.phase("next")
    progress.phase("last")
    progress.close()
    assert "0/0 rows, 1/1 runs" in stream.getvalue()
    assert stream.getvalue().endswith("\n==> next\n==> last\n")


@contextmanager
def terminal(columns: int) -> Iterator[tuple[TextIO, int]]:
    ours, theirs = pty.openpty()
    ioctl(theirs, TIOCSWINSZ, pack("HHHH", 24, columns, 0, 0))
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            yield stream, ours
    finally:
        os.close(ours)


@pytest.mark.parametrize(("columns", "longest"), [(30, 29), (1, 0), (0, 79)])
def test_the_live_line_never_wraps(columns: int, longest: int) -> None:
    with terminal(columns) as (stream, reader):
        progress = LiveProgress(stream, Clock())
        progress.run(moved(999_999, 88_888, total=1_000_000, name="x"))
        shown = os.read(reader, 10_000).decode("utf-8")
    line = shown.removeprefix("\r").removesuffix("\x1b[K")
    assert len(line) <= longest
    assert line[:10] == "    ██████"[: len(line)]


def test_words() -> None:
    assert describe(moved(3)) == "run: 3/10 rows"
    assert describe(moved(3, 1)) == "run: 3/10 rows, 1 failed"


def test_after_some_seconds_every_run_that_moved_has_a_line_whichever_moves() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock, interval=10)
    for name in ("a", "b", "c", "d"):
        progress.run(moved(0, name=name))
    progress.run(moved(1, name="a"))
    progress.run(moved(10, name="c"))
    clock.now += 10
    progress.run(moved(2, name="b"))
    progress.close()
    assert stream.getvalue().splitlines() == [
        "    c: 10/10 rows",
        "    a: 1/10 rows",
        "    b: 2/10 rows",
        "    1 other run not ended",
    ]


def test_a_line_comes_also_where_no_run_moves() -> None:
    """The thread that keeps the time writes: nothing else calls for it."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, encoding="utf-8") as reader, os.fdopen(theirs, "w", encoding="utf-8") as stream:
        progress = LineProgress(stream, interval=0.01)
        progress.run(moved(0, name="slow"))
        assert reader.readline() == "    slow: 0/10 rows\n"
        assert reader.readline() == "    slow: 0/10 rows\n"
        progress.close()


def test_when_all_runs_have_ended_nothing_more_comes() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = LineProgress(stream, clock, interval=10)
    progress.run(moved(10))
    clock.now += 60
    progress.tick()
    progress.close()
    assert stream.getvalue() == "    run: 10/10 rows\n"


def test_runs_that_are_announced_count_from_the_start() -> None:
    stream = io.StringIO()
    progress = LiveProgress(stream, Clock())
    announced = [BulkRun(name, PROGRAM, (), 10, Path(), "") for name in ("a", "b")]
    announce(announced, progress)
    progress.run(moved(10, name="a"))
    progress.close()
    assert "10/20 rows, 1/2 runs" in stream.getvalue()
    assert "10/10 rows" not in stream.getvalue()
