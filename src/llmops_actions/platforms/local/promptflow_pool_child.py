"""The process in which prompt flow's batch engine and its pool run, for the fallback runner."""

from __future__ import annotations

import faulthandler
import json
import os
import pickle
import shutil
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from llmops_actions.platforms.local import aggregation
from llmops_actions.platforms.local.executors.loading import (
    LEFT_OUT,
    offer_connections,
    working_folder,
    write_yaml,
)
from llmops_actions.platforms.local.messages import (
    Aggregated,
    Decoder,
    LoadFailed,
    Message,
    RowEnded,
    RunRow,
    Setup,
    encode,
)
from llmops_actions.platforms.local.output_log import redirect_output
from llmops_actions.platforms.local.records import RowError, RowRecord
from llmops_actions.platforms.local.redaction import Redactor, redactor_of
from llmops_actions.platforms.local.setup import ChildSetup
from llmops_actions.platforms.local.user_errors import describe, innermost

_LONGEST_POOL = 16
"""Processes at most: each takes more than 100 MB."""


def serve(descriptor: int) -> NoReturn:
    """Run what the parent sends over the socket ``descriptor``, and end."""
    connection = socket.socket(fileno=descriptor)
    faulthandler.enable(os.dup(2))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    messages: list[Message] = []
    decoder = Decoder()
    while not any(message.kind == "stop" for message in messages):
        data = connection.recv(1 << 18)
        if not data:
            os._exit(1)
        messages.extend(decoder.feed(data))
    threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
    first, rows = messages[0], [message for message in messages if isinstance(message, RunRow)]
    if not isinstance(first, Setup):
        raise TypeError("the first message must be the setup")
    setup, workers, timeout = pickle.loads(first.payload)  # noqa: S301 - from our own parent
    pool = _PoolRun(connection, setup, rows)
    try:
        pool.run(workers, timeout)
    except BaseException as error:  # noqa: BLE001 - the parent is told
        traceback.print_exc()
        cause = innermost(error)
        text = pool.redactor.text(describe(cause, setup.program.folder))
        pool.send(LoadFailed(type(cause).__name__, text))
    sys.stdout.flush()
    os._exit(0)


def _end_with_parent(connection: socket.socket) -> None:
    while connection.recv(1024):
        continue
    os.killpg(0, signal.SIGKILL)


class _PoolRun:
    def __init__(self, connection: socket.socket, setup: ChildSetup, rows: list[RunRow]) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._setup = setup
        self.redactor = redactor_of(setup.connections, setup.environment)
        self._rows = {row.line: row for row in rows}

    def send(self, message: Message) -> None:
        with self._lock:
            self._connection.sendall(encode(message))

    def run(self, workers: int, timeout: float) -> None:
        """Load the program, run its rows, aggregate."""
        setup = self._setup
        os.environ.clear()
        os.environ.update(setup.environment)
        redirect_output(setup.log, self.redactor)
        sys.path[:] = [entry for entry in setup.import_path if entry]
        folder = working_folder(setup.program, setup.scratch)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        from promptflow._proxy._python_executor_proxy import PythonExecutorProxy
        from promptflow.batch import _batch_engine

        connections = offer_connections(setup.connections)
        flow_file, init = _flow_file(setup, folder)
        storage = _storage(self)
        executor = _executor(flow_file, folder, connections, storage, init)
        problems = _remember_problems(executor)
        if not self._rows:
            self.send(Aggregated({}, [], {}, 0))
            return
        _batch_engine.BatchInputsProcessor = _given_rows(list(self._rows.values()))
        engine = _batch_engine.BatchEngine(
            flow_file,
            folder,
            connections=connections,
            storage=storage,
            line_timeout_sec=int(setup.line_timeout) or None,
            batch_timeout_sec=int(timeout) or None,
            worker_count=min(workers, _LONGEST_POOL, len(self._rows)),
            init_kwargs=init,
        )
        output = setup.scratch / "output"
        output.mkdir()
        result = engine.run({}, {}, output, executor_proxy=PythonExecutorProxy(executor))
        problems.extend(
            f"{node}: {info.get('message')}" for node, info in (result.error_summary.aggr_error_dict or {}).items()
        )
        metrics, notes = aggregation.finite_metrics(result.metrics or {})
        self.send(Aggregated(metrics, notes, {}, 0, self.redactor.text("; ".join(problems)) or None))

    def row_ended(self, info: Any) -> None:
        """A row's final run information came."""
        row = self._rows.get(info.index)
        if row is None:
            return
        duration = (info.end_time - info.start_time).total_seconds() if info.end_time else 0.0
        error = None if info.status.value == "Completed" else _row_error(info.error or {}, self.redactor)
        outputs = None if error else {name: value for name, value in info.output.items() if name != "line_number"}
        try:
            record = RowRecord(row.line, row.key, row.payload, outputs, error, cost=None, duration=duration).encode()
            if outputs is not None and self.redactor.is_in(record):
                outputs = {name: self.redactor.value(value) for name, value in outputs.items()}
                record = RowRecord(
                    row.line, row.key, row.payload, outputs, error, cost=None, duration=duration
                ).encode()
        except (TypeError, ValueError, RecursionError) as problem:
            error = RowError("OutputNotJson", self.redactor.text(f"The outputs are not JSON: {problem}"))
            record = RowRecord(row.line, row.key, row.payload, None, error, cost=None, duration=duration).encode()
        self.send(
            RowEnded(
                slot=0,
                line=row.line,
                failed=error is not None,
                usage={},
                hosts={},
                attempts=0,
                duration=duration,
                record_size=len(record),
                payload=record,
            )
        )


