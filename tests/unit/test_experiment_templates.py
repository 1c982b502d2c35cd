"""Folders as the users of the established prompt-flow templates have them load unchanged."""

from __future__ import annotations

from pathlib import Path

from tests.unit.experiment_files import write

from llmops_actions.experiment.environment import experiment_variables, flow_environment, resolve_arguments
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.flows import connections_used, load_flow, resolve
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.sweep import make_variations

MODEL_FLOW = """
$schema: https://example.org/Flow.schema.json
environment:
  python_requirements_txt: requirements.txt
inputs:
  sum:
    type: string
    default: What is two and two?
outputs:
  result:
    type: string
    reference: ${think.output}
nodes:
- name: think
  use_variants: true
node_variants:
  think:
    default_variant_id: short
    variants:
      short:
        node: &think
          type: llm
          source: {type: code, path: think.jinja2}
          inputs: {deployment_name: gpt, temperature: 0.2, sum: "${inputs.sum}"}
          provider: AzureOpenAI
          connection: aoai
          api: chat
      long:
        node:
          <<: *think
          source: {type: code, path: think_long.jinja2}
"""

SUMS = {
    "experiment.yaml": """name: sums
flow: flows/standard

connections:
- name: aoai
  connection_type: AzureOpenAIConnection
  api_endpoint: ${api_endpoint}
  api_version: 2023-07-01-preview
  api_key: ${api_key}
  api_type: azure

- name: sums_training
datasets:
- name: sums_training
  source: data/sums.jsonl
  description: "For prompts."
  mappings:
    sum: "${data.question}"

evaluators:
- name: sums_evaluation
  flow: flows/evaluation
  datasets:
  - name: sums_test
    reference: sums_training
    source: data/truth.jsonl
    description: "For scores."
    mappings:
      truth: "${data.truth}"
      answer: "${run.outputs.result}"
""",
    "experiment.pr.yaml": """name: another_name

datasets:
- name: sums_pr
  source: data/sums.jsonl
  description: "For pull requests."
  mappings:
    sum: "${data.question}"

evaluators:""",
    "experiment.dev.yaml": """name: sums
flow: flows/standard

connections:
- name: aoai
  connection_type: azureopenaiconnection
  api_base: https://sums.example/
  api_version: 2023-07-01
  api_key: ${api_key}
  api_type: azure""",
    "flows/standard/flow.dag.yaml": MODEL_FLOW,
    "flows/standard/requirements.txt": "",
    "flows/evaluation/flow.dag.yaml": "nodes: []\n",
    "data/sums.jsonl": "{}",
    "data/truth.jsonl": "{}",
    ".env": "AOAI_API_ENDPOINT='https://sums.example/'\n",
}


def names(experiment: Experiment) -> tuple[list[str], list[str]]:
    return [each.dataset.name for each in experiment.datasets], [each.name for each in experiment.evaluators]


def test_a_dag_with_variants_a_stray_connection_and_a_reference(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path / "sums", SUMS))
    assert names(experiment) == (["sums_training"], ["sums_evaluation"])
    assert experiment.evaluators[0].datasets_for("sums_training")
    variables = experiment_variables(experiment, {"AOAI_API_KEY": "k"})
    around = flow_environment(experiment, variables)
    assert list(around.connections) == ["aoai"]
    assert around.connections["aoai"].configs == {
        "api_base": "https://sums.example/",
        "api_version": "2023-07-01-preview",
        "api_type": "azure",
    }
    assert around.connections["aoai"].secrets == {"api_key": "k"}
    assert around.missing == ()
    assert [name for name, _ in around.unusable] == ["sums_training"]

    flow = load_flow(experiment.flow)
    made = make_variations(flow.variants, experiment.variants, experiment.hyperparameters, flow.own_values)
    assert [each.name for each in made] == ["default", "think.long"]
    [node] = resolve(flow, made[1]).definition["nodes"]
    assert (node["name"], node["source"]["path"], node["inputs"]["temperature"]) == ("think", "think_long.jinja2", 0.2)
    assert "use_variants" not in node


def test_an_overlay_with_another_name_its_datasets_and_empty_evaluators(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path / "sums", SUMS), "pr")
    assert (experiment.name, names(experiment)) == ("sums", (["sums_pr"], []))


def test_an_overlay_with_connections_alone(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path / "sums", SUMS), "dev")
    assert names(experiment) == (["sums_training"], ["sums_evaluation"])
    around = flow_environment(experiment, experiment_variables(experiment, {}))
    assert around.connections["aoai"].configs["api_version"] == "2023-07-01"
    assert [(each.variable, each.asked_by.line) for each in around.missing] == [("AOAI_API_KEY", 5)]


