"""``lifecycle``: the steps one after another, as far as their verdicts let it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import Field
from tests.unit.experiment_files import write
from tests.unit.steps.fakes import House, NodeError, messages

from llmops_actions.errors import InterruptedRunError
from llmops_actions.outcome import Finding, Outcome, Verdict
from llmops_actions.platforms.ports import BulkRun, Row
from llmops_actions.reporting.terminal import outcome_as_text
from llmops_actions.steps import lifecycle, load_step
from llmops_actions.steps.declaration import Inputs, Outputs, Step
from llmops_actions.steps.execution import execute
from llmops_actions.steps.services import Services


class PartInputs(Inputs):
    """What a part takes."""

    word: str = Field("none", description="A word.")


class PartOutputs(Outputs):
    """What a part gives."""

    said: str = Field("", description="The word.")


class Parts:
    """Steps that join the lifecycle by their names, and what became of them."""

    def __init__(self, **ends: Verdict | Exception) -> None:
        self.ran: list[tuple[str, str]] = []
        self.addresses: list[str | None] = []
        self.steps = {name: self._step(name, end) for name, end in ends.items()}

    def _step(self, name: str, end: Verdict | Exception) -> Step[PartInputs, PartOutputs]:
        def run(inputs: PartInputs, services: Services) -> Outcome[PartOutputs]:
            self.ran.append((name, inputs.word))
            self.addresses.append(services.environ.get("LLMOPS_OFFLINE_MODEL_URL"))
            if isinstance(end, Exception):
                raise end
            finding = Finding("warning", f"{name} was here")
            return Outcome(end, PartOutputs(said=inputs.word), f"## {name}\n\nDone.", (finding,))

        return Step(name, PartInputs, PartOutputs, run)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> Any:
    def join(**ends: Verdict | Exception) -> tuple[Parts, Step[Any, Any]]:
        parts = Parts(**ends)
        monkeypatch.setattr(lifecycle, "PARTS", tuple(parts.steps))
        monkeypatch.setattr(lifecycle, "load_step", parts.steps.__getitem__)
        inputs = lifecycle._inputs()
        return parts, Step("lifecycle", inputs, lifecycle.LifecycleOutputs, lifecycle.run)

    return join


def test_a_new_part_joins_by_its_name(house: House, joined: Any) -> None:
    parts, step = joined(first="passed", second="passed")
    assert {"word", "skip"} <= step.inputs.model_fields.keys()
    outcome = execute(step, {"word": "hello"}, house.services())
    assert outcome.verdict == "passed"
    assert parts.ran == [("first", "hello"), ("second", "hello")]
    assert [(each.step, each.verdict, each.outputs) for each in outcome.outputs.steps] == [
        ("first", "passed", {"said": "hello"}),
        ("second", "passed", {"said": "hello"}),
    ]
    assert outcome.outputs.stopped_at == ""
    assert messages(outcome) == "warning: first was here\nwarning: second was here"
    assert outcome.summary.startswith("## first\n\nDone.\n\n## second\n\nDone.\n\n| step | verdict |")


@pytest.mark.parametrize("verdict", ["failed", "error", "inconclusive", "usage"])
def test_the_first_verdict_that_is_not_passed_ends_it(house: House, joined: Any, verdict: Verdict) -> None:
    parts, step = joined(first="passed", second=verdict, third="passed")
    outcome = execute(step, {}, house.services())
    assert outcome.verdict == verdict
    assert [name for name, _ in parts.ran] == ["first", "second"]
    assert outcome.outputs.stopped_at == "second"
    assert f"| second | {verdict} |" in outcome.summary


def test_a_part_that_raises_leaves_the_outcomes_of_those_before_it(house: House, joined: Any) -> None:
    _, step = joined(first="passed", second=InterruptedRunError("Stopped by SIGTERM."), third="passed")
    outcome = execute(step, {}, house.services())
    assert outcome.verdict == "error"
    assert [each.step for each in outcome.outputs.steps] == ["first", "second"]
    assert messages(outcome) == "warning: first was here\nerror: Stopped by SIGTERM."
    assert "## first" in outcome.summary


def test_steps_can_be_left_out(house: House, joined: Any) -> None:
    parts, step = joined(first="failed", second="passed")
    assert execute(step, {"skip": "first"}, house.services()).verdict == "passed"
    assert [name for name, _ in parts.ran] == ["second"]
    unknown = execute(step, {"skip": "frist"}, house.services())
    assert (unknown.verdict, messages(unknown)) == (
        "usage",
        "error: `frist` is no step of the lifecycle; its steps are first, second.",
    )
    assert "nothing to run" in messages(execute(step, {"skip": "first,second"}, house.services()))


def lifecycle_of(house: House, **words: str) -> Outcome[Any]:
    return house.run("lifecycle", skip="validate", **words)


def test_bulk_run_and_evaluate_share_one_stand_in(house: House) -> None:
    outcome = lifecycle_of(house, offline="true")
    assert outcome.verdict == "passed"
    assert (house.models.started, house.models.stopped) == (1, 1)
    assert len(house.progress.notes) == 1
    assert {run.environment["OPENAI_BASE_URL"] for run in house.runner.runs} == {"http://127.0.0.1:1/v1"}
    assert [run.name for run in house.runner.runs] == ["train.default", "grade/train.default"]


def test_a_stand_in_that_is_there_is_taken(house: House) -> None:
    house.environ["LLMOPS_OFFLINE_MODEL_URL"] = "http://127.0.0.1:99"
    assert lifecycle_of(house, offline="yes").verdict == "passed"
    assert house.models.started == 0


def test_without_offline_nothing_is_started(house: House) -> None:
    assert lifecycle_of(house).verdict == "passed"
    assert house.models.started == 0


def test_evaluate_does_not_run_after_failed_rows(house: House) -> None:
    def work(run: BulkRun, row: Row) -> Mapping[str, Any]:
        raise NodeError("no")

    house.runner.behaviour = work
    outcome = lifecycle_of(house)
    assert (outcome.verdict, outcome.outputs.stopped_at) == ("failed", "bulk-run")
    assert [run.name for run in house.runner.runs] == ["train.default"]


def test_inputs_are_those_of_all_parts() -> None:
    fields = load_step("lifecycle").inputs.model_fields
    for name in lifecycle.PARTS:
        for field, details in load_step(name).inputs.model_fields.items():
            assert fields[field].description == details.description
            assert fields[field].default == details.default


def test_findings_of_a_part_are_shown_once_on_a_terminal_and_in_full_on_github(house: House) -> None:
    write(house.directory, {"support/flows/answer/reply.py": "def reply(:\n"})
    outcome = house.run("lifecycle", tests="false", offline="true")
    assert outcome.exit_code == 1
    assert outcome_as_text("lifecycle", outcome).count("Not valid Python") == 1
    assert "reply.py" in outcome.details
