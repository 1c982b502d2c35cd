"""Loads a flow as a bulk run would, in a child process, and turns what goes wrong into findings."""

from __future__ import annotations

import json
import pickle
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

import llmops_actions
from llmops_actions.errors import Location
from llmops_actions.experiment.connections import Connection, point_at
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.offline import point_program_at
from llmops_actions.experiment.program import Program
from llmops_actions.experiment.validation.node_sources import python_sources
from llmops_actions.experiment.validation.nodes import find_source, read_nodes
from llmops_actions.experiment.variables import is_reference
from llmops_actions.outcome import Finding
from llmops_actions.platforms.local.checks.packages import install_advice
from llmops_actions.platforms.local.checks.processes import ChildProcesses, Ended
from llmops_actions.platforms.local.preloading import quiet_environment

NOWHERE = "http://127.0.0.1:9"
"""The address of placeholder connections: nothing listens there."""

_MODULE = "llmops_actions.platforms.local.checks.loading_child"
_MOST_REPORTED = 1_000_000


@dataclass(frozen=True)
class LoadRequest:
    """What the child does: import ``modules``, then load ``programs``. Written by us, read by the child.

    ``modules`` are files of Python tools (dag), the module of the entry (flex) or files of functions.
    """

    first: Program
    modules: tuple[str, ...]
    programs: tuple[tuple[str, Program], ...]
    connections: Mapping[str, Connection]
    scratch: Path
    report: Path


@dataclass(frozen=True)
class FlowToLoad:
    """A flow that is to be loaded: all its variants between them, and whether its whole is to be tried as well."""

    label: str
    flow: Flow
    programs: tuple[tuple[str, Program], ...]
    connections: Mapping[str, Connection]
    environment: Mapping[str, str] = field(repr=False)
    sound: bool = True


class _Problem(BaseModel):
    """One thing that the child reports. It comes from a process that runs user code: nothing is taken for granted."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    step: str
    """``module``, ``program`` or ``end``."""
    name: str = ""
    error: str = ""
    message: str = ""
    file: str | None = None
    line: int | None = None
    missing: str | None = None
    node: str | None = None


def load_flow_in_child(target: FlowToLoad, children: ChildProcesses, timeout: float) -> list[Finding]:
    """Import every Python file of a flow and load its programs with placeholder connections; what goes wrong."""
    with tempfile.TemporaryDirectory(prefix="llmops-validate-") as name:
        scratch = Path(name)
        request = LoadRequest(
            first=_without_references(target.programs[0][1]),
            modules=_modules(target.flow),
            programs=tuple((name, _without_references(each)) for name, each in target.programs if target.sound),
            connections=_placeholders(target.connections),
            scratch=scratch,
            report=scratch / "report.jsonl",
        )
        ended = children.run(
            [sys.executable, "-m", _MODULE],
            # `-m` looks into the working directory first: nothing in a user's folder may shadow a module.
            Path(llmops_actions.__file__).parents[1],
            {**target.environment, **quiet_environment(scratch / "promptflow-home")},
            timeout,
            pickle.dumps(request),
        )
        return list(_findings(target, ended, _read_report(request.report), timeout))


def _modules(flow: Flow) -> tuple[str, ...]:
    if flow.kind == "dag":
        return tuple(python_sources(read_nodes(flow.document)))
    if flow.kind == "flex":
        return (str(flow.document.value["entry"]).partition(":")[0].removesuffix(".py"),)
    return tuple(dict.fromkeys(reference.file for reference in flow.functions))


def _placeholders(connections: Mapping[str, Connection]) -> dict[str, Connection]:
    """Connections that lead nowhere: loading a flow must need no key, and reach no service."""
    return {
        name: point_at(each, NOWHERE) if each.is_model else replace(each, secrets=dict.fromkeys(each.secrets, NOWHERE))
        for name, each in connections.items()
    }


def _without_references(program: Program) -> Program:
    pointed = point_program_at(program, NOWHERE)
    return replace(pointed, init={name: _placeholder(value) for name, value in pointed.init.items()})


def _placeholder(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _placeholder(nested) for key, nested in value.items()}
    if isinstance(value, list):
        return [_placeholder(nested) for nested in value]
    return NOWHERE if is_reference(value) else value


def _is_tentative(target: FlowToLoad) -> bool:
    """Whether user code ran with a placeholder that it may rightly refuse."""
    placeholders = any(_without_references(each).init != each.init for _, each in target.programs)
    return target.flow.kind == "flex" and (
        placeholders or any(not each.is_model for each in target.connections.values())
    )


def _read_report(file: Path) -> list[_Problem]:
    if not file.is_file():
        return []
    with file.open("rb") as report:
        lines = report.read(_MOST_REPORTED).splitlines()
    problems = []
    for line in lines:
        try:
            problems.append(_Problem.model_validate(json.loads(line)))
        except (ValueError, RecursionError, ValidationError):
            continue
    return problems


def _findings(target: FlowToLoad, ended: Ended, reported: list[_Problem], timeout: float) -> Iterator[Finding]:
    seen: set[tuple[str, Location]] = set()
    for problem in reported:
        if problem.step == "end":
            return
        finding = _finding(target, problem)
        if finding.location is not None and (problem.message, finding.location) not in seen:
            seen.add((problem.message, finding.location))
            yield finding
    place = target.flow.document.locate()
    if ended.code is None:
        text = f"Loading {target.label} took longer than {timeout:g} seconds. Move what runs at import into a function."
    else:
        text = f"Loading {target.label} ended its process (exit code {ended.code}). {ended.output[-300:].strip()}"
    yield Finding("error", text.strip(), place)


def _finding(target: FlowToLoad, problem: _Problem) -> Finding:
    flow = target.flow
    level, text = "error", f"{problem.error}: {problem.message}"
    if problem.missing:
        text = f"{problem.message}. {_install(flow, problem.missing)}"
    elif problem.error == "NoToolDefined":
        text = "No function is decorated with `@tool`. Decorate the one that the node calls."
    elif problem.error == "MultipleToolsDefined":
        text = "More than one function is decorated with `@tool`. Keep one, and move the others to files of their own."
    elif problem.step == "program":
        text = f"Loading {target.label} ({problem.name}) fails: {text}"
        if _is_tentative(target):
            level, text = "warning", f"{text} It was given placeholders instead of keys and addresses."
    return Finding("warning" if level == "warning" else "error", text, _place(flow, problem))


def _install(flow: Flow, module: str) -> str:
    advice = install_advice(shlex.quote(str(flow.requirements or flow.folder / "requirements.txt")))
    if flow.requirements:
        return f"Is `{module}` in {flow.requirements.name}? {advice}"
    return f"Name its package in a requirements.txt beside the flow. {advice}"


def _place(flow: Flow, problem: _Problem) -> Location:
    if problem.file is not None:
        file = find_source(flow.folder, flow.includes, problem.file)
        if file is not None:
            return Location(file, problem.line)
    if problem.step == "module":
        file = find_source(flow.folder, flow.includes, problem.name)
        if file is not None:
            return Location(file, 1)
    if flow.kind == "dag":
        for node in read_nodes(flow.document):
            if node.name == problem.node:
                return node.place("source")
    return flow.document.locate(("entry",))
