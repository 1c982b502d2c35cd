"""Runs a prompt flow graph: prompt flow resolves it and its tools, and its nodes are called from here.

Prompt flow's own line execution starts a pool of threads, two run trackers and a log manager for each row, which is
more than half of the processor time of a row, grows with the rows and swaps ``sys.stdout`` under the feet of other
rows. The rules (readiness, bypass, activation, defaults, outputs) are the same; the contract tests hold both engines
to identical results.
"""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptflow._core.metric_logger import add_metric_logger, remove_metric_logger
from promptflow._utils.execution_utils import apply_default_value_for_input, get_aggregation_inputs_properties
from promptflow.contracts.flow import InputAssignment, InputValueType, Node
from promptflow.executor import _input_assignment_parser
from promptflow.executor.flow_executor import FlowExecutor
from promptflow.executor.flow_validator import FlowValidator
from promptflow.storage._run_storage import DummyRunStorage

from llmops_actions.platforms.local.executors.protocol import Aggregation, LineOutput, NodeFailedError, ProgramError
from llmops_actions.platforms.local.metering import Meter, RowAbandonedError, use_meter

_MOST_NODES_AT_ONCE = 16


@dataclass(frozen=True)
class _Step:
    """A node, resolved: its function, its inputs, and the nodes that must end first."""

    node: Node
    name: str
    function: Callable[..., Any]
    inputs: tuple[tuple[str, InputAssignment, bool], ...]
    """Name, value, and whether the function has a default for it."""
    needs: frozenset[str]
    input_nodes: tuple[str, ...]


class DagExecutor:
    """A graph of nodes. ``flow_file`` is the resolved definition; code and prompts are in ``folder``."""

    def __init__(self, flow_file: Path, folder: Path, connections: Any) -> None:
        self._executor = FlowExecutor.create(
            flow_file,
            connections,
            working_dir=folder,
            storage=DummyRunStorage(),
            raise_ex=True,
            env_exporter_setup=False,
        )
        self._flow = self._executor._flow
        self._processor = self._executor._multimedia_processor
        tools = self._executor._tools_manager
        nodes = [node for node in self._flow.nodes if not node.aggregation]
        self._steps = tuple(_step(node, tools.get_tool(node.name)) for node in nodes)
        self._outputs = tuple(self._output_references())
        self._aggregation_references = {
            text: InputAssignment.deserialize(text) for text in get_aggregation_inputs_properties(self._flow)
        }
        self._aggregates = any(node.aggregation for node in self._flow.nodes)

    def execute(self, inputs: Mapping[str, Any], line: int, meter: Meter) -> LineOutput:
        """Run the nodes of one row, as soon as what they need is there."""
        given = apply_default_value_for_input(self._flow.inputs, inputs)
        typed = FlowValidator.ensure_flow_inputs_type(self._flow, given, line)
        loaded = self._processor.load_multimedia_data(self._flow.inputs, typed)
        results = _Line(self._steps, loaded, meter).run()
        outputs = {
            name: _finished(_input_assignment_parser.parse_value(value, results, loaded))
            for name, value in self._outputs
        }
        if not self._aggregates:
            return LineOutput(outputs)
        needed = {
            text: _input_assignment_parser.parse_value(value, results, {})
            for text, value in self._aggregation_references.items()
        }
        return LineOutput(outputs, {"inputs": {name: typed[name] for name in self._flow.inputs}, "nodes": needed})

    def aggregate(self, rows: Iterable[Any]) -> Aggregation:
        """Run the aggregation nodes over the completed rows."""
        inputs: dict[str, list[Any]] = {name: [] for name in self._flow.inputs}
        nodes: dict[str, list[Any]] = {text: [] for text in self._aggregation_references}
        for row in rows:
            for name, values in inputs.items():
                values.append(row["inputs"][name])
            for text, values in nodes.items():
                values.append(row["nodes"][text])
        logged = Aggregation()

        def log(key: str, value: Any) -> None:
            logged.values[key] = value

        add_metric_logger(log)
        try:
            self._executor.exec_aggregation(inputs, nodes)
        finally:
            remove_metric_logger(log)
        return logged

    def _output_references(self) -> Iterator[tuple[str, InputAssignment]]:
        aggregating = {node.name for node in self._flow.nodes if node.aggregation}
        for name, output in self._flow.outputs.items():
            if output.reference.value_type == InputValueType.NODE_REFERENCE and output.reference.value in aggregating:
                continue
            yield name, output.reference


