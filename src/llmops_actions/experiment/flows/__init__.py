"""Flows of every kind (dag, flex, prompty, Python functions): find, read, and resolve to one program."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location, shortened
from llmops_actions.experiment.flows import dag, flex, functions, prompty
from llmops_actions.experiment.flows.types import Flow, FlowInput, ModelCall
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.experiment.paths import find_repository, resolve_inside
from llmops_actions.experiment.program import FunctionReference, Program
from llmops_actions.experiment.sweep import NodeVariants, Variation
from llmops_actions.experiment.yaml_source import Document, read_yaml

__all__ = [
    "Flow",
    "FlowInput",
    "FunctionReference",
    "ModelCall",
    "NodeVariants",
    "Program",
    "connections_used",
    "find_definition_file",
    "is_flow",
    "load_flow",
    "model_calls",
    "resolve",
]


def find_definition_file(path: Path) -> Path | None:
    """The file that defines the flow at ``path`` (a folder, a definition file or a prompty); ``None``: no flow."""
    if path.is_file():
        is_definition = path.name in (*dag.FILE_NAMES, *flex.FILE_NAMES) or path.suffix == prompty.SUFFIX
        return path if is_definition else None
    if not path.is_dir():
        return None
    for name in (*dag.FILE_NAMES, *flex.FILE_NAMES):
        if (path / name).is_file():
            return path / name
    single = sorted(path.glob(f"*{prompty.SUFFIX}"))
    if len(single) == 1:
        return single[0]
    return next(iter(functions.function_files(path)), None)


def is_flow(path: Path) -> bool:
    """Whether there is a flow, a prompty or a folder of evaluator functions at ``path``."""
    return find_definition_file(path) is not None


def load_flow(path: Path, repository: Path | None = None) -> Flow:
    """Read the flow at ``path``, whatever its kind.

    Nothing that it names may leave the ``repository``; without one, that of the flow's folder.

    Raises:
        ExperimentError: there is none, it cannot be read, or it names a file outside of the repository.
    """
    file = find_definition_file(path)
    if file is None:
        expected = f"`{dag.FILE_NAMES[0]}`, `{flex.FILE_NAMES[0]}`, one *{prompty.SUFFIX} or files eval_*.py"
        raise ExperimentError(f"There is no flow here: no {expected}.", Location(path))
    repository = repository or find_repository(file.parent)
    requirements = file.parent / "requirements.txt"
    found_requirements = requirements if requirements.is_file() else None
    if found_requirements:
        resolve_inside(requirements, requirements.name, repository, "file", Location(file))
    if file.suffix == prompty.SUFFIX:
        return prompty.load_prompty(file, found_requirements)
    if file.suffix == ".py":
        return functions.load_functions(file.parent, found_requirements)
    document = read_yaml(file)
    if not isinstance(document.value, dict):
        raise ExperimentError("A flow must hold keys and values.", document.locate())
    requirements_file = _declared_requirements(document, repository) or found_requirements
    includes = _includes(document, repository)
    if file.name not in dag.FILE_NAMES:
        return flex.load_flex(document, includes, requirements_file)
    flow = dag.load_dag(document, includes, requirements_file)
    dag.check_sources(document, repository)
    return flow


def _declared_requirements(document: Document, repository: Path) -> Path | None:
    environment = document.value.get("environment")
    name = environment.get("python_requirements_txt") if isinstance(environment, dict) else None
    if not isinstance(name, str) or "\0" in name:
        return None
    place = document.locate(("environment", "python_requirements_txt"))
    file = document.file.parent / name
    resolve_inside(file, name, repository, "requirements file", place)
    return file if file.is_file() else None


def _includes(document: Document, repository: Path) -> tuple[Path, ...]:
    written = document.value.get("additional_includes") or []
    if not isinstance(written, list) or not all(isinstance(each, str) for each in written):
        raise ExperimentError("`additional_includes` is a list of paths.", document.locate(("additional_includes",)))
    includes = []
    for index, each in enumerate(written):
        place = document.locate(("additional_includes", index))
        include = resolve_inside(document.file.parent / each, each, repository, "include", place)
        try:
            exists = include.exists()
        except OSError as error:
            raise ExperimentError(f"The include `{shortened(each)}` is no usable path: {error}.", place) from error
        if not exists:
            raise ExperimentError(f"The include `{each}` does not exist ({include}).", place)
        includes.append(include)
    return tuple(includes)


def resolve(flow: Flow, variation: Variation) -> Program:
    """The program that the flow is with one variation applied: nothing is left to choose.

    Raises:
        ExperimentError: a hyper-parameter names a node, argument or setting that the flow does not have.
    """
    definition: Mapping[str, Any] = flow.document.value
    init = dict(flow.init)
    aggregates = flow.aggregates
    if flow.kind == "dag":
        dag.check_hyperparameters(flow.document, variation)
        definition = dag.resolve_dag(definition, variation)
        aggregates = dag.aggregates(definition)
    elif flow.kind == "flex":
        init.update(variation.hyperparameters.get("init", {}))
        _check_owners(variation, flow, "init")
        _check_arguments(variation, flow)
    elif flow.kind == "prompty":
        _check_owners(variation, flow, "model")
        definition = prompty.resolve_prompty(definition, variation)
    return Program(
        kind=flow.kind,
        folder=flow.folder,
        file=flow.file.name,
        definition=definition,
        init=init,
        includes=flow.includes,
        functions=flow.functions,
        aggregates=aggregates,
    )


def _check_owners(variation: Variation, flow: Flow, owner: str) -> None:
    for each in variation.hyperparameters:
        if each != owner:
            raise ExperimentError(
                f"`hyperparameters` of a {flow.kind} flow stand under `{owner}`, not `{each}`.",
                flow.document.locate(),
            )


def _check_arguments(variation: Variation, flow: Flow) -> None:
    arguments = variation.hyperparameters.get("init", {})
    constructor = flex.constructor_of(flow)
    if constructor is not None and constructor.any_keyword:
        return
    known = list(constructor.inputs) if constructor else []
    for name in arguments:
        if name not in known:
            hint = did_you_mean(name, known, f"It takes {', '.join(known) or 'none'}.")
            place = flow.document.locate(("entry",))
            raise ExperimentError(f"The constructor takes no argument `{name}`. {hint}", place)


def model_calls(program: Program) -> list[ModelCall]:
    """Where the program calls a language model for each row, as far as its definition tells.

    Python code may call models unseen; a flex flow counts as one call for each model configuration it is given.
    """
    if program.kind == "dag":
        return dag.model_calls(program.definition)
    if program.kind == "prompty":
        return prompty.model_calls(program.definition, program.file)
    return [
        ModelCall(name, value.get("connection"), value.get("azure_deployment") or value.get("model"))
        for name, value in program.init.items()
        if isinstance(value, dict) and ("connection" in value or "azure_deployment" in value)
    ]


def connections_used(program: Program, flow: Flow) -> Iterator[tuple[str, str]]:
    """(where, connection name) for each connection that the program names."""
    if program.kind == "dag":
        yield from dag.connections_used(program.definition, program.folder)
    elif program.kind == "flex":
        yield from flex.connections_used(program.init, flex.constructor_of(flow))
    elif program.kind == "prompty":
        for call in prompty.model_calls(program.definition, program.file):
            if call.connection:
                yield program.file, call.connection
