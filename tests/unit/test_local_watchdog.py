"""What can be read from a child's last words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmops_actions.platforms.local import user_errors, user_frames, watchdog

DUMP = """Fatal Python error: Segmentation fault

Thread 0x00007f0000000001 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 324 in wait
  File "/flow/ask.py", line 3 in ask

Current thread 0x00007f0000000002 (most recent call first):
  File "/usr/lib/python3.11/ctypes/__init__.py", line 519 in string_at
  File "/flow/.venv/lib/site-packages/x.py", line 1 in x
  File "/flow/sub/work.py", line 7 in work
  File "<string>", line 1 in <module>

Extension modules: a, b (total: 2)
"""


def test_stacks_are_read() -> None:
    first, second = watchdog.parse_stacks(DUMP)
    assert (first.thread, first.current) == (0x7F0000000001, False)
    assert (second.thread, second.current) == (0x7F0000000002, True)
    assert watchdog.where(second, Path("/flow")) == "sub/work.py:7 (work)"
    assert watchdog.where(first, Path("/elsewhere")) == "threading.py:324 (wait)"
    assert watchdog.parse_stacks("nothing of the kind") == []


def test_the_last_dump_counts() -> None:
    again = DUMP + 'Thread 0x00007f0000000002 (most recent call first):\n  File "/flow/b.py", line 1 in b\n'
    stacks = {stack.thread: stack for stack in watchdog.parse_stacks(again)}
    assert watchdog.where(stacks[0x7F0000000002], Path("/flow")) == "b.py:1 (b)"


def test_a_stack_without_frames_is_nowhere() -> None:
    [stack] = watchdog.parse_stacks("Thread 0x01 (most recent call first):\n")
    assert watchdog.where(stack, Path("/flow")) is None


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (None, "the process disappeared"),
        (3, "the process ended with exit code 3"),
        (-signal.SIGSEGV, "the process was ended by signal SIGSEGV"),
        (-signal.SIGKILL, "the process was ended by signal SIGKILL (out of memory?)"),
        (-99, "the process was ended by signal 99"),
    ],
)
def test_ends_in_words(code: int | None, text: str) -> None:
    assert watchdog.exit_text(code) == text


def test_a_dump_comes_even_while_the_interpreter_is_held(tmp_path: Path) -> None:
    stacks = tmp_path / "stacks.txt"
    code = (
        "import faulthandler, re, signal, sys\n"
        "file = open(sys.argv[1], 'w')\n"
        "faulthandler.register(signal.SIGUSR1, file, all_threads=True)\n"
        "print('ready', flush=True)\n"
        "re.match('(a+)+b', 'a' * 64)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(stacks)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        text = watchdog.dump_stacks(stacks, lambda number: os.kill(process.pid, number))
        busy = watchdog.busy_threads(process.pid, [process.pid])
        process.kill()
    assert 'File "<string>", line' in text
    assert busy == ({process.pid} if sys.platform == "linux" else set())


def test_a_silent_process_gives_an_empty_dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchdog, "_PATIENCE_FOR_A_DUMP", 0.05)
    assert watchdog.dump_stacks(tmp_path / "none", lambda _: None) == ""
    assert watchdog.busy_threads(os.getpid(), [0]) == set()


def test_where_an_error_was_raised(tmp_path: Path) -> None:
    file = tmp_path / "work.py"
    code = compile("def fail():\n    raise ValueError()\n", str(file), "exec")
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - our own two lines
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - it has no message
        names["fail"]()  # type: ignore[operator]
    assert user_frames.where_raised(caught.value, tmp_path) == "work.py:2"
    assert user_frames.where_raised(caught.value, tmp_path / "elsewhere") is None
    assert user_errors.describe(caught.value, tmp_path) == "ValueError (work.py:2)"
    assert user_errors.describe(caught.value, tmp_path / "elsewhere") == "ValueError"


def test_where_threads_are() -> None:
    here = threading.get_ident()
    assert "test_where_threads_are" in (user_frames.where_threads_are([here], Path(__file__).parent) or "")
    assert "user_frames.py" in (user_frames.where_threads_are([here], Path("/nowhere")) or "")
    assert user_frames.where_threads_are([0], Path("/nowhere")) is None
