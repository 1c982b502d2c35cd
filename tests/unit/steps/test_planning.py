"""Plans: the runs of a sweep, their names, their fingerprints and what they are expected to cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.experiment_files import DAG, EXPERIMENT, use_case, write
from tests.unit.steps.fakes import House, messages

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.sweep import MAX_NAME_LENGTH, Variation
from llmops_actions.steps.inputs import OfflineInputs, UseCaseInputs
from llmops_actions.steps.planning import make_plan, plan_runs, run_names
from llmops_actions.steps.use_case import open_use_case, surroundings
from llmops_actions.work_folder import PlanDocument, read_document

MODEL_DAG = """
inputs:
  question:
    type: string
outputs:
  answer:
    type: string
    reference: ${ask.output}
nodes:
- name: ask
  use_variants: true
- name: sum_up
  type: llm
  source: {type: code, path: sum_up.jinja2}
  inputs: {deployment_name: cheap, max_tokens: 10, text: "${ask.output}"}
  connection: aoai
  api: chat
node_variants:
  ask:
    default_variant_id: short
    variants:
      short:
        node:
          type: llm
          source: {type: code, path: ask.jinja2}
          inputs: {deployment_name: dear, question: "${inputs.question}"}
          connection: aoai
          api: chat
      long:
        node:
          type: llm
          source: {type: code, path: ask_long.jinja2}
          inputs: {deployment_name: dear, question: "${inputs.question}"}
          connection: aoai
          api: chat
"""
MODEL_USE_CASE = {
    "experiment.yaml": EXPERIMENT
    + """
connections:
- name: aoai
  connection_type: AzureOpenAIConnection
  api_base: ${AZURE_OPENAI_ENDPOINT}
  api_key: ${api_key}
- name: shop
  connection_type: CustomConnection
  configs: {address: "https://shop.example"}
  secrets: {password: "${SHOP_PASSWORD}"}
