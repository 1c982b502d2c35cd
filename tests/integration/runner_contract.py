"""What every ``Runner`` must do. A test module per runner takes these tests over with its own ``runner`` fixture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.integration import runner_programs as programs
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.platforms.ports import Connection, Program, Row, Runner

AGGREGATED = {
    "double": """
        from promptflow.core import tool

        @tool
        def double(number: int) -> int:
            if number == 2:
                raise ValueError("two is not welcome")
            return number * 2
    """,
    "total": """
        from typing import List
        from promptflow.core import log_metric, tool

        @tool
        def total(doubles: List[int], numbers: List[int]) -> None:
            log_metric("total", sum(doubles))
            log_metric("rows", len(numbers))
    """,
}


class RunnerContract:
    """Same programs, same outputs and metrics, whatever runs them."""

    def test_graph(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.dag(
            tmp_path / "flow",
            {
                "shout": """
                    from promptflow.core import tool

                    @tool
                    def shout(text: str, times: int = 2) -> dict:
                        return {"text": text.upper() * times, "list": [1, 2.5, None, True]}
                """,
                "only_even": """
                    from promptflow.core import tool

                    @tool
                    def only_even(text: str) -> str:
                        return f"even: {text}"
                """,
                "join": """
                    from promptflow.core import tool

                    @tool
                    def join(shouted: str, even: str = "odd") -> str:
                        return f"{shouted}/{even}"
                """,
            },
            {
                "shouted": "${shout.output.text}",
                "list": "${shout.output.list}",
                "joined": "${join.output}",
                "number": "${inputs.number}",
            },
            definitions=[
                programs.python_node("shout", {"text": "${inputs.text}"}),
                programs.python_node(
                    "only_even",
                    {"text": "${inputs.text}"},
                    activate={"when": "${inputs.number}", "is": 2},
                ),
                programs.python_node("join", {"shouted": "${shout.output.text}", "even": "${only_even.output}"}),
            ],
        )
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 3))
        rows = assert_accounted(result, tmp_path / "run", 3)
        assert (result.status, result.error) == ("completed", None)
        assert [row["outputs"] for row in rows] == [
            {
                "shouted": f"TEXT {line}" * 2,
                "list": [1, 2.5, None, True],
                "joined": f"TEXT {line}TEXT {line}/" + ("even: text 2" if line == 2 else "odd"),
                "number": line,
            }
            for line in range(3)
        ]
        assert rows[1]["inputs"] == {"number": 1, "text": "text 1"}
        assert rows[1]["key"] == "key-1"

    def test_bypassed_nodes(self, runner: Runner, tmp_path: Path) -> None:
        nodes = {
            "first": "def first(number: int):\n    return number\n",
            "second": "def second(value: int):\n    return value\n",
            "third": "def third(value: int, number: int):\n    return f'{value} {number}'\n",
            "fourth": "def fourth(value):\n    return value\n",
            "fifth": "def fifth(one, two: int = 7):\n    return one + two\n",
        }
        when_one = {"when": "${inputs.number}", "is": 1}
        program = programs.dag(
            tmp_path / "flow",
            {name: f"from promptflow.core import tool\n\n@tool\n{text}" for name, text in nodes.items()},
            {name: f"${{{name}.output}}" for name in nodes},
            definitions=[
                programs.python_node("first", {"number": "${inputs.number}"}, activate=when_one),
                programs.python_node("second", {"value": "${first.output}"}),
                programs.python_node("third", {"value": "${second.output}", "number": "${inputs.number}"}),
                programs.python_node(
                    "fourth", {"value": "${inputs.number}"}, activate={"when": "${first.output}", "is": 1}
                ),
                programs.python_node(
                    "fifth", {"one": 1, "two": "${first.output}"}, activate={"when": "${inputs.number}", "is": 2}
                ),
            ],
        )
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 3))
        rows = assert_accounted(result, tmp_path / "run", 3)
        names = list(nodes)
        assert [row["outputs"] for row in rows] == [
            dict.fromkeys(names),
            dict(zip(names, [1, 1, "1 1", 1, None], strict=True)),
            dict(zip(names, [None, None, None, None, 8], strict=True)),
        ]

    def test_default_inputs_and_types(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.one_node(
            tmp_path / "flow",
            """
            @tool
            def work(number: int, text: str) -> str:
                return f"{number + 1} {text}"
            """,
        )
        rows = [Row(0, "a", {"number": "41"})]
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 1, rows=rows))
        assert assert_accounted(result, tmp_path / "run", 1)[0]["outputs"] == {"answer": "42 nothing"}

    def test_aggregation_and_failed_row(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.dag(
            tmp_path / "flow",
            AGGREGATED,
            {"double": "${double.output}"},
            definitions=[
                programs.python_node("double", {"number": "${inputs.number}"}),
                programs.python_node(
                    "total",
                    {"doubles": "${double.output}", "numbers": "${inputs.number}"},
                    aggregation=True,
                ),
            ],
            aggregates=True,
        )
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 4))
        rows = assert_accounted(result, tmp_path / "run", 4)
        assert [row["status"] for row in rows] == ["completed", "completed", "failed", "completed"]
        assert "two is not welcome" in rows[2]["error"]["message"]
        assert rows[2]["error"]["node"] == "double"
        assert result.metrics == {"total": 8, "rows": 3}
        assert (result.status, result.failed) == ("completed", 1)

    def test_flex_function(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.flex(
            tmp_path / "flow",
            """
            def answer(number: int, text: str = "none") -> str:
                return f"{text}!" * number
            """,
            "answer",
        )
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 3))
        rows = assert_accounted(result, tmp_path / "run", 3)
        assert [row["outputs"] for row in rows] == [
            {"output": ""},
            {"output": "text 1!"},
            {"output": "text 2!text 2!"},
        ]

    def test_flex_class(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.flex(
            tmp_path / "flow",
            """
            from dataclasses import dataclass

            @dataclass
            class Answer:
                value: int
                text: str

            class Multiply:
                def __init__(self, factor: int = 1):
                    self.factor = factor

                def __call__(self, number: int) -> Answer:
                    return Answer(number * self.factor, f"{number} times {self.factor}")

                def __aggregate__(self, answers: list) -> dict:
                    return {"sum": sum(answer.value for answer in answers), "factor": self.factor}
            """,
            "Multiply",
            init={"factor": 3},
            aggregates=True,
        )
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 3))
        rows = assert_accounted(result, tmp_path / "run", 3)
        assert [row["outputs"] for row in rows] == [
            {"value": 0, "text": "0 times 3"},
            {"value": 3, "text": "1 times 3"},
            {"value": 6, "text": "2 times 3"},
        ]
        assert result.metrics == {"sum": 9, "factor": 3}

    def test_model_node(self, runner: Runner, tmp_path: Path, model: str) -> None:
        folder = programs.write(
            tmp_path / "flow", {"ask.jinja2": "# system:\nBe brief.\n\n# user:\n{{question}} and {{number}}\n"}
        )
        definition = {
            "inputs": {"number": {"type": "int"}, "text": {"type": "string"}},
            "outputs": {"answer": {"type": "string", "reference": "${ask.output}"}},
            "nodes": [
                {
                    "name": "ask",
                    "type": "llm",
                    "source": {"type": "code", "path": "ask.jinja2"},
                    "inputs": {
                        "model": "gpt-35-turbo",
                        "temperature": 0.0,
                        "question": "${inputs.text}",
                        "number": "${inputs.number}",
                    },
                    "provider": "OpenAI",
                    "connection": "model",
                    "api": "chat",
                }
            ],
        }
        program = Program("dag", folder, "flow.dag.yaml", definition=definition)
        run = bulk_run(program, tmp_path / "run", 3, connections={"model": programs.connection(model)})
        result, _ = run_one(runner, run)
        rows = assert_accounted(result, tmp_path / "run", 3)
        assert [row["outputs"]["answer"] for row in rows] == [f"You said: text {n} and {n}" for n in range(3)]

    def test_prompty(self, runner: Runner, tmp_path: Path, model: str) -> None:
        folder = programs.write(
            tmp_path / "flow",
            {
                "ask.prompty": """
                    ---
                    name: Ask
                    model:
                      api: chat
                      configuration:
                        type: openai
                        connection: model
                        model: gpt-35-turbo
                      parameters:
                        temperature: 0
                    inputs:
                      text:
                        type: string
                    ---
                    system:
                    Be brief.
                    user:
                    {{text}}
                """
            },
        )
        program = Program("prompty", folder, "ask.prompty", definition={"model": {"parameters": {"max_tokens": 40}}})
        run = bulk_run(program, tmp_path / "run", 2, connections={"model": programs.connection(model)})
        result, _ = run_one(runner, run)
        rows = assert_accounted(result, tmp_path / "run", 2)
        assert [row["outputs"] for row in rows] == [{"output": "You said: text 0"}, {"output": "You said: text 1"}]

    def test_secrets_stay_out_of_every_file(self, runner: Runner, tmp_path: Path) -> None:
        secret, token = "sk-0123456789", "token-9876543210"
        code = """
            import os, sys
            from promptflow.core import tool
            from promptflow.connections import CustomConnection

            @tool
            def work(number: int, connection: CustomConnection) -> dict:
                print("the key is", connection.api_key)
                os.write(2, f"the token is {os.environ['SEARCH_TOKEN']}\\n".encode())
                if number == 1:
                    raise ValueError(f"refused: {connection.api_key}")
                return {"told": f"{connection.api_key} and {os.environ['SEARCH_TOKEN']}", "number": number}
        """
        node = programs.python_node("work", {"number": "${inputs.number}", "connection": "store"})
        program = programs.dag(tmp_path / "flow", {"work": code}, {"answer": "${work.output}"}, definitions=[node])
        connections = {"store": Connection("store", "CustomConnection", {}, {"api_key": secret})}
        run = bulk_run(program, tmp_path / "run", 2, connections=connections, environment={"SEARCH_TOKEN": token})
        result, _ = run_one(runner, run)
        rows = assert_accounted(result, tmp_path / "run", 2)
        assert rows[0]["outputs"] == {"answer": {"told": "*** and ***", "number": 0}}
        assert "refused: ***" in rows[1]["error"]["message"]
        written = "".join(file.read_text() for file in (tmp_path / "run").iterdir())
        assert secret not in written
        assert token not in written
        assert "the token is ***" in (tmp_path / "run" / "log.txt").read_text()

    def test_the_commands_of_a_github_runner_are_out_of_reach(
        self, runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hidden = ["GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "ACTIONS_RUNTIME_TOKEN", "INPUT_WORDS"]
        for name in hidden:
            monkeypatch.setenv(name, "/some/file")
        monkeypatch.setenv("GITHUB_SHA", "abc")
        code = "import os\n\ndef names(number: int):\n    return sorted(os.environ)\n"
        run = bulk_run(programs.flex(tmp_path / "flow", code, "names"), tmp_path / "run", 1)
        result, _ = run_one(runner, run)
        seen = assert_accounted(result, tmp_path / "run", 1)[0]["outputs"]["output"]
        assert "GITHUB_SHA" in seen
        assert not set(hidden) & set(seen)

    def test_includes(self, runner: Runner, tmp_path: Path) -> None:
        shared = programs.write(tmp_path / "shared", {"words.py": "GREETING = 'hello'\n", "data/more.txt": "more"})
        program = programs.one_node(
            tmp_path / "flow",
            """
            from pathlib import Path
            from words import GREETING

            @tool
            def work(number: int, text: str) -> str:
                return f"{GREETING} {text} {Path('data/more.txt').read_text()}"
            """,
        )
        program = replace(program, includes=(shared / "words.py", shared / "data"))
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 1))
        rows = assert_accounted(result, tmp_path / "run", 1)
        assert rows[0]["outputs"] == {"answer": "hello text 0 more"}
        assert sorted(path.name for path in (tmp_path / "flow").glob("*.py")) == ["work.py"]

    def test_program_that_does_not_load(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.one_node(tmp_path / "flow", "import not_a_module_of_this_world\n")
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 3))
        rows = assert_accounted(result, tmp_path / "run", 3)
        assert result.status == "failed"
        assert "not_a_module_of_this_world" in (result.error or "")
        assert {row["error"]["type"] for row in rows} == {"ProgramNotLoaded"}

    def test_rows_that_cannot_run(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.one_node(
            tmp_path / "flow",
            """
            @tool
            def work(number: int, text: str) -> str:
                return text
            """,
        )
        rows = programs.CountedRows(3, {1: "the input number is missing"})
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 3, rows=rows))
        ended = assert_accounted(result, tmp_path / "run", 3)
        assert [row["status"] for row in ended] == ["completed", "failed", "completed"]
        assert ended[1]["error"]["message"] == "the input number is missing"

    def test_aggregation_that_fails(self, runner: Runner, tmp_path: Path) -> None:
        program = programs.flex(
            tmp_path / "flow",
            """
            class Count:
                def __call__(self, number: int) -> int:
                    return number

                def __aggregate__(self, answers: list) -> dict:
                    raise RuntimeError("cannot add up")
            """,
            "Count",
            aggregates=True,
        )
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 2))
        assert_accounted(result, tmp_path / "run", 2)
        assert result.status == "failed"
        assert "cannot add up" in (result.error or "")

    @pytest.mark.parametrize("count", [0, 1])
    def test_few_rows(self, runner: Runner, tmp_path: Path, count: int) -> None:
        program = programs.flex(tmp_path / "flow", "def same(number: int):\n    return number\n", "same")
        result, heard = run_one(runner, bulk_run(program, tmp_path / "run", count))
        assert_accounted(result, tmp_path / "run", count)
        assert result.status == "completed"
        assert heard[-1].ended == count

    def test_two_flows_with_modules_of_one_name(self, runner: Runner, tmp_path: Path) -> None:
        code = """
            from helper import NAME

            @tool
            def work(number: int, text: str) -> str:
                return f"{NAME} {number}"
        """
        runs = []
        for name in ("first", "second"):
            program = programs.one_node(tmp_path / name, code)
            programs.write(tmp_path / name, {"helper.py": f"NAME = {name!r}\n"})
            runs.append(bulk_run(program, tmp_path / f"run-{name}", 5))
        results = runner.run(runs, programs.SETTINGS, lambda progress: None)
        for run, name in zip(runs, ("first", "second"), strict=True):
            rows = assert_accounted(results[runs.index(run)], run.folder, 5)
            assert [row["outputs"]["answer"] for row in rows] == [f"{name} {line}" for line in range(5)]
