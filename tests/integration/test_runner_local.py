"""What the local runner does beyond the contract: functions, environment, output, resume, limits, processes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.integration import runner_programs as programs
from tests.integration.offline_model_server import running
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.errors import PlatformError
from llmops_actions.platforms.local import children
from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.platforms.local.runner import LocalRunner
from llmops_actions.platforms.ports import BulkRun, Program, Row

COUNT_UP = """
class Count:
    def __call__(self, number: int) -> {kind}:
        with open("started.txt", "a") as file:
            file.write(f"{{number}}\\n")
        if number in {bad}:
            raise ValueError("bad luck")
        return {value}

    def __aggregate__(self, answers: list) -> dict:
        return {{"rows": len(answers), "sum": sum({item} for answer in answers)}}
"""


def counting(folder: Path, bad: str = "()", pickled: bool = False) -> Program:
    value, item = ("(number, number)", "answer[1]") if pickled else ("number", "answer")
    code = COUNT_UP.format(kind="object", bad=bad, value=value, item=item)
    return programs.flex(folder, code, "Count", aggregates=True)


def started(folder: Path) -> list[int]:
    return [int(text) for text in (folder / "started.txt").read_text().split()]


def cut(folder: Path, lines: int) -> None:
    """Leave so many rows, as if the run had been interrupted there."""
    for name in ("rows.jsonl", "aggregation.jsonl"):
        file = folder / name
        if file.exists():
            file.write_text("".join(file.read_text().splitlines(keepends=True)[:lines]))
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "metrics": None}))


@pytest.mark.parametrize("pickled", [False, True])
def test_resume_runs_what_is_missing_and_aggregates_all(tmp_path: Path, pickled: bool) -> None:
    run = bulk_run(counting(tmp_path / "flow", pickled=pickled), tmp_path / "run", 6)
    first, _ = run_one(LocalRunner(), run, concurrency=1)
    cut(tmp_path / "run", 4)
    result, _ = run_one(LocalRunner(), run, resume=True, concurrency=1)
    assert_accounted(result, tmp_path / "run", 6)
    assert first.metrics == result.metrics == {"rows": 6, "sum": 15}
    again = list(range(6)) if pickled else [4, 5]
    assert started(tmp_path / "flow") == [*range(6), *again]
    assert result.reused == 6 - len(again)


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    run = bulk_run(counting(tmp_path / "flow"), tmp_path / "run", 3)
    run_one(LocalRunner(), run)
    result, heard = run_one(LocalRunner(), run, resume=True)
    assert (result.reused, result.completed, result.metrics) == (3, 3, {"rows": 3, "sum": 3})
    assert len(started(tmp_path / "flow")) == 3
    assert heard[-1].ended == 3


def test_a_run_that_is_not_the_same_starts_anew(tmp_path: Path) -> None:
    run = bulk_run(counting(tmp_path / "flow"), tmp_path / "run", 3)
    run_one(LocalRunner(), run)
    for other, settings in ((run, {}), (replace(run, fingerprint="another"), {"resume": True})):
        result, _ = run_one(LocalRunner(), other, **settings)
        assert (result.reused, result.completed) == (0, 3)
    assert len(started(tmp_path / "flow")) == 9


def test_failed_rows_run_again_only_on_request(tmp_path: Path) -> None:
    run = bulk_run(counting(tmp_path / "flow", bad="(1, 3)"), tmp_path / "run", 5)
    first, _ = run_one(LocalRunner(), run)
    assert (first.failed, first.metrics) == (2, {"rows": 3, "sum": 6})
    result, _ = run_one(LocalRunner(), run, resume=True)
    assert (result.failed, result.reused) == (2, 5)
    counting(tmp_path / "flow")
    result, _ = run_one(LocalRunner(), run, resume=True, retry_failed=True)
    assert_accounted(result, tmp_path / "run", 5)
    assert (result.failed, result.reused, result.metrics) == (0, 3, {"rows": 5, "sum": 10})
    assert sorted(started(tmp_path / "flow")[5:]) == [1, 3]


def test_environment_folder_and_output(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import os, subprocess, sys

        print("while it loads")

        @tool
        def work(number: int, text: str) -> str:
            print(f"said by {text}")
            print("to the error channel", file=sys.stderr)
            subprocess.run(["echo", "by a process"])
            names = ("OF_RUN", "OF_FLOW", "OF_PARENT", "PF_DISABLE_TRACING")
            return "|".join([os.getcwd(), *(os.environ.get(name, "-") for name in names)])
        """,
    )
    definition = {**program.definition, "environment_variables": {"OF_FLOW": 5, "OF_RUN": "weaker"}}
    program = replace(program, definition=definition)
    run = bulk_run(program, tmp_path / "run", 2, environment={"OF_RUN": "run"})
    os.environ["OF_PARENT"] = "parent"
    try:
        result, _ = run_one(LocalRunner(), run)
    finally:
        del os.environ["OF_PARENT"]
    rows = assert_accounted(result, tmp_path / "run", 2)
    assert rows[0]["outputs"]["answer"] == f"{tmp_path / 'flow'}|run|5|parent|true"
    log = (tmp_path / "run" / "log.txt").read_text()
    for text in ("while it loads", "said by text 0", "said by text 1", "to the error channel", "by a process"):
        assert text in log
    assert "OF_RUN" not in os.environ


