"""Loading an experiment: the rules of the file, overlays, paths, and errors that say the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import DAG, EXPERIMENT, load, refused, use_case, write

from llmops_actions.errors import ExperimentError, UsageError
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.paths import find_repository


def test_a_use_case_loads(tmp_path: Path) -> None:
    experiment = load(tmp_path)
    assert experiment.name == "support"
    assert experiment.flow == experiment.folder / "flows" / "answer"
    assert experiment.repository == tmp_path.resolve()
    [dataset] = experiment.datasets
    assert dataset.dataset.local_file() == experiment.folder / "data" / "train.jsonl"
    assert {name: str(source) for name, source in dataset.mappings.items()} == {"question": "${data.question}"}
    [evaluator] = experiment.evaluators
    assert evaluator.path == experiment.folder / "flows" / "grade"
    assert evaluator.datasets[0].dataset is dataset.dataset
    assert (experiment.overlay, experiment.environment, experiment.variants) == (None, None, "all")


def test_the_path_of_the_file_works_like_the_folder(tmp_path: Path) -> None:
    folder = use_case(tmp_path, {"experiment-night.yaml": EXPERIMENT.replace("support", "night")})
    assert load_experiment(folder / "experiment-night.yaml").name == "night"
    assert load_experiment(folder, file_name="experiment-night.yaml").name == "night"


# --- where things are looked up


@pytest.mark.parametrize("place", ["flows/support", "support"])
def test_a_flow_that_is_not_named_has_the_name_of_the_experiment(tmp_path: Path, place: str) -> None:
    folder = use_case(
        tmp_path,
        {"experiment.yaml": EXPERIMENT.replace("flow: flows/answer\n", ""), f"{place}/flow.dag.yaml": DAG},
    )
    assert load_experiment(folder).flow == folder / place


def test_a_flow_can_be_named_without_its_folder(tmp_path: Path) -> None:
    assert load(tmp_path, EXPERIMENT.replace("flow: flows/answer", "flow: answer")).flow.name == "answer"
    assert load(tmp_path, EXPERIMENT.replace("flow: flows/answer", "flow: flows/answer/flow.dag.yaml")).flow.is_file()


def test_an_evaluator_flow_by_path(tmp_path: Path) -> None:
    experiment = load(tmp_path, EXPERIMENT.replace("- name: grade\n", "- name: other\n  flow: flows/grade\n"))
    assert [(each.name, each.path.name) for each in experiment.evaluators] == [("other", "grade")]


def test_a_source_is_also_looked_up_under_data(tmp_path: Path) -> None:
    experiment = load(tmp_path, EXPERIMENT.replace("data/train.jsonl", "train.jsonl"))
    assert experiment.datasets[0].dataset.local_file().parent.name == "data"


def test_a_data_asset_has_no_local_file(tmp_path: Path) -> None:
    experiment = load(tmp_path, EXPERIMENT.replace("data/train.jsonl", "azureml:train:3"))
    dataset = experiment.datasets[0]
    assert dataset.dataset.file is None
    with pytest.raises(ExperimentError, match="Name a file as its source in an overlay"):
        dataset.dataset.local_file(dataset.location)


@pytest.mark.parametrize("source", ["azureml:train", "'azureml:train:'", "azureml:a:b:c"])
def test_a_data_asset_needs_name_and_version(tmp_path: Path, source: str) -> None:
    assert "is not `azureml:<name>:<version>`" in refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", source))


def test_what_does_not_exist_says_where_it_was_looked_for(tmp_path: Path) -> None:
    message = refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", "trian.jsonl"))
    assert message == (
        "experiment.yaml:6:3: The dataset `trian.jsonl` does not exist: looked for `support/trian.jsonl` and "
        "`support/data/trian.jsonl`."
    )
    assert refused(tmp_path, EXPERIMENT.replace("flow: flows/answer", "flow: flows/anwser")).startswith(
        "experiment.yaml:3:1: The flow `flows/anwser` does not exist"
    )


def test_a_folder_is_no_dataset(tmp_path: Path) -> None:
    assert "is no file. Name one file" in refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", "data"))


# --- paths


@pytest.mark.parametrize("path", ["../../outside.jsonl", "/etc/passwd", "data/../../../outside.jsonl", "link.jsonl"])
def test_paths_that_leave_the_repository(tmp_path: Path, path: str) -> None:
    repository = tmp_path / "repository"
    write(tmp_path, {"outside.jsonl": "{}"})
    folder = use_case(repository, {"experiment.yaml": EXPERIMENT.replace("data/train.jsonl", path)})
    (folder / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    with pytest.raises(ExperimentError, match=r"experiment\.yaml:6:3: The path .* leaves the repository"):
        load_experiment(folder)


def test_paths_may_leave_the_use_case_inside_the_repository(tmp_path: Path) -> None:
    write(tmp_path, {"shared/train.jsonl": "{}"})
    experiment = load(tmp_path, EXPERIMENT.replace("data/train.jsonl", "../shared/train.jsonl"))
    assert experiment.datasets[0].dataset.local_file() == (tmp_path / "shared" / "train.jsonl").resolve()


def test_a_flow_behind_a_link_out_of_the_repository(tmp_path: Path) -> None:
    folder = use_case(tmp_path / "repository", {})
    write(tmp_path, {"elsewhere/flow.dag.yaml": DAG})
    (folder / "flows" / "far").symlink_to(tmp_path / "elsewhere")
    write(folder, {"experiment.yaml": EXPERIMENT.replace("flows/answer", "flows/far")})
    with pytest.raises(ExperimentError, match="leaves the repository"):
        load_experiment(folder)


def test_an_overlay_behind_a_link_out_of_the_repository(tmp_path: Path) -> None:
    folder = use_case(tmp_path / "repository")
    write(tmp_path, {"outside.yaml": "name: x"})
    (folder / "experiment.pr.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(ExperimentError, match="link that leaves the repository"):
        load_experiment(folder, "pr")


@pytest.mark.parametrize("path", ["C:\\data\\train.jsonl", "d:/train.jsonl"])
def test_drive_letters(tmp_path: Path, path: str) -> None:
    assert "path of one machine" in refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", path))


def test_backslashes(tmp_path: Path) -> None:
    assert "Write `/` between folders" in refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", "data\\train.jsonl"))


def test_paths_that_no_file_system_takes(tmp_path: Path) -> None:
    assert "no usable path" in refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", '"a\\0b"'))
    assert "cannot be looked at" in refused(tmp_path, EXPERIMENT.replace("data/train.jsonl", "x" * 300))


def test_a_link_to_itself(tmp_path: Path) -> None:
    folder = use_case(tmp_path, {"experiment.yaml": EXPERIMENT.replace("data/train.jsonl", "loop.jsonl")})
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    with pytest.raises(ExperimentError, match="loop"):
        load_experiment(folder)


def test_without_git_the_parent_of_the_use_case_is_the_limit(tmp_path: Path) -> None:
    folder = write(tmp_path / "a" / "b", {})
    folder.mkdir(parents=True)
    assert find_repository(folder) == folder.parent


# --- no use case


def test_no_such_use_case(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`llmops list` shows"):
        load_experiment(tmp_path / "none")
    with pytest.raises(UsageError, match=r"has no experiment\.yaml, so it is no use case\.$"):
        load_experiment(tmp_path)
    write(tmp_path, {"experiment.yml": "name: x"})
    with pytest.raises(UsageError, match=r"Rename experiment\.yml to experiment\.yaml"):
        load_experiment(tmp_path)
    with pytest.raises(UsageError, match="cannot be a use case"):
        load_experiment(tmp_path / "a\0b")


@pytest.mark.parametrize("environment", ["../pr", "a/b", ".", "..", "-x", "a b", "x\0", "x" * 65, "x\n"])
def test_environments_that_are_no_names(tmp_path: Path, environment: str) -> None:
    with pytest.raises(UsageError, match="cannot name an environment"):
        load_experiment(use_case(tmp_path), environment)


# --- the schema


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    message = refused(tmp_path, EXPERIMENT.replace("  source:", "  sorce:"))
    first, second = message.split("\n")
    assert first == "experiment.yaml:5:3: `source` is missing in datasets.0; add `source: …`."
    assert second == "experiment.yaml:6:3: Unknown key `sorce`. Did you mean `source`?"
    assert "Known keys: `$schema`, `name`" in refused(tmp_path, EXPERIMENT + "zzz: 1\n")
    assert "Did you mean `datasets`?" in refused(tmp_path, EXPERIMENT.replace("  datasets:", "  dataset:"))


def test_a_block_of_another_shape(tmp_path: Path) -> None:
    assert refused(tmp_path, EXPERIMENT + "hyperparameters:\n  node:\n    - 1\n") == (
        "experiment.yaml:16:3: `hyperparameters.node` must hold names and values (found [1])."
    )
    assert refused(tmp_path, EXPERIMENT + "hyperparameters:\n  node:\n    temperature: 0.2\n") == (
        "experiment.yaml:17:5: `hyperparameters.node.temperature` must be a list, `[…]` (found 0.2)."
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "`name` is missing"),
        ("- name: x\n", "it is a list"),
        ("just text", "it is a str"),
        ("name:\ndatasets: []\n", "`name` is missing"),
        (EXPERIMENT.replace("name: support", "name: 12"), "must be text, not 12. Put it in quotes"),
        (EXPERIMENT.replace("name: support", "name: no"), "must be text, not False. Put it in quotes"),
        (EXPERIMENT.replace("name: support", "name: a b"), "becomes part of file names"),
        (EXPERIMENT.replace("name: support", "name: .."), "becomes part of file names"),
        (EXPERIMENT.replace("name: support", "name: a/b"), "becomes part of file names"),
        (EXPERIMENT.replace("name: support", 'name: "a\\0"'), "becomes part of file names"),
        (EXPERIMENT + "variants: {}\n", "`variants`"),
        (EXPERIMENT + "variants: some\n", "`variants`"),
        (EXPERIMENT + "max_variations: 0\n", "`max_variations`"),
        (EXPERIMENT + 'max_variations: "5"\n', "`max_variations`"),
        (EXPERIMENT + "max_variations: true\n", "`max_variations`"),
        (EXPERIMENT + f"runtime: [{'x' * 100}]\n", "…"),
    ],
)
def test_files_of_another_shape(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in refused(tmp_path, text)


def test_what_stands_in_a_connection_is_not_shown(tmp_path: Path) -> None:
    message = refused(tmp_path, EXPERIMENT + "connections:\n- name: aoai\n  secrets: s3cret\n")
    assert "connections.0.secrets" in message
    assert "s3cret" not in message


@pytest.mark.parametrize("written", ["all", "'*'", ""])
def test_all_variants(tmp_path: Path, written: str) -> None:
    assert load(tmp_path, EXPERIMENT + f"variants: {written}\n").variants == "all"


def test_selected_variants(tmp_path: Path) -> None:
    assert load(tmp_path, EXPERIMENT + "variants: default\n").variants == "defaults"
    assert load(tmp_path, EXPERIMENT + "variants: [a.b]\n").variants == ["a.b"]


def test_the_place_of_the_sweep(tmp_path: Path) -> None:
    experiment = load(tmp_path, EXPERIMENT + "variants: [a.b]\n")
    assert experiment.sweep_location is not None
    assert experiment.sweep_location.line == 15
    experiment = load(tmp_path, EXPERIMENT + "variants: [a.b]\nhyperparameters:\n  reply: {tone: [a]}\n")
    assert experiment.sweep_location is not None
    assert experiment.sweep_location.line == 16


def test_a_schema_reference_for_editors(tmp_path: Path) -> None:
    assert load(tmp_path, "$schema: ../../schemas/experiment.schema.json\n" + EXPERIMENT).name == "support"


def test_empty_blocks(tmp_path: Path) -> None:
    text = EXPERIMENT + "connections:\nhyperparameters:\ngates:\ndeployment:\nruntime:\n"
    experiment = load(tmp_path, text)
    assert (experiment.connections, experiment.gates, experiment.deployment) == ((), (), {})


# --- datasets and evaluators


def test_datasets_are_needed(tmp_path: Path) -> None:
    assert "`datasets` is missing: add at least one." in refused(tmp_path, "name: support\nflow: answer\n")
    assert refused(tmp_path, EXPERIMENT.replace("datasets:\n- name: train", "datasets:\nevaluators:\n- name: train"))


@pytest.mark.parametrize("key", ["name", "source", "mappings"])
def test_a_dataset_needs_name_source_and_mappings(tmp_path: Path, key: str) -> None:
    lines = {"name": "name: train", "source": "source: data/train.jsonl", "mappings": "mappings: {}"}
    kept = "\n  ".join(line for name, line in lines.items() if name != key)
    text = f"name: support\nflow: answer\ndatasets:\n- {kept}\n"
    assert f"experiment.yaml:4:3: `{key}` is missing in datasets.0; add `{key}: …`." in refused(tmp_path, text)


def test_empty_mappings_are_none(tmp_path: Path) -> None:
    text = 'name: support\nflow: answer\ndatasets:\n- name: train\n  source: "train.jsonl"\n  mappings:\n'
    assert load(tmp_path, text).datasets[0].mappings == {}


def test_a_dataset_of_the_experiment_takes_no_reference(tmp_path: Path) -> None:
    text = EXPERIMENT.replace("  mappings:\n    question", "  reference: train\n  mappings:\n    question")
    assert "Unknown key `reference`" in refused(tmp_path, text)


def test_names_are_unique(tmp_path: Path) -> None:
    doubled = "- name: train\n  source: train.jsonl\n  mappings: {}\n"
    assert "The dataset `train` is already there" in refused(
        tmp_path, EXPERIMENT.replace("evaluators:", f"{doubled}evaluators:")
    )
    assert "The evaluator `grade` is already there" in refused(
        tmp_path, EXPERIMENT + "- name: grade\n  datasets: [{name: train, mappings: {}}]\n"
    )
    assert "has the dataset `train` already" in refused(tmp_path, EXPERIMENT + "  - {name: train, mappings: {}}\n")
    connection = "- {name: aoai, connection_type: OpenAIConnection}\n"
    assert "The connection `aoai` is already there" in refused(
        tmp_path, f"{EXPERIMENT}connections:\n{connection}{connection}"
    )


def test_an_evaluator_dataset_of_the_experiment_takes_its_name_alone(tmp_path: Path) -> None:
    for key in ("source: train.jsonl", "reference: train"):
        text = EXPERIMENT.replace("  - name: train", f"  - name: train\n    {key}")
        assert f"takes no `{key.partition(':')[0]}` here" in refused(tmp_path, text)


def evaluated_with(entry: str) -> str:
    return EXPERIMENT.replace("  - name: train\n", f"  - {entry}\n")


def test_a_new_evaluator_dataset(tmp_path: Path) -> None:
    text = evaluated_with("name: truth\n    source: train.jsonl\n    reference: train")
    [evaluator] = load(tmp_path, text).evaluators
    assert [(each.dataset.name, each.reference) for each in evaluator.datasets] == [("truth", "train")]
    assert evaluator.datasets_for("train") == list(evaluator.datasets)
    assert evaluator.datasets_for("truth") == list(evaluator.datasets)
    assert evaluator.datasets_for("other") == []


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("name: truth\n    source: train.jsonl", "needs `source` and `reference`; `reference` is missing."),
        ("name: truth\n    reference: train", "`source` is missing."),
        ("name: trian", "`source` is missing. Did you mean `train`?"),
        ("name: truth\n    source: train.jsonl\n    reference: trian", "is not defined. Did you mean `train`?"),
        ("name: truth\n    source: train.jsonl\n    reference: xyz", "is not defined. There are train."),
        ("name: truth\n    source: none.jsonl\n    reference: train", "does not exist"),
    ],
)
def test_evaluator_datasets_that_are_no_use(tmp_path: Path, entry: str, expected: str) -> None:
    assert expected in refused(tmp_path, evaluated_with(entry))


def test_an_evaluator_dataset_needs_mappings(tmp_path: Path) -> None:
    text = EXPERIMENT.partition("    mappings:\n      answer")[0]
    assert "`mappings` is missing in evaluators.0.datasets.0" in refused(tmp_path, text)


def test_a_mapping_that_means_nothing_has_a_place(tmp_path: Path) -> None:
    message = refused(tmp_path, EXPERIMENT.replace("${data.question}", "${dta.question}"))
    assert message.startswith("experiment.yaml:8:5: `${dta.question}` names no known source.")


def test_connections_need_a_type_unless_only_a_name_stands_there(tmp_path: Path) -> None:
    text = EXPERIMENT + "connections:\n- name: stray\n"
    assert [block.name for block, _ in load(tmp_path, text).connections] == ["stray"]
    assert "has no `connection_type`" in refused(tmp_path, text + "  conection_type: OpenAIConnection\n")


def test_limits_of_a_connection_have_short_names(tmp_path: Path) -> None:
    text = EXPERIMENT + "connections:\n- {name: a, connection_type: OpenAIConnection, rpm: 60, tpm: 1000}\n"
    [(block, _)] = load(tmp_path, text).connections
    assert (block.requests_per_minute, block.tokens_per_minute) == (60, 1000)
    assert "greater than 0" in refused(tmp_path, text.replace("60", "0"))
