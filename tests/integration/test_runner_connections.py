"""Every type of connection reaches the node that names it, and one that nobody uses harms nobody."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.integration import runner_programs as programs
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.experiment.connections import ENDPOINT_KEYS
from llmops_actions.platforms.local.promptflow_pool import PromptFlowPoolRunner
from llmops_actions.platforms.local.runner import LocalRunner
from llmops_actions.platforms.ports import Connection, Program, Runner

TELL = """
from promptflow.core import tool
from promptflow.core._connection import *
from promptflow.core._connection import {type}
from promptflow.contracts.types import Secret

class Mine(CustomStrongTypeConnection):
    api_key: Secret
    place: str

@tool
def work(number: int, connection: {annotation}) -> dict:
    return {{"class": type(connection).__name__, **connection.configs, **connection.secrets, "key": connection.api_key}}
"""
URL = "https://service.example"


def connection_of(kind: str) -> Connection:
    key = ENDPOINT_KEYS[kind]
    configs = {key: URL} if key else {}
    if kind.startswith("Custom"):
        configs = {"place": "here"}
    return Connection("store", kind, configs, {"api_key": "k-1"})


def telling(folder: Path, kind: str) -> Program:
    annotation = "Mine" if kind == "CustomStrongTypeConnection" else kind
    code = TELL.format(type=kind, annotation=annotation)
    node = programs.python_node("work", {"number": "${inputs.number}", "connection": "store"})
    return programs.dag(folder, {"work": code}, {"answer": "${work.output}"}, definitions=[node])


def check(runner: Runner, tmp_path: Path, kind: str) -> None:
    connections: Mapping[str, Connection] = {
        "store": connection_of(kind),
        "unused": Connection("unused", "QdrantConnection", {}, {}),
    }
    run = bulk_run(telling(tmp_path / "flow", kind), tmp_path / "run", 1, connections=connections)
    result, _ = run_one(runner, run)
    assert result.error is None
    [row] = assert_accounted(result, tmp_path / "run", 1)
    told = row["outputs"]["answer"]
    assert told["class"] == ("Mine" if kind == "CustomStrongTypeConnection" else kind)
    assert told["key"] == told["api_key"] == "k-1"
    assert connection_of(kind).configs.items() <= told.items()


@pytest.mark.parametrize("kind", ENDPOINT_KEYS)
def test_every_type_of_connection(tmp_path: Path, kind: str) -> None:
    check(LocalRunner(), tmp_path, kind)


@pytest.mark.parametrize("kind", ["QdrantConnection", "CustomStrongTypeConnection", "AzureOpenAIConnection"])
def test_connections_in_the_pool(tmp_path: Path, kind: str) -> None:
    check(PromptFlowPoolRunner(), tmp_path, kind)


def test_connection_that_lacks_something_is_named(tmp_path: Path) -> None:
    program = telling(tmp_path / "flow", "WeaviateConnection")
    connections = {"store": Connection("store", "WeaviateConnection", {}, {"api_key": "k-1"})}
    result, _ = run_one(LocalRunner(), bulk_run(program, tmp_path / "run", 1, connections=connections))
    assert "'store' cannot be used as WeaviateConnection" in (result.error or "")
    assert "api_base" in (result.error or "")