""",
    "flows/answer/flow.dag.yaml": MODEL_DAG,
    "flows/answer/ask.jinja2": "x" * 400,
    "flows/answer/ask_long.jinja2": "x" * 4000,
    "flows/answer/sum_up.jinja2": "x" * 40,
    "environment/env.yaml": "GREETING: hello\nMAX_TOKENS: 7\nSERVICE_KEY: ${SERVICE_KEY}\n",
    "data/train.jsonl": '{"question": "Why?"}\n{"question": "How?"}\n',
}
ENVIRON = {
    "AZURE_OPENAI_ENDPOINT": "https://one.example",
    "AOAI_API_KEY": "key-one",
    "SHOP_PASSWORD": "secret-one",
    "SERVICE_KEY": "service-one",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    use_case(tmp_path, MODEL_USE_CASE)
    return tmp_path


def fingerprints(repository: Path, environ: Mapping[str, str] = ENVIRON, offline: bool = False) -> dict[str, str]:
    services = House(repository, environ=dict(environ)).services()
    opened = open_use_case(UseCaseInputs(use_case=Path("support")), services)
    with surroundings(opened.experiment, OfflineInputs(offline=offline), services) as around:
        return {run.bulk_run.name: run.bulk_run.fingerprint for run in plan_runs(opened, around)}


def test_the_same_use_case_has_the_same_fingerprints_elsewhere(repository: Path, tmp_path: Path) -> None:
    first = fingerprints(repository)
    assert list(first) == ["train.default", "train.ask.long"]
    assert len(set(first.values())) == 2
    assert fingerprints(repository) == first
    use_case(tmp_path / "elsewhere", MODEL_USE_CASE)
    assert fingerprints(tmp_path / "elsewhere") == first


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(repository: Path) -> None:
        file = repository / "support" / name
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


def add(name: str) -> Callable[[Path], None]:
    def change(repository: Path) -> None:
        write(repository / "support", {name: "x = 1"})

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("flows/answer/ask.jinja2", "xxx", "yyy"),
        edit("flows/answer/flow.dag.yaml", "max_tokens: 10", "max_tokens: 11"),
        edit("data/train.jsonl", "How?", "Who?"),
        edit("experiment.yaml", '"${data.question}"', '"a fixed question"'),
        edit("experiment.yaml", "shop.example", "other.example"),
        edit("environment/env.yaml", "hello", "good day"),
        edit("environment/env.yaml", "MAX_TOKENS: 7", "MAX_TOKENS: 8"),
        add("flows/answer/helper.py"),
    ],
    ids=["template", "definition", "data", "mapping", "connection", "environment", "number", "new file"],
)
def test_each_part_that_counts_changes_the_fingerprint(repository: Path, change: Callable[[Path], None]) -> None:
    before = fingerprints(repository)
    change(repository)
    after = fingerprints(repository)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_another_endpoint_is_another_run_and_another_key_is_not(repository: Path) -> None:
    before = fingerprints(repository)
    assert fingerprints(repository, {**ENVIRON, "AZURE_OPENAI_ENDPOINT": "https://two.example"}) != before
    secrets = {"AOAI_API_KEY": "key-two", "SHOP_PASSWORD": "secret-two", "SERVICE_KEY": "service-two"}
    assert fingerprints(repository, {**ENVIRON, **secrets}) == before


def test_secrets_of_a_dotenv_file_do_not_count(repository: Path) -> None:
    write(repository, {"support/.env": "OTHER_TOKEN=aaaa\nPLACE=here\n"})
    before = fingerprints(repository)
    write(repository, {"support/.env": "OTHER_TOKEN=bbbb\nPLACE=here\n"})
    assert fingerprints(repository) == before
    write(repository, {"support/.env": "OTHER_TOKEN=bbbb\nPLACE=there\n"})
    assert fingerprints(repository) != before


def test_the_stand_in_counts_and_its_address_does_not(repository: Path) -> None:
    addresses = ["http://127.0.0.1:4711", "http://127.0.0.1:9", "http://127.0.0.1:9/"]
    found = [
        fingerprints(repository, {**ENVIRON, "LLMOPS_OFFLINE_MODEL_URL": address}, offline=True)
        for address in addresses
    ]
    assert found[0] == found[1] == found[2]
    assert found[0] != fingerprints(repository)


FLEX_USE_CASE = {
    "flows/answer/flow.dag.yaml": None,
    "flows/answer/flow.flex.yaml": "entry: reply:Reply\n",
    "flows/answer/reply.py": "class Reply:\n    def __init__(self, model: dict, limit: int = 1):\n        pass\n"
    "    def __call__(self, question: str) -> str:\n        return question\n",
    "flows/answer/init.json": '{"limit": 1, "model": {"azure_endpoint": "${MODEL_ENDPOINT}", "api_key": "${MODEL_KEY}"'
    ', "max_tokens": 5, "azure_deployment": "gpt"}}',
}


def flex(repository: Path) -> Path:
    folder = use_case(repository, {name: text for name, text in FLEX_USE_CASE.items() if text is not None})
    (folder / "flows/answer/flow.dag.yaml").unlink()
    return repository


def test_secrets_among_constructor_arguments_do_not_count(tmp_path: Path) -> None:
    flex(tmp_path)
    environ = {"MODEL_ENDPOINT": "https://one.example", "MODEL_KEY": "key-one"}
    before = fingerprints(tmp_path, environ)
    assert fingerprints(tmp_path, {**environ, "MODEL_KEY": "key-two"}) == before
    assert fingerprints(tmp_path, {**environ, "MODEL_ENDPOINT": "https://two.example"}) != before
    edit("flows/answer/init.json", '"max_tokens": 5', '"max_tokens": 6')(tmp_path)
    assert fingerprints(tmp_path, environ) != before


def test_offline_needs_neither_address_nor_key_of_a_model(tmp_path: Path) -> None:
    flex(tmp_path)
    assert fingerprints(tmp_path, {}, offline=True)
    outcome = House(tmp_path).run("bulk-run")
    assert outcome.verdict == "usage"
    assert "MODEL_KEY (asked for by init.json:1)" in messages(outcome)


def test_plan_without_variables_writes_a_plan_and_no_secret(repository: Path) -> None:
    outcome = House(repository).run("plan")
    assert outcome.verdict == "passed"
    assert outcome.outputs.runs == 2
    assert outcome.outputs.matrix == {"include": [{"variation": "default"}, {"variation": "ask.long"}]}
    plan = read_document(Path(outcome.outputs.plan), PlanDocument)
    assert [(run.name, run.rows, run.model_calls) for run in plan.runs] == [
        ("train.default", 2, 4),
        ("train.ask.long", 2, 4),
    ]
    assert (plan.rows, plan.model_calls, plan.cost) == (4, 8, None)
    assert "estimated cost unknown" in outcome.summary
    assert plan.evaluators == ("grade",)


def test_estimates_count_templates_columns_and_answers(repository: Path) -> None:
    write(repository, {"prices.yaml": "dear: {prompt: 1000, completion: 1000}\ncheap: {prompt: 1, completion: 1}\n"})
    outcome = House(repository).run("plan")
    plan = read_document(Path(outcome.outputs.plan), PlanDocument)
    # Two rows of 8 characters (['Why?']) are 4 tokens; templates of 400, 4000 and 40 characters are 100, 1000 and 10.
    sum_up = ((10 * 2 + 4) + 10 * 2) / 1e6
    assert plan.runs[0].cost == pytest.approx(((100 * 2 + 4) + 100 * 2) / 1e3 + sum_up)
    assert plan.runs[1].cost == pytest.approx(((1000 * 2 + 4) + 100 * 2) / 1e3 + sum_up)
    assert plan.cost == pytest.approx(sum(run.cost or 0 for run in plan.runs))


def test_estimates_heed_what_a_prompty_allows(repository: Path) -> None:
    prompty = "---\nmodel:\n  configuration: {type: azure_openai, azure_deployment: dear, connection: aoai}\n"
    prompty += "  parameters: {max_tokens: 7}\ninputs: {question: {type: string}}\n---\nuser:\n{{question}}\n"
    files = {"flows/ask/ask.prompty": prompty, "experiment.yaml": MODEL_USE_CASE["experiment.yaml"]}
    files["experiment.yaml"] = files["experiment.yaml"].replace("flow: flows/answer", "flow: flows/ask")
    write(repository / "support", files)
    write(repository, {"prices.yaml": "dear: {prompt: 0, completion: 1000000}\n"})
    assert House(repository).run("plan").outputs.cost == pytest.approx(2 * 7)


def test_repeats_multiply_rows_calls_and_cost(repository: Path) -> None:
    write(repository, {"prices.yaml": "dear: {prompt: 1000, completion: 1000}\ncheap: {prompt: 1, completion: 1}\n"})
    once, thrice = (House(repository).run("plan", repeats=repeats).outputs for repeats in ("1", "3"))
    assert (thrice.runs, thrice.rows, thrice.model_calls) == (once.runs, 3 * once.rows, 3 * once.model_calls)
    assert thrice.cost == pytest.approx(3 * once.cost)


def test_one_unknown_price_makes_the_whole_cost_unknown(repository: Path) -> None:
    write(repository, {"prices.yaml": "dear: {prompt: 1000, completion: 1000}\n"})
    assert House(repository).run("plan").outputs.cost is None


def test_a_flow_without_models_costs_nothing(house: House) -> None:
    outcome = house.run("plan")
    assert (outcome.outputs.model_calls, outcome.outputs.cost) == (0, 0.0)


def test_variations_narrow_the_plan_and_keep_the_names(repository: Path) -> None:
    house = House(repository)
    outcome = house.run("plan", variations="ask.*")
    assert outcome.outputs.matrix == {"include": [{"variation": "ask.long"}]}
    outcome = house.run("plan", variations="ask.lang")
    assert outcome.verdict == "usage"
    assert "No variation is called `ask.lang`" in messages(outcome)


def test_nothing_to_run_is_no_success(tmp_path: Path) -> None:
    use_case(tmp_path, {"data/train.jsonl": "\n\n", "experiment.pr.yaml": "name: support\ndatasets:\nevaluators:\n"})
    house = House(tmp_path)
    empty = house.run("bulk-run")
    assert (empty.verdict, empty.exit_code) == ("usage", 2)
    assert "support/data/train.jsonl: The dataset `train` has no rows" in messages(empty)
    none = house.run("bulk-run", env="pr")
    assert none.verdict == "usage"
    assert "support/experiment.pr.yaml: There are no datasets" in messages(none)
    assert house.runner.runs == []


def test_no_datasets_in_the_base_file_points_at_it(house: House) -> None:
    services = house.services()
    opened = open_use_case(UseCaseInputs(use_case=Path("support")), services)
    bare = replace(opened, experiment=replace(opened.experiment, datasets=()))
    with (
        surroundings(opened.experiment, OfflineInputs(), services) as around,
        pytest.raises(ExperimentError, match="There are no datasets") as caught,
    ):
        plan_runs(bare, around)
    assert caught.value.location == opened.experiment.file
    assert make_plan(bare, []).runs == ()


def test_a_dataset_in_the_cloud_cannot_be_run_here(tmp_path: Path) -> None:
    use_case(tmp_path, {"experiment.yaml": EXPERIMENT.replace("data/train.jsonl", "azureml:train:1")})
    outcome = House(tmp_path).run("plan")
    assert outcome.verdict == "usage"
    assert "data asset (azureml:train:1)" in messages(outcome)


HOSTILE = ["😀", "🎉", "x" * 255, "x" * 254, "a..b", "Ab", "ab", "d", "d.n", "ü", "ö", "$(id)", "a&b;c", "%00"]


@given(
    st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=300)), min_size=1, unique=True),
    st.lists(st.sampled_from(["default", "n.default", "N.Default", "n.v+m.t=0.2"]), min_size=1, unique=True),
)
def test_run_names_are_unique_and_safe_for_any_file_system(datasets: list[str], variations: list[str]) -> None:
    names = run_names(datasets, [Variation(name) for name in variations])
    assert len({name.lower() for name in names.values()}) == len(datasets) * len(variations)
    for name in names.values():
        assert name.isascii()
        assert 0 < len(name) <= MAX_NAME_LENGTH
        assert name not in (".", "..")
        assert not set(name) & set('/\\:*?"<>|\0 \n')
        assert not name.startswith((".", "-"))


def test_names_that_would_meet_are_told_apart() -> None:
    names = run_names(["d", "d.n"], [Variation("default"), Variation("n.default")])
    assert names["d.n", "default"] == "d.n.default"
    assert names["d", "n.default"].startswith("d.n.default-")
    assert len(set(names.values())) == 4


def test_run_names_are_readable_where_nothing_is_in_the_way() -> None:
    assert run_names(["train"], [Variation("n.v+m.t=0.2")]) == {("train", "n.v+m.t=0.2"): "train.n.v+m.t=0.2"}


def test_hostile_datasets_and_values_run_in_folders_of_their_own(tmp_path: Path) -> None:
    datasets = [name for name in HOSTILE if name != "%00"]
    blocks = "".join(
        f"- name: '{name}'\n  source: data/train.jsonl\n  mappings: {{question: '${{data.question}}'}}\n"
        for name in datasets
    )
    values = ["../../../etc", "a/b", "x" * 300, "😀", "🎉", "..", "", "|"]
    parameters = "".join(f"    - '{value}'\n" for value in values)
    experiment = (
        f"name: support\nflow: flows/answer\ndatasets:\n{blocks}hyperparameters:\n  reply:\n    tone:\n{parameters}"
        "max_variations: 100\n"
    )
    use_case(tmp_path, {"experiment.yaml": experiment, "flows/answer/flow.dag.yaml": DAG})
    house = House(tmp_path)
    outcome = house.run("bulk-run")
    assert outcome.verdict == "passed", messages(outcome)
    folders = [run.folder for run in house.runner.runs]
    assert len({str(folder).lower() for folder in folders}) == len(datasets) * len(values) == len(folders)
    runs = tmp_path / ".llmops" / "support" / "base" / "runs"
    assert {folder.resolve().parent for folder in folders} == {runs.resolve()}
    assert sorted(each.name for each in runs.iterdir()) == sorted(folder.name for folder in folders)
