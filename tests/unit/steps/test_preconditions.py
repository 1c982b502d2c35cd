"""``bulk-run`` runs nothing where it is known that no row can succeed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import DAG, use_case, write
from tests.unit.steps.fakes import House, messages

EXPERIMENT = """\
name: support
flow: flows/answer
datasets:
- name: train
  source: data/train.jsonl
  mappings:
    question: "${data.question}"
"""
WAY_OUT = "Nothing ran. `llmops validate` tells all that is wrong."
LLM = DAG + (
    "- name: ask\n  type: llm\n  source: {type: code, path: ask.jinja2}\n"
    "  inputs: {deployment_name: gpt}\n  api: chat\n  connection: aoai\n"
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    use_case(
        tmp_path,
        {
            "experiment.yaml": EXPERIMENT,
            "flows/answer/flow.dag.yaml": DAG,
            "flows/answer/ask.jinja2": "user:\nWhat?\n",
            "data/train.jsonl": '{"question": "a"}\n',
        },
    )
    return House(tmp_path)


def refused(house: House, **words: str) -> str:
    outcome = house.run("bulk-run", **words)
    assert (outcome.verdict, outcome.exit_code) == ("usage", 2)
    assert house.runner.runs == []
    assert not (house.directory / ".llmops/support/base/plan.json").exists()
    return messages(outcome)


def test_a_mapped_column_that_the_first_row_lacks(house: House) -> None:
    write(house.directory, {"support/data/train.jsonl": '{"questions": "a"}\n{"question": "b"}\n'})
    assert refused(house) == (
        "error: support/experiment.yaml:7:5: The input `question` takes the column `question`, which the first row "
        f"of `train` does not have. Did you mean `questions`? {WAY_OUT}"
    )


def test_a_column_that_prompt_flow_maps_by_itself(house: House) -> None:
    write(
        house.directory,
        {
            "support/experiment.yaml": EXPERIMENT.replace('question: "${data.question}"', "{}"),
            "support/data/train.jsonl": '{"other": "a"}\n',
        },
    )
    assert refused(house) == (
        "error: support/experiment.yaml:6:3: The input `question` takes the column `question`, which the first row "
        f"of `train` does not have. There are `other`. {WAY_OUT}"
    )


@pytest.mark.parametrize("offline", ["true", "false"])
def test_a_connection_that_nobody_defines(house: House, offline: str) -> None:
    write(house.directory, {"support/flows/answer/flow.dag.yaml": LLM})
    line = LLM.splitlines().index("  connection: aoai") + 1
    assert refused(house, offline=offline) == (
        f"error: support/flows/answer/flow.dag.yaml:{line}:3: The node `ask` uses the connection `aoai`, which is not "
        f"defined. Define it under `connections` in experiment.yaml. {WAY_OUT}"
    )


def test_a_connection_that_is_defined_is_fine(house: House) -> None:
    connections = "connections:\n- {name: aoai, connection_type: OpenAIConnection, api_key: x}\n"
    write(
        house.directory,
        {"support/flows/answer/flow.dag.yaml": LLM, "support/experiment.yaml": EXPERIMENT + connections},
    )
    assert messages(house.run("bulk-run")) == ""
