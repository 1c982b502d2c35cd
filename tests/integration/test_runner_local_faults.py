"""Rows and children that go wrong in every way: each row ends once, and the cause is named."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.integration import runner_programs as programs
from tests.integration.offline_model_server import running
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.errors import InterruptedRunError
from llmops_actions.platforms.local import runner as runner_module
from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.platforms.local.runner import LocalRunner
from llmops_actions.platforms.ports import Program, RunProgress

REFUSE_TWO = """
import ctypes, os, re, signal, sys, time
@tool
def work(number: int, text: str) -> str:
    if number == 2:
        {action}
    return text
"""


def bad_row(folder: Path, action: str) -> Program:
    return programs.one_node(folder, REFUSE_TWO.format(action=action))


@pytest.mark.parametrize(
    ("action", "kind", "words"),
    [
        ("raise KeyError('lost')", "KeyError", "'lost' (work.py:"),
        ("sys.exit(4)", "SystemExit", "4"),
        ("os._exit(5)", "ProgramError", "os._exit(5)"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "work.py"),
        ("return object()", "OutputNotJson", "'answer' is not JSON"),
        ("return float('nan')", "OutputNotJson", "'answer' is not JSON"),
        ("return {1: 2}[1] / 0", "ZeroDivisionError", "division by zero"),
        ("return work(number, text)", "RecursionError", "recursion"),
    ],
)
def test_row_that_fails(tmp_path: Path, action: str, kind: str, words: str) -> None:
    result, _ = run_one(LocalRunner(), bulk_run(bad_row(tmp_path / "flow", action), tmp_path / "run", 5))
    rows = assert_accounted(result, tmp_path / "run", 5)
    assert [row["status"] for row in rows] == ["completed"] * 2 + ["failed"] + ["completed"] * 2
    assert rows[2]["error"]["type"] == kind
    assert words in rows[2]["error"]["message"]
    assert result.status == "completed"


def test_row_that_crashes_its_process(tmp_path: Path) -> None:
    program = bad_row(tmp_path / "flow", "ctypes.string_at(0)")
    result, heard = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 30))
    rows = assert_accounted(result, tmp_path / "run", 30)
    assert [row["line"] for row in rows if row["status"] == "failed"] == [2]
    assert rows[2]["error"]["type"] == "ChildDied"
    assert "SIGSEGV" in rows[2]["error"]["message"]
    assert "work.py:" in rows[2]["error"]["message"]
    assert any("SIGSEGV" in (progress.note or "") for progress in heard)


def test_row_that_is_killed_is_found_by_running_suspects_alone(tmp_path: Path) -> None:
    """As the system does when memory runs out: nothing says which row it was."""
    program = bad_row(tmp_path / "flow", "os.kill(os.getpid(), signal.SIGKILL)")
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 30))
    rows = assert_accounted(result, tmp_path / "run", 30)
    assert [row["line"] for row in rows if row["status"] == "failed"] == [2]
    assert "SIGKILL (out of memory?)" in rows[2]["error"]["message"]


def test_children_that_keep_dying(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import ctypes

        @tool
        def work(number: int, text: str) -> str:
            ctypes.string_at(0)
        """,
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 40))
    rows = assert_accounted(result, tmp_path / "run", 40)
    assert result.status == "failed"
    assert "child processes died in a row" in (result.error or "")
    assert {row["error"]["type"] for row in rows} == {"ChildDied", "ChildrenKeepDying"}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("while True: number += 1", "work.py:"),
        ("time.sleep(3600)", "work.py:"),
    ],
)
def test_row_that_hangs(tmp_path: Path, action: str, words: str) -> None:
    program = bad_row(tmp_path / "flow", action)
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 12), line_timeout=1)
    rows = assert_accounted(result, tmp_path / "run", 12)
    assert [row["line"] for row in rows if row["status"] == "failed"] == [2]
    assert rows[2]["error"]["type"] == "LineTimeout"
    assert rows[2]["error"]["node"] == "work"
    assert words in rows[2]["error"]["message"]


def test_row_that_holds_the_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A regular expression that never ends holds the lock of the interpreter: nothing in the child runs any more."""
    monkeypatch.setattr(runner_module, "_GRACE_SECONDS", 0.5)
    program = bad_row(tmp_path / "flow", "re.match('(a+)+b', 'a' * 64)")
    result, heard = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 12), line_timeout=1)
    rows = assert_accounted(result, tmp_path / "run", 12)
    assert [row["line"] for row in rows if row["status"] == "failed"] == [2]
    assert rows[2]["error"]["type"] == "LineTimeout"
    assert "held up its process; it was at work.py:" in rows[2]["error"]["message"]
    assert any("no longer answers" in (progress.note or "") for progress in heard)


def test_child_with_many_hung_threads_is_replaced(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import os, time

        @tool
        def work(number: int, text: str) -> str:
            if number < 12:
                time.sleep(3600)
            return str(os.getpid())
        """,
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 20), line_timeout=1)
    rows = assert_accounted(result, tmp_path / "run", 20)
    assert [row["status"] for row in rows] == ["failed"] * 12 + ["completed"] * 8


