"""The page about the experiment file: its examples load, and they mean what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from tests.unit.experiment_files import write

from llmops_actions.experiment.environment import experiment_variables, flow_environment
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.model import ExperimentFile
from llmops_actions.experiment.price_file import read_prices
from llmops_actions.experiment.sweep import make_variations, select_variations

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "experiment-file.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- ([^\n]+?) -->\n```yaml\n(.*?)```\n", PAGE, re.DOTALL)
FILES = {what.removeprefix("file: "): text for what, text in EXAMPLES if what.startswith("file: ")}
PARTS = [text for what, text in EXAMPLES if what == "part of experiment.yaml"]
[SWEEP] = [text for what, text in EXAMPLES if what == "sweep of a dag flow"]

FLOW = """
inputs:
  url: {type: string}
  language: {type: string}
outputs:
  category: {type: string, reference: "${classify.output}"}
  summary: {type: string, reference: "${summarize.output}"}
nodes:
- name: summarize
  use_variants: true
- name: classify
  type: llm
  source: {type: code, path: x.jinja2}
  inputs: {temperature: 0, text: "${summarize.output}"}
  connection: aoai
node_variants:
  summarize:
    default_variant_id: variant_0
    variants:
      variant_0: {node: {type: llm, source: {type: code, path: x.jinja2}, inputs: {}, connection: aoai}}
      variant_1: {node: {type: llm, source: {type: code, path: y.jinja2}, inputs: {}, connection: aoai}}
"""
EVALUATOR = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def use_case(tmp_path: Path) -> Path:
    assert EVALUATOR is not None
    (tmp_path / ".git").mkdir()
    return write(
        tmp_path / "web_classification",
        {
            **FILES,
            "flows/classify/flow.dag.yaml": FLOW,
            "flows/accuracy/flow.dag.yaml": FLOW,
            "flows/tone/eval_tone.py": EVALUATOR[1],
            "data/pages.jsonl": '{"url": "u", "category": "c"}\n',
            "data/pages_pr.jsonl": '{"url": "u"}\n',
            "data/tone.csv": "tone\nwarm\n",
        },
    )


def test_every_example_is_one_that_is_tried() -> None:
    assert PAGE.count("```yaml") == len(EXAMPLES) == len(FILES) + len(PARTS) + 1
    assert set(FILES) == {"experiment.yaml", "experiment.pr.yaml", "environment/env.yaml", "prices.yaml"}


def test_the_example_loads(use_case: Path) -> None:
    experiment = load_experiment(use_case)
    assert [each.name for each in experiment.evaluators] == ["accuracy", "tone"]
    assert experiment.evaluators[1].path == use_case / "flows/tone"
    assert [each.dataset.name for each in experiment.evaluators[1].datasets_for("pages")] == ["pages_with_tone"]
    assert load_flow(experiment.evaluators[1].path).functions[0].name == "eval_tone"
    assert read_prices(use_case / "prices.yaml").cost("gpt-4o", 1_000_000, 0) == 2.5


def test_the_overlay_loads(use_case: Path) -> None:
    experiment = load_experiment(use_case, "pr")
    assert [each.dataset.name for each in experiment.datasets] == ["pages_pr"]
    assert experiment.evaluators == ()
    assert experiment.flow == use_case / "flows/classify"


def missing(experiment: Experiment, **environ: str) -> set[str]:
    return {each.variable for each in flow_environment(experiment, experiment_variables(experiment, environ)).missing}


def test_variables_are_looked_up_as_it_says(use_case: Path) -> None:
    experiment = load_experiment(use_case)
    assert len(missing(experiment)) == 3
    given = {"AZURE_OPENAI_ENDPOINT": "x", "SEARCH_KEY": "x"}
    for name in ("aoai_api_key", "AOAI_API_KEY", "api_key", "API_KEY"):
        assert missing(experiment, **given, **{name: "x"}) == set()
    variables = experiment_variables(experiment, {"API_KEY": "plain", "AOAI_API_KEY": "of the connection"})
    assert variables.find("api_key", "aoai") == "of the connection"
    write(use_case.parent, {".env": "PLACE=repository\nOTHER=repository\n"})
    write(use_case, {".env": "PLACE=use case\nEMPTY=\n"})
    variables = experiment_variables(experiment, {"EMPTY": ""})
    assert [variables.find(name) for name in ("PLACE", "OTHER", "EMPTY")] == ["use case", "repository", None]
    assert experiment_variables(experiment, {"PLACE": "environment"}).find("PLACE") == "environment"


@pytest.mark.parametrize("text", PARTS)
def test_parts_fit_an_experiment(text: str) -> None:
    content = ExperimentFile.model_validate({"name": "x", **yaml.safe_load(text)})
    assert content.connections or content.hyperparameters


def test_variations_have_the_names_that_it_shows(use_case: Path) -> None:
    flow = load_flow(use_case / "flows/classify")
    written = yaml.safe_load(SWEEP)
    table = re.search(r"<!-- names -->\n((?:\|.*\n)+)", PAGE)
    assert table is not None
    rows = [
        [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]
    ]
    for (variants,), names in rows:
        selection = yaml.safe_load(variants)["variants"]
        values = {} if selection == "defaults" else written["hyperparameters"]
        variations = make_variations(flow.variants, selection, values, flow.own_values)
        assert [each.name for each in variations] == names
    assert written["variants"] == ["summarize.variant_1"]
    everything = make_variations(flow.variants, "all", written["hyperparameters"], flow.own_values)
    assert [each.name for each in select_variations(everything, ["default", "*temperature*"])] == [
        "default",
        "classify.temperature=0.7",
        "summarize.variant_1+classify.temperature=0.7",
    ]


def test_every_key_is_in_the_table() -> None:
    keys = re.search(r"## Keys\n\n((?:\|.*\n)+)", PAGE)
    assert keys is not None
    named = {line.split("`")[1] for line in keys[1].splitlines()[2:]}
    assert named == {field.alias or name for name, field in ExperimentFile.model_fields.items()}