def _step(node: Node, function: Callable[..., Any]) -> _Step:
    parameters = inspect.signature(function).parameters
    assignments = node.inputs or {}
    inputs = tuple(
        (name, value, name in parameters and parameters[name].default is not inspect.Parameter.empty)
        for name, value in assignments.items()
    )
    references = [value for value in assignments.values() if value.value_type == InputValueType.NODE_REFERENCE]
    needs = {value.value for value in references}
    if node.activate and node.activate.condition.value_type == InputValueType.NODE_REFERENCE:
        needs.add(node.activate.condition.value)
    names = tuple(value.value for value in references)
    return _Step(node, node.name, function, inputs, frozenset(needs), names)


class _Line:
    """The nodes of one row on their way. ``results`` holds ``None`` for a bypassed node."""

    def __init__(self, steps: tuple[_Step, ...], inputs: Mapping[str, Any], meter: Meter) -> None:
        self._pending = list(steps)
        self._inputs = inputs
        self._meter = meter
        self._results: dict[str, Any] = {}
        self._bypassed: set[str] = set()
        self._ended: queue.SimpleQueue[tuple[_Step, Any, BaseException | None]] = queue.SimpleQueue()
        self._running = 0

    def run(self) -> dict[str, Any]:
        """Run every node; give the outputs by node name."""
        while self._pending or self._running:
            ready = self._take_ready()
            if not ready and not self._running:
                if self._pending:
                    raise ProgramError("No nodes are ready for execution, but the flow is not completed.")
                break
            if len(ready) == 1 and not self._running:
                self._results[ready[0].name] = self._call(ready[0])
                continue
            for step in ready:
                self._start(step)
            step, result, error = self._ended.get()
            self._running -= 1
            if error is not None:
                raise error
            self._results[step.name] = result
        return self._results

    def _take_ready(self) -> list[_Step]:
        """Settle what is bypassed, then take the nodes that can run now."""
        while True:
            bypassed = [step for step in self._pending if self._is_ready(step) and self._is_bypassed(step)]
            if not bypassed:
                break
            for step in bypassed:
                self._pending.remove(step)
                self._bypassed.add(step.name)
                self._results[step.name] = None
        room = _MOST_NODES_AT_ONCE - self._running
        ready = [step for step in self._pending if self._is_ready(step)][:room]
        for step in ready:
            self._pending.remove(step)
        return ready

    def _is_ready(self, step: _Step) -> bool:
        return step.needs <= self._results.keys()

    def _is_bypassed(self, step: _Step) -> bool:
        activate = step.node.activate
        if not activate:
            return bool(step.input_nodes) and all(name in self._bypassed for name in step.input_nodes)
        condition = activate.condition
        if condition.value_type == InputValueType.NODE_REFERENCE and condition.value in self._bypassed:
            return True
        return bool(self._value(condition) != activate.condition_value)

    def _value(self, assignment: InputAssignment) -> Any:
        return _input_assignment_parser.parse_value(assignment, self._results, self._inputs)

    def _arguments(self, step: _Step) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        for name, assignment, has_default in step.inputs:
            if assignment.value_type == InputValueType.NODE_REFERENCE and assignment.value in self._bypassed:
                if not has_default:
                    arguments[name] = None
            else:
                arguments[name] = self._value(assignment)
        return arguments

    def _start(self, step: _Step) -> None:
        self._running += 1
        context = copy_context()
        thread = threading.Thread(target=context.run, args=(self._call_apart, step), daemon=True)
        thread.start()

    def _call_apart(self, step: _Step) -> None:
        use_meter(self._meter)
        try:
            self._ended.put((step, self._call(step), None))
        except BaseException as error:  # noqa: BLE001 - the row's own thread raises it
            self._ended.put((step, None, error))

    def _call(self, step: _Step) -> Any:
        nodes = self._meter.nodes
        nodes[step.name] = threading.get_ident()
        try:
            if self._meter.abandoned:
                raise RowAbandonedError
            result = step.function(**self._arguments(step))
            return run_coroutine(result) if inspect.iscoroutine(result) else result
        except Exception as error:
            raise NodeFailedError(step.name, error) from error
        finally:
            nodes.pop(step.name, None)


def run_coroutine(coroutine: Any) -> Any:
    """The result of ``coroutine``, from an event loop of this call alone."""
    return asyncio.run(coroutine)


def _finished(value: Any) -> Any:
    """``value``, with a stream of text joined into one."""
    if isinstance(value, AsyncIterator):
        return run_coroutine(_join(value))
    if isinstance(value, Iterator):
        return "".join(str(item) for item in value)
    return value


async def _join(items: AsyncIterator[Any]) -> str:
    return "".join([str(item) async for item in items])
