"""The child that loads a flow: imports its modules one by one, then loads its programs as the engine does.

Reads a pickled ``LoadRequest`` on standard input, and writes a line of JSON to the report for each thing that goes
wrong, and one at the end. It ends by ``os._exit``: a thread that user code leaves behind cannot keep it alive.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from llmops_actions.experiment.prices import PriceTable
from llmops_actions.experiment.program import Program
from llmops_actions.platforms.local import preloading, user_frames
from llmops_actions.platforms.local.checks.loading import LoadRequest
from llmops_actions.platforms.local.checks.processes import end_with_parent
from llmops_actions.platforms.local.executors import loading
from llmops_actions.platforms.local.fork_server import save_coverage
from llmops_actions.platforms.local.setup import ChildSetup
from llmops_actions.platforms.local.user_errors import innermost

_MOST_TEXT = 1_000


def main() -> None:
    """Load what the request names."""
    end_with_parent()
    request: LoadRequest = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by our own parent
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    sys.argv[:] = [""]
    report = _Report(request)
    report.load()
    report.write({"step": "end"})


class _Report:
    def __init__(self, request: LoadRequest) -> None:
        self._request = request
        self._file = request.report.open("a", encoding="utf-8")
        self._failed = False
        self._folder = loading.working_folder(request.first, request.scratch)

    def load(self) -> None:
        """Import the modules; the programs only if every module can be imported."""
        # What `-m` put there is for us, not for user code.
        sys.path[:] = [str(self._folder), *sys.path[1:], sys.path[0]]
        os.chdir(self._folder)
        if self._request.first.kind != "function":
            preloading.stand_in_for_the_control_plane()
            # Prompt flow's modules import each other in a circle, which works from here on.
            importlib.import_module("promptflow.executor._prompty_executor")
        for name in self._request.modules:
            self._attempt("module", name, lambda name=name: self._import(name))  # type: ignore[misc]
        for number, (name, program) in enumerate(self._request.programs if not self._failed else ()):
            self._attempt("program", name, lambda n=number, p=program: self._load(n, p))  # type: ignore[misc]

    def write(self, problem: dict[str, Any]) -> None:
        """Add a line to the report."""
        self._file.write(json.dumps(problem) + "\n")
        self._file.flush()

    def _attempt(self, step: str, name: str, action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - user code may raise anything, SystemExit included
            traceback.print_exc()
            self._failed = True
            self.write({"step": step, "name": name, **self._explain(error)})

    def _import(self, name: str) -> None:
        kind = self._request.first.kind
        if kind == "dag":
            from promptflow._core.tools_manager import ToolLoader

            ToolLoader(self._folder).load_script_tool(name, name)
        else:
            importlib.import_module(name.removesuffix(".py"))

    def _load(self, number: int, program: Program) -> None:
        scratch = self._request.scratch / f"program-{number}"
        scratch.mkdir()
        loading.load(
            ChildSetup(
                run_name="validate",
                program=replace(program, folder=self._folder, includes=()),
                connections=self._request.connections,
                environment=os.environ,
                import_path=tuple(sys.path),
                scratch=scratch,
                log=scratch / "log.txt",
                line_timeout=0.0,
                call_timeout=0.0,
                attempts=1,
                prices=PriceTable(),
            )
        )

    def _explain(self, error: BaseException) -> dict[str, Any]:
        node = getattr(error, "message_parameters", {}).get("node_name")
        cause = innermost(error)
        file, line = self._where(cause)
        missing = cause.name if isinstance(cause, ModuleNotFoundError) else None
        return {
            "error": type(cause).__name__,
            "message": (str(cause) or type(cause).__name__)[:_MOST_TEXT],
            "file": file,
            "line": line,
            "missing": missing,
            "node": node if isinstance(node, str) else None,
        }

    def _where(self, error: BaseException) -> tuple[str | None, int | None]:
        if isinstance(error, SyntaxError) and error.filename:
            file = Path(error.filename)
            return (str(file.relative_to(self._folder)) if file.is_relative_to(self._folder) else None), error.lineno
        where = user_frames.where_raised(error, self._folder)
        file_name, _, line = (where or "").rpartition(":")
        return (file_name or None), (int(line) if line.isdigit() else None)


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except BaseException:  # noqa: BLE001 - printed for the parent, which shows the end of it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        save_coverage()
        os._exit(code)
