"""Writes each step's ``action.yml`` and the tables of its README from its declaration.

``python -m llmops_actions.github.metadata`` writes the files below the current folder; the tables are put into the
READMEs by ``cog``, which calls ``inputs_table`` and ``outputs_table``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_actions.github.actions import ACTIONS, DEFAULT_STEP, Branding
from llmops_actions.steps import STEPS, load_step
from llmops_actions.steps.declaration import Step
from llmops_actions.steps.execution import input_name

HEADER = "# Written by `python -m llmops_actions.github.metadata` out of the declaration in src/: change it there.\n"
AUTHOR = "llmops-actions contributors"
ROOT_SUMMARY = "The life of a prompt-flow application: any one step of it by name, or all of them one after another."


@dataclass(frozen=True)
class InputField:
    """An input of an action. ``default`` as GitHub hands it over; ``shown`` as people read it."""

    name: str
    description: str
    required: bool = False
    default: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that carries it."""
        return f"INPUT_{self.name.replace('-', '_').upper()}"

    @property
    def shown(self) -> str:
        """The default, or what stands in for it."""
        return "required" if self.required else f"`{self.default}`" if self.default else ""


@dataclass(frozen=True)
class OutputField:
    """An output of an action."""

    name: str
    description: str


SETUP_INPUTS = (
    InputField("python", "Python 3.10, 3.11 or 3.12 to use, by path or name; the first one of them that is found."),
    InputField("requirements", "File with packages that the flow needs, installed beside our locked ones."),
)
"""Inputs that every action hands on to ``actions/setup``."""

VERDICT = OutputField("verdict", "How the step ended: passed, failed, usage, error or inconclusive.")


def step_inputs(step: Step[Any, Any]) -> tuple[InputField, ...]:
    """The inputs that a step declares, the required ones first."""
    fields = (
        InputField(
            name=input_name(field),
            description=details.description or "",
            required=details.is_required(),
            default="" if details.is_required() else default_text(details.get_default(call_default_factory=True)),
        )
        for field, details in step.inputs.model_fields.items()
    )
    return tuple(sorted(fields, key=lambda field: not field.required))


def default_text(value: object) -> str:
    """A default as a word: what a person would type, and the step would parse back."""
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def step_outputs(step: Step[Any, Any]) -> tuple[OutputField, ...]:
    """The outputs that a step declares, after the verdict."""
    declared = (
        OutputField(input_name(field), details.description or "")
        for field, details in step.outputs.model_fields.items()
    )
    return (VERDICT, *declared)


def root_inputs() -> tuple[InputField, ...]:
    """The inputs of the root action: those of all steps. What is left empty takes the default of the step."""
    steps = ", ".join(ACTIONS)
    merged = {"step": InputField("step", f"The step: {steps}.", default=DEFAULT_STEP)}
    takers: dict[str, list[str]] = {}
    for name in ACTIONS:
        for field in step_inputs(load_step(name)):
            merged.setdefault(field.name, InputField(field.name, _with_default(field)))
            takers.setdefault(field.name, []).append(name)
    return tuple(
        InputField(field.name, f"{field.description} For: {', '.join(takers[field.name])}.")
        if len(takers.get(field.name, ACTIONS)) < len(ACTIONS)
        else field
        for field in merged.values()
    )


def _with_default(field: InputField) -> str:
    return f"{field.description} Default: {field.default}." if field.default else field.description


def root_outputs() -> tuple[OutputField, ...]:
    """The outputs of the root action: those of all steps; empty where the step has none of that name."""
    meanings: dict[str, dict[str, list[str]]] = {}
    for name in ACTIONS:
        for field in step_outputs(load_step(name)):
            meanings.setdefault(field.name, {}).setdefault(field.description, []).append(name)
    return tuple(OutputField(name, _meanings(texts)) for name, texts in meanings.items())


def _meanings(texts: Mapping[str, list[str]]) -> str:
    """Each description, and the steps it holds for unless it holds for all that have the output."""
    if len(texts) == 1:
        return next(iter(texts))
    return " ".join(f"{text.removesuffix('.')} ({', '.join(names)})." for text, names in texts.items())


def render_step(name: str) -> str:
    """The ``action.yml`` of a step."""
    step = load_step(name)
    inputs = step_inputs(step)
    return _render(f"LLMOps {name}", step.summary, ACTIONS[name], inputs, step_outputs(step), name)


