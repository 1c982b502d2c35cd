"""Python function evaluators: a folder of files ``eval_*.py`` with functions ``eval_*``."""

from __future__ import annotations

import ast
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.flows.signatures import parse_python, signature_of
from llmops_actions.experiment.flows.types import Flow, FlowInput
from llmops_actions.experiment.program import RUN_PARAMETERS, FunctionReference
from llmops_actions.experiment.yaml_source import Document

PREFIX = "eval_"


def function_files(folder: Path) -> list[Path]:
    """The files of the folder that may hold evaluator functions."""
    return sorted(file for file in folder.glob(f"{PREFIX}*.py") if file.is_file())


def load_functions(folder: Path, requirements: Path | None) -> Flow:
    """Read the evaluator functions of a folder, without running them.

    Raises:
        ExperimentError: a file is not valid Python, or there is no function ``eval_*``, or two of the same name.
    """
    files = function_files(folder)
    inputs: dict[str, FlowInput] = {}
    references: list[FunctionReference] = []
    any_input = aggregates = False
    for file in files:
        for function in _functions(parse_python(file)):
            if any(reference.name == function.name for reference in references):
                raise ExperimentError(f"`{function.name}` is there twice; rename one.", Location(file, function.lineno))
            references.append(FunctionReference(file.name, function.name))
            signature = signature_of(function)
            if signature.inputs.keys() >= RUN_PARAMETERS:
                any_input = aggregates = True
                continue
            any_input = any_input or signature.any_keyword
            for name, parameter in signature.inputs.items():
                if name not in inputs or inputs[name].has_default:
                    inputs[name] = parameter
    if not references:
        raise ExperimentError(f"No function `{PREFIX}*` in {', '.join(file.name for file in files)}.", Location(folder))
    return Flow(
        kind="function",
        folder=folder,
        document=Document(files[0], {}),
        inputs=inputs,
        any_input=any_input,
        functions=tuple(references),
        aggregates=aggregates,
        requirements=requirements,
    )


def _functions(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        statement
        for statement in module.body
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name.startswith(PREFIX)
    ]
