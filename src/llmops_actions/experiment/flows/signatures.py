"""Reads signatures out of Python sources without running them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.flows.types import FlowInput
from llmops_actions.experiment.yaml_source import read_text

Callable_ = ast.FunctionDef | ast.AsyncFunctionDef

_TYPES = {
    "str": "string",
    "int": "int",
    "float": "double",
    "bool": "bool",
    "list": "list",
    "List": "list",
    "dict": "object",
    "Dict": "object",
}


@dataclass(frozen=True)
class Signature:
    """The parameters of a callable; ``any_keyword`` where it takes ``**kwargs``; ``line`` where it stands."""

    parameters: tuple[FlowInput, ...]
    annotations: dict[str, str]
    any_keyword: bool
    line: int

    @property
    def inputs(self) -> dict[str, FlowInput]:
        """The parameters by name."""
        return {parameter.name: parameter for parameter in self.parameters}


def parse_python(file: Path) -> ast.Module:
    """Parse a Python file.

    Raises:
        ExperimentError: unreadable, or not valid Python, with the line.
    """
    try:
        return ast.parse(read_text(file), filename=str(file))
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise ExperimentError(
            f"Not valid Python: {getattr(error, 'msg', error)}.",
            Location(file, line, getattr(error, "offset", None)),
        ) from error


def find_definition(module: ast.Module, name: str) -> Callable_ | ast.ClassDef | None:
    """The function or class called ``name`` at the top level of a module."""
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and statement.name == name:
            return statement
    return None


def find_method(definition: ast.ClassDef, name: str) -> Callable_ | None:
    """The method ``name`` of a class, as written in its own body."""
    for statement in definition.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and statement.name == name:
            return statement
    return None


def signature_of(function: Callable_, *, method: bool = False) -> Signature:
    """The signature of a function; without ``self`` for a method."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args][1 if method else 0 :]
    padding: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults = [*padding, *arguments.defaults][-len(positional) :] if positional else []
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    return Signature(
        parameters=tuple(_parameter(argument, default) for argument, default in pairs),
        annotations={each.arg: _annotation(each.annotation) for each, _ in pairs if each.annotation is not None},
        any_keyword=arguments.kwarg is not None,
        line=function.lineno,
    )


def _parameter(argument: ast.arg, default: ast.expr | None) -> FlowInput:
    name = _annotation(argument.annotation) if argument.annotation is not None else ""
    value: Any = None
    if default is not None:
        try:
            value = ast.literal_eval(default)
        except ValueError:
            value = None
    return FlowInput(argument.arg, _TYPES.get(name), default is not None, value)


def _annotation(annotation: ast.expr) -> str:
    """The name behind an annotation: ``list`` of ``list[str]``, ``X`` of ``module.X`` and of ``"X"``."""
    if isinstance(annotation, ast.Subscript):
        return _annotation(annotation.value)
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    if isinstance(annotation, ast.Constant):
        return str(annotation.value).rpartition(".")[2]
    return annotation.id if isinstance(annotation, ast.Name) else ""


def tool_function(module: ast.Module) -> Callable_ | None:
    """The function of a Python node: the one decorated with ``@tool``."""
    for statement in module.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef) and any(
            _decorator_name(decorator) == "tool" for decorator in statement.decorator_list
        ):
            return statement
    return None


def _decorator_name(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
