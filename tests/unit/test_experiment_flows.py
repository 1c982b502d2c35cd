"""Dag flows, prompty files and Python evaluators: what is read of them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import DAG, REPLY, write

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.flows import connections_used, load_flow, model_calls, resolve
from llmops_actions.experiment.flows.types import Flow, FlowInput, ModelCall
from llmops_actions.experiment.sweep import NodeVariants, Variation, make_variations

VARIANTS = """
inputs:
  text: {type: string, default: hi}
  limit: {type: int}
  anything:
outputs:
  label: {type: string, reference: "${classify.output}"}
nodes:
- name: shorten
  type: python
  source: {type: code, path: shorten.py}
  inputs: {text: "${inputs.text}", connection: search}
- name: classify
  use_variants: true
- name: total
  type: python
  aggregation: true
  source: {type: code, path: total.py}
  inputs: {labels: "${classify.output}"}
- name: find
  type: python
  source: {type: package, tool: promptflow.tools.embedding.embedding}
  inputs: {connection: vectors, input: "${inputs.text}"}
node_variants:
  classify:
    default_variant_id: 0
    variants:
      0: {node: {type: llm, source: {type: code, path: a.jinja2}, connection: aoai, api: chat,
          inputs: {deployment_name: gpt, temperature: 0.2, text: "${shorten.output}"}}}
      1: {node: {type: llm, source: {type: code, path: b.jinja2}, connection: aoai, api: chat,
          inputs: {deployment_name: gpt-4, temperature: 0.7, text: "${shorten.output}"}}}
  unused:
    default_variant_id: a
    variants: {a: {node: {type: llm}}, b: {node: {type: llm}}}
"""

SHORTEN = """
from typing import Optional

from promptflow.core import tool
from promptflow.connections import CognitiveSearchConnection as Search, CognitiveSearchConnection


@tool
def shorten(text: str, connection: Optional[CognitiveSearchConnection] = None, length: int = 3) -> str:
    return text
