"""Runs a step from words: the one place where inputs are parsed and failures become outcomes."""

from __future__ import annotations

import contextlib
import errno
import signal
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llmops_actions.errors import LlmopsError, Location, UsageError
from llmops_actions.experiment.discovery import no_such_overlay
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.experiment.secret_names import secret_values
from llmops_actions.outcome import Finding, Outcome, Verdict
from llmops_actions.reporting.text import one_line
from llmops_actions.steps.declaration import Inputs, Step
from llmops_actions.steps.inputs import DEFAULT_WORK_DIR
from llmops_actions.steps.services import Services

ERROR_FILE = Path("error.log")

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)


def input_name(field: str) -> str:
    """How a user writes the name of an input: ``line_timeout`` is ``line-timeout``."""
    return field.replace("_", "-")


def parse_inputs(step: Step[Any, Any], words: Mapping[str, str]) -> Inputs:
    """The typed inputs. An empty word counts as not given, as GitHub hands over inputs without a value.

    Raises:
        UsageError: an unknown input, a missing one, or a value that does not fit; all of them at once.
    """
    given = {name.replace("-", "_"): word for name, word in words.items() if word.strip()}
    fields = step.inputs.model_fields
    unknown = [_unknown(step, name) for name in given if name not in fields]
    try:
        inputs: Inputs = step.inputs.model_validate({name: word for name, word in given.items() if name in fields})
    except ValidationError as error:
        problems = [_problem(details) for details in error.errors(include_url=False)]
        raise UsageError("\n".join([*unknown, *problems])) from error
    if unknown:
        raise UsageError("\n".join(unknown))
    return inputs


def _unknown(step: Step[Any, Any], name: str) -> str:
    hint = did_you_mean(input_name(name), map(input_name, step.inputs.model_fields))
    return f"`{step.name}` has no input `{input_name(name)}`. {hint}".rstrip()


def _problem(details: Any) -> str:
    name = input_name(str(details["loc"][0])) if details["loc"] else "the inputs"
    if details["type"] == "missing":
        return f"The input `{name}` is missing."
    return f"The input `{name}` cannot be {one_line(repr(details['input']), 100)}: {details['msg']}."


def execute(step: Step[Any, Any], words: Mapping[str, str], services: Services) -> Outcome[Any]:
    """Run ``step`` with inputs given as words. Whatever happens, an outcome comes back.

    Files below the working directory are named as seen from there, as a user types them.
    """
    outcome = _run(step, words, services)
    findings = list(outcome.findings)
    misspelt = _environment_without_overlay(step, words, services)
    if misspelt and misspelt.message not in [finding.message for finding in findings]:
        findings.insert(0, misspelt)
    return replace(outcome, findings=tuple(_as_typed(each, services.directory) for each in findings))


def _environment_without_overlay(step: Step[Any, Any], words: Mapping[str, str], services: Services) -> Finding | None:
    """A warning where the step's environment may be a typo, however the step ended."""
    use_case, environment = words.get("use_case", words.get("use-case")), words.get("env")
    if not use_case or not environment or not {"use_case", "env"} <= step.inputs.model_fields.keys():
        return None
    try:
        return no_such_overlay((services.directory / use_case).resolve(), environment)
    except (OSError, ValueError, RuntimeError):
        # A path that is none is the step's to refuse.
        return None


def _as_typed(finding: Finding, directory: Path) -> Finding:
    place, root = finding.location, directory.resolve()
    if place is None or not place.file.is_relative_to(root):
        return finding
    return replace(finding, location=replace(place, file=place.file.relative_to(root)))


def _run(step: Step[Any, Any], words: Mapping[str, str], services: Services) -> Outcome[Any]:
    try:
        with _sigterm_as_interrupt():
            outcome: Outcome[Any] = step.run(parse_inputs(step, words), services)
            return outcome
    except LlmopsError as error:
        return outcome_of(step, error)
    except KeyboardInterrupt:
        return _ended(step, "error", "Interrupted.")
    except OSError as error:
        return _refused(step, error, _work_dir(words, services))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the last resort: a defect of ours must not end in a traceback
        kept = _keep_traceback(words, services)
        what = one_line(_without_secrets(repr(error), services), 500)
        return _ended(step, "error", f"A defect in llmops-actions: {what}. {kept}")


def _refused(step: Step[Any, Any], error: OSError, work_dir: Path) -> Outcome[Any]:
    """The outcome where the system refused something. Of the work folder there can be another."""
    message = f"The system refused: {error.strerror or repr(error)}."
    if error.filename is None:
        return _ended(step, "error", message)
    file = Path(str(error.filename)).absolute()
    if error.errno in _NOT_WRITABLE and file.is_relative_to(work_dir):
        message = f"The work folder cannot be written: {file}: {error.strerror}. Name another one with --work-dir."
        return _ended(step, "error", message)
    return _ended(step, "error", message, Location(Path(str(error.filename))))


def _work_dir(words: Mapping[str, str], services: Services) -> Path:
    written = words.get("work-dir") or words.get("work_dir") or str(DEFAULT_WORK_DIR)
    return (services.directory / written).absolute()


def outcome_of(step: Step[Any, Any], error: LlmopsError) -> Outcome[Any]:
    """The outcome of a step that ``error`` ended."""
    return _ended(step, "usage" if isinstance(error, UsageError) else "error", error.message, error.location)


def _ended(step: Step[Any, Any], verdict: Verdict, message: str, place: Location | None = None) -> Outcome[Any]:
    return Outcome(verdict, step.outputs(), f"**{step.name}**: {verdict}", (Finding("error", message, place),))


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM wind up a step as Ctrl-C does, so that no child stays; only the main thread can see to it."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _keep_traceback(words: Mapping[str, str], services: Services) -> str:
    """Write the traceback to the work folder; what to tell the user about it."""
    file = _work_dir(words, services) / ERROR_FILE
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = _without_secrets(traceback.format_exc(), services)
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        return f"Please report it; {file} could not be written ({error.strerror})."
    return f"Please report it with {file}."


def _without_secrets(text: str, services: Services) -> str:
    for secret in secret_values(services.environ):
        text = text.replace(secret, "***")
    return text