def test_log_is_bounded(tmp_path: Path) -> None:
    program = programs.one_node(
        tmp_path / "flow",
        """
        import subprocess, sys

        @tool
        def work(number: int, text: str) -> str:
            print("x" * 500_000)
            subprocess.run([sys.executable, "-c", "print('y' * 500_000)"])
            return text
        """,
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 10))
    assert_accounted(result, tmp_path / "run", 10)
    log = tmp_path / "run" / "log.txt"
    assert log.stat().st_size < 2_100_000
    assert "left out" in log.read_text()[-400:]


def test_python_functions(tmp_path: Path) -> None:
    files = {
        "eval_length.py": """
            from shared import LIMIT

            def eval_length(text: str, limit: int = LIMIT) -> dict:
                return {"long": len(text) > limit, "count": len(text)}
        """,
        "eval_same.py": """
            async def eval_same(text, **others):
                return others == {"number": int(text.split()[1])}

            def eval_needs(answer):
                return 1
        """,
        "shared.py": "LIMIT = 3\n",
    }
    folder = tmp_path / "evaluators"
    names = [("eval_length.py", "eval_length"), ("eval_same.py", "eval_same")]
    program = programs.functions(folder, files, names)
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 2))
    rows = assert_accounted(result, tmp_path / "run", 2)
    assert rows[1]["outputs"] == {"length.long": True, "length.count": 6, "same": True}
    alone = programs.functions(folder, {}, names[:1])
    result, _ = run_one(LocalRunner(), bulk_run(alone, tmp_path / "alone", 1))
    assert programs.records(tmp_path / "alone")[0]["outputs"] == {"long": True, "count": 6}
    needy = programs.functions(folder, {}, [("eval_same.py", "eval_needs")])
    result, _ = run_one(LocalRunner(), bulk_run(needy, tmp_path / "needy", 1))
    error = programs.records(tmp_path / "needy")[0]["error"]
    assert error["message"] == "eval_needs needs answer, which the mappings do not give (given: number, text)"


def test_functions_of_the_established_templates(tmp_path: Path) -> None:
    code = """
        import json

        def eval_all(run_name, data_id, column_mapping, output_path=None):
            rows = [json.loads(line) for line in open(data_id)]
            assert column_mapping == {"number": "${data.number}", "text": "${data.text}"}
            print(run_name, output_path)
            return {"metrics": {"sum": sum(row["number"] for row in rows), "name": "x"}, "rows": rows}
    """
    program = programs.functions(
        tmp_path / "evaluators", {"eval_all.py": code}, [("eval_all.py", "eval_all")], aggregates=True
    )
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 4))
    rows = assert_accounted(result, tmp_path / "run", 4)
    assert (result.status, result.metrics) == ("completed", {"sum": 6})
    assert rows[0]["outputs"] == {}


def test_a_function_over_all_rows_that_returns_nothing_has_no_metrics(tmp_path: Path) -> None:
    code = "def eval_x(run_name, data_id, column_mapping):\n    print(run_name)\n"
    program = programs.functions(tmp_path / "e", {"eval_x.py": code}, [("eval_x.py", "eval_x")], aggregates=True)
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 2))
    assert (result.status, result.error, result.metrics) == ("completed", None, {})


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def eval_x(a, /):\n    return 1\n", "positional-only"),
        ("x = 1\n", "has no function eval_x"),
        ("def eval_x(:\n", "invalid syntax"),
        ("def eval_x(run_name, data_id, column_mapping, more):\n    return {}\n", "needs more"),
        ("def eval_x(run_name, data_id, column_mapping):\n    return 5\n", "must return a dictionary"),
    ],
)
def test_functions_that_do_not_fit(tmp_path: Path, code: str, words: str) -> None:
    program = programs.functions(tmp_path / "e", {"eval_x.py": code}, [("eval_x.py", "eval_x")], aggregates=True)
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 2))
    assert_accounted(result, tmp_path / "run", 2)
    assert result.status == "failed"
    assert words in (result.error or "")