"""

FILES = {"flow.dag.yaml": VARIANTS, "shorten.py": SHORTEN}


def load(tmp_path: Path, files: Mapping[str, str | bytes]) -> Flow:
    return load_flow(write(tmp_path / "flow", files))


def refused(tmp_path: Path, files: Mapping[str, str | bytes]) -> str:
    with pytest.raises(ExperimentError) as raised:
        load(tmp_path, files)
    assert raised.value.location is not None
    return str(raised.value).replace(f"{tmp_path / 'flow'}/", "").replace(f"{tmp_path}/", "")


def test_a_dag(tmp_path: Path) -> None:
    flow = load(tmp_path, {**FILES, "requirements.txt": ""})
    assert (flow.kind, flow.file.name, flow.outputs, flow.aggregates) == ("dag", "flow.dag.yaml", ("label",), True)
    assert flow.inputs == {
        "text": FlowInput("text", "string", True, "hi"),
        "limit": FlowInput("limit", "int"),
        "anything": FlowInput("anything"),
    }
    assert flow.variants == {"classify": NodeVariants(("0", "1"), "0")}
    assert flow.own_values["classify"]["temperature"] == 0.2
    assert flow.own_values["classify"]["connection"] == "aoai"
    assert flow.requirements == flow.folder / "requirements.txt"


def test_a_variation_leaves_nothing_to_choose(tmp_path: Path) -> None:
    flow = load(tmp_path, FILES)
    values: dict[str, dict[str, Any]] = {
        "classify": {"temperature": 0.9, "connection": "other"},
        "shorten": {"length": 5},
    }
    program = resolve(flow, Variation("x", {"classify": "1"}, values))
    nodes = {node["name"]: node for node in program.definition["nodes"]}
    assert "node_variants" not in program.definition
    assert nodes["classify"] == {
        "name": "classify",
        "type": "llm",
        "source": {"type": "code", "path": "b.jinja2"},
        "connection": "other",
        "api": "chat",
        "inputs": {"deployment_name": "gpt-4", "temperature": 0.9, "text": "${shorten.output}"},
    }
    assert nodes["shorten"]["inputs"]["length"] == 5
    assert program.aggregates
    assert model_calls(program) == [ModelCall("classify", "other", "gpt-4")]
    assert list(connections_used(program, flow)) == [
        ("shorten", "search"),
        ("classify", "other"),
        ("find", "vectors"),
    ]
    assert flow.document.value["nodes"][1] == {"name": "classify", "use_variants": True}


def test_a_variant_may_aggregate(tmp_path: Path) -> None:
    text = VARIANTS.replace("  aggregation: true\n", "").replace("{node: {type: llm, source: {type: code, path: b", "X")
    text = text.replace("1: X", "1: {node: {aggregation: true, type: llm, source: {type: code, path: b")
    flow = load(tmp_path, {**FILES, "flow.dag.yaml": text})
    assert not flow.aggregates
    assert [resolve(flow, each).aggregates for each in make_variations(flow.variants)] == [False, True]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"clasify": {"temperature": 1}},
            "a node `clasify` that the flow does not have. Did you mean `classify`?",
        ),
        ({"classify": {"temprature": 1}}, "the node `classify` does not take. Did you mean `temperature`?"),
        ({"shorten": {"lenght": 1}}, "the node `shorten` does not take. Did you mean `length`?"),
    ],
)
def test_hyperparameters_that_nothing_takes(tmp_path: Path, values: dict[str, dict[str, Any]], expected: str) -> None:
    flow = load(tmp_path, FILES)
    with pytest.raises(ExperimentError) as raised:
        resolve(flow, Variation("x", {}, values))
    assert expected in str(raised.value)
    assert raised.value.location is not None
    assert raised.value.location.line is not None


def test_hyperparameters_of_nodes_whose_inputs_are_not_known(tmp_path: Path) -> None:
    flow = load(tmp_path, {**FILES, "shorten.py": "from promptflow.core import tool\n\n@tool\ndef f(**more): ...\n"})
    values = {"shorten": {"anything": 1}, "total": {"x": 1}, "find": {"y": 1}, "classify": {"max_tokens": 9}}
    nodes = {node["name"]: node for node in resolve(flow, Variation("x", {}, values)).definition["nodes"]}
    assert nodes["total"]["inputs"] == {"labels": "${classify.output}", "x": 1}
    assert nodes["classify"]["inputs"]["max_tokens"] == 9


def test_python_nodes_that_tell_nothing_of_their_connections(tmp_path: Path) -> None:
    for source in ("def f(connection: CustomConnection): ...", "x = 1"):
        flow = load(tmp_path, {"flow.dag.yaml": DAG, "reply.py": source})
        assert list(connections_used(resolve(flow, Variation("x")), flow)) == []


def test_a_default_variant_that_does_not_exist(tmp_path: Path) -> None:
    text = VARIANTS.replace("default_variant_id: a", "default_variant_id: c")
    assert "flow.dag.yaml:33:5: The default variant `c` of node `unused` does not exist. It has a, b." in refused(
        tmp_path, {"flow.dag.yaml": text}
    )
    text = VARIANTS.replace("default_variant_id: a\n", "x: 1\n").replace("{a: {node", "{none: {node")
    assert "Did you mean `none`?" in refused(tmp_path, {"flow.dag.yaml": text})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nodes: [{name: a, use_variants: true}]", "says `use_variants`, but has none under `node_variants`"),
        ("nodes: {a: 1}", "`nodes` must be a list of nodes, not dict."),
        ("nodes: [a]", "needs keys, and a `name`"),
        ("nodes: [{type: llm}]", "needs keys, and a `name`"),
        ("nodes: [{name: 1}]", "needs keys, and a `name`"),
        ("nodes: [{name: a}, {name: a}]", "flow.dag.yaml:1:20: The node `a` is already there."),
        ("nodes: [{name: a, inputs: [1]}]", "`nodes.0.inputs` must be keys and values, not list."),
        ("nodes: [{name: a, source: x.py}]", "`nodes.0.source` must be keys and values, not str."),
        ("inputs: [a]", "`inputs` must be a mapping of inputs"),
        ("inputs: {a: 1}", "`inputs.a` must be an input with `type`"),
        ("outputs: [a]", "`outputs` must be a mapping of outputs"),
        ("node_variants: [a]", "`node_variants` must be"),
        ("node_variants: {a: [1]}", "`node_variants.a` must be"),
        ("node_variants: {a: {variants: [1]}}", "`node_variants.a.variants` must be"),
        ("node_variants: {a: {variants: {b: 1}}}", "`node_variants.a.variants.b` must be"),
        ("node_variants: {a: {variants: {b: {}}}}", "A variant needs a `node` with keys."),
        ("node_variants: {a: {variants: {b: {node: {inputs: 1}}}}}", "`node_variants.a.variants.b.node.inputs` must"),
        ("node_variants: {a: }", "The default variant `None` of node `a` does not exist. It has none."),
        ("additional_includes: x.py", "`additional_includes` is a list of paths."),
        ("additional_includes: [none.py]", "The include `none.py` does not exist"),
        ('additional_includes: ["a\\0b"]', "is no usable path"),
        (f"additional_includes: [{'x' * 300}]", "is no usable path"),
        ("- 1", "A flow must hold keys and values."),
        ("", "A flow must hold keys and values."),
    ],
)
def test_dags_of_another_shape(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(tmp_path, {"flow.dag.yaml": text})


def test_an_empty_dag(tmp_path: Path) -> None:
    flow = load(tmp_path, {"flow.dag.yml": "nodes:\n"})
    assert (flow.inputs, flow.outputs, flow.variants) == ({}, (), {})
    assert list(model_calls(resolve(flow, Variation("x")))) == []


def test_includes(tmp_path: Path) -> None:
    text = DAG + "additional_includes:\n- ../shared/deep\n- ../shared/one.py\n"
    write(tmp_path, {"shared/deep/a.py": "", "shared/one.py": "", "flow/.git/x": ""})
    with pytest.raises(ExperimentError, match=r"flow\.dag\.yaml:\d+:3: The include .* leaves the repository"):
        load_flow(write(tmp_path / "flow", {"flow.dag.yaml": text}))
    assert load_flow(tmp_path / "flow", repository=tmp_path).includes == (
        (tmp_path / "shared" / "deep").resolve(),
        (tmp_path / "shared" / "one.py").resolve(),
    )


def test_includes_without_a_repository(tmp_path: Path) -> None:
    write(tmp_path, {"shared.py": ""})
    assert load(tmp_path, {"flow.dag.yaml": DAG + "additional_includes: [../shared.py]\n"}).includes


def test_declared_requirements(tmp_path: Path) -> None:
    environment = "environment: {python_requirements_txt: more.txt}\n"
    flow = load(tmp_path, {"flow.dag.yaml": DAG + environment, "more.txt": "", "requirements.txt": ""})
    assert flow.requirements is not None
    assert flow.requirements.name == "more.txt"
    flow = load(tmp_path / "b", {"flow.dag.yaml": DAG + environment, "requirements.txt": ""})
    assert flow.requirements is not None
    assert flow.requirements.name == "requirements.txt"


def test_no_flow(tmp_path: Path) -> None:
    assert "There is no flow here: no `flow.dag.yaml`" in refused(tmp_path, {"x.txt": ""})
    assert "There is no flow here" in refused(tmp_path, {"a.prompty": "", "b.prompty": ""})
    with pytest.raises(ExperimentError, match="no flow here"):
        load_flow(tmp_path / "none")
    with pytest.raises(ExperimentError, match="no flow here"):
        load_flow(write(tmp_path, {"a.txt": ""}) / "a.txt")


def test_broken_python_of_a_node_has_its_line(tmp_path: Path) -> None:
    flow = load(tmp_path, {"flow.dag.yaml": DAG, "reply.py": "def f(:\n"})
    with pytest.raises(ExperimentError, match=r"reply\.py:1:7: Not valid Python"):
        list(connections_used(resolve(flow, Variation("x")), flow))


# --- prompty


PROMPTY = """---
name: reply
model:
  api: chat
  configuration: {type: azure_openai, connection: aoai, azure_deployment: gpt}
  parameters: {temperature: 0.2, max_tokens: 64}
