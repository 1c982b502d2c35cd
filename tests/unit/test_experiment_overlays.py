"""Overlays: whole blocks replace those of the base, as the established templates do it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import EXPERIMENT, load, refused, use_case

from llmops_actions.experiment.loading import load_experiment


def test_an_overlay_replaces_whole_blocks(tmp_path: Path) -> None:
    overlay = "datasets:\n- {name: small, source: train.jsonl, mappings: {}}\nruntime: automatic\nvariants: defaults\n"
    experiment = load(tmp_path, EXPERIMENT + "runtime: r1\n", pr=overlay)
    assert [each.dataset.name for each in experiment.datasets] == ["small"]
    assert (experiment.runtime, experiment.variants, experiment.environment) == ("automatic", "defaults", "pr")
    assert experiment.overlay == experiment.folder / "experiment.pr.yaml"


def test_name_and_flow_always_come_from_the_base(tmp_path: Path) -> None:
    experiment = load(tmp_path, pr="name: other\nflow: flows/none\n")
    assert (experiment.name, experiment.flow.name) == ("support", "answer")


@pytest.mark.parametrize("overlay", ["", "# nothing\n", "name: support\n"])
def test_an_overlay_without_blocks_changes_nothing(tmp_path: Path, overlay: str) -> None:
    experiment = load(tmp_path, pr=overlay)
    assert len(experiment.datasets) == len(experiment.evaluators) == 1


def test_an_environment_without_an_overlay_is_the_base(tmp_path: Path) -> None:
    assert load_experiment(use_case(tmp_path), "prod").overlay is None


def test_an_empty_block_of_an_overlay_means_none(tmp_path: Path) -> None:
    experiment = load(tmp_path, EXPERIMENT + "runtime: r1\n", pr="evaluators:\nruntime:\n")
    assert (experiment.evaluators, experiment.runtime) == ((), None)
    assert len(experiment.datasets) == 1


def test_an_overlay_can_empty_the_datasets(tmp_path: Path) -> None:
    experiment = load(tmp_path, pr="datasets:\n")
    assert experiment.datasets == ()
    assert [(each.name, each.datasets) for each in experiment.evaluators] == [("grade", ())]


def test_inherited_evaluators_keep_what_the_overlay_still_has(tmp_path: Path) -> None:
    base = EXPERIMENT.replace("evaluators:", "- name: night\n  source: train.jsonl\n  mappings: {}\nevaluators:") + (
        "  - {name: night, mappings: {}}\n  - {name: truth, source: none.jsonl, reference: night, mappings: {}}\n"
    )
    overlay = "datasets:\n- {name: train, source: small.jsonl, mappings: {}}\n"
    folder = use_case(tmp_path, {"experiment.yaml": base, "experiment.pr.yaml": overlay, "data/small.jsonl": "{}"})
    [evaluator] = load_experiment(folder, "pr").evaluators
    assert [(each.dataset.name, each.dataset.local_file().name) for each in evaluator.datasets] == [
        ("train", "small.jsonl")
    ]


def test_an_inherited_evaluator_dataset_that_the_overlay_runs_over(tmp_path: Path) -> None:
    base = EXPERIMENT + "  - {name: truth, source: train.jsonl, reference: train, mappings: {}}\n"
    overlay = "datasets:\n- {name: truth, source: train.jsonl, mappings: {}}\n"
    [evaluator] = load(tmp_path, base, pr=overlay).evaluators
    assert [(each.dataset.name, each.reference) for each in evaluator.datasets] == [("truth", "train")]


def test_inherited_evaluators_are_held_to_the_rules_of_their_own_file(tmp_path: Path) -> None:
    message = refused(
        tmp_path,
        EXPERIMENT.replace("  - name: train\n", "  - name: trian\n"),
        pr="datasets:\n- {name: trian, source: train.jsonl, mappings: {}}\n",
    )
    assert message.startswith("experiment.yaml:12:5: `trian` is no dataset of the experiment")


def test_evaluators_of_an_overlay_name_the_datasets_that_are_run_over(tmp_path: Path) -> None:
    evaluators = "evaluators:\n- name: grade\n  datasets:\n  - {name: train, mappings: {}}\n"
    assert len(load(tmp_path, pr=evaluators).evaluators[0].datasets) == 1
    small = "datasets:\n- {name: small, source: train.jsonl, mappings: {}}\n"
    assert "experiment.pr.yaml:6:5: `train` is no dataset" in refused(tmp_path, pr=small + evaluators)
    assert load(tmp_path, pr="datasets:\n" + evaluators).evaluators[0].datasets == ()
