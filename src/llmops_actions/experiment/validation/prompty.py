"""Prompty files: the model, and the inputs against the template."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops_actions.errors import Location
from llmops_actions.experiment.flows.prompty import read_prompty
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.validation.findings import error, listing, warning
from llmops_actions.experiment.validation.templates import check_variables, parse_template
from llmops_actions.experiment.yaml_source import read_text
from llmops_actions.outcome import Finding

APIS = ("chat", "completion")


def check(flow: Flow) -> Iterator[Finding]:
    """The front matter names a model that can be called; the template parses and uses the inputs."""
    yield from _check_model(flow)
    _, text = read_prompty(flow.file)
    whole = read_text(flow.file)
    first_line = whole.count("\n", 0, len(whole) - len(text)) + 1
    template, problems = parse_template(text, flow.file, first_line)
    yield from problems
    if template is None:
        return
    yield from check_variables(template, flow.inputs, "the prompty", Location(flow.file, first_line))
    unused = [name for name in flow.inputs if name not in template.variables]
    for name in unused:
        place = flow.document.locate(("inputs", name))
        yield warning(f"The template does not use the input `{name}`. Use it, or remove it.", place)


def _check_model(flow: Flow) -> Iterator[Finding]:
    model = flow.document.value.get("model")
    place = flow.document.locate(("model",))
    if not isinstance(model, dict):
        yield error("A prompty needs `model` with `api` and `configuration`.", place)
        return
    api = model.get("api", "chat")
    if api not in APIS:
        yield error(f"`model.api` is one of {listing(APIS)}, not `{api}`.", flow.document.locate(("model", "api")))
    configuration = model.get("configuration")
    if not isinstance(configuration, dict) or not (_names(configuration) & {"connection", "type"}):
        yield error(
            "`model.configuration` needs `connection: <name>`, or `type: azure_openai` or `openai`.",
            flow.document.locate(("model", "configuration")),
        )


def _names(configuration: dict[str, Any]) -> set[str]:
    return {name for name, value in configuration.items() if value}
