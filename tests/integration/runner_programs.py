"""Small programs of every kind, written into a folder, for the tests of runners."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from llmops_actions.experiment.prices import ModelPrice, PriceTable
from llmops_actions.platforms.ports import (
    BulkRun,
    Connection,
    FunctionReference,
    Program,
    Row,
    Runner,
    RunProgress,
    RunResult,
    RunSettings,
)

SETTINGS = RunSettings(
    concurrency=8, processes=1, line_timeout=60, prices=PriceTable({"gpt-35-turbo": ModelPrice(0.5, 1.5)})
)


@dataclass(frozen=True)
class CountedRows:
    """Rows that are made as they are read: any number of them, and no list."""

    count: int
    errors: Mapping[int, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Row]:
        for line in range(self.count):
            yield Row(line, f"key-{line}", {"number": line, "text": f"text {line}"}, self.errors.get(line))


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    return folder


def dag(folder: Path, nodes: Mapping[str, str], outputs: Mapping[str, str], **more: Any) -> Program:
    """A graph of Python nodes: each text is the body of a module with a tool of the node's name."""
    write(folder, {f"{name}.py": code for name, code in nodes.items()})
    definition = {
        "inputs": {"number": {"type": "int"}, "text": {"type": "string", "default": "nothing"}},
        "outputs": {name: {"type": "string", "reference": reference} for name, reference in outputs.items()},
        "nodes": more.pop("definitions"),
    }
    return Program("dag", folder, "flow.dag.yaml", definition=definition, **more)


def python_node(name: str, inputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "python",
        "source": {"type": "code", "path": f"{name}.py"},
        "inputs": dict(inputs),
        **more,
    }


def one_node(folder: Path, code: str) -> Program:
    """A graph of one node, ``work(number, text)``."""
    source = "from promptflow.core import tool\n\n" + textwrap.dedent(code)
    inputs = {"number": "${inputs.number}", "text": "${inputs.text}"}
    return dag(folder, {"work": source}, {"answer": "${work.output}"}, definitions=[python_node("work", inputs)])


def flex(folder: Path, code: str, entry: str, **more: Any) -> Program:
    write(folder, {"entry.py": code})
    return Program("flex", folder, "flow.flex.yaml", definition={"entry": f"entry:{entry}"}, **more)


def functions(folder: Path, files: Mapping[str, str], names: Sequence[tuple[str, str]], **more: Any) -> Program:
    write(folder, files)
    return Program("function", folder, "", functions=tuple(FunctionReference(*name) for name in names), **more)


def connection(url: str, requests_per_minute: int | None = None) -> Connection:
    return Connection(
        "model",
        "OpenAIConnection",
        {"base_url": f"{url}/v1"},
        {"api_key": "none"},
        requests_per_minute=requests_per_minute,
    )


def bulk_run(program: Program, folder: Path, count: int = 4, **more: Any) -> BulkRun:
    values: dict[str, Any] = {
        "name": folder.name,
        "program": program,
        "rows": CountedRows(count),
        "row_count": count,
        "folder": folder,
        "fingerprint": "fingerprint",
        **more,
    }
    return BulkRun(**values)


def records(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "rows.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def assert_accounted(result: RunResult, folder: Path, count: int) -> list[dict[str, Any]]:
    """Every row is there once, in order, and the result says the same."""
    rows = records(folder)
    assert [row["line"] for row in rows] == list(range(count))
    assert result.completed == sum(row["status"] == "completed" for row in rows)
    assert result.failed == sum(row["status"] == "failed" for row in rows)
    assert result.completed + result.failed == count
    for row in rows:
        assert (row["error"] is None) == (row["status"] == "completed")
        assert (row["outputs"] is None) == (row["status"] == "failed")
    return rows


def run_one(runner: Runner, run: BulkRun, **settings: Any) -> tuple[RunResult, list[RunProgress]]:
    heard: list[RunProgress] = []
    [result] = runner.run([run], replace(SETTINGS, **settings), heard.append)
    return result, heard
