"""Loads a program: decides on its executor, and puts its files where prompt flow looks for them."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmops_actions.platforms.local import preloading
from llmops_actions.platforms.local.executors.functions import FunctionExecutor
from llmops_actions.platforms.local.executors.protocol import Executor
from llmops_actions.platforms.local.setup import ChildSetup
from llmops_actions.platforms.ports import Connection, Program

LEFT_OUT = shutil.ignore_patterns(".git", ".llmops", "__pycache__", ".runs", ".promptflow", ".venv", "node_modules")
"""What a private copy of a folder can do without."""


def load(setup: ChildSetup) -> Executor:
    """The executor of ``setup.program``; makes its folder the working directory and the root of imports.

    Raises:
        Exception: whatever the program raises while it loads.
    """
    program = setup.program
    folder = working_folder(program, setup.scratch)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    if importlib.util.find_spec("promptflow") is not None:
        preloading.stand_in_for_the_control_plane()
    if program.kind == "function":
        return FunctionExecutor(program.functions, folder, setup.run_name, setup.scratch, program.aggregates)
    return _load_prompt_flow(program, folder, setup)


def working_folder(program: Program, scratch: Path) -> Path:
    """The program's own folder, or, when it includes others' files, a private copy with those beside its own."""
    if not program.includes:
        return program.folder
    copy = scratch / program.folder.name
    shutil.copytree(program.folder, copy, ignore=LEFT_OUT, symlinks=True)
    for include in program.includes:
        target = copy / include.name
        if include.is_dir():
            shutil.copytree(include, target, ignore=LEFT_OUT, dirs_exist_ok=True)
        else:
            shutil.copy2(include, target)
    return copy


def _load_prompt_flow(program: Program, folder: Path, setup: ChildSetup) -> Executor:
    from llmops_actions.platforms.local.executors import dag, script

    connections = offer_connections(setup.connections)
    if program.kind == "prompty":
        return script.PromptyRowExecutor(folder / program.file, connections, dict(program.definition))
    flow_file = setup.scratch / ("flow.dag.yaml" if program.kind == "dag" else "flow.flex.yaml")
    write_yaml(flow_file, program.definition)
    if program.kind == "dag":
        return dag.DagExecutor(flow_file, folder, connections)
    return script.FlexExecutor(flow_file, folder, connections, dict(program.init), program.aggregates)


def write_yaml(file: Path, document: Mapping[str, Any]) -> None:
    """Write ``document`` for prompt flow to read."""
    import yaml

    with file.open("w", encoding="utf-8") as stream:
        yaml.safe_dump(dict(document), stream, allow_unicode=True, sort_keys=False)


def offer_connections(connections: Mapping[str, Connection]) -> Any:
    """The connections as prompt flow's executor takes them.

    Code that asks prompt flow for a connection by name gets one of these, too: no database, no keyring.
    """
    from promptflow.core import _prompty_utils
    from promptflow.core._connection_provider._connection_provider import ConnectionProvider

    from llmops_actions.platforms.local.executors.connections import LazyConnections

    provider = LazyConnections(connections)
    ConnectionProvider._instance = provider

    def get_connection_by_name(name: str) -> tuple[dict[str, Any], str]:
        connection = provider.get(name)
        return dict(connection), connection.TYPE

    _prompty_utils.get_connection_by_name = get_connection_by_name
    return provider