def render_root() -> str:
    """The ``action.yml`` of the repository's root."""
    return _render("LLMOps actions", ROOT_SUMMARY, ACTIONS[DEFAULT_STEP], root_inputs(), root_outputs(), "")


def _render(
    title: str,
    summary: str,
    branding: Branding,
    inputs: tuple[InputField, ...],
    outputs: tuple[OutputField, ...],
    argument: str,
) -> str:
    lines = [
        f"name: {title}",
        f"description: {quoted(summary)}",
        f"author: {AUTHOR}",
        "branding:",
        f"  icon: {branding.icon}",
        f"  color: {branding.color}",
        "inputs:",
        *(line for field in (*inputs, *SETUP_INPUTS) for line in _input_lines(field)),
        "outputs:",
        *(line for field in outputs for line in _output_lines(field)),
        "runs:",
        "  using: composite",
        "  steps:",
        "    - name: Set up llmops-actions",
        "      id: setup",
        "      uses: $/actions/setup",
        "      with:",
        *(f"        {field.name}: {_expression(f'inputs.{field.name}')}" for field in SETUP_INPUTS),
        f"    - name: {f'Run {argument}' if argument else 'Run the step'}",
        "      id: step",
        "      shell: bash",
        "      # Not in the workspace: none of its modules may hide one of ours. The step itself goes there.",
        f"      working-directory: {_expression('github.action_path')}",
        "      env:",
        f"        LLMOPS_PYTHON: {_expression('steps.setup.outputs.interpreter')}",
        *(f"        {field.variable}: {_expression(f'inputs.{field.name}')}" for field in inputs),
        f"""      run: '"$LLMOPS_PYTHON" -m llmops_actions{f" {argument}" if argument else ""}'""",
    ]
    return HEADER + "\n".join(lines) + "\n"


def _input_lines(field: InputField) -> list[str]:
    lines = [f"  {field.name}:", f"    description: {quoted(field.description)}"]
    return [*lines, "    required: true"] if field.required else [*lines, f"    default: {quoted(field.default)}"]


def _output_lines(field: OutputField) -> list[str]:
    value = _expression(f"steps.step.outputs.{field.name}")
    return [f"  {field.name}:", f"    description: {quoted(field.description)}", f"    value: {value}"]


def _expression(text: str) -> str:
    return f"${{{{ {text} }}}}"


def quoted(text: str) -> str:
    """``text`` as a YAML scalar (JSON's strings are YAML's)."""
    return json.dumps(text, ensure_ascii=False)


def inputs_table(action: str) -> str:
    """The inputs of an action (``root`` for the root action) as a Markdown table."""
    fields = root_inputs() if action == "root" else step_inputs(load_step(action))
    return fields_table(("input", "description", "default"), [*fields, *SETUP_INPUTS])


def outputs_table(action: str) -> str:
    """The outputs of an action (``root`` for the root action) as a Markdown table."""
    fields = root_outputs() if action == "root" else step_outputs(load_step(action))
    return fields_table(("output", "description"), fields)


def setup_inputs_table() -> str:
    """The inputs of the set-up as a Markdown table."""
    return fields_table(("input", "description", "default"), SETUP_INPUTS)


def actions_table() -> str:
    """The rows of a Markdown table of all actions."""
    setup = "Make the private environment of these actions, or find it made; every other action does this by itself."
    summaries = {"setup": setup, **{name: STEPS[name] for name in ACTIONS}}
    return "\n".join(f"| [{name}]({name}/README.md) | {summary} |" for name, summary in summaries.items())


def fields_table(header: tuple[str, ...], fields: Iterable[InputField | OutputField]) -> str:
    """Inputs or outputs as a Markdown table."""
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for field in fields:
        cells = [f"`{field.name}`", _literal(field.description)]
        if isinstance(field, InputField):
            cells.append(field.shown)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _literal(text: str) -> str:
    for character, escaped in (("<", "&lt;"), (">", "&gt;"), ("*", "\\*"), ("|", "\\|")):
        text = text.replace(character, escaped)
    return text


def files() -> Mapping[Path, str]:
    """Every generated ``action.yml``: its path in the repository, and its content."""
    steps = {Path("actions") / name / "action.yml": render_step(name) for name in ACTIONS}
    return {Path("action.yml"): render_root(), **steps}


def main(root: Path) -> int:
    """Write the files below ``root``."""
    for path, content in files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