AGENT = {
    "experiment.yaml": """name: agent
flow: flows/standard

connections:
- name: agent_connection
  connection_type: CustomConnection
  secrets:
    model_key: ${model_key}
  configs:
    model_url: ${model_url}
    model_version: 2023-07-01-preview
    retries: 3

datasets:
- name: tasks
  source: data/tasks.jsonl
  mappings:
    question: "${data.question}"

evaluators:
- name: steps
  flow: flows/evaluation
  datasets:
  - name: truth
    reference: tasks
    source: data/truth.jsonl
    mappings:
      schema: plan.schema.json
      plan: "${run.outputs.plan}"
      limit: 3
""",
    "flows/standard/flow.dag.yaml": """
inputs: {question: {type: string}}
outputs: {plan: {type: string, reference: "${plan.output}"}}
nodes:
- {name: rules, type: prompt, source: {type: code, path: rules.jinja2}, inputs: {}}
- name: plan
  type: python
  source: {type: code, path: plan.py}
  inputs: {connection: agent_connection, rules: "${rules.output}", question: "${inputs.question}"}
""",
    "flows/standard/plan.py": """
from promptflow import tool
from promptflow.connections import CustomConnection


@tool
def plan(connection: CustomConnection, rules: str, question: str) -> str:
    return ""
""",
    "flows/evaluation/flow.dag.yaml": "nodes: []\n",
    "data/tasks.jsonl": "{}",
    "data/truth.jsonl": "{}",
}


def test_a_custom_connection_and_literal_mappings(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path / "agent", AGENT))
    environ = {"AGENT_CONNECTION_MODEL_KEY": "k", "MODEL_URL": "https://m.example"}
    around = flow_environment(experiment, experiment_variables(experiment, environ))
    connection = around.connections["agent_connection"]
    assert connection.secrets == {"model_key": "k"}
    assert connection.configs == {
        "model_url": "https://m.example",
        "model_version": "2023-07-01-preview",
        "retries": "3",
    }
    mappings = experiment.evaluators[0].datasets[0].mappings
    assert (mappings["schema"].value, mappings["limit"].value) == ("plan.schema.json", 3)
    flow = load_flow(experiment.flow)
    [variation] = make_variations(flow.variants)
    assert list(connections_used(resolve(flow, variation), flow)) == [("plan", "agent_connection")]


CHAT = {
    "experiment.yaml": """name: chat
flow: flows/chat_basic
datasets:
- name: talks
  source: data/talks.jsonl
  mappings:
    question: "${data.question}"
    chat_history: "${data.chat_history}"
evaluators:
- name: class_based
  flow: flows/eval_list
  datasets:
  - name: talks_test
    reference: talks
    source: data/talks.jsonl
    mappings:
      answer: "${run.outputs.output}"
- name: python_based
  flow: flows/eval-flow
  datasets:
  - name: talks_test
    reference: talks
    source: data/talks.jsonl
    mappings:
      answer: "${run.outputs.output}"
""",
    "environment/env.yaml": "SERVICE_KEY: ${SERVICE_KEY}\nSERVICE_URL: ${SERVICE_URL}\nDEPLOYMENT: chat\n",
    "flows/chat_basic/flow.flex.yaml": """entry: flow:Chat
inputs:
  question: {type: string, default: Hello?}
  chat_history: {type: list, default: ''}
outputs:
  output: {type: string}
init:
  model_config:
    type: AzureOpenAIModelConfiguration
    default: {connection: aoai, azure_deployment: gpt}
  max_total_token: {type: int, default: 4096}
""",
    "flows/chat_basic/flow.py": """
from promptflow.core import AzureOpenAIModelConfiguration
from promptflow.tracing import trace


class Chat:
    def __init__(self, model_config: AzureOpenAIModelConfiguration, max_total_token=2048):
        self.model_config = model_config

    @trace
    def __call__(self, question: str, chat_history: list = None) -> str:
        return question
""",
    "flows/chat_basic/init.json": """{"model_config": {"azure_endpoint": "${azure_endpoint}",
 "api_key": "${key_of_the_service}", "azure_deployment": "gpt", "n": 1}, "style": "${how}", "tags": ["${tag}"]}""",
    "flows/eval_list/flow.flex.yaml": "entry: check_list:EvalList\n",
    "flows/eval_list/check_list.py": """
class EvalList:
    def __init__(self, model_config):
        pass

    def __call__(self, answer: str):
        return {"score": 1}

    def __aggregate__(self, line_results):
        return {"mean": 1}
""",
    "flows/eval_list/init.json": '{"model_config": {"connection": "aoai", "azure_deployment": "gpt"}}',
    "flows/eval-flow/eval_custom.py": """
def helper():
    pass


def eval_use_case(run_name, data_id, column_mapping):
    print("once for a run")
""",
    "data/talks.jsonl": "{}",
}


