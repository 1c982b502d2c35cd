"""Forms of flows that are rarer than those of the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.integration import runner_programs as programs
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.platforms.local.runner import LocalRunner

TOOL = "from promptflow.core import tool\n"


def answers(tmp_path: Path, program: Any, count: int = 2) -> list[Any]:
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", count))
    return [row["outputs"] for row in assert_accounted(result, tmp_path / "run", count)]


def chain(folder: Path, nodes: dict[str, str], inputs: dict[str, dict[str, str]], outputs: dict[str, str]) -> Any:
    code = {name: f"{TOOL}\n@tool\n{text}" for name, text in nodes.items()}
    definitions = [programs.python_node(name, inputs[name]) for name in nodes]
    return programs.dag(folder, code, outputs, definitions=definitions)


def test_async_tools_and_streams(tmp_path: Path) -> None:
    program = chain(
        tmp_path / "flow",
        {
            "later": "async def later(number: int) -> int:\n    return number + 1\n",
            "words": "def words(number: int):\n    yield 'a'\n    yield number\n",
            "slow_words": (
                "async def slow_words(number: int):\n    async def parts():\n        yield 'b'\n        yield number\n"
                "    return parts()\n"
            ),
        },
        {
            "later": {"number": "${inputs.number}"},
            "words": {"number": "${inputs.number}"},
            "slow_words": {"number": "${later.output}"},
        },
        {"later": "${later.output}", "words": "${words.output}", "slow_words": "${slow_words.output}"},
    )
    assert answers(tmp_path, program) == [
        {"later": 1, "words": "a0", "slow_words": "b1"},
        {"later": 2, "words": "a1", "slow_words": "b2"},
    ]


def test_parallel_nodes_run_side_by_side(tmp_path: Path) -> None:
    """Each of the two waits for the other: one after the other they would never end."""
    meet = "def {name}(number: int):\n    import meeting\n    return meeting.barrier(number).wait(10) >= 0\n"
    names = ("left", "right")
    program = chain(
        tmp_path / "flow",
        {name: meet.format(name=name) for name in names},
        {name: {"number": "${inputs.number}"} for name in names},
        {name: f"${{{name}.output}}" for name in names},
    )
    barrier = "import threading\n_all = {}\ndef barrier(n):\n    return _all.setdefault(n, threading.Barrier(2))\n"
    programs.write(tmp_path / "flow", {"meeting.py": barrier})
    assert answers(tmp_path, program) == [{"left": True, "right": True}] * 2


def test_parallel_node_that_fails_or_hangs_is_named(tmp_path: Path) -> None:
    program = chain(
        tmp_path / "flow",
        {
            "good": "def good(number: int):\n    return number\n",
            "wrong": (
                "def wrong(number: int):\n    import time\n    if number == 1:\n        raise ValueError('one')\n"
                "    if number == 2:\n        time.sleep(3600)\n    return number\n"
            ),
            "join": "def join(good: int, wrong: int):\n    return good + wrong\n",
        },
        {
            "good": {"number": "${inputs.number}"},
            "wrong": {"number": "${inputs.number}"},
            "join": {"good": "${good.output}", "wrong": "${wrong.output}"},
        },
        {"sum": "${join.output}"},
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 4), line_timeout=1)
    rows = assert_accounted(result, tmp_path / "run", 4)
    assert [row["outputs"] for row in rows] == [{"sum": 0}, None, None, {"sum": 6}]
    assert (rows[1]["error"]["node"], rows[1]["error"]["type"]) == ("wrong", "ValueError")
    assert (rows[2]["error"]["node"], rows[2]["error"]["type"]) == ("wrong", "LineTimeout")
    assert "wrong.py:" in rows[2]["error"]["message"]


@pytest.mark.parametrize(
    ("code", "entry", "expected"),
    [
        ("async def ask(number: int):\n    return number + 1\n", "ask", {"output": 1}),
        ("async def ask(number: int):\n    yield 'a'\n    yield number\n", "ask", {"output": "a0"}),
        ("def ask(number: int):\n    yield 'a'\n    yield number\n", "ask", {"output": "a0"}),
        ("def ask(number: int):\n    return {'a': iter(['x', 'y']), 'b': number}\n", "ask", {"a": "xy", "b": 0}),
        (
            (
                "from dataclasses import dataclass\n@dataclass\nclass A:\n    a: object\n"
                "def ask(number: int):\n    return A(iter(['x', 'y']))\n"
            ),
            "ask",
            {"a": "xy"},
        ),
        ("class Ask:\n    async def __call__(self, number: int):\n        return number\n", "Ask", {"output": 0}),
    ],
)
def test_flex_forms(tmp_path: Path, code: str, entry: str, expected: object) -> None:
    assert answers(tmp_path, programs.flex(tmp_path / "flow", code, entry), 1) == [expected]


def test_flex_async_aggregation_and_logged_metrics(tmp_path: Path) -> None:
    program = programs.flex(
        tmp_path / "flow",
        """
        from promptflow.core import log_metric

        class Ask:
            def __call__(self, number: int):
                return {"number": number}

            async def __aggregate__(self, rows: list):
                log_metric("logged", rows[1].number)
                log_metric("nan", float("nan"))
                return {"rows": len(rows)}
        """,
        "Ask",
        aggregates=True,
    )
    result, heard = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 3))
    assert result.metrics == {"logged": 1, "rows": 3}
    assert "metric nan is nan: left out" in [progress.note for progress in heard]


def test_aggregation_without_a_method(tmp_path: Path) -> None:
    program = programs.flex(tmp_path / "flow", "def ask(number: int):\n    return number\n", "ask", aggregates=True)
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 1))
    assert result.status == "failed"
    assert "no __aggregate__ method" in (result.error or "")


def test_everything_that_prompt_flow_offers_can_be_imported(tmp_path: Path) -> None:
    """What the fork server stands in for becomes the real thing when code asks for it."""
    program = programs.one_node(
        tmp_path / "flow",
        """
        import promptflow
        from promptflow import PFClient, log_metric, tool as old_tool
        from promptflow._cli._utils import _set_workspace_argument_for_subparsers, get_workspace_triad_from_local
        from promptflow._internal import ToolProvider, VERSION, register_builtins
        from promptflow.client import load_flow

        @tool
        def work(number: int, text: str) -> str:
            try:
                promptflow.nothing
            except AttributeError:
                pass
            get_workspace_triad_from_local()
            return f"{PFClient.__name__} {promptflow.__version__} {VERSION} {hasattr(promptflow, '__wrapped__')}"
        """,
    )
    assert answers(tmp_path, program, 1) == [{"answer": "PFClient 1.18.5 1.18.5 False"}]


def test_tracing_asked_for_in_a_flow_starts_nothing(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import os
        from promptflow.tracing import start_trace, trace

        start_trace()

        @trace
        def inner(text: str) -> str:
            return text

        @tool
        def work(number: int, text: str) -> str:
            return f"{inner(text)} {sorted(os.listdir(os.environ['PF_HOME_DIRECTORY']))}"
        """,
    )
    assert answers(tmp_path, program, 1) == [{"answer": "text 0 ['pf.yaml']"}]
