"""Programs that are pointed at the stand-in model; and which names are those of secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmops_actions.experiment.offline import offline_environment, point_program_at
from llmops_actions.experiment.program import Program
from llmops_actions.experiment.secret_names import is_secret, secret_values

URL = "http://127.0.0.1:8321"


def test_clients_that_read_the_environment_find_the_stand_in_and_no_proxy() -> None:
    environment = offline_environment(URL)
    assert environment["AZURE_OPENAI_ENDPOINT"] == URL
    assert environment["OPENAI_BASE_URL"] == f"{URL}/v1"
    assert environment["NO_PROXY"] == "127.0.0.1,localhost"
    assert {environment["OPENAI_API_KEY"], environment["AZURE_OPENAI_API_KEY"]} == {"offline"}


def test_a_prompty_with_an_address_of_its_own() -> None:
    model = {"api": "chat", "configuration": {"type": "azure_openai", "azure_endpoint": "${E}", "api_key": "${K}"}}
    program = Program("prompty", Path(), "x.prompty", definition={"model": model, "name": "x"})
    pointed = point_program_at(program, URL).definition
    assert pointed["model"]["configuration"] == {"type": "azure_openai", "azure_endpoint": URL, "api_key": "offline"}
    assert pointed["name"] == "x"
    assert model["configuration"] == {"type": "azure_openai", "azure_endpoint": "${E}", "api_key": "${K}"}


@pytest.mark.parametrize(
    "definition",
    [
        {"model": {"configuration": {"connection": "aoai"}}},
        {"model": {"configuration": "text"}},
        {"model": "text"},
        {},
    ],
)
def test_a_prompty_without_an_address_stays_as_it_is(definition: dict[str, object]) -> None:
    program = Program("prompty", Path(), "x.prompty", definition=definition)
    assert point_program_at(program, URL).definition == definition


def test_constructor_arguments_with_an_address() -> None:
    init = {
        "azure": {"azure_endpoint": "https://x", "api_base": "https://y", "azure_deployment": "gpt"},
        "openai": {"base_url": "https://x", "model": "gpt"},
        "connection": {"connection": "aoai"},
        "limit": 3,
    }
    pointed = point_program_at(Program("flex", Path(), "flow.flex.yaml", init=init), URL).init
    assert pointed == {
        "azure": {"azure_endpoint": URL, "api_base": URL, "azure_deployment": "gpt", "api_key": "offline"},
        "openai": {"base_url": f"{URL}/v1", "model": "gpt", "api_key": "offline"},
        "connection": {"connection": "aoai"},
        "limit": 3,
    }


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "AOAI_API_KEY",
        "GITHUB_TOKEN",
        "password",
        "DbPassword",
        "clientSecret",
        "STORE_SAS",
        "credentials",
        "SQL_CONNECTION_STRING",
        "SQL_CONNECTIONSTRING",
        "MY_PAT",
        "db-pwd",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret(name, "value")


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_tokens", "256"), ("max_token", 256), ("MAX_TOKEN", "256"), ("keyword", "x"), ("pattern", "x"), ("cwd", "x")],
)
def test_names_of_settings(name: str, value: object) -> None:
    assert not is_secret(name, value)


def test_values_that_are_hidden_go_from_long_to_short_and_leave_out_short_words() -> None:
    variables = {"A_KEY": "secret", "B_KEY": "secret-and-more", "C_KEY": "test", "D": "no secret at all"}
    assert secret_values(variables) == ["secret-and-more", "secret"]