inputs:
  question: {type: string}
  tone: kind
---
system:
---
You are {{tone}}.
"""


def test_a_prompty(tmp_path: Path) -> None:
    flow = load(tmp_path, {"reply.prompty": PROMPTY.replace("\n", "\r\n")})
    assert (flow.kind, flow.file.name, flow.outputs) == ("prompty", "reply.prompty", None)
    assert flow.inputs == {
        "question": FlowInput("question", "string"),
        "tone": FlowInput("tone", None, True, "kind"),
    }
    assert flow.document.locate(("inputs", "tone")).line == 9
    made = make_variations(flow.variants, "all", {"model": {"temperature": [0.2, 0.9]}}, flow.own_values)
    assert [each.name for each in made] == ["default", "model.temperature=0.9"]
    program = resolve(flow, Variation("x", {}, {"model": {"temperature": 0.9, "azure_deployment": "gpt-4"}}))
    assert program.definition["model"] == {
        "api": "chat",
        "configuration": {"type": "azure_openai", "connection": "aoai", "azure_deployment": "gpt-4"},
        "parameters": {"temperature": 0.9, "max_tokens": 64},
    }
    assert model_calls(program) == [ModelCall("reply.prompty", "aoai", "gpt-4", 64)]
    assert list(connections_used(program, flow)) == [("reply.prompty", "aoai")]


def test_a_prompty_with_outputs_and_nothing_else(tmp_path: Path) -> None:
    flow = load(tmp_path, {"a.prompty": "\n---\nname: a\noutputs: {score: {type: int}}\n---\nsystem:\n"})
    assert (flow.outputs, flow.inputs, flow.document.locate(("outputs",)).line) == (("score",), {}, 4)
    program = resolve(flow, Variation("x"))
    assert model_calls(program) == [ModelCall("a.prompty", None, None)]
    assert list(connections_used(program, flow)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("system:\nHi", "starts with YAML between two lines of `---`"),
        ("---\nname: a\n", "starts with YAML between two lines of `---`"),
        ("---\n- 1\n---\n", "must hold keys and values"),
        ("---\n---\n", "must hold keys and values"),
        ("---\ninputs: [a]\n---\n", "a.prompty:2:1: `inputs` must be a mapping"),
        ("---\nname: a\nmodel: gpt\n---\n", "a.prompty:3:1: `model` must hold keys and values."),
        ("---\nmodel:\n  configuration: [a]\n---\n", "a.prompty:3:3: `model.configuration` must hold"),
        ("---\nmodel: {parameters: 1}\n---\n", "`model.parameters` must hold"),
        ("---\nname: a\nname: b\n---\n", "a.prompty:3:1: The key `name` is already there, in line 2."),
        ("---\na: [\n---\n", "a.prompty:3:1: Not valid YAML"),
    ],
)
def test_prompty_files_of_another_shape(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(tmp_path, {"a.prompty": text})


def test_hyperparameters_of_a_prompty_stand_under_model(tmp_path: Path) -> None:
    flow = load(tmp_path, {"reply.prompty": PROMPTY})
    with pytest.raises(ExperimentError, match="stand under `model`, not `init`"):
        resolve(flow, Variation("x", {}, {"init": {"a": 1}}))


# --- Python evaluators


def test_python_evaluators(tmp_path: Path) -> None:
    first = """
