"""What a person types: ``llmops <step> <use case> …``, made from the steps' declarations."""

from __future__ import annotations

import argparse
import difflib
import itertools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn, get_args, get_origin

from llmops_actions import __version__
from llmops_actions.steps import STEPS, load_step

if TYPE_CHECKING:
    from llmops_actions.outcome import Outcome
    from llmops_actions.progress import LineProgress, LiveProgress, SilentProgress
    from llmops_actions.steps.declaration import Step

EPILOG = """\
The way of a use case:  validate -> bulk-run -> evaluate -> compare -> gate -> report,
                        or `llmops lifecycle` for all of it.
What a step takes:      llmops <step> --help
Without network, keys:  llmops lifecycle flows/web_classification --offline
Exit codes: 0 passed, 1 failed, 2 usage, 3 error, 4 inconclusive.
"""

USAGE = 2
INTERRUPTED = 3


class _WrongWordsError(Exception):
    """The words cannot be parsed; the message says why and what is meant."""


class _Parser(argparse.ArgumentParser):
    """Lets the caller decide how a wrong word is told."""

    def error(self, message: str) -> NoReturn:
        raise _WrongWordsError(f"{message}. See `{self.prog} --help`.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one step and show how it ended; returns the exit code of its verdict."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            return _main(words)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        # A step winds itself up; this one came before the step, or after it.
        sys.stderr.write("llmops: Interrupted.\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever reads has enough (`llmops … | head`). Nothing can be flushed on the way out any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _main(words: Sequence[str]) -> int:
    name = words[0] if words else ""
    step = load_step(name) if name in STEPS else None
    try:
        options = _parsed(_parser(step), words)
    except _WrongWordsError as error:
        return _refuse(name, str(error), words)
    if step is None:
        _parser(None).print_help()
        return 0
    return _run(step, options)


def _parser(step: Step[Any, Any] | None) -> argparse.ArgumentParser:
    """The parser; only the step that is asked for gets its options, so that the others need no import."""
    parser = _Parser(
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


def _parsed(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """The options by name.

    Raises:
        _WrongWordsError: a word that is no step, no option or one too many, with the nearest one that is.
    """
    if words and words[0] not in STEPS and words[0] not in ("-h", "--help", "--version"):
        later = next((word for word in words if word in STEPS), None)
        if words[0].startswith("-") and later:
            raise _WrongWordsError(f"The step comes first: llmops {later} {words[0]} …")
        raise _WrongWordsError(f"There is no step `{words[0]}`.{_nearest(words[0], STEPS)} See `llmops --help`.")
    options, rest = parser.parse_known_args(words)
    if rest:
        known = [f"--{name.replace('_', '-')}" for name in vars(options)]
        what = "option" if rest[0].startswith("-") else "further word"
        raise _WrongWordsError(
            f"`{words[0]}` takes no {what} `{rest[0]}`.{_nearest(rest[0].partition('=')[0], known)} "
            f"See `llmops {words[0]} --help`."
        )
    return vars(options)


def _nearest(word: str, known: Sequence[str] | Mapping[str, str]) -> str:
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean `{found[0]}`?" if found else ""


def _add_inputs(command: argparse.ArgumentParser, step: Step[Any, Any]) -> None:
    group = command.add_argument_group("inputs")
    for field, details in step.inputs.model_fields.items():
        name = field.replace("_", "-")
        extra = details.json_schema_extra
        default = details.get_default(call_default_factory=True)
        shown = "" if details.is_required() else f" (default: {_shown(default)})"
        help_text = f"{details.description}{shown}".replace("%", "%%")
        if isinstance(extra, dict) and extra.get("positional"):
            nargs = None if details.is_required() else "?"
            command.add_argument(field, metavar=name, help=help_text, nargs=nargs)
        elif details.annotation is bool:
            group.add_argument(
                f"--{name}", dest=field, action=argparse.BooleanOptionalAction, help=help_text, default=None
            )
        else:
            several = isinstance(default, tuple)
            metavar = _choices(details.annotation) or ("VALUES" if several else "VALUE")
            action = "append" if several else "store"
            group.add_argument(f"--{name}", dest=field, action=action, metavar=metavar, help=help_text)


def _shown(default: Any) -> str:
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return "on" if default else "off"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _choices(annotation: Any) -> str | None:
    """The words that a choice has, which may be optional: ``{a,b}``; ``None`` of what is no choice."""
    options = [each for each in get_args(annotation) if each is not type(None)]
    if len(options) == 1 and get_origin(options[0]) is Literal:
        options = list(get_args(options[0]))
    return f"{{{','.join(options)}}}" if options and all(isinstance(each, str) for each in options) else None


def _add_presentation(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("presentation")
    group.add_argument(
        "--format", choices=("text", "json"), default="text", help="How the result is written. (default: text)"
    )
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="No progress, only the result.")
    volume.add_argument("-v", "--verbose", action="store_true", help="Progress line by line, every note and notice.")


def _run(step: Step[Any, Any], options: Mapping[str, Any]) -> int:
    from llmops_actions.steps.execution import execute
    from llmops_actions.steps.services import real_services

    progress = _progress(quiet=options["quiet"], verbose=options["verbose"])
    outcome = execute(step, _words(step, options), real_services(dict(os.environ), progress))
    progress.close()
    _show(step.name, outcome, as_json=options["format"] == "json", verbose=options["verbose"])
    return outcome.exit_code


def _show(name: str, outcome: Outcome[Any], *, as_json: bool, verbose: bool) -> None:
    from llmops_actions.reporting.terminal import outcome_as_json, outcome_as_text

    if as_json:
        sys.stdout.write(json.dumps(outcome_as_json(name, outcome), indent=2) + "\n")
    else:
        sys.stdout.write(outcome_as_text(name, outcome, verbose=verbose, color=_color()))
    sys.stdout.flush()


def _refuse(name: str, message: str, words: Sequence[str]) -> int:
    """Tell what is wrong with the words: on standard error, or where a program reads, as the document it expects."""
    if "--format=json" in words or ("--format", "json") in itertools.pairwise(words):
        from llmops_actions.outcome import Finding, Outcome, Outputs

        outcome = Outcome("usage", Outputs(), "", (Finding("error", message),))
        _show(name, outcome, as_json=True, verbose=False)
    else:
        sys.stderr.write(f"llmops: {message}\n")
    return USAGE


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
    live = sys.stderr.isatty() and not verbose and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
    return LiveProgress(sys.stderr) if live else LineProgress(sys.stderr)


def _color() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


if __name__ == "__main__":
    sys.exit(main())