def test_usage_and_cost(tmp_path: Path) -> None:
    program = programs.flex(
        tmp_path / "flow",
        """
        import os
        from concurrent.futures import ThreadPoolExecutor
        from openai import OpenAI
        from promptflow.core import Prompty

        def ask(number: int) -> str:
            client = OpenAI(base_url=os.environ["MODEL"], api_key="none")
            def call(_):
                messages = [{"role": "user", "content": "hello"}]
                return client.chat.completions.create(model="gpt-35-turbo", messages=messages)
            with ThreadPoolExecutor(2) as pool:
                return pool.map(call, range(number)).__next__().choices[0].message.content if number else ""
        """,
        "ask",
    )
    with running() as url:
        run = bulk_run(
            program,
            tmp_path / "run",
            3,
            environment={"MODEL": f"{url}/v1"},
            connections={"model": programs.connection(url)},
        )
        result, _ = run_one(LocalRunner(), run)
    rows = assert_accounted(result, tmp_path / "run", 3)
    assert [row["attempts"] for row in rows] == [0, 1, 2]
    used = result.usage["gpt-35-turbo"]
    assert used.calls == 3
    assert result.cost == pytest.approx((used.prompt_tokens * 0.5 + used.completion_tokens * 1.5) / 1e6)
    assert sum(row["cost"] for row in rows) == pytest.approx(result.cost)


def test_functions_that_call_a_model(tmp_path: Path) -> None:
    """Their calls are counted and retried, too, though openai is imported only when they ask for it."""
    code = """
        import os

        def eval_ask(text):
            from openai import OpenAI
            with OpenAI(base_url=os.environ["MODEL"], api_key="none") as client:
                messages = [{"role": "user", "content": text}]
                answer = client.chat.completions.create(model="gpt-35-turbo", messages=messages)
            return answer.choices[0].message.content
    """
    program = programs.functions(tmp_path / "e", {"eval_ask.py": code}, [("eval_ask.py", "eval_ask")])
    with running(Settings(faults={"500": 0.3}, seed=1)) as url:
        run = bulk_run(program, tmp_path / "run", 8, environment={"MODEL": f"{url}/v1"})
        result, _ = run_one(LocalRunner(), run)
    rows = assert_accounted(result, tmp_path / "run", 8)
    assert rows[1]["outputs"] == {"ask": "You said: text 1"}
    assert result.usage["gpt-35-turbo"].calls == 8
    assert result.attempts > 8


def test_requests_per_minute_are_kept(tmp_path: Path) -> None:
    """600 requests a minute are one row in 0.1 s: five rows cannot end before 0.4 s are over."""
    program = programs.flex(tmp_path / "flow", "def same(number: int):\n    return number\n", "same")
    connections = {"model": programs.connection("http://127.0.0.1:9", requests_per_minute=600)}
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 5, connections=connections))
    assert_accounted(result, tmp_path / "run", 5)
    assert result.duration >= 0.4


def test_inputs_that_are_not_json(tmp_path: Path) -> None:
    program = programs.flex(tmp_path / "flow", "def same(number: int):\n    return number\n", "same")
    rows: list[Row] = [
        Row(0, "a", {"number": {1, 2}}),
        Row(1, "b", {"number": float("nan")}),
        Row(2, "c", {"number": 1}),
    ]
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 3, rows=rows))
    ended = assert_accounted(result, tmp_path / "run", 3)
    assert [row["status"] for row in ended] == ["failed", "failed", "completed"]
    assert ended[0]["error"]["type"] == "InputNotJson"


def test_fewer_rows_than_announced(tmp_path: Path) -> None:
    program = programs.flex(tmp_path / "flow", "def same(number: int):\n    return number\n", "same")
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 3, rows=programs.CountedRows(2)))
    assert (result.status, result.error) == ("failed", "3 rows were announced, but 2 came.")