def eval_length(answer: str, limit: int = 10):
    return {"length": len(answer)}


async def eval_tone(answer, *, question: "str", **more):
    return {"tone": 1}


def helper(x): ...
"""
    flow = load(
        tmp_path, {"eval_b.py": first, "eval_a.py": "def eval_a(limit: int): ...\n", "other.py": "def eval_x():"}
    )
    assert (flow.kind, flow.any_input, flow.aggregates, flow.outputs) == ("function", True, False, None)
    assert [(each.file, each.name) for each in flow.functions] == [
        ("eval_a.py", "eval_a"),
        ("eval_b.py", "eval_length"),
        ("eval_b.py", "eval_tone"),
    ]
    assert {name: (each.type, each.has_default) for name, each in flow.inputs.items()} == {
        "limit": ("int", False),
        "answer": ("string", False),
        "question": ("string", False),
    }
    program = resolve(flow, Variation("x"))
    assert (program.functions, program.file, model_calls(program)) == (flow.functions, "eval_a.py", [])
    assert list(connections_used(program, flow)) == []


def test_python_evaluators_that_are_none(tmp_path: Path) -> None:
    assert "No function `eval_*` in eval_a.py" in refused(tmp_path, {"eval_a.py": "x = 1"})
    twice = {"eval_a.py": "def eval_x(): ...", "eval_b.py": "\ndef eval_x(): ..."}
    assert "eval_b.py:2: `eval_x` is there twice; rename one." in refused(tmp_path, {**twice})


@pytest.mark.parametrize("content", ["def eval_a(:\n", "x = '\0'", "(" * 2000, b"\xff"])
def test_files_that_are_no_python(tmp_path: Path, content: str | bytes) -> None:
    message = refused(tmp_path, {"eval_a.py": content})
    assert "eval_a.py" in message
    assert "Not valid Python" in message or "not UTF-8" in message


def test_python_that_warns_is_read_in_silence(tmp_path: Path) -> None:
    assert load(tmp_path, {"eval_a.py": 'def eval_a(x="\\d"): ...'}).inputs["x"].has_default


def test_the_sample_tool_of_these_tests_is_python(tmp_path: Path) -> None:
    assert list(load(tmp_path, {"flow.dag.yaml": DAG, "reply.py": REPLY}).inputs) == ["question"]
