"""Every step has the one form: it loads by its name, and each of its fields is described."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from llmops_actions.steps import STEPS, load_step
from llmops_actions.steps.declaration import Inputs, Outputs
from llmops_actions.steps.execution import parse_inputs


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_what_its_table_says(name: str) -> None:
    step = load_step(name)
    assert step.name == name
    assert step.summary == STEPS[name]
    assert step.summary.endswith(".")
    assert issubclass(step.inputs, Inputs)
    assert issubclass(step.outputs, Outputs)
    assert step.inputs.__doc__
    assert step.outputs.__doc__


@pytest.mark.parametrize("name", STEPS)
def test_every_field_is_described_in_sentences(name: str) -> None:
    step = load_step(name)
    models: tuple[type[BaseModel], ...] = (step.inputs, step.outputs)
    for model in models:
        for field, details in model.model_fields.items():
            assert details.description, f"{name}: {field}"
            assert details.description.endswith("."), f"{name}: {field}: {details.description}"
            assert details.description[0].isupper() or details.description.startswith(("threads:",)), f"{name}: {field}"


@pytest.mark.parametrize("name", STEPS)
def test_outputs_exist_before_the_step_got_anywhere(name: str) -> None:
    assert load_step(name).outputs().model_dump(mode="json")


@pytest.mark.parametrize("name", STEPS)
def test_only_the_use_case_is_required(name: str) -> None:
    step = load_step(name)
    required = {field for field, details in step.inputs.model_fields.items() if details.is_required()}
    assert required <= {"use_case"}
    assert parse_inputs(step, dict.fromkeys(required, "x")).model_fields_set == required


def test_a_word_means_the_same_in_every_step() -> None:
    meanings: dict[str, set[str]] = {}
    for name in STEPS:
        for field, details in load_step(name).inputs.model_fields.items():
            meanings.setdefault(field, set()).add(f"{details.annotation} {details.default} {details.description}")
    assert {field: found for field, found in meanings.items() if len(found) > 1} == {}
