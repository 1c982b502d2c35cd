"""Prompty flows: one file with YAML front matter (inputs, model) and a prompt template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.flows.types import Flow, ModelCall, flow_inputs, token_limit
from llmops_actions.experiment.sweep import Variation
from llmops_actions.experiment.yaml_source import Document, parse_yaml, read_text

SUFFIX = ".prompty"

_FRONT_MATTER = re.compile(r"\A\s*---[^\S\n]*\n(.*?)^---[^\S\n]*$\n?(.*)\Z", re.DOTALL | re.MULTILINE)
_CONFIGURATION_KEYS = frozenset({"azure_deployment", "azure_endpoint", "connection", "model", "type", "api_version"})


def read_prompty(file: Path) -> tuple[Document, str]:
    """The front matter (with positions in the file) and the template of a prompty.

    Raises:
        ExperimentError: no front matter between two lines of ``---``.
    """
    text = read_text(file)
    match = _FRONT_MATTER.match(text)
    if match is None:
        raise ExperimentError("A prompty starts with YAML between two lines of `---`.", Location(file, 1))
    return parse_yaml(match[1], file, text.count("\n", 0, match.start(1)) + 1), match[2]


def load_prompty(file: Path, requirements: Path | None) -> Flow:
    """Read a prompty. Its one output is called ``output`` unless the front matter names outputs.

    Raises:
        ExperimentError: the front matter is missing or has the wrong shape.
    """
    document, _ = read_prompty(file)
    if not isinstance(document.value, dict):
        raise ExperimentError("The front matter must hold keys and values.", document.locate())
    _check_model(document)
    written = document.value.get("inputs") or {}
    if not isinstance(written, dict):
        raise ExperimentError("`inputs` must be a mapping of inputs.", document.locate(("inputs",)))
    outputs = document.value.get("outputs")
    return Flow(
        kind="prompty",
        folder=file.parent,
        document=document,
        inputs=flow_inputs(written),
        outputs=tuple(outputs) if isinstance(outputs, dict) else None,
        own_values={"model": {**_configuration(document.value), **_parameters(document.value)}},
        requirements=requirements,
    )


def _check_model(document: Document) -> None:
    model = document.value.get("model")
    nested = [("model",), ("model", "configuration"), ("model", "parameters")] if model is not None else []
    for path in nested:
        value: Any = document.value
        for key in path:
            value = value.get(key)
        if value is not None and not isinstance(value, dict):
            raise ExperimentError(f"`{'.'.join(path)}` must hold keys and values.", document.locate(path))


def resolve_prompty(definition: Mapping[str, Any], variation: Variation) -> dict[str, Any]:
    """The front matter with the model settings of the variation."""
    settings = variation.hyperparameters.get("model", {})
    model = definition.get("model") or {}
    configuration = {key: value for key, value in settings.items() if key in _CONFIGURATION_KEYS}
    parameters = {key: value for key, value in settings.items() if key not in _CONFIGURATION_KEYS}
    return {
        **definition,
        "model": {
            **model,
            "configuration": {**_configuration(definition), **configuration},
            "parameters": {**_parameters(definition), **parameters},
        },
    }


def model_calls(definition: Mapping[str, Any], name: str) -> list[ModelCall]:
    """A prompty calls its model once for each row."""
    configuration = _configuration(definition)
    model = configuration.get("azure_deployment") or configuration.get("model")
    named = model if isinstance(model, str) else None
    return [ModelCall(name, configuration.get("connection"), named, token_limit(_parameters(definition)))]


def _configuration(definition: Mapping[str, Any]) -> dict[str, Any]:
    return dict((definition.get("model") or {}).get("configuration") or {})


def _parameters(definition: Mapping[str, Any]) -> dict[str, Any]:
    return dict((definition.get("model") or {}).get("parameters") or {})