def test_many_runs_share_few_processes(tmp_path: Path) -> None:
    code = "import os\ndef where(number: int):\n    return os.getpid()\n"
    runs: list[BulkRun] = []
    for name in ("a", "b", "c", "d"):
        program = programs.flex(tmp_path / name, code, "where")
        runs.append(bulk_run(program, tmp_path / f"run-{name}", 600 if name == "d" else 3))
    results = LocalRunner().run(runs, replace(programs.SETTINGS, processes=2), lambda _: None)
    processes = []
    for run, result in zip(runs, results, strict=True):
        rows = assert_accounted(result, run.folder, run.row_count)
        processes.append({row["outputs"]["output"] for row in rows})
    assert [len(group) for group in processes] == [1, 1, 1, 2]
    assert len(set.union(*processes)) == 5, "no process works for two runs"


def test_names_must_differ(tmp_path: Path) -> None:
    run = bulk_run(counting(tmp_path / "flow"), tmp_path / "run", 1)
    with pytest.raises(PlatformError, match="same name"):
        LocalRunner().run([run, run], programs.SETTINGS, lambda _: None)
    assert LocalRunner().run([], programs.SETTINGS, lambda _: None) == []


def test_the_fork_server_serves_several_runs_and_comes_back(tmp_path: Path) -> None:
    program = programs.flex(tmp_path / "flow", "import os\ndef who(number: int):\n    return os.getppid()\n", "who")
    runner = LocalRunner()
    runner.prepare()

    def parent(name: str) -> Any:
        run_one(runner, bulk_run(program, tmp_path / name, 1))
        return programs.records(tmp_path / name)[0]["outputs"]["output"]

    first = parent("first")
    assert parent("second") == first
    server = children.shared_fork_server()._process
    server.kill()
    server.wait()
    assert parent("third") != first


def test_a_listener_that_fails_leaves_no_child(tmp_path: Path) -> None:
    program = programs.flex(tmp_path / "flow", "import os\ndef who(number: int):\n    return os.getpid()\n", "who")

    def listen(_: object) -> None:
        raise RuntimeError("listener")

    with pytest.raises(RuntimeError, match="listener"):
        LocalRunner().run([bulk_run(program, tmp_path / "run", 3)], programs.SETTINGS, listen)
    child = programs.records(tmp_path / "run")[0]["outputs"]["output"]
    server = children.shared_fork_server()
    server.exit_code(child, patience=5)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_flex_class_with_a_prompty_and_a_connection_by_name(tmp_path: Path) -> None:
    folder = programs.write(
        tmp_path / "flow",
        {
            "ask.prompty": """
                ---
                model:
                  api: chat
                  configuration:
                    type: openai
                    model: gpt-35-turbo
                    connection: model
                  parameters:
                    temperature: 0
                inputs:
                  text:
                    type: string
                ---
                user:
                {{text}}
            """
        },
    )
    program = programs.flex(
        folder,
        """
        from pathlib import Path
        from promptflow.core import OpenAIModelConfiguration, Prompty

        class Ask:
            def __init__(self, model_config: OpenAIModelConfiguration):
                self.prompty = Prompty.load(
                    source=Path(__file__).with_name("ask.prompty"), model={"configuration": model_config}
                )

            def __call__(self, text: str) -> str:
                return self.prompty(text=text)
        """,
        "Ask",
        init={"model_config": {"connection": "model", "model": "gpt-35-turbo"}},
    )
    with running() as url:
        run = bulk_run(program, tmp_path / "run", 3, connections={"model": programs.connection(url)})
        result, _ = run_one(LocalRunner(), run)
    rows = assert_accounted(result, tmp_path / "run", 3)
    assert rows[2]["outputs"] == {"output": "You said: text 2"}
    assert result.usage["gpt-35-turbo"].calls == 3


def test_a_row_that_was_spooled_but_not_recorded_counts_once(tmp_path: Path) -> None:
    """Killed between the two writes; on the second try the row fails."""
    run = bulk_run(counting(tmp_path / "flow"), tmp_path / "run", 3)
    run_one(LocalRunner(), run, concurrency=1)
    rows = tmp_path / "run" / "rows.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:2]))
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    (tmp_path / "run" / "state.json").write_text(json.dumps({**state, "metrics": None}))
    counting(tmp_path / "flow", bad="(2,)")
    result, _ = run_one(LocalRunner(), run, resume=True)
    assert (result.completed, result.failed, result.reused) == (2, 1, 2)
    assert result.metrics == {"rows": 2, "sum": 1}