def test_a_class_flow_with_init_json_and_python_evaluators(tmp_path: Path) -> None:
    experiment = load_experiment(write(tmp_path / "chat", CHAT))
    environ = {
        "MODEL_CONFIG_AZURE_ENDPOINT": "https://m.example",
        "MODEL_CONFIG_API_KEY": "k",
        "STYLE": "kind",
        "TAG": "t",
        "SERVICE_KEY": "s",
    }
    variables = experiment_variables(experiment, environ)
    around = flow_environment(experiment, variables)
    assert around.variables == {"SERVICE_KEY": "s", "DEPLOYMENT": "chat"}
    [missing] = around.missing
    assert str(missing).endswith("environment/env.yaml:2:1 asks for `SERVICE_URL`")

    flow = load_flow(experiment.flow)
    assert (flow.kind, list(flow.inputs), flow.outputs) == ("flex", ["question", "chat_history"], ("output",))
    [variation] = make_variations(flow.variants, "all", {}, flow.own_values)
    program = resolve(flow, variation)
    init, unresolved = resolve_arguments(program.init, variables, flow.document.locate())
    assert init == {
        "model_config": {
            "azure_endpoint": "https://m.example",
            "api_key": "k",
            "azure_deployment": "gpt",
            "n": 1,
        },
        "max_total_token": 4096,
        "style": "kind",
        "tags": ["t"],
    }
    assert unresolved == []

    class_based, python_based = (load_flow(each.path) for each in experiment.evaluators)
    assert (class_based.kind, class_based.aggregates, list(class_based.inputs)) == ("flex", True, ["answer"])
    assert list(connections_used(resolve(class_based, variation), class_based)) == [("model_config", "aoai")]
    assert python_based.kind == "function"
    assert [each.name for each in python_based.functions] == ["eval_use_case"]
    assert (python_based.aggregates, python_based.any_input) == (True, True)


PLAIN = {
    "experiment.yaml": """name: exp
flow: flows/exp_flow

datasets:
- name: ds1
  source: one.jsonl
  description: the first
  mappings:
    a: "literal"
- name: ds2
  source: two.jsonl
  mappings:
    a: "${data.a}"

evaluators:
- name: eval1
  datasets:
  - name: ds1
    mappings:
      b: "more"
  - name: ds3
    source: one.jsonl
    reference: ds2
    mappings:
      c: "more"
- name: eval2
  datasets:
  - name: ds2
    mappings:
      a: "other"
  - name: ds4
    source: two.jsonl
    reference: ds1
    mappings:

runtime: a_runtime""",
    "experiment.dev0.yaml": """datasets:
- name: dsx
  source: "one.jsonl"
  mappings:
    a: "b"

evaluators:
- name: evalx
  flow: eval1
  datasets:
  - name: dsx
    mappings:
      a: "c"
  - name: dsy
    source: two.jsonl
    reference: dsx
    mappings:

runtime: another""",
    "experiment.dev1.yaml": 'datasets:\n- name: dsx\n  source: "one.jsonl"\n  mappings:\n    a: "b"',
    "experiment.dev2.yaml": "evaluators:\n- name: eval1\n  datasets:\n  - name: ds1\n    mappings:\n\nruntime:",
    "experiment.dev3.yaml": "evaluators:\ndatasets:",
    "flows/exp_flow/flow.dag.yaml": "nodes: []\n",
    "flows/eval1/flow.dag.yaml": "nodes: []\n",
    "flows/eval2/flow.dag.yaml": "nodes: []\n",
    "data/one.jsonl": "{}",
    "data/two.jsonl": "{}",
}


def test_overlays_without_a_name(tmp_path: Path) -> None:
    folder = write(tmp_path / "exp", PLAIN)
    loaded = {name: load_experiment(folder, name) for name in ("prod", "dev0", "dev1", "dev2", "dev3")}
    assert {name: names(each) for name, each in loaded.items()} == {
        "prod": (["ds1", "ds2"], ["eval1", "eval2"]),
        "dev0": (["dsx"], ["evalx"]),
        "dev1": (["dsx"], ["eval1", "eval2"]),
        "dev2": (["ds1", "ds2"], ["eval1"]),
        "dev3": ([], []),
    }
    assert {name: each.runtime for name, each in loaded.items()} == {
        "prod": "a_runtime",
        "dev0": "another",
        "dev1": "a_runtime",
        "dev2": None,
        "dev3": "a_runtime",
    }
    matching = [each.datasets_for("dsx") for each in loaded["dev1"].evaluators]
    assert matching == [[], []]
    assert [len(each.datasets_for("ds1")) for each in loaded["prod"].evaluators] == [1, 1]
