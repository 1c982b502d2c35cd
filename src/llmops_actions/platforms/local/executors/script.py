"""Runs a flex flow (a Python function or class) or a prompty: prompt flow loads it, its callable is called here."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from promptflow._core.metric_logger import add_metric_logger, remove_metric_logger
from promptflow._utils.dataclass_serializer import convert_eager_flow_output_to_dict
from promptflow._utils.execution_utils import apply_default_value_for_input
from promptflow.contracts.types import AttrDict
from promptflow.executor._prompty_executor import PromptyExecutor
from promptflow.executor._script_executor import ScriptExecutor
from promptflow.executor.flow_validator import FlowValidator
from promptflow.storage._run_storage import DummyRunStorage

from llmops_actions.platforms.local.executors.dag import _finished, run_coroutine
from llmops_actions.platforms.local.executors.protocol import NOTHING, Aggregation, LineOutput, ProgramError
from llmops_actions.platforms.local.metering import Meter


class FlexExecutor:
    """A flex flow. ``init`` are the constructor arguments of its class."""

    def __init__(self, flow_file: Path, folder: Path, connections: Any, init: dict[str, Any], aggregates: bool) -> None:
        self._executor: ScriptExecutor = ScriptExecutor(
            flow_file=flow_file,
            connections=connections,
            working_dir=folder,
            storage=DummyRunStorage(),
            init_kwargs=init,
        )
        self._aggregates = aggregates

    def execute(self, inputs: Mapping[str, Any], line: int, meter: Meter) -> LineOutput:
        """Call the function with the inputs that it declares."""
        executor = self._executor
        given = apply_default_value_for_input(executor._inputs_sign, executor._apply_sample_inputs(inputs=inputs))
        taken = {name: given[name] for name in executor._inputs if name in given}
        typed = FlowValidator._ensure_flow_inputs_type_inner(executor._inputs_sign, taken, line)
        if executor._is_async:
            output = run_coroutine(_call_async(executor, typed))
        else:
            output = executor._func(**typed)
        output = _without_streams(output)
        return LineOutput(convert_eager_flow_output_to_dict(output), output if self._aggregates else NOTHING)

    def aggregate(self, rows: Iterable[Any]) -> Aggregation:
        """Call ``__aggregate__`` with the rows' outputs; what it returns and what it logs are metrics."""
        function = getattr(self._executor, "_aggr_func", None)
        if function is None:
            raise ProgramError("the flow has no __aggregate__ method")
        logged = Aggregation()

        def log(key: str, value: Any) -> None:
            logged.values[key] = value

        outputs = [AttrDict(row) if isinstance(row, dict) else row for row in rows]
        add_metric_logger(log)
        try:
            returned = function(**{self._executor._aggr_input_name: outputs})
            if inspect.iscoroutine(returned):
                returned = run_coroutine(returned)
        finally:
            remove_metric_logger(log)
        if isinstance(returned, dict):
            logged.values.update(returned)
        return logged


class PromptyRowExecutor(FlexExecutor):
    """A prompty. ``overrides`` is merged into its front matter."""

    def __init__(self, file: Path, connections: Any, overrides: dict[str, Any]) -> None:
        self._executor = PromptyExecutor(
            flow_file=file,
            connections=connections,
            working_dir=file.parent,
            storage=DummyRunStorage(),
            init_kwargs=overrides,
        )
        self._aggregates = False


async def _call_async(executor: Any, inputs: Mapping[str, Any]) -> Any:
    output = executor._func_async(**inputs)
    if inspect.isawaitable(output):
        output = await output
    if isinstance(output, AsyncIterator):
        return "".join([str(item) async for item in output])
    return output


def _without_streams(output: Any) -> Any:
    """``output`` with its streams of text joined, whether it is one itself or holds some."""
    if isinstance(output, dict):
        return {name: _finished(value) for name, value in output.items()}
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        for field in dataclasses.fields(output):
            value = getattr(output, field.name)
            if isinstance(value, (Iterator, AsyncIterator)):
                setattr(output, field.name, _finished(value))
        return output
    return _finished(output)
