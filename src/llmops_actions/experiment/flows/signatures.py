"""Reads signatures out of Python sources without running them."""

from __future__ import annotations

import ast
import contextlib
import warnings
from collections.abc import Iterator, Sequence
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
    """The parameters of a callable; ``any_keyword`` where it takes ``**kwargs``; ``line`` where it stands.

    ``positional_only`` names the parameters that stand before a ``/``.
    """

    parameters: tuple[FlowInput, ...]
    annotations: dict[str, str]
    any_keyword: bool
    line: int
    positional_only: tuple[str, ...] = ()

    @property
    def inputs(self) -> dict[str, FlowInput]:
        """The parameters by name."""
        return {parameter.name: parameter for parameter in self.parameters}


def parse_python(file: Path) -> ast.Module:
    """Parse a Python file.

    Raises:
        ExperimentError: unreadable, or not valid Python, with the line.
    """
    text = read_text(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, filename=str(file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        raise ExperimentError(
            f"Not valid Python: {getattr(error, 'msg', error)}.",
            Location(file, line, getattr(error, "offset", None)),
        ) from error


def find_definition(module: ast.Module, name: str) -> Callable_ | ast.ClassDef | None:
    """The function or class called ``name`` at the top level of a module; of several the last one, as Python does."""
    found = None
    for statement in top_level(module):
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and statement.name == name:
            found = statement
    return found


def top_level(block: ast.AST) -> Iterator[ast.stmt]:
    """The statements of a module, also those inside ``if``, ``try`` and ``with``."""
    for child in ast.iter_child_nodes(block):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, ast.If | ast.Try | ast.With | ast.ExceptHandler):
            yield from top_level(child)


def binds(module: ast.Module, name: str) -> bool:
    """Whether the module imports or assigns ``name``, so that it is there without being defined there."""
    for statement in top_level(module):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            bound = {(alias.asname or alias.name).partition(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.Assign):
            bound = {target.id for target in statement.targets if isinstance(target, ast.Name)}
        else:
            continue
        if name in bound:
            return True
    return False


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
        positional_only=tuple(argument.arg for argument in arguments.posonlyargs[1 if method else 0 :]),
    )


def _parameter(argument: ast.arg, default: ast.expr | None) -> FlowInput:
    name = _annotation(argument.annotation) if argument.annotation is not None else ""
    value: Any = None
    if default is not None:
        with contextlib.suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = ast.literal_eval(default)
    return FlowInput(argument.arg, _TYPES.get(name), default is not None, value)


def _annotation(annotation: ast.expr) -> str:
    """The name behind an annotation.

    ``list`` of ``list[str]``, ``X`` of ``module.X``, ``"X"``, ``Optional[X]``, ``X | None`` and ``Annotated[X, …]``.
    """
    if isinstance(annotation, ast.Subscript):
        outer = _annotation(annotation.value)
        if outer not in ("Optional", "Union", "Annotated"):
            return outer
        inner = annotation.slice
        return _first_name(inner.elts if isinstance(inner, ast.Tuple) else [inner])
    if isinstance(annotation, ast.BinOp):
        return _first_name([annotation.left, annotation.right])
    if isinstance(annotation, ast.Attribute):
        return annotation.attr
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        with contextlib.suppress(SyntaxError, ValueError):
            return _annotation(ast.parse(annotation.value, mode="eval").body)
    return annotation.id if isinstance(annotation, ast.Name) else ""


def _first_name(annotations: Sequence[ast.expr]) -> str:
    return next((name for name in map(_annotation, annotations) if name), "")


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
