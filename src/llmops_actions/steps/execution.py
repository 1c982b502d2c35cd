"""Runs a step from words: the one place where inputs are parsed and failures become outcomes."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmops_actions.errors import LlmopsError, UsageError
from llmops_actions.experiment.parsing import nearest_name
from llmops_actions.outcome import Finding, Outcome, Verdict
from llmops_actions.steps.declaration import Inputs, Step
from llmops_actions.steps.services import Services

ERROR_FILE = Path("error.log")


def input_name(field: str) -> str:
    """How a user writes the name of an input: ``line_timeout`` is ``line-timeout``."""
    return field.replace("_", "-")


def parse_inputs(step: Step[Any, Any], words: Mapping[str, str]) -> Inputs:
    """The typed inputs. An empty word counts as not given, as GitHub hands over inputs without a value.

    Raises:
        UsageError: an unknown input, a missing one, or a value that does not fit.
    """
    given = {name.replace("-", "_"): word for name, word in words.items() if word != ""}
    fields = step.inputs.model_fields
    for name in given:
        if name not in fields:
            nearest = nearest_name(name, list(fields))
            hint = f" Did you mean `{input_name(nearest)}`?" if nearest else ""
            raise UsageError(f"`{step.name}` has no input `{input_name(name)}`.{hint}")
    try:
        inputs: Inputs = step.inputs.model_validate(given)
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors(include_url=False)]
        raise UsageError("\n".join(problems)) from error
    return inputs


def _problem(details: Any) -> str:
    name = input_name(str(details["loc"][0])) if details["loc"] else "the inputs"
    if details["type"] == "missing":
        return f"The input `{name}` is missing."
    return f"The input `{name}` cannot be {details['input']!r}: {details['msg']}."


def execute(step: Step[Any, Any], words: Mapping[str, str], services: Services) -> Outcome[Any]:
    """Run ``step`` with inputs given as words. Whatever happens, an outcome comes back."""
    try:
        return step.run(parse_inputs(step, words), services)
    except LlmopsError as error:
        return _ended(step, "usage" if isinstance(error, UsageError) else "error", error.message, error)
    except KeyboardInterrupt:
        return _ended(step, "error", "Interrupted.")
    except Exception as error:  # noqa: BLE001 - the last resort: a defect of ours must not end in a traceback
        file = _keep_traceback(words, services)
        return _ended(step, "error", f"A defect in llmops-actions: {error!r}. Please report it with {file}.")


def _ended(step: Step[Any, Any], verdict: Verdict, message: str, error: LlmopsError | None = None) -> Outcome[Any]:
    finding = Finding("error", message, error.location if error else None)
    return Outcome(verdict, step.outputs(), f"**{step.name}**: {verdict}", (finding,))


def _keep_traceback(words: Mapping[str, str], services: Services) -> Path:
    file = services.directory / words.get("work-dir", words.get("work_dir", ".llmops")) / ERROR_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(traceback.format_exc(), encoding="utf-8")
    return file
