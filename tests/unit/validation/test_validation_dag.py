"""The graph of a dag flow: names, references, cycles, variants, sources, templates, signatures, models."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.validation.use_cases import changed, examine_use_case, findings_of, shown, write, write_use_case

FLOW = "flows/greet/flow.dag.yaml"
EVALUATOR = "flows/polite/flow.dag.yaml"


def test_a_use_case_without_a_fault_has_no_findings(tmp_path: Path) -> None:
    examination = examine_use_case(write_use_case(tmp_path))
    assert shown(examination.findings, notices=True) == []
    assert examination.flow.sound
    assert examination.flow.variations == 2
    assert [name for name, _ in examination.flow.programs] == ["ask.short", "ask.long"]
    assert examination.rows == 2


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            FLOW,
            "text: ${inputs.name}",
            "text: ${inputs.nam}",
            "error flow.dag.yaml:13 Node `tidy`: The flow has no input `nam`. Did you mean `name`?",
        ),
        (
            FLOW,
            "reference: ${ask.output}",
            "reference: ${asked.output}",
            "error flow.dag.yaml:7 Output `answer`: There is no node `asked`. Did you mean `ask`?",
        ),
        (
            FLOW,
            "reference: ${ask.output}",
            "reference: ''",
            "error flow.dag.yaml:7 The output `answer` needs `reference: ${<node>.output}`.",
        ),
        (
            FLOW,
            "reference: ${ask.output}",
            "reference: always",
            'warning flow.dag.yaml:7 The output `answer` is the same for every row: "always".',
        ),
        (
            FLOW,
            "name: ${tidy.output}\n          connection: aoai\n          api: chat\n      long",
            "name: ${tidy.outputs}\n          connection: aoai\n          api: chat\n      long",
            (
                "error flow.dag.yaml:26 Node `ask`, variant `short`: `${tidy.outputs}` means nothing: only "
                "`${tidy.output}` and its keys can be referenced."
            ),
        ),
        (
            FLOW,
            "text: ${inputs.name}",
            "text: 'Mr ${inputs.name}'",
            (
                "warning flow.dag.yaml:13 The input `text` of node `tidy` is taken literally: a "
                "reference stands alone, "
                "without text around it."
            ),
        ),
        (
            FLOW,
            "- name: tidy\n",
            "- name: ask\n",
            "error flow.dag.yaml:14 The node `ask` is already there, at line 9. Rename one.",
        ),
        (
            FLOW,
            "- name: tidy\n",
            "- name: inputs\n",
            "error flow.dag.yaml:9 A node cannot be called `inputs`: `${inputs.…}` means an input of the flow.",
        ),
        (
            FLOW,
            "type: string",
            "type: strng",
            "error flow.dag.yaml:2 The input `name` has the unknown type `strng`. Did you mean `string`?",
        ),
        (
            FLOW,
            "  name:\n    type: string",
            "  name:",
            (
                "error flow.dag.yaml:2 The input `name` needs a `type`: `string`, `int`, `double`, `bool`, `list`, "
                "`object`."
            ),
        ),
        (
            FLOW,
            "    type: string\n    reference",
            "    reference",
            (
                "error flow.dag.yaml:5 The output `answer` needs a `type`: `string`, `int`, `double`, `bool`, `list`, "
                "`object`."
            ),
        ),
        (
            FLOW,
            "type: string",
            "type: int\n    default: many",
            'error flow.dag.yaml:2 The default "many" of the input `name` is no int.',
        ),
        (
            FLOW,
            "type: python",
            "type: pyton",
            "error flow.dag.yaml:10 Node `tidy` has the unknown type `pyton`. Did you mean `python`?",
        ),
        (
            FLOW,
            "  type: python\n",
            "",
            "error flow.dag.yaml:9 Node `tidy` has no `type`. There are `python`, `llm`, `prompt`, `custom_llm`.",
        ),
        (
            FLOW,
            "{type: code, path: tidy.py}",
            "{type: code, path: tydy.py}",
            "error flow.dag.yaml:11 The source `tydy.py` of node `tidy` does not exist. Did you mean `tidy.py`?",
        ),
        (
            FLOW,
            "{type: code, path: tidy.py}",
            "{type: code}",
            "error flow.dag.yaml:11 Node `tidy` needs `source.path`: a file in the flow's folder.",
        ),
        (
            FLOW,
            "{type: code, path: tidy.py}",
            "{type: code, path: ask.jinja2}",
            "error flow.dag.yaml:11 The source of node `tidy` is no Python file (*.py).",
        ),
        (
            FLOW,
            "{type: code, path: tidy.py}",
            "{type: cod, path: tidy.py}",
            "error flow.dag.yaml:11 The source of node `tidy` (python) is `code`, `package`, not `cod`.",
        ),
        (
            FLOW,
            "{type: code, path: tidy.py}",
            "{type: package}",
            "error flow.dag.yaml:11 Node `tidy` needs `source.tool`: the tool of a package.",
        ),
        (
            FLOW,
            "text: ${inputs.name}",
            "txt: ${inputs.name}",
            "error flow.dag.yaml:13 `tidy` takes no input `txt`. Did you mean `text`?",
        ),
        (
            FLOW,
            "text: ${inputs.name}",
            "text: ''",
            (
                "error flow.dag.yaml:12 Node `tidy` does not give `text`, which `tidy` needs (tidy.py:5). "
                "Add it to the node's inputs."
            ),
        ),
        (
            FLOW,
            "          connection: aoai\n          api: chat\n      long",
            "          api: chat\n      long",
            "error flow.dag.yaml:21 Node `ask`, variant `short` calls a model, so it needs `connection: <name>`.",
        ),
        (
            FLOW,
            "          api: chat\n      long",
            "          api: chad\n      long",
            "error flow.dag.yaml:28 Node `ask`, variant `short` needs `api`: `chat`, `completion`, not `chad`.",
        ),
        (
            FLOW,
            "deployment_name: gpt",
            "model: gpt",
            (
                "error flow.dag.yaml:24 Node `ask`, variant `short` needs the input `deployment_name`: which model the "
                "AzureOpenAIConnection calls."
            ),
        ),
        (
            FLOW,
            "default_variant_id: short",
            "default_variant_id: shrt",
            "error flow.dag.yaml:18 The default variant `shrt` of node `ask` does not exist. Did you mean `short`?",
        ),
        (
            FLOW,
            "    default_variant_id: short\n",
            "",
            (
                "error flow.dag.yaml:17 The default variant `None` of node `ask` does not exist. "
                "Add `default_variant_id`: one of `short`, `long`."
            ),
        ),
        (
            FLOW,
            "node_variants:\n  ask:",
            "node_variants:\n  asks:",
            "error flow.dag.yaml:15 The node `ask` uses variants, but `node_variants` has none for it. Add them there.",
        ),
        (
            FLOW,
            "node_variants:\n  ask:",
            "node_variants:\n  asks:",
            "warning flow.dag.yaml:17 `node_variants` has `asks`, which is no node. Did you mean `ask`?",
        ),
        (
            FLOW,
            "node_variants:\n",
            "node_variants:\n  tidy:\n    default_variant_id: x\n    variants: {x: {node: {type: python}}}\n",
            "warning flow.dag.yaml:17 The variants of `tidy` are never used: give the node `use_variants: true`.",
        ),
        (
            EVALUATOR,
            "scores: ${compare.output}",
            "scores: ${mean.output}",
            "error flow.dag.yaml:15 The nodes wait for each other: mean -> mean. Remove one of these references.",
        ),
        (
            EVALUATOR,
            "reference: ${compare.output}",
            "reference: ${mean.output}",
            (
                "warning flow.dag.yaml:7 The output `score` is left out: `mean` runs once over all rows. "
                "Use `log_metric` there for its result."
            ),
        ),
        (
            EVALUATOR,
            "truth: ${inputs.truth}",
            "truth: ${mean.output}",
            (
                "error flow.dag.yaml:14 Node `compare` runs for each row, so it cannot use `mean`, "
                "which runs once over "
                "all rows. Give it `aggregation: true` as well, or use another node."
            ),
        ),
        (
            EVALUATOR,
            "  aggregation: true",
            "  aggregation: true\n  activate: {when: '${compare.output}', is: 1}",
            (
                "error flow.dag.yaml:21 Node `mean` runs once over all rows, so its condition cannot be `compare`, "
                "which runs for each row."
            ),
        ),
        (
            EVALUATOR,
            "  aggregation: true",
            "  aggregation: true\n  activate: {when: '${gone.output}', is: 1}",
            "error flow.dag.yaml:21 Node `mean`: There is no node `gone`. There are `compare`, `mean`.",
        ),
        (
            EVALUATOR,
            "  aggregation: true",
            "  aggregation: true\n  activate: {when: always, is: 1}",
            "warning flow.dag.yaml:21 `activate` of node `mean`: `when` is no reference, so it never changes.",
        ),
        (
            EVALUATOR,
            "  aggregation: true",
            "  aggregation: true\n  activate: true",
            "error flow.dag.yaml:21 `activate` of node `mean` needs `when` and `is`.",
        ),
        (
            EVALUATOR,
            "  aggregation: true",
            "  aggregation: true\n  skip: {when: '${compare.output}', is: 1}",
            (
                "warning flow.dag.yaml:21 `skip` of node `mean` has no effect in prompt flow 1.18; use `activate` with "
                "the opposite condition."
            ),
        ),
        (
            "flows/greet/ask_long.jinja2",
            "{{name}}",
            "{{name}} {{time}}",
            (
                "warning ask_long.jinja2:1 The template uses `time`, which node `ask`, variant `long` does not give: "
                "rendered as empty text. Add it to the inputs, or remove it from the template."
            ),
        ),
        (
            "flows/greet/ask_long.jinja2",
            "Greet {{name}}",
            "Greet {% if name %}",
            (
                "error ask_long.jinja2:2 Not a valid Jinja template: Unexpected end of template. Jinja was looking for "
                "the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'."
            ),
        ),
        (
            "flows/greet/tidy.py",
            "def tidy(text: str)",
            "def tidy(text: str, /)",
            "error tidy.py:5 `text` of `tidy` is positional-only. Remove the `/`.",
        ),
    ],
)
def test_a_fault_is_found_with_its_line_and_the_way_out(
    tmp_path: Path, file: str, old: str, new: str, expected: str
) -> None:
    assert expected in findings_of(tmp_path, changed(file, old, new))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (FLOW, "reference: ${ask.output}", "reference: ${inputs.name}"),
        (FLOW, "reference: ${ask.output}", "reference: ${ask.output.choices[0].text}"),
        (FLOW, "text: ${inputs.name}", "text: ${flow.name}"),
        (FLOW, "text: ${inputs.name}", "text: costs $5 {and} more"),
        (FLOW, "type: string", "type: string\n  count:\n    type: int\n    default: '3'"),
        (FLOW, "  type: python\n", "  type: python\n  activate: {when: '${inputs.name}', is: Ada}\n"),
        (FLOW, "deployment_name: gpt", "deployment_name: gpt\n            tone: ${inputs.name}"),
        ("flows/greet/ask_long.jinja2", "{{name}}", "{{name}}{% for i in range(3) %}{{i}}{% endfor %}"),
        ("flows/greet/ask_long.jinja2", "{{name}}", "{{name}}{% if tone is defined %}{{tone}}{% endif %}"),
        ("flows/greet/ask_long.jinja2", "{{name}}", "{{name}}{{tone | default('warm')}}"),
        ("flows/greet/tidy.py", "text: str", "text: str, more: str = ''"),
        ("flows/greet/tidy.py", "text: str", "**anything: str"),
        ("flows/greet/tidy.py", "@tool\n", "@tool\n@other\n"),
        ("flows/greet/tidy.py", "@tool\n", ""),
        ("experiment.yaml", "AzureOpenAIConnection", "ServerlessConnection"),
    ],
)
def test_what_prompt_flow_accepts_is_no_finding(tmp_path: Path, file: str, old: str, new: str) -> None:
    assert findings_of(tmp_path, changed(file, old, new)) == []


def test_a_cycle_is_named_in_whichever_variant_it_is(tmp_path: Path) -> None:
    flow = changed(FLOW, "text: ${inputs.name}", "text: ${ask.output}")
    found = findings_of(tmp_path, flow)
    assert [line for line in found if "wait for each other" in line] == [
        "error flow.dag.yaml:9 The nodes wait for each other: tidy -> ask -> tidy. Remove one of these references."
    ]


def test_two_cycles_are_two_findings(tmp_path: Path) -> None:
    nodes = "".join(
        f"- name: {name}\n  type: prompt\n  source: {{path: p.jinja2}}\n  inputs: {{x: '${{{needs}.output}}'}}\n"
        for name, needs in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c"), ("e", "a"))
    )
    use_case = write_use_case(tmp_path, {FLOW: f"inputs:\n  name: {{type: string}}\nnodes:\n{nodes}"})
    write(use_case, {"flows/greet/p.jinja2": "{{x}}"})
    found = [line for line in shown(examine_use_case(use_case).findings) if "wait" in line]
    assert [line.split(": ")[1].split(".")[0] for line in found] == ["a -> b -> a", "c -> d -> c"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("nodes: []\n", "error flow.dag.yaml:1 The flow has no nodes. Add some, or name another flow."),
        ("nodes: 3\n", "error flow.dag.yaml:1 "),
        ("nodes:\n- 3\n", "error flow.dag.yaml:2 "),
        (
            "inputs:\n  name: 3\nnodes:\n- {name: x, type: odd}\n",
            "error flow.dag.yaml:2 ",
        ),
        (
            "inputs: 3\nnodes:\n- {name: x, type: odd}\n",
            (
                "error flow.dag.yaml:3 Node `x` has the unknown type `odd`. There are `python`, `llm`, `prompt`, "
                "`custom_llm`."
            ),
        ),
        ("nodes: [\n", "error flow.dag.yaml:2 Not valid YAML"),
        ("- 3\n", "error flow.dag.yaml:1 "),
    ],
)
def test_a_flow_of_the_wrong_shape_hides_as_little_as_it_can(tmp_path: Path, written: str, expected: str) -> None:
    found = findings_of(tmp_path, {FLOW: written})
    assert any(line.startswith(expected) for line in found), found


def test_a_broken_default_variant_is_said_once_and_hides_nothing(tmp_path: Path) -> None:
    text = changed(FLOW, "default_variant_id: short", "default_variant_id: shrt")[FLOW]
    found = findings_of(tmp_path, {FLOW: text.replace("${inputs.name}", "${inputs.nam}")})
    assert sum("default variant" in line for line in found) == 1
    assert sum("no input `nam`" in line for line in found) == 1


def test_sources_are_found_in_what_a_flow_includes(tmp_path: Path) -> None:
    text = changed(FLOW, "path: tidy.py", "path: shared/tidy.py")[FLOW]
    flow = text.replace("inputs:\n", "additional_includes: [../shared, ../extra.py]\ninputs:\n", 1)
    moved = {"flows/shared/tidy.py": "def tidy(text): return text\n", "flows/extra.py": ""}
    assert findings_of(tmp_path, {FLOW: flow, **moved}) == []


def test_a_missing_include_hides_nothing_else(tmp_path: Path) -> None:
    text = changed(FLOW, "path: tidy.py", "path: shared/tidy.py")[FLOW]
    flow = text.replace("inputs:\n", "additional_includes: [../shared, ../gone.py]\ninputs:\n", 1)
    found = findings_of(tmp_path, {FLOW: flow, "flows/shared/tidy.py": "def tidy(: return\n"})
    assert any("The include `../gone.py` does not exist" in line for line in found)
    assert any(line.startswith("error tidy.py:1 Not valid Python") for line in found)


def test_tools_of_packages(tmp_path: Path) -> None:
    node = (
        "- name: custom\n  type: custom_llm\n  source: {type: package_with_prompt, tool: my.tool, path: ask.jinja2}\n"
        "  inputs: {name: '${inputs.name}'}\n- name: plain\n  type: python\n  source: {type: package, tool: my.other}\n"
    )
    text = changed(FLOW, "- name: tidy", f"{node}- name: tidy")[FLOW]
    assert findings_of(tmp_path, {FLOW: text}) == []
    found = findings_of(tmp_path, {FLOW: text.replace("tool: my.tool, path: ask.jinja2", "path: gone.jinja2")})
    assert [line for line in found if "custom" in line] == [
        "error flow.dag.yaml:11 Node `custom` needs `source.tool`: the tool of a package.",
        (
            "error flow.dag.yaml:11 The source `gone.jinja2` of node `custom` does not exist. "
            "Did you mean `ask_long.jinja2`?"
        ),
    ]


def test_a_model_node_without_a_known_connection_needs_a_model(tmp_path: Path) -> None:
    flow = changed(
        FLOW, "deployment_name: gpt\n            name: ${tidy.output}\n          connection: aoai", "connection: other"
    )
    found = findings_of(
        tmp_path, {FLOW: flow[FLOW].replace("connection: other", "name: ${tidy.output}\n          connection: other")}
    )
    assert any("Node `ask`, variant `short` names no model" in line for line in found)


def test_python_that_does_not_parse(tmp_path: Path) -> None:
    found = findings_of(tmp_path, changed("flows/greet/tidy.py", "(text: str)", "(text: str"))
    assert [line.rpartition(": ")[0] for line in found] == ["error tidy.py:5 Not valid Python"]


def test_a_template_that_is_not_text(tmp_path: Path) -> None:
    use_case = write_use_case(tmp_path)
    (use_case / "flows/greet/ask.jinja2").write_bytes(b"user:\n\xff\n")
    assert shown(examine_use_case(use_case).findings) == [
        "error ask.jinja2:2 The file is not UTF-8 (byte 0xff). Save it as UTF-8."
    ]


def test_a_template_that_is_nested_too_deeply(tmp_path: Path) -> None:
    found = findings_of(tmp_path, {"flows/greet/ask.jinja2": "{{" + "(" * 5000 + ")" * 5000 + "}}"})
    assert found == ["error ask.jinja2:1 Not a valid Jinja template: nested too deeply."]


def test_a_source_outside_the_flow(tmp_path: Path) -> None:
    flow = changed(FLOW, "path: ask.jinja2", "path: ../ask.jinja2")
    assert findings_of(tmp_path, {**flow, "flows/ask.jinja2": "user:\n{{name}}\n"}) == [
        (
            "warning flow.dag.yaml:23 The source `../ask.jinja2` of node `ask`, variant `short` lies outside the "
            "flow's folder, so it is not registered or deployed with the flow. Name its folder under "
            "`additional_includes`."
        )
    ]
    write(tmp_path, {"b/outside.jinja2": "{{"})
    flow = changed(FLOW, "path: ask.jinja2", "path: ../../../../outside.jinja2")
    assert findings_of(tmp_path / "b" / "c", flow) == [
        (
            "error flow.dag.yaml:23 The source `../../../../outside.jinja2` of node `ask`, variant `short` leaves the "
            "repository. Move it to the flow."
        )
    ]
