"""The entry of an action: inputs from the environment, the step, then everything that is reported."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actions_toolkit import core

from llmops_actions.errors import UsageError
from llmops_actions.github.actions import ACTIONS
from llmops_actions.github.commands import WorkflowLog
from llmops_actions.github.masking import find_secrets
from llmops_actions.github.presenter import GroupedProgress, Place, report
from llmops_actions.outcome import EXIT_CODES
from llmops_actions.steps import load_step
from llmops_actions.steps.declaration import Step
from llmops_actions.steps.execution import execute, input_name
from llmops_actions.steps.services import real_services


def main(arguments: Sequence[str]) -> int:
    """Run the step that ``arguments`` name, else the input ``step``; returns the exit code of its verdict."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # Standard error joins standard output: the runner reads them as two streams, and would mix up commands and text.
    os.dup2(1, 2)
    # The action starts us in its own folder, so that no module of the workspace hides one of ours.
    os.chdir(os.environ.get("GITHUB_WORKSPACE", os.curdir))
    return run_action(arguments, WorkflowLog(sys.stdout))


def run_action(arguments: Sequence[str], log: WorkflowLog) -> int:
    """Run a step in the environment of an action, report how it ended to ``log`` and the runner's files."""
    try:
        step, words = _asked_for(arguments)
    except UsageError as error:
        log.command("error", error.message, title="llmops")
        return EXIT_CODES["usage"]
    return run_step(step, words, log)


def run_step(step: Step[Any, Any], words: dict[str, str], log: WorkflowLog) -> int:
    """Run ``step``; secrets are masked before anything is written, the exit code comes after everything."""
    environ = dict(os.environ)
    directory = Path.cwd()
    log.mask(find_secrets(environ, directory, words.get("use_case", ""), words.get("env") or None))
    log.stop()
    progress = GroupedProgress(log)
    outcome = execute(step, words, real_services(environ, progress))
    progress.close()
    try:
        report(step.name, outcome, Place.of(environ, directory), log)
    except OSError as error:
        log.resume()
        log.command("error", f"The step ended as {outcome.verdict}, but GitHub cannot be told more: {error}.")
        return EXIT_CODES["error"]
    return outcome.exit_code


def read_words(step: Step[Any, Any]) -> dict[str, str]:
    """The inputs of ``step``, as the action hands them over: ``use-case`` as the variable ``INPUT_USE_CASE``."""
    return {field: core.get_input(field) for field in step.inputs.model_fields}


def _asked_for(arguments: Sequence[str]) -> tuple[Step[Any, Any], dict[str, str]]:
    """The step and its words. The root action names the step as an input, and has the inputs of all steps."""
    if arguments:
        step = load_step(_known(arguments[0]))
        return step, read_words(step)
    step = load_step(_known(core.get_input("step")))
    words = read_words(step)
    for other in ACTIONS:
        for field, word in read_words(load_step(other)).items():
            if word and field not in words:
                raise UsageError(f"The step `{step.name}` takes no input `{input_name(field)}`; `{other}` does.")
    return step, words


def _known(name: str) -> str:
    if name not in ACTIONS:
        raise UsageError(f"`{name}` is no step of an action. Steps: {', '.join(ACTIONS)}.")
    return name
