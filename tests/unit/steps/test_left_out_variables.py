"""``environment/env.yaml`` with a reference that nobody defines: an error, but with ``--offline`` a warning."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import DAG, use_case
from tests.unit.steps.fakes import House, messages

WARNING = (
    "warning: support/environment/env.yaml:1:1: `AOAI` is not set, so this variable is left out, as --offline allows. "
    "Without --offline it must be set, in the environment or in `.env`."
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    use_case(
        tmp_path,
        {"flows/answer/flow.dag.yaml": DAG, "environment/env.yaml": "aoai: ${aoai}\nSPEED: fast\n"},
    )
    return House(tmp_path)


@pytest.mark.parametrize("step", ["bulk-run", "evaluate"])
def test_offline_leaves_it_out_and_says_so(house: House, step: str) -> None:
    house.run("bulk-run", offline="true")
    outcome = house.run(step, offline="true")
    assert outcome.verdict == "passed", messages(outcome)
    assert messages(outcome) == WARNING
    assert house.runner.runs
    for run in house.runner.runs:
        assert run.environment["SPEED"] == "fast"
        assert "aoai" not in run.environment
        assert "AOAI" not in run.environment


def test_the_lifecycle_says_it_once(house: House) -> None:
    outcome = house.run("lifecycle", offline="true", skip="validate,compare,gate,report")
    assert (outcome.verdict, messages(outcome)) == ("passed", WARNING)


@pytest.mark.parametrize("step", ["bulk-run", "evaluate"])
def test_without_offline_it_must_be_there(house: House, step: str) -> None:
    outcome = house.run(step)
    assert outcome.verdict == "usage"
    assert "AOAI (asked for by env.yaml:1)" in messages(outcome)
    assert house.runner.runs == []
    house.environ["AOAI"] = "x"
    assert house.run("bulk-run").verdict == "passed"
