"""Jinja templates: whether they parse, and which variables they use."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.validation.findings import error, from_error, listing, warning
from llmops_actions.experiment.yaml_source import read_text
from llmops_actions.outcome import Finding

MAX_TEMPLATE_BYTES = 5_000_000


@dataclass(frozen=True)
class Template:
    """The variables of a template. ``optional``: those it asks for with ``is defined`` or gives a default."""

    variables: frozenset[str]
    optional: frozenset[str]


def read_template(file: Path) -> tuple[Template | None, list[Finding]]:
    """The template in ``file``, or what is wrong with it."""
    try:
        text = read_text(file, MAX_TEMPLATE_BYTES)
    except ExperimentError as problem:
        return None, list(from_error(problem))
    return parse_template(text, file)


def parse_template(text: str, file: Path, first_line: int = 1) -> tuple[Template | None, list[Finding]]:
    """The template ``text`` that stands in ``file`` from ``first_line`` on, or what is wrong with it."""
    import jinja2
    from jinja2 import defaults, meta, nodes

    # It is parsed and never rendered: escaping means nothing here.
    environment = jinja2.Environment()  # noqa: S701
    try:
        tree = environment.parse(text)
        variables = meta.find_undeclared_variables(tree) - set(defaults.DEFAULT_NAMESPACE)
    except jinja2.TemplateSyntaxError as problem:
        place = Location(file, problem.lineno + first_line - 1)
        return None, [error(f"Not a valid Jinja template: {str(problem.message).rstrip('.')}.", place)]
    except RecursionError:
        return None, [error("Not a valid Jinja template: nested too deeply.", Location(file, first_line))]
    guarded: set[str] = set()
    for test in tree.find_all(nodes.Test):
        if test.name in ("defined", "undefined") and isinstance(test.node, nodes.Name):
            guarded.add(test.node.name)
    for each in tree.find_all(nodes.Filter):
        if each.name in ("default", "d") and isinstance(each.node, nodes.Name):
            guarded.add(each.node.name)
    return Template(frozenset(variables), frozenset(guarded)), []


def check_variables(template: Template, given: Collection[str], user: str, place: Location) -> Iterator[Finding]:
    """Warn about variables that nobody gives to the template of ``user``: they are rendered as nothing."""
    missing = sorted(template.variables - template.optional - set(given))
    if missing:
        yield warning(
            f"The template uses {listing(missing)}, which {user} does not give: rendered as empty text. "
            "Add it to the inputs, or remove it from the template.",
            place,
        )