def _flow_file(setup: ChildSetup, folder: Path) -> tuple[Path, dict[str, Any] | None]:
    program = setup.program
    if program.kind == "prompty":
        return _resolved_prompty(setup, folder), None
    flow_file = setup.scratch / ("flow.dag.yaml" if program.kind == "dag" else "flow.flex.yaml")
    write_yaml(flow_file, program.definition)
    return flow_file, dict(program.init) if program.kind == "flex" else None


def _resolved_prompty(setup: ChildSetup, folder: Path) -> Path:
    """A private copy of the prompty and its folder, with the overrides in it and its connection's values.

    The pool's processes start from the file alone: prompt flow loses overrides on the way, and would look for the
    connection's name in its database, and in the keyring. The values reach them by the environment.
    """
    from promptflow.core import Prompty
    from promptflow.core._prompty_utils import update_dict_recursively

    copy = setup.scratch / "prompty"
    shutil.copytree(folder, copy, ignore=LEFT_OUT, symlinks=True)
    front_matter, template = Prompty._parse_prompty(folder / setup.program.file)
    merged = update_dict_recursively(front_matter, dict(setup.program.definition))
    configuration = merged.get("model", {}).get("configuration", {})
    connection = setup.connections.get(configuration.get("connection"))
    if connection is not None:
        del configuration["connection"]
        for name, value in {**connection.configs, **connection.secrets}.items():
            variable = f"LLMOPS_CONNECTION_{name.upper()}"
            os.environ[variable] = value
            configuration[name] = f"${{env:{variable}}}"
    file = copy / setup.program.file
    # JSON is YAML.
    file.write_text(f"---\n{json.dumps(merged)}\n---\n{template}", encoding="utf-8")
    return file


def _executor(flow_file: Path, folder: Path, connections: Any, storage: Any, init: Any) -> Any:
    from promptflow.executor import FlowExecutor

    return FlowExecutor.create(
        flow_file, connections, folder, storage=storage, raise_ex=False, init_kwargs=init, env_exporter_setup=False
    )


def _storage(pool: _PoolRun) -> Any:
    from promptflow.storage import AbstractRunStorage

    class Storage(AbstractRunStorage):  # type: ignore[misc]
        """Tells the parent of each row that ended; keeps nothing."""

        def persist_node_run(self, run_info: Any) -> None:
            """Nodes are not kept."""

        def persist_flow_run(self, run_info: Any) -> None:
            if run_info.status.value in {"Completed", "Failed", "Canceled"}:
                pool.row_ended(run_info)

    return Storage()


def _given_rows(rows: list[RunRow]) -> Any:
    """In the place of prompt flow's reading and mapping of files: the rows are mapped already."""

    class GivenRows:
        def __init__(self, *_: Any, **__: Any) -> None:
            """Take what prompt flow gives; nothing of it is needed."""

        def process_batch_inputs(self, *_: Any) -> list[dict[str, Any]]:
            return [{**json.loads(row.payload), "line_number": row.line} for row in rows]

    return GivenRows


def _remember_problems(executor: Any) -> list[str]:
    """Prompt flow only logs that ``__aggregate__`` failed; this list says it."""
    problems: list[str] = []
    function = getattr(executor, "_aggr_func", None)
    if function is None:
        return problems

    def aggregate(**arguments: Any) -> Any:
        try:
            return function(**arguments)
        except Exception as error:
            problems.append(f"{type(error).__name__}: {error}")
            raise

    executor._aggr_func = aggregate
    return problems


def _row_error(error: Mapping[str, Any], redactor: Redactor) -> RowError:
    parameters = error.get("messageParameters") or {}
    kind, inner = str(error.get("code", "Error")), error
    while isinstance(inner := inner.get("innerError") or {}, Mapping) and inner.get("code"):
        kind = str(inner["code"])
    return RowError(kind, redactor.text(str(error.get("message", ""))), parameters.get("node_name"))
