"""Connections and variables: what is missing is named, never what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.validation.use_cases import changed, examine_use_case, findings_of, shown, write_use_case

EXPERIMENT = "experiment.yaml"
FLOW = "flows/greet/flow.dag.yaml"
SECRET = "do-not-show-this"


def test_a_connection_that_is_not_defined(tmp_path: Path) -> None:
    found = findings_of(tmp_path, changed(EXPERIMENT, "- name: aoai", "- name: aoi"))
    assert found == [
        "error flow.dag.yaml:27 The node `ask` uses the connection `aoai`, which is not defined. Did you mean `aoi`?",
    ]


def test_no_connection_at_all(tmp_path: Path) -> None:
    block = (
        "connections:\n- name: aoai\n  connection_type: AzureOpenAIConnection\n  api_base: ${ENDPOINT}\n"
        "  api_key: ${api_key}\n"
    )
    found = findings_of(tmp_path, changed(EXPERIMENT, block, ""))
    assert [line.partition(". ")[2] for line in found] == ["Define it under `connections` in experiment.yaml."]


def test_a_connection_without_a_type(tmp_path: Path) -> None:
    settings = "  connection_type: AzureOpenAIConnection\n  api_base: ${ENDPOINT}\n  api_key: ${api_key}\n"
    found = findings_of(tmp_path, changed(EXPERIMENT, settings, ""))
    assert found[0] == (
        "warning experiment.yaml:4 The connection `aoai` has no `connection_type`, so it is passed over. Add one."
    )
    assert found[1].startswith("error flow.dag.yaml:27 The node `ask` uses the connection `aoai`, which has no")


def test_a_connection_of_an_unknown_type_is_said_once(tmp_path: Path) -> None:
    found = findings_of(tmp_path, changed(EXPERIMENT, "AzureOpenAIConnection", "AzureOpenConnection"))
    assert len(found) == 1
    assert "`AzureOpenConnection`" in found[0]
    assert "`AzureOpenAIConnection`" in found[0]


def test_missing_variables_are_named_with_who_asks_and_who_uses(tmp_path: Path) -> None:
    use_case = write_use_case(tmp_path)
    found = shown(examine_use_case(use_case, {"AOAI_ENDPOINT": SECRET}, offline=False).findings)
    assert found == [
        (
            "error experiment.yaml:4 The connection `aoai`, which the node `ask` uses, asks for `AOAI_API_KEY`, which "
            "is not set. Set it in the environment or in a .env file of the use case or the repository."
        )
    ]
    set_all = {"AOAI_ENDPOINT": SECRET, "AOAI_API_KEY": SECRET}
    assert shown(examine_use_case(use_case, set_all, offline=False).findings) == []
    assert shown(examine_use_case(use_case).findings) == []


CUSTOM = "connections:\n- name: shop\n  connection_type: CustomConnection\n  secrets: {token: '${SHOP}'}\n"


def test_a_connection_that_no_flow_names_must_be_complete_too(tmp_path: Path) -> None:
    found = findings_of(tmp_path, changed(EXPERIMENT, "connections:\n", CUSTOM))
    assert [line.split(",")[0] for line in found] == ["error experiment.yaml:4 The connection `shop` asks for `SHOP`"]


def test_a_python_node_that_takes_a_connection(tmp_path: Path) -> None:
    code = "def tool(f): return f\n@tool\ndef tidy(text: str, shop: CustomConnection) -> str: return text\n"
    flow = changed(FLOW, "text: ${inputs.name}", "text: ${inputs.name}\n    shop: shop")
    experiment = changed(EXPERIMENT, "connections:\n", CUSTOM)
    found = findings_of(tmp_path, {**flow, **experiment, "flows/greet/tidy.py": code})
    assert [line.split(",")[0] for line in found] == ["error experiment.yaml:4 The connection `shop`"]
    found = findings_of(tmp_path / "b", {**flow, "flows/greet/tidy.py": code})
    assert found[0].startswith(
        "error flow.dag.yaml:14 The node `tidy` uses the connection `shop`, which is not defined"
    )


@pytest.mark.parametrize("offline", [True, False])
def test_a_variable_of_the_flows_environment(tmp_path: Path, offline: bool) -> None:
    use_case = write_use_case(tmp_path, {"environment/env.yaml": "SPEED: ${SPEED_LIMIT}\n"})
    environ = {"ENDPOINT": "x", "AOAI_API_KEY": "x"}
    found = shown(examine_use_case(use_case, environ, offline=offline).findings)
    left_out = (
        "warning env.yaml:1 `SPEED_LIMIT` is not set, so this variable is left out, as --offline allows. "
        "Without --offline it must be set, in the environment or in `.env`."
    )
    asked_for = (
        "error env.yaml:1 This file asks for `SPEED_LIMIT`, which is not set. "
        "Set it in the environment or in a .env file of the use case or the repository."
    )
    assert found == [left_out if offline else asked_for]


def test_a_broken_environment_file_hides_nothing(tmp_path: Path) -> None:
    broken = changed(FLOW, "${inputs.name}", "${inputs.nam}")
    found = findings_of(tmp_path, {"environment/env.yaml": "- a\n", **broken})
    assert any(line.startswith("error env.yaml:1 ") for line in found)
    assert any("no input `nam`" in line for line in found)
