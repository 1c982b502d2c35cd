"""``--env`` with a name that no overlay has: a warning of every step where the use case has other overlays."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import DAG, use_case, write
from tests.unit.steps.fakes import House, messages

from llmops_actions.outcome import Finding

STEPS = ("validate", "plan", "bulk-run", "evaluate", "compare", "gate", "report", "lifecycle")
WARNING = (
    "warning: support/experiment.yaml{line}: There is no experiment.prr.yaml, so experiment.yaml is taken as it is. "
    "Did you mean `pr`? There are overlays for `dev`, `pr`."
)


@pytest.fixture
def house(tmp_path: Path) -> House:
    use_case(tmp_path, {"flows/answer/flow.dag.yaml": DAG})
    return House(tmp_path)


def add_overlays(house: House) -> None:
    write(house.directory, {f"support/experiment.{name}.yaml": "name: support\n" for name in ("pr", "dev")})


def of_overlays(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{each.level}: {each}" for each in findings if "prr" in each.message and each.level == "warning"]


@pytest.mark.parametrize("step", STEPS)
def test_every_step_warns_once_and_names_the_environments(house: House, step: str) -> None:
    add_overlays(house)
    found = of_overlays(house.run(step, env="prr").findings)
    assert found == [WARNING.format(line="")]


@pytest.mark.parametrize("env", ["pr", ""])
def test_an_environment_with_an_overlay_and_none_at_all_are_fine(house: House, env: str) -> None:
    add_overlays(house)
    assert messages(house.run("bulk-run", env=env)) == ""


def test_without_overlays_any_environment_is_fine(house: House) -> None:
    assert messages(house.run("bulk-run", env="prr")) == ""


def test_a_name_that_is_near_to_none(house: House) -> None:
    add_overlays(house)
    [finding] = house.run("bulk-run", env="zzzzz").findings
    assert finding.message.endswith("taken as it is. There are overlays for `dev`, `pr`.")


@pytest.mark.parametrize("path", ["missing", "a\0b"])
def test_a_use_case_that_is_none_is_the_steps_to_refuse(house: House, path: str) -> None:
    outcome = house.run("plan", env="prr", use_case=path)
    assert outcome.verdict == "usage"
    assert "prr" not in messages(outcome)
