"""Every ``action.yml`` says what its step's declaration says, and is built safely."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops_actions.github.actions import ACTIONS, DEFAULT_STEP
from llmops_actions.github.metadata import (
    AUTHOR,
    SETUP_INPUTS,
    actions_table,
    default_text,
    files,
    inputs_table,
    main,
    outputs_table,
    root_inputs,
    root_outputs,
    setup_inputs_table,
    step_inputs,
    step_outputs,
)
from llmops_actions.steps import STEPS, load_step
from llmops_actions.steps.execution import parse_inputs

ROOT = Path(__file__).parents[2]
GENERATED = ["action.yml", *(f"actions/{name}/action.yml" for name in ACTIONS)]
EVERY = [*GENERATED, "actions/setup/action.yml"]
SETUP = {field.name for field in SETUP_INPUTS}

ICONS = {"list", "check-circle", "play", "bar-chart-2", "award", "shield", "file-text", "refresh-cw", "package"}
"""Of Feather, allowed by GitHub."""

every = pytest.mark.parametrize("path", EVERY)
of_step = pytest.mark.parametrize("name", ACTIONS)


def metadata(path: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    return document


def declared(path: str, kind: str) -> dict[str, str]:
    """Name and description of each input or output, without those that are handed on to the set-up."""
    fields = metadata(path)[kind]
    return {name: field["description"] for name, field in fields.items() if kind == "outputs" or name not in SETUP}


@of_step
def test_names_and_descriptions_are_those_of_the_declaration(name: str) -> None:
    path, step = f"actions/{name}/action.yml", load_step(name)
    inputs = {field.replace("_", "-"): details.description for field, details in step.inputs.model_fields.items()}
    outputs = {field.replace("_", "-"): details.description for field, details in step.outputs.model_fields.items()}
    assert declared(path, "inputs") == inputs
    assert {key: value for key, value in declared(path, "outputs").items() if key != "verdict"} == outputs
    assert metadata(path)["description"] == STEPS[name]


@of_step
def test_defaults_are_parsed_back_to_those_of_the_declaration(name: str) -> None:
    step = load_step(name)
    fields = metadata(f"actions/{name}/action.yml")["inputs"]
    words = {key: field.get("default", "given") for key, field in fields.items() if key not in SETUP}
    parsed = parse_inputs(step, words)
    for field, details in step.inputs.model_fields.items():
        written = fields[field.replace("_", "-")]
        assert written.get("required", False) is details.is_required()
        assert ("default" in written) is not details.is_required()
        if not details.is_required():
            assert getattr(parsed, field) == details.get_default(call_default_factory=True)


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (0.5, "0.5"), (600.0, "600"), (None, ""), ((), ""), (7, "7")]
)
def test_a_default_is_a_word(value: object, text: str) -> None:
    assert default_text(value) == text


def test_the_root_action_has_the_inputs_and_outputs_of_all_steps() -> None:
    steps = [load_step(name) for name in ACTIONS]
    inputs = {field.name for step in steps for field in step_inputs(step)}
    outputs = {field.name for step in steps for field in step_outputs(step)}
    assert set(declared("action.yml", "inputs")) == inputs | {"step"} == {field.name for field in root_inputs()}
    assert set(declared("action.yml", "outputs")) == outputs == {field.name for field in root_outputs()}
    defaults = {name: field["default"] for name, field in metadata("action.yml")["inputs"].items() if field["default"]}
    assert defaults == {"step": DEFAULT_STEP}


def test_an_input_that_several_steps_have_means_the_same() -> None:
    seen: dict[str, str] = {}
    for name in ACTIONS:
        for field in step_inputs(load_step(name)):
            assert seen.setdefault(field.name, field.description) == field.description


def test_the_files_are_as_the_generator_writes_them(tmp_path: Path) -> None:
    assert main(tmp_path) == 0
    assert sorted(str(path) for path in files()) == sorted(GENERATED)
    for path in GENERATED:
        assert (tmp_path / path).read_text(encoding="utf-8") == (ROOT / path).read_text(encoding="utf-8"), (
            f"{path}: run `python -m llmops_actions.github.metadata`"
        )


def test_each_folder_is_a_known_action() -> None:
    assert {path.parent.name for path in ROOT.glob("actions/*/action.yml")} == {*ACTIONS, "setup"}
    assert set(ACTIONS) <= set(STEPS)


@every
def test_an_action_introduces_itself(path: str) -> None:
    action = metadata(path)
    assert action["author"] == AUTHOR
    assert action["branding"]["icon"] in ICONS
    assert action["branding"]["color"] in {"white", "black", "yellow", "blue", "green", "orange", "red", "purple"}
    texts = [action["description"], *(field["description"] for field in action["inputs"].values())]
    texts += [field["description"] for field in action["outputs"].values()]
    for text in texts:
        assert text[0].isupper() or text.startswith(("passed", "threads", "azure")), text
        assert text.endswith("."), text


@every
def test_nothing_is_put_into_a_script(path: str) -> None:
    for step in metadata(path)["runs"]["steps"]:
        assert "${{" not in step.get("run", "")
        assert not re.search(r"GITHUB_(ENV|PATH)\b", step.get("run", ""))


@pytest.mark.parametrize("path", GENERATED)
def test_every_input_reaches_the_step_by_the_environment(path: str) -> None:
    action = metadata(path)
    setup, step = action["runs"]["steps"]
    assert setup["uses"] == "$/actions/setup"
    assert setup["with"] == {name: f"${{{{ inputs.{name} }}}}" for name in SETUP}
    variables = {name: f"INPUT_{name.upper().replace('-', '_')}" for name in action["inputs"] if name not in SETUP}
    assert step["env"] == {
        "LLMOPS_PYTHON": "${{ steps.setup.outputs.interpreter }}",
        **{variable: f"${{{{ inputs.{name} }}}}" for name, variable in variables.items()},
    }


def test_the_inputs_of_the_set_up_are_handed_on_as_they_are() -> None:
    setup = metadata("actions/setup/action.yml")
    assert {name: field["description"] for name, field in setup["inputs"].items()} == {
        field.name: field.description for field in SETUP_INPUTS
    }


def test_no_step_uses_a_name_of_the_set_up() -> None:
    """``act`` leaks outputs of an inner step to the outer one, and the inputs stand side by side."""
    leaking = set(metadata("actions/setup/action.yml")["outputs"])
    for name in ACTIONS:
        step = load_step(name)
        assert not leaking & {field.name for field in step_outputs(step)}
        assert not {*SETUP, "step"} & {field.name for field in step_inputs(step)}


def examples() -> list[tuple[str, dict[str, Any]]]:
    """Every step of a README's example that uses one of our actions: where it is, and the step."""
    found: list[tuple[str, dict[str, Any]]] = []
    for file in sorted([ROOT / "README.md", *ROOT.glob("actions/**/README.md")]):
        for block in re.findall(r"```yaml\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL):
            where = file.relative_to(ROOT)
            found += [(f"{where}: {step['uses']}", step) for step in uses(yaml.safe_load(block))]
    return found


def uses(part: Any) -> list[dict[str, Any]]:
    if isinstance(part, list):
        return [step for each in part for step in uses(each)]
    if not isinstance(part, dict):
        return []
    if str(part.get("uses", "")).startswith("your-org/llmops-actions"):
        return [part]
    return [step for each in part.values() for step in uses(each)]


def test_the_examples_give_inputs_that_exist() -> None:
    shown = examples()
    assert {f"your-org/llmops-actions/actions/{name}@v1" for name in [*ACTIONS, "setup"]} <= {
        step["uses"] for _, step in shown
    }
    for where, step in shown:
        path = step["uses"].removeprefix("your-org/llmops-actions").removesuffix("@v1").lstrip("/")
        inputs = metadata(f"{path}/action.yml" if path else "action.yml")["inputs"]
        given = set(step.get("with", {}))
        assert given <= set(inputs), where
        assert {name for name, field in inputs.items() if field.get("required")} <= given, where


def test_the_readmes_hold_the_tables() -> None:
    """``cog`` puts them there, and `make lint` holds them; here it counts that they are the right ones."""
    for name in ACTIONS:
        text = (ROOT / "actions" / name / "README.md").read_text(encoding="utf-8")
        assert inputs_table(name) in text, f"{name}: run `make format`"
        assert outputs_table(name) in text, f"{name}: run `make format`"
    assert setup_inputs_table() in (ROOT / "actions" / "setup" / "README.md").read_text(encoding="utf-8")
    index = (ROOT / "actions" / "README.md").read_text(encoding="utf-8")
    for table in (actions_table(), inputs_table("root"), outputs_table("root")):
        assert table in index, "run `make format`"
    assert "experiment.&lt;env&gt;.yaml" in index
