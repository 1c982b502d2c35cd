"""Work that prompt flow and openai do anew for each row, done once: compiled templates, bodies that need no change."""

from __future__ import annotations

import functools
from collections import OrderedDict
from typing import Any

_MOST_TEMPLATES = 256
_PLAIN_ROLES = frozenset({"system", "user", "assistant", "developer"})


def take_shortcuts() -> None:
    """Take all of them in this process."""
    remember_templates()
    leave_plain_messages_alone()


def remember_templates() -> None:
    """Compile a Jinja template once for each text and kind of environment: prompt flow does it for every row.

    Only where the environment has Jinja's own filters and tests: constants are folded with them while it compiles.
    """
    from jinja2 import Environment
    from jinja2.filters import FILTERS
    from jinja2.tests import TESTS

    compile_anew: Any = Environment.compile
    if hasattr(compile_anew, "__wrapped__"):
        return
    compiled: OrderedDict[tuple[Any, ...], Any] = OrderedDict()

    @functools.wraps(compile_anew)
    def compile_once(self: Any, source: Any, name: Any = None, filename: Any = None, *more: Any, **named: Any) -> Any:
        usual = self.filters == FILTERS and self.tests == TESTS and not self.extensions
        if not isinstance(source, str) or name or filename or more or named or not usual:
            return compile_anew(self, source, name, filename, *more, **named)
        key = (type(self), source, *_settings(self))
        code = compiled.get(key)
        if code is None:
            code = compiled[key] = compile_anew(self, source)
            if len(compiled) > _MOST_TEMPLATES:
                compiled.popitem(last=False)
        return code

    setattr(Environment, "compile", compile_once)  # noqa: B010 - a method is replaced on purpose


def leave_plain_messages_alone() -> None:
    """Let openai not look for aliases in messages that are a role and a text: there are none to find."""
    from openai.resources.chat.completions import completions

    transform: Any = vars(completions)["maybe_transform"]
    if hasattr(transform, "__wrapped__"):
        return

    @functools.wraps(transform)
    def transform_rest(data: Any, expected_type: Any) -> Any:
        messages = data.get("messages") if isinstance(data, dict) else None
        if not isinstance(messages, list) or not all(_is_plain(message) for message in messages):
            return transform(data, expected_type)
        body = transform({**data, "messages": []}, expected_type)
        body["messages"] = messages
        return body

    setattr(completions, "maybe_transform", transform_rest)  # noqa: B010 - a function is replaced on purpose


def _settings(environment: Any) -> tuple[Any, ...]:
    return (
        environment.block_start_string,
        environment.block_end_string,
        environment.variable_start_string,
        environment.variable_end_string,
        environment.comment_start_string,
        environment.comment_end_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
        environment.trim_blocks,
        environment.lstrip_blocks,
        environment.newline_sequence,
        environment.keep_trailing_newline,
        environment.optimized,
        environment.autoescape,
        environment.undefined,
        environment.finalize,
        environment.is_async,
    )


def _is_plain(message: Any) -> bool:
    return (
        type(message) is dict
        and message.keys() == {"role", "content"}
        and message["role"] in _PLAIN_ROLES
        and type(message["content"]) is str
    )
