"""Python function evaluators: whether every function can be called by the names of its parameters."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from llmops_actions.errors import Location
from llmops_actions.experiment.flows.signatures import find_definition, parse_python
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.validation.findings import error, warning
from llmops_actions.outcome import Finding


def check(flow: Flow) -> Iterator[Finding]:
    """Inputs are handed over by name: a positional-only parameter cannot get one; ``*args`` stays empty."""
    for reference in flow.functions:
        file = flow.folder / reference.file
        function = find_definition(parse_python(file), reference.name)
        if function is None or isinstance(function, ast.ClassDef):
            continue
        for argument in function.args.posonlyargs:
            yield error(
                f"`{argument.arg}` of `{reference.name}` is positional-only, but inputs are passed by name. "
                "Remove the `/`.",
                Location(file, argument.lineno),
            )
        if function.args.vararg:
            yield warning(
                f"`*{function.args.vararg.arg}` of `{reference.name}` stays empty: inputs are passed by name.",
                Location(file, function.args.vararg.lineno),
            )