def test_killed_child_is_replaced(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import os, signal
        from pathlib import Path

        @tool
        def work(number: int, text: str) -> str:
            mark = Path("killed-once")
            if number == 3 and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return text
        """,
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 20))
    assert_accounted(result, tmp_path / "run", 20)
    assert result.completed >= 19


def test_process_dies_while_it_loads(tmp_path: Path) -> None:
    program = programs.one_node(tmp_path / "flow", "import os\nos._exit(9)\n")
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 3))
    assert_accounted(result, tmp_path / "run", 3)
    assert result.status == "failed"
    assert "exit code 9" in (result.error or "")


def test_run_that_takes_too_long(tmp_path: Path) -> None:
    program = bad_row(tmp_path / "flow", "time.sleep(3600)")
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 6), run_timeout=2, line_timeout=0)
    rows = assert_accounted(result, tmp_path / "run", 6)
    assert result.status == "timed-out"
    assert rows[2]["error"]["type"] == "RunTimeout"
    assert result.completed == 5


def test_aggregation_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "_AGGREGATION_FACTOR", 1)
    program = programs.flex(
        tmp_path / "flow",
        """
        import time

        class Count:
            def __call__(self, number: int) -> int:
                return number

            def __aggregate__(self, answers: list) -> dict:
                time.sleep(3600)
        """,
        "Count",
        aggregates=True,
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 2), line_timeout=1)
    assert_accounted(result, tmp_path / "run", 2)
    assert result.status == "failed"
    assert "Aggregation took longer" in (result.error or "")


def test_ctrl_c_keeps_what_ended(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import threading

        @tool
        def work(number: int, text: str) -> str:
            if number > 4:
                threading.Event().wait()
            return text
        """,
    )
    sent: list[int] = []

    def interrupt(progress: RunProgress) -> None:
        if not sent:
            sent.append(progress.ended)
            os.kill(os.getpid(), signal.SIGINT)

    run = bulk_run(program, tmp_path / "run", 50)
    with pytest.raises(InterruptedRunError, match="--resume"):
        LocalRunner().run([run], programs.SETTINGS, interrupt)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ended = programs.records(tmp_path / "run")
    assert 1 <= len(ended) <= 5
    (tmp_path / "flow" / "work.py").write_text(
        "from promptflow.core import tool\n@tool\ndef work(number: int, text: str) -> str:\n    return text\n"
    )
    result, _ = run_one(LocalRunner(), run, resume=True)
    assert_accounted(result, tmp_path / "run", 50)
    assert (result.reused, result.completed) == (len(ended), 50)


ASK = """
import os, openai

@tool
def work(number: int, text: str) -> str:
    client = openai.OpenAI(api_key="none", base_url=os.environ["MODEL_URL"])
    answer = client.chat.completions.create(model="gpt-35-turbo", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content
"""


@pytest.mark.parametrize(("call_timeout", "completed"), [(0, 2), (0.3, 0)])
def test_slow_model_has_all_of_the_rows_time(tmp_path: Path, call_timeout: float, completed: int) -> None:
    with running(Settings(latency=1.2)) as url:
        program = programs.one_node(tmp_path / "flow", ASK)
        run = bulk_run(program, tmp_path / "run", 2, environment={"MODEL_URL": f"{url}/v1"})
        result, _ = run_one(LocalRunner(), run, line_timeout=3, call_timeout=call_timeout, attempts=2)
    assert_accounted(result, tmp_path / "run", 2)
    assert (result.completed, result.attempts) == (completed, 2 if completed else 4)


def test_service_that_asks_to_wait_a_day(tmp_path: Path) -> None:
    with running(Settings(faults={"429": 1.0}, retry_after=86400.0)) as url:
        program = programs.one_node(tmp_path / "flow", ASK)
        run = bulk_run(program, tmp_path / "run", 4, environment={"MODEL_URL": f"{url}/v1"})
        result, heard = run_one(LocalRunner(), run, line_timeout=0, run_timeout=60)
    rows = assert_accounted(result, tmp_path / "run", 4)
    assert (result.status, result.failed) == ("completed", 4)
    assert "the service asks to wait 24 h" in rows[0]["error"]["message"]
    assert any("127.0.0.1 answers 429 and asks to wait 86400 s" in (progress.note or "") for progress in heard)
