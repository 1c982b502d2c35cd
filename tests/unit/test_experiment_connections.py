"""Connections: every type of prompt flow, resolved, and never showing what is secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.connections import (
    ENDPOINT_KEYS,
    Connection,
    connection_type,
    missing_variables,
    point_at,
    resolve_connection,
)
from llmops_actions.experiment.model import ConnectionBlock
from llmops_actions.experiment.variables import Variables

PLACE = Location(Path("experiment.yaml"), 4, 3)


def resolved(environment: Any = None, **settings: Any) -> Connection:
    block = ConnectionBlock.model_validate({"name": "aoai", **settings})
    return resolve_connection(block, Variables(environment or {}), PLACE)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("AzureOpenAIConnection", "AzureOpenAIConnection"),
        ("azureopenaiconnection", "AzureOpenAIConnection"),
        ("azure_open_ai", "AzureOpenAIConnection"),
        ("open_ai", "OpenAIConnection"),
        ("Custom", "CustomConnection"),
        ("azure_ai_services", "AzureAIServicesConnection"),
        *((name, name) for name in ENDPOINT_KEYS),
    ],
)
def test_types(written: str, expected: str) -> None:
    assert connection_type(written) == expected


def test_unknown_types() -> None:
    with pytest.raises(ExperimentError, match=r"experiment\.yaml:4:3: .* Did you mean `AzureOpenAIConnection`"):
        connection_type("AzureOpnAIConnection", PLACE)
    with pytest.raises(ExperimentError, match="Known types: AzureOpenAIConnection, OpenAIConnection"):
        connection_type("")


@pytest.mark.parametrize("key", ["api_base", "api_endpoint", "azure_endpoint", "endpoint", "base_url"])
def test_an_address_has_one_name_for_each_type(key: str) -> None:
    assert resolved(connection_type="AzureOpenAI", **{key: "https://x"}).configs == {"api_base": "https://x"}
    assert resolved(connection_type="OpenAI", **{key: "https://x"}).configs == {"base_url": "https://x"}
    assert resolved(connection_type="Custom", **{key: "https://x"}).secrets == {key: "https://x"}


def test_settings_and_secrets() -> None:
    connection = resolved(
        {"AOAI_API_KEY": "s3cret"},
        connection_type="AzureOpenAIConnection",
        api_key="${api_key}",
        api_base="${endpoint}",
        api_version="2023-07-01",
        api_type=None,
        strict=True,
        requests_per_minute=60,
        tpm=1000,
    )
    assert connection.secrets == {"api_key": "s3cret"}
    assert connection.configs == {"api_base": "${endpoint}", "api_version": "2023-07-01", "strict": "true"}
    assert connection.missing == ("AOAI_ENDPOINT",)
    assert (connection.requests_per_minute, connection.tokens_per_minute) == (60, 1000)
    assert connection.is_model
    assert "s3cret" not in repr(connection)
    assert missing_variables([connection, resolved(connection_type="Serp")]) == {"aoai": ("AOAI_ENDPOINT",)}


def test_a_custom_connection() -> None:
    connection = resolved(
        {"SEARCH_KEY": "s"},
        connection_type="CustomConnection",
        configs={"url": "https://x", "retries": 3, "none": None},
        secrets={"search_key": "${search_key}", "again": "${search_key}", "gone": "${gone}"},
    )
    assert connection.configs == {"url": "https://x", "retries": "3"}
    assert connection.secrets == {"search_key": "s", "again": "s", "gone": "${gone}"}
    assert connection.missing == ("AOAI_GONE",)
    assert not connection.is_model
    assert resolved(connection_type="Custom", configs=None, secrets=None).configs == {}


@pytest.mark.parametrize("settings", [{"extra": {"a": 1}}, {"configs": {"extra": [1]}}, {"secrets": {"extra": {}}}])
def test_settings_are_plain_values(settings: dict[str, Any]) -> None:
    with pytest.raises(ExperimentError, match=r"experiment\.yaml:4:3: `extra` of the connection `aoai` must be one"):
        resolved(connection_type="CustomConnection", **settings)


def test_the_stand_in_takes_the_place_of_the_service() -> None:
    connection = resolved(
        connection_type="AzureOpenAI", api_base="https://x", api_key="${api_key}", auth_mode="meid_token", rpm=6, tpm=7
    )
    offline = point_at(connection, "http://127.0.0.1:9")
    assert offline.configs == {"api_base": "http://127.0.0.1:9", "api_type": "azure", "api_version": "2024-02-01"}
    assert (offline.secrets, offline.missing) == ({"api_key": "offline"}, ())
    assert (offline.requests_per_minute, offline.tokens_per_minute) == (None, None)
    assert point_at(resolved(connection_type="OpenAI", base_url="https://x"), "http://h:9").configs == {
        "base_url": "http://h:9/v1"
    }
    kept = point_at(resolved(connection_type="AzureOpenAI", api_version="2023-07-01"), "http://h:9")
    assert kept.configs["api_version"] == "2023-07-01"
