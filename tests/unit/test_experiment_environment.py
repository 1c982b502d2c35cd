"""The environment of a flow: env.yaml, .env, constructor arguments, and who asks for what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import EXPERIMENT, use_case, write

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.environment import (
    FlowEnvironment,
    experiment_variables,
    flow_environment,
    resolve_arguments,
)
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.variables import Variables

PLACE = Location(Path("init.json"), 1)


def environment(tmp_path: Path, environ: dict[str, str], **files: str) -> FlowEnvironment:
    named = {"env": "environment/env.yaml", "dotenv": ".env"}
    folder = use_case(tmp_path, {named[name]: text for name, text in files.items()})
    experiment = load_experiment(folder)
    return flow_environment(experiment, experiment_variables(experiment, environ))


def test_nothing_is_asked_for(tmp_path: Path) -> None:
    assert environment(tmp_path, {"HOME": "/root"}) == FlowEnvironment({}, {}, (), ())


def test_references_literals_and_what_the_process_has(tmp_path: Path) -> None:
    text = "URL: https://${HOST}/\nMODE: fast\nVERBOSE: true\nRETRIES: 3\n"
    text += "KEY: ${other_key}\nGIVEN:\nVERSION: 2023-07-01\n"
    found = environment(tmp_path, {"HOST": "h", "MODE": "slow", "OTHER_KEY": "k", "GIVEN": "g"}, env=text)
    assert found.variables == {
        "URL": "https://h/",
        "MODE": "slow",
        "VERBOSE": "true",
        "RETRIES": "3",
        "KEY": "k",
        "GIVEN": "g",
        "VERSION": "2023-07-01",
    }
    assert found.missing == ()


def test_names_in_small_letters_are_there_in_capitals_too(tmp_path: Path) -> None:
    assert environment(tmp_path, {"API_KEY": "k"}, env="api_key: ${api_key}\n").variables == {
        "api_key": "k",
        "API_KEY": "k",
    }


def test_dotenv_is_handed_over_and_the_process_wins(tmp_path: Path) -> None:
    write(tmp_path, {".env": "A=repository\nB=repository\n"})
    found = environment(tmp_path, {"C": "process"}, dotenv="A=use case\nC=use case\nD=use case", env="D: literal\n")
    assert found.variables == {"A": "use case", "B": "repository", "C": "process", "D": "use case"}


def test_what_is_missing_names_who_asks(tmp_path: Path) -> None:
    found = environment(tmp_path, {}, env="A: ok\nKEY: ${KEY}\nEMPTY:\nURL: ${HOST}/${PATH_OF_IT}\n")
    folder = (tmp_path / "support").resolve()
    assert [str(each).replace(f"{folder}/", "") for each in found.missing] == [
        "environment/env.yaml:2:1 asks for `KEY`",
        "environment/env.yaml:3:1 asks for `EMPTY`",
        "environment/env.yaml:4:1 asks for `HOST`",
        "environment/env.yaml:4:1 asks for `PATH_OF_IT`",
    ]
    assert found.variables == {"A": "ok"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", "env.yaml:1:1: It must hold names and values"),
        ("A: [1]\n", "env.yaml:1:1: `A` must be one plain value."),
        ("A: 1\nB: {c: 1}\n", "env.yaml:2:1: `B` must be one plain value."),
        ("a=b: 1\n", "`a=b` cannot be the name of an environment variable."),
        ('"a\\0": 1\n', "cannot be the name of an environment variable."),
    ],
)
def test_env_yaml_of_another_shape(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ExperimentError) as raised:
        environment(tmp_path, {}, env=text)
    assert expected in str(raised.value)


def test_an_empty_env_yaml(tmp_path: Path) -> None:
    assert environment(tmp_path, {}, env="# nothing yet\n").variables == {}


def test_connections_and_entries_without_a_type(tmp_path: Path) -> None:
    text = """connections:
- {name: aoai, connection_type: AzureOpenAIConnection, api_key: "${api_key}"}
- name: stray
"""
    experiment = load_experiment(use_case(tmp_path, {"experiment.yaml": EXPERIMENT + text}))
    found = flow_environment(experiment, Variables({}))
    assert list(found.connections) == ["aoai"]
    assert [(name, place.line) for name, place in found.unusable] == [("stray", 17)]
    assert [(each.variable, each.asked_by.line) for each in found.missing] == [("AOAI_API_KEY", 16)]


def test_a_connection_of_no_known_type(tmp_path: Path) -> None:
    text = "connections:\n- {name: a, connection_type: Opel}\n"
    experiment = load_experiment(use_case(tmp_path, {"experiment.yaml": EXPERIMENT + text}))
    with pytest.raises(ExperimentError, match=r"experiment\.yaml:16:3: Prompt flow knows no connection type `Opel`"):
        flow_environment(experiment, Variables({}))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"MODEL_CONFIG_KEY": "1"}, "1"),
        ({"KEY": "2"}, "2"),
        ({"MODEL_CONFIG_API_KEY": "3"}, "3"),
        ({"MODEL_CONFIG_KEY": "1", "KEY": "2", "MODEL_CONFIG_API_KEY": "3"}, "1"),
    ],
)
def test_constructor_arguments_by_reference_or_by_place(environ: dict[str, str], expected: str) -> None:
    arguments = {"model_config": {"api_key": "${key}", "deep": [{"n": 1}]}, "flag": True}
    resolved, missing = resolve_arguments(arguments, Variables(environ), PLACE)
    assert resolved == {"model_config": {"api_key": expected, "deep": [{"n": 1}]}, "flag": True}
    assert missing == []


def test_a_variable_of_the_system_is_no_argument() -> None:
    resolved, missing = resolve_arguments(
        {"path": "${data_path}"}, Variables({"PATH": "/bin", "DATA_PATH": "d"}), PLACE
    )
    assert (resolved, missing) == ({"path": "d"}, [])


def test_missing_constructor_arguments() -> None:
    arguments: dict[str, Any] = {"a": {"b": {"c": "${x}"}}, "text": "to ${y} and ${z}"}
    resolved, missing = resolve_arguments(arguments, Variables({"TEXT": "no", "Z": "z"}), PLACE)
    assert resolved == {"a": {"b": {"c": "${x}"}}, "text": "to ${y} and z"}
    assert [str(each) for each in missing] == ["init.json:1 asks for `A_X`", "init.json:1 asks for `TEXT_Y`"]
