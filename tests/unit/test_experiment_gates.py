"""Gates as they are written: what is refused, and where; what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import EXPERIMENT, load, refused

from llmops_actions.experiment.gates import GateBlock


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (
            "{}",
            "exactly one of metric, coverage, each_row, tokens_per_row, cost, latency_p95; this one has none",
        ),
        ("{metric: a, cost: {at_most: 1}}", "this one has metric and cost"),
        ("{metric: a}", "takes one of at_least and at_most, or against: baseline"),
        ("{metric: a, at_least: 1, at_most: 2}", "takes one of at_least and at_most"),
        ("{metric: a, max_drop: 0.1}", "`max_drop` needs `against: baseline`"),
        ("{metric: a, against: baseline}", "takes one of max_drop and max_rise, and no limit"),
        ("{metric: a, against: baseline, max_drop: 0.1, max_rise: 0.1}", "takes one of max_drop and max_rise"),
        ("{metric: a, against: baseline, max_drop: 0.1, at_least: 0}", "and no limit"),
        ("{metric: a, against: baseline, max_drop: -0.1}", "greater than or equal to 0"),
        ("{metric: a, against: main, max_drop: 0.1}", "'baseline'"),
        ("{metric: a, at_least: .nan}", "finite number"),
        ("{metric: a, at_least: 1, confidence: 1}", "less than 1"),
        (
            "{metric: a, at_least: 1, without_baseline: pass}",
            "`without_baseline` belongs to a gate against the baseline",
        ),
        ("{metric: a, at_least: 1, failed_rows: worst}", "belong together"),
        ("{metric: a, at_least: 1, worst: 1}", "belong together"),
        ("{coverage: {at_least: 98}}", "less than or equal to 1"),
        ("{coverage: {at_least: 0.9}, confidence: 0.9}", "`confidence` belongs to a gate on a metric"),
        ("{coverage: {at_least: 0.9}, failed_rows: exclude}", "`failed_rows` belongs to a gate on a metric"),
        ("{cost: {at_most: 1}, at_most: 1}", "`at_most` belongs inside `cost`, or to a gate on a metric"),
        ("{cost: {at_most: -1}}", "greater than or equal to 0"),
        ("{cost: {at_most: 1}, against: baseline}", "`against` belongs to a gate on a metric"),
        ("{each_row: {score: a, never: failed}, max_drop: 1}", "`max_drop` belongs to a gate on a metric"),
        (
            "{each_row: {score: a, never: failed}, without_baseline: pass}",
            "`without_baseline` belongs to a gate against",
        ),
        ("{each_row: {score: a, never: worse}}", "'regressed' or 'failed'"),
        ("{metrik: a, at_least: 1}", "Unknown key `metrik`. Did you mean `metric`?"),
    ],
)
def test_what_could_never_mean_what_it_says(tmp_path: Path, written: str, problem: str) -> None:
    message = refused(tmp_path, f"{EXPERIMENT}gates:\n- {{coverage: {{at_least: 1}}}}\n- {written}\n")
    assert message.startswith("experiment.yaml:17:")
    assert problem in message


@pytest.mark.parametrize(
    ("gate", "place", "problem"),
    [
        (
            "{coverage: {at_least: 1}, dataset: trian}",
            "16:29",
            "dataset `trian`, which is not defined. Did you mean `train`?",
        ),
        ("{coverage: {at_least: 1}, dataset: zzz}", "16:29", "There are train."),
        (
            "{each_row: {score: a, never: failed, rows: must.jsonl}}",
            "16:40",
            "The dataset `must.jsonl` does not exist: looked for `support/must.jsonl` and `support/data/must.jsonl`.",
        ),
        ("{each_row: {score: a, never: failed, rows: ../../x.jsonl}}", "16:40", "leaves the repository"),
    ],
)
def test_what_does_not_exist_is_found_before_anything_runs(tmp_path: Path, gate: str, place: str, problem: str) -> None:
    message = refused(tmp_path, f"{EXPERIMENT}gates:\n- {gate}\n")
    assert message.startswith(f"experiment.yaml:{place}: ")
    assert problem in message


OVERLAY = "datasets:\n- {name: small, source: data/train.jsonl, mappings: {}}\n"


def test_a_gate_may_be_on_a_dataset_of_either_file(tmp_path: Path) -> None:
    gates = "gates:\n- {coverage: {at_least: 1}, dataset: train}\n- {coverage: {at_least: 1}, dataset: small}\n"
    assert [gate.dataset for gate, _ in load(tmp_path, EXPERIMENT + gates, pr=OVERLAY).gates] == ["train", "small"]
    assert "dataset `small`, which is not defined" in refused(tmp_path / "base", EXPERIMENT + gates)


def test_gates_of_an_overlay_replace_the_block_and_have_their_own_places(tmp_path: Path) -> None:
    base = f"{EXPERIMENT}gates:\n- {{coverage: {{at_least: 1}}}}\n- {{cost: {{at_most: 1}}}}\n"
    experiment = load(tmp_path, base, pr="gates:\n- {latency_p95: {at_most: 3}}\n")
    [(gate, place)] = experiment.gates
    assert (gate.rule, place.file.name, place.line) == ("latency p95 at most 3", "experiment.pr.yaml", 2)
    assert load(tmp_path / "none", base, pr="gates:\n").gates == ()
    assert len(load(tmp_path / "kept", base, pr=OVERLAY).gates) == 2


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        ({"metric": "e.a", "at_least": 0.8}, "e.a at least 0.8"),
        ({"metric": "a", "at_most": 1_000_000}, "a at most 1000000"),
        ({"metric": "a", "against": "baseline", "max_drop": 0.02}, "a at most 0.02 below the baseline"),
        ({"metric": "a", "against": "baseline", "max_rise": 2}, "a at most 2 above the baseline"),
        ({"coverage": {"at_least": 0.98}}, "coverage at least 0.98"),
        ({"tokens_per_row": {"at_most": 1500}}, "tokens per row at most 1500"),
        ({"cost": {"at_most": 2}}, "cost at most 2"),
        ({"each_row": {"score": "a", "never": "regressed"}}, "a: no row regressed"),
        ({"each_row": {"score": "a", "never": "failed", "rows": "m.csv"}}, "a: no row of m.csv failed"),
    ],
)
def test_a_gate_as_a_reader_would_say_it(keys: dict[str, Any], rule: str) -> None:
    assert GateBlock.model_validate(keys).rule == rule


@pytest.mark.parametrize(
    ("keys", "needs", "lower"),
    [
        ({"metric": "a", "at_least": 1}, False, False),
        ({"metric": "a", "at_most": 1}, False, True),
        ({"metric": "a", "against": "baseline", "max_rise": 1}, True, True),
        ({"each_row": {"score": "a", "never": "regressed"}}, True, False),
        ({"each_row": {"score": "a", "never": "failed", "lower_is_better": True}}, False, True),
    ],
)
def test_what_a_gate_needs_and_which_way_is_better(keys: dict[str, Any], needs: bool, lower: bool) -> None:
    gate = GateBlock.model_validate(keys)
    assert (gate.needs_baseline, gate.lower_is_better) == (needs, lower)
