"""What a person types: ``llmops <step> <use case> …``, made from the steps' declarations."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmops_actions import __version__
from llmops_actions.steps import STEPS, load_step

if TYPE_CHECKING:
    from llmops_actions.progress import LineProgress, LiveProgress, SilentProgress
    from llmops_actions.steps.declaration import Step

EPILOG = """\
The way of a use case:  validate -> bulk-run -> evaluate, or `llmops lifecycle` for all of it.
Try it without network or keys:  llmops lifecycle flows/web_classification --offline
Exit codes: 0 passed, 1 failed, 2 usage, 3 error, 4 inconclusive.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step and show how it ended; returns the exit code of its verdict."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = next((word for word in words if not word.startswith("-")), None)
    step = load_step(name) if name in STEPS else None
    parser = _parser(step)
    options = vars(parser.parse_args(words))
    if step is None:
        parser.print_help()
        return 0
    return _run(step, options)


def _parser(step: Step[Any, Any] | None) -> argparse.ArgumentParser:
    """The parser; only the step that is asked for gets its options, so that the others need no import."""
    parser = argparse.ArgumentParser(
        prog="llmops",
        description="The life of a prompt-flow application, step by step, on this machine.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"llmops-actions {__version__}")
    commands = parser.add_subparsers(metavar="<step>", dest="step")
    for name, summary in STEPS.items():
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if step is not None and step.name == name:
            _add_inputs(command, step)
            _add_presentation(command)
    return parser


def _add_inputs(command: argparse.ArgumentParser, step: Step[Any, Any]) -> None:
    group = command.add_argument_group("inputs")
    for field, details in step.inputs.model_fields.items():
        name = field.replace("_", "-")
        extra = details.json_schema_extra
        help_text = (details.description or "").replace("%", "%%")
        default = details.get_default(call_default_factory=True)
        if isinstance(extra, dict) and extra.get("positional"):
            nargs = None if details.is_required() else "?"
            command.add_argument(field, metavar=name, help=help_text, nargs=nargs)
        elif details.annotation is bool:
            group.add_argument(
                f"--{name}", dest=field, action=argparse.BooleanOptionalAction, help=help_text, default=None
            )
        else:
            shown = "" if details.is_required() or default in (None, (), "") else f" (default: {default})"
            action = "append" if isinstance(default, tuple) else "store"
            metavar = _choices(details.annotation) or "VALUE"
            group.add_argument(f"--{name}", dest=field, action=action, metavar=metavar, help=f"{help_text}{shown}")


def _choices(annotation: Any) -> str | None:
    values = getattr(annotation, "__args__", ())
    return f"{{{','.join(values)}}}" if values and all(isinstance(value, str) for value in values) else None


def _add_presentation(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("presentation")
    group.add_argument(
        "--format", choices=("text", "json"), default="text", help="how the result is written (default: text)"
    )
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="no progress, only the result")
    volume.add_argument("-v", "--verbose", action="store_true", help="progress line by line, every note and notice")


def _run(step: Step[Any, Any], options: Mapping[str, Any]) -> int:
    from llmops_actions.reporting.terminal import outcome_as_json, outcome_as_text
    from llmops_actions.steps.execution import execute
    from llmops_actions.steps.services import real_services

    progress = _progress(quiet=options["quiet"], verbose=options["verbose"])
    outcome = execute(step, _words(step, options), real_services(dict(os.environ), progress))
    progress.close()
    if options["format"] == "json":
        sys.stdout.write(json.dumps(outcome_as_json(step.name, outcome), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(outcome_as_text(step.name, outcome, verbose=options["verbose"], color=_color()))
    sys.stdout.flush()
    return outcome.exit_code


def _words(step: Step[Any, Any], options: Mapping[str, Any]) -> dict[str, str]:
    """The options that were given, as the words that every way into a step hands over."""
    words = {}
    for field in step.inputs.model_fields:
        value = options.get(field)
        if value is not None:
            words[field] = ",".join(value) if isinstance(value, list) else str(value)
    return words


def _progress(*, quiet: bool, verbose: bool) -> SilentProgress | LineProgress | LiveProgress:
    from llmops_actions.progress import LineProgress, LiveProgress, SilentProgress

    if quiet:
        return SilentProgress()
    live = sys.stderr.isatty() and not verbose and not os.environ.get("CI")
    return LiveProgress(sys.stderr) if live else LineProgress(sys.stderr)


def _color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


if __name__ == "__main__":
    sys.exit(main())
