"""Points whatever calls a language model at the stand-in model: connections, model configurations, the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmops_actions.experiment.connections import OFFLINE_KEY
from llmops_actions.experiment.program import Program

_ADDRESS_KEYS = ("azure_endpoint", "api_base", "base_url")


def offline_environment(url: str) -> dict[str, str]:
    """The environment variables that the usual clients read their address and key from."""
    return {
        "LLMOPS_OFFLINE": "1",
        "AZURE_OPENAI_ENDPOINT": url,
        "AZURE_OPENAI_API_KEY": OFFLINE_KEY,
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_API_BASE": f"{url}/v1",
        "OPENAI_API_KEY": OFFLINE_KEY,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def point_program_at(program: Program, url: str) -> Program:
    """The same program; model configurations that name an address of their own are given the stand-in's."""
    definition = dict(program.definition)
    model = definition.get("model")
    if program.kind == "prompty" and isinstance(model, Mapping) and isinstance(model.get("configuration"), Mapping):
        definition["model"] = {**model, "configuration": _pointed(model["configuration"], url)}
    init = {name: _pointed(value, url) if isinstance(value, Mapping) else value for name, value in program.init.items()}
    return replace(program, definition=definition, init=init)


def _pointed(configuration: Mapping[str, Any], url: str) -> dict[str, Any]:
    if not any(key in configuration for key in _ADDRESS_KEYS):
        return dict(configuration)
    addresses = {key: f"{url}/v1" if key == "base_url" else url for key in _ADDRESS_KEYS if key in configuration}
    return {**configuration, **addresses, "api_key": OFFLINE_KEY}
