"""Runs plain Python functions (``eval_*.py``): no prompt flow in sight.

A row function names the inputs that it wants as parameters. A function in the form of the established templates
(``run_name, data_id, column_mapping``) runs once, over a file of all rows.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_actions.experiment.program import RUN_PARAMETERS
from llmops_actions.platforms.local.executors.protocol import NOTHING, Aggregation, LineOutput, ProgramError
from llmops_actions.platforms.local.metering import Meter
from llmops_actions.platforms.ports import FunctionReference


@dataclass(frozen=True)
class _RowFunction:
    name: str
    call: Callable[..., Any]
    required: frozenset[str]
    accepted: frozenset[str] | None
    """``None``: it takes any keyword."""


class FunctionExecutor:
    """The functions of a folder. ``scratch`` takes the file of rows that template functions read."""

    def __init__(
        self, references: Sequence[FunctionReference], folder: Path, run_name: str, scratch: Path, aggregates: bool
    ) -> None:
        self._run_name = run_name
        self._scratch = scratch
        self._aggregates = aggregates
        self._rows: list[_RowFunction] = []
        self._over_all: list[tuple[str, Callable[..., Any]]] = []
        for reference in references:
            function = _load(folder / reference.file, reference.name)
            if set(inspect.signature(function).parameters) >= RUN_PARAMETERS:
                self._over_all.append((reference.name.removeprefix("eval_"), function))
            else:
                self._rows.append(_row_function(reference.name, function))

    def execute(self, inputs: Mapping[str, Any], line: int, meter: Meter) -> LineOutput:
        """Call every row function; each result is one output, each key of a dictionary one of its own."""
        outputs: dict[str, Any] = {}
        for function in self._rows:
            outputs.update(self._named(function, _call(function, inputs)))
        return LineOutput(outputs, dict(inputs) if self._aggregates else NOTHING)

    def aggregate(self, rows: Iterable[Any]) -> Aggregation:
        """Call the template functions on a file of all rows; the numbers that they return are metrics.

        One that returns nothing, as a template's sample does, has no metrics.
        """
        data = self._scratch / "data.jsonl"
        columns: dict[str, str] = {}
        with data.open("w", encoding="utf-8") as file:
            for row in rows:
                columns.update({name: f"${{data.{name}}}" for name in row})
                file.write(json.dumps(row) + "\n")
        logged = Aggregation()
        for name, function in self._over_all:
            returned = _call_over_all(function, self._run_name, data, columns)
            if returned is None:
                continue
            if not isinstance(returned, Mapping):
                raise ProgramError(f"eval_{name} returned {type(returned).__name__}; it must return a dictionary")
            metrics = returned.get("metrics", returned)
            for key, value in metrics.items():
                if isinstance(value, (int, float)):
                    logged.values[str(key)] = value
        return logged

    def _named(self, function: _RowFunction, result: Any) -> Mapping[str, Any]:
        if not isinstance(result, Mapping):
            return {function.name: result}
        if len(self._rows) == 1:
            return result
        return {f"{function.name}.{key}": value for key, value in result.items()}


def _load(file: Path, name: str) -> Callable[..., Any]:
    module_name = file.stem
    spec = importlib.util.spec_from_file_location(module_name, file)
    if spec is None or spec.loader is None:
        raise ProgramError(f"{file.name} is not a Python file")
    module = sys.modules.get(module_name)
    if module is None or getattr(module, "__file__", None) != str(file):
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise ProgramError(f"{file.name} has no function {name}")
    return function  # type: ignore[no-any-return]


def _row_function(name: str, function: Callable[..., Any]) -> _RowFunction:
    kinds = inspect.Parameter
    parameters = inspect.signature(function).parameters.values()
    named = [p for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    if any(p.kind is kinds.POSITIONAL_ONLY for p in parameters):
        raise ProgramError(f"{name} has positional-only parameters; inputs are passed by name")
    takes_any = any(p.kind is kinds.VAR_KEYWORD for p in parameters)
    required = frozenset(p.name for p in named if p.default is kinds.empty)
    return _RowFunction(
        name.removeprefix("eval_"), function, required, None if takes_any else frozenset(p.name for p in named)
    )


def _call(function: _RowFunction, inputs: Mapping[str, Any]) -> Any:
    missing = sorted(function.required - inputs.keys())
    if missing:
        names, given = ", ".join(missing), ", ".join(inputs) or "none"
        raise ProgramError(f"eval_{function.name} needs {names}, which the mappings do not give (given: {given})")
    if function.accepted is None:
        return _awaited(function.call(**inputs))
    return _awaited(function.call(**{name: inputs[name] for name in function.accepted if name in inputs}))


def _call_over_all(function: Callable[..., Any], run_name: str, data: Path, columns: Mapping[str, str]) -> Any:
    known = {
        "run_name": run_name,
        "data_id": str(data),
        "column_mapping": dict(columns),
        "output_path": str(data.with_name("output")),
        "azure_service": None,
    }
    parameters = inspect.signature(function).parameters.values()
    unknown = [p.name for p in parameters if p.name not in known and p.default is inspect.Parameter.empty]
    if unknown:
        raise ProgramError(f"{function.__name__} needs {', '.join(unknown)}, which nobody gives it")
    return _awaited(function(**{p.name: known[p.name] for p in parameters if p.name in known}))


def _awaited(result: Any) -> Any:
    if inspect.iscoroutine(result):
        import asyncio

        return asyncio.run(result)
    return result
