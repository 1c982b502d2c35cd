"""Variables: the environment, then .env files; as written, upper-cased, and by their owner's name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import write

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.variables import (
    Variables,
    expected_name,
    is_one_reference,
    is_reference,
    plain_text,
    read_variables,
)


@pytest.mark.parametrize(
    "environment", [{"AOAI_API_KEY": "k"}, {"aoai_api_key": "k"}, {"api_key": "k"}, {"API_KEY": "k"}]
)
def test_a_key_is_found_by_its_owner_and_by_itself(environment: dict[str, str]) -> None:
    assert Variables(environment).resolve("${api_key}", "aoai").text == "k"


def test_the_more_specific_name_wins() -> None:
    variables = Variables({"API_KEY": "any", "AOAI_API_KEY": "own"})
    assert variables.resolve("${api_key}", "aoai").text == "own"
    assert variables.resolve("${api_key}").text == "any"


def test_an_owner_whose_name_no_variable_can_have() -> None:
    resolution = Variables({}).resolve("${api_key}", "my-search.eu")
    assert resolution.missing == ("MY_SEARCH_EU_API_KEY",)
    assert Variables({"MY_SEARCH_EU_API_KEY": "k"}).resolve("${api_key}", "my-search.eu").text == "k"


def test_the_environment_wins_over_dotenv_and_empty_is_missing() -> None:
    variables = Variables({"A": "1", "EMPTY": ""}, {"A": "2", "B": "3", "EMPTY": ""})
    resolution = variables.resolve("${A}-${ b }-${EMPTY}-${gone}")
    assert resolution.text == "1-3-${EMPTY}-${gone}"
    assert resolution.missing == ("EMPTY", "GONE")


def test_values_are_not_resolved_again() -> None:
    assert Variables({"A": "${B}", "B": "x"}).resolve("${A}").text == "${B}"


@pytest.mark.parametrize("text", ["", "plain", "$A", "${}", "{A}", "${A"])
def test_text_without_references(text: str) -> None:
    resolution = Variables({"A": "x"}).resolve(text)
    assert (resolution.text, resolution.missing) == (text, ())
    assert not is_reference(text)


def test_what_is_a_reference() -> None:
    assert is_reference("x${A}")
    assert not is_reference(3)
    assert is_one_reference(" ${A} ")
    assert not is_one_reference("x${A}")


def test_names_to_set() -> None:
    assert expected_name("api_key") == "API_KEY"
    assert expected_name("AZURE_OPENAI_ENDPOINT", "aoai") == "AZURE_OPENAI_ENDPOINT"
    assert expected_name("key", "model config") == "MODEL_CONFIG_KEY"


def test_plain_values() -> None:
    assert [plain_text(value) for value in (True, False, 3, 0.5, "x")] == ["true", "false", "3", "0.5", "x"]


def test_dotenv_files(tmp_path: Path) -> None:
    use_case = write(
        tmp_path / "use_case",
        {".env": "\ufeff# remark\r\nA='single $B'\r\nexport B=\"two words\"\r\nC=plain # remark\r\nD=\r\nE\r\nF=1\r\n"},
    )
    repository = write(tmp_path, {".env": "D=from the repository\nF=2\n"})
    variables = read_variables({"G": "4"}, [use_case, repository, tmp_path / "none"])
    assert variables.dotenv == {
        "A": "single $B",
        "B": "two words",
        "C": "plain",
        "D": "from the repository",
        "E": "",
        "F": "1",
    }
    assert variables.environment == {"G": "4"}


def test_a_dotenv_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path, {".env": b"A=1\nB=\xff\n"})
    with pytest.raises(ExperimentError, match=r"\.env:2: The file is not UTF-8"):
        read_variables({}, [tmp_path])


def test_secrets_do_not_show() -> None:
    variables = Variables({"KEY": "s3cret"}, {"KEY": "s3cret"})
    assert "s3cret" not in repr(variables)
    assert "s3cret" not in repr(variables.resolve("${KEY}"))
