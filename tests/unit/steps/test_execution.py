"""From words to an outcome: inputs, and every way in which a step can end."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import Field
from tests.unit.steps.fakes import House, messages

from llmops_actions.errors import (
    ExperimentError,
    InterruptedRunError,
    LlmopsError,
    Location,
    PlatformError,
    UsageError,
)
from llmops_actions.outcome import Finding, Outcome
from llmops_actions.steps.declaration import Inputs, Names, Outputs, Step, required
from llmops_actions.steps.execution import execute, parse_inputs
from llmops_actions.steps.services import Services


class SomeInputs(Inputs):
    """Inputs of every kind."""

    use_case: Path = required("A folder.")
    offline: bool = Field(False, description="A switch.")
    concurrency: int = Field(64, ge=1, description="A number.")
    engine: Literal["threads", "promptflow"] = Field("threads", description="A choice.")
    variations: Names = Field((), description="Names.")
    env: str | None = Field(None, description="A word.")
    work_dir: Path = Field(Path(".llmops"), description="A folder.")


class SomeOutputs(Outputs):
    """Nothing much."""

    word: str = Field("", description="A word.")


def step(run: Callable[..., Any] | None = None) -> Step[Any, Any]:
    def passed(inputs: SomeInputs, services: Services) -> Outcome[SomeOutputs]:
        return Outcome("passed", SomeOutputs(word=str(inputs.use_case)), "fine")

    return Step("bulk-run", SomeInputs, SomeOutputs, run or passed)


def raising(error: BaseException) -> Step[Any, Any]:
    def run(inputs: SomeInputs, services: Services) -> Outcome[SomeOutputs]:
        raise error

    return step(run)


WORDS = {"use_case": "x"}


def test_words_become_types() -> None:
    inputs = parse_inputs(
        step(),
        {
            "use-case": "flows/x",
            "offline": "True",
            "concurrency": "7",
            "engine": "promptflow",
            "variations": "a, b\n c,,\n",
            "env": "pr",
        },
    )
    assert inputs == SomeInputs(
        use_case=Path("flows/x"), offline=True, concurrency=7, engine="promptflow", variations=("a", "b", "c"), env="pr"
    )


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_word_is_not_given(empty: str) -> None:
    words = dict.fromkeys(["offline", "concurrency", "engine", "variations", "env"], empty)
    assert parse_inputs(step(), {**words, **WORDS}) == SomeInputs(use_case=Path("x"))


@pytest.mark.parametrize(
    ("word", "value"), [("true", True), ("yes", True), ("1", True), ("on", True), ("False", False), ("no", False)]
)
def test_booleans(word: str, value: bool) -> None:
    inputs = parse_inputs(step(), {**WORDS, "offline": word})
    assert isinstance(inputs, SomeInputs)
    assert inputs.offline is value


def test_everything_that_is_wrong_with_the_words_is_said_at_once() -> None:
    words = {"concurency": "3", "zzz": "1", "offline": "maybe", "concurrency": "0", "engine": "x" * 500}
    with pytest.raises(UsageError) as caught:
        parse_inputs(step(), words)
    unknown, nonsense, missing, offline, concurrency, engine = caught.value.message.split("\n")
    assert unknown == "`bulk-run` has no input `concurency`. Did you mean `concurrency`?"
    assert nonsense == "`bulk-run` has no input `zzz`."
    assert missing == "The input `use-case` is missing."
    assert offline.startswith("The input `offline` cannot be 'maybe': ")
    assert concurrency == "The input `concurrency` cannot be '0': Input should be greater than or equal to 1."
    assert len(engine) < 200


def test_an_unknown_input_alone() -> None:
    with pytest.raises(UsageError, match="has no input `bogus`"):
        parse_inputs(step(), {**WORDS, "bogus": "1"})


def test_a_rule_over_all_inputs_is_told_without_a_name() -> None:
    from pydantic import model_validator

    class Strict(SomeInputs):
        """Inputs with a rule."""

        @model_validator(mode="after")
        def _rule(self) -> Strict:
            raise ValueError("they do not fit together")

    with pytest.raises(UsageError, match="The input `the inputs` cannot be"):
        parse_inputs(Step("plan", Strict, SomeOutputs, step().run), WORDS)


@pytest.mark.parametrize(
    ("error", "verdict", "exit_code"),
    [
        (UsageError("wrong words"), "usage", 2),
        (ExperimentError("wrong file", Location(Path("x.yaml"), 3, 4)), "usage", 2),
        (PlatformError("no network"), "error", 3),
        (InterruptedRunError("stopped"), "error", 3),
        (LlmopsError("something"), "error", 3),
    ],
)
def test_our_errors_become_outcomes(house: House, error: LlmopsError, verdict: str, exit_code: int) -> None:
    outcome = execute(raising(error), WORDS, house.services())
    assert (outcome.verdict, outcome.exit_code, outcome.outputs) == (verdict, exit_code, SomeOutputs())
    assert outcome.findings == (Finding("error", error.message, error.location),)
    assert not (house.directory / ".llmops").exists()


def test_places_below_the_working_directory_are_shown_as_seen_from_there(house: House) -> None:
    for file in (house.directory / "a" / "b.yaml", Path("/elsewhere/b.yaml")):
        outcome = execute(raising(ExperimentError("wrong", Location(file, 3))), WORDS, house.services())
        expected = "a/b.yaml:3: wrong" if file.is_relative_to(house.directory) else "/elsewhere/b.yaml:3: wrong"
        assert messages(outcome) == f"error: {expected}"


def test_ctrl_c_is_an_error_without_a_traceback(house: House) -> None:
    outcome = execute(raising(KeyboardInterrupt()), WORDS, house.services())
    assert (outcome.verdict, messages(outcome)) == ("error", "error: Interrupted.")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/rows.jsonl"), "/x/rows.jsonl: The system refused: No "),
        (OSError("odd"), "The system refused: OSError('odd')."),
        (PermissionError(errno.EACCES, "Permission denied", "/x/data.csv"), "/x/data.csv: The system refused: Perm"),
    ],
)
def test_what_the_system_refuses_is_no_defect(house: House, error: OSError, text: str) -> None:
    outcome = execute(raising(error), WORDS, house.services())
    assert outcome.verdict == "error"
    assert text in messages(outcome)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("work_dir", ["", "elsewhere"])
def test_a_work_folder_that_cannot_be_written_is_named_in_full_with_the_way_out(
    house: House, monkeypatch: pytest.MonkeyPatch, code: int, work_dir: str
) -> None:
    monkeypatch.chdir(house.directory)
    refused = f"{work_dir or '.llmops'}/support"
    error = OSError(code, "No way", refused)
    outcome = execute(raising(error), {**WORDS, "work_dir": work_dir}, house.services())
    assert messages(outcome) == (
        f"error: The work folder cannot be written: {house.directory / refused}: No way. "
        "Name another one with --work-dir."
    )
    assert outcome.exit_code == 3


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("oh \x1b[31mno sk-very-secret"), SystemExit(0), RecursionError()], ids=repr
)
@pytest.mark.parametrize("work_dir", ["", "elsewhere"])
def test_a_defect_is_kept_in_a_file_and_not_shown(house: House, error: BaseException, work_dir: str) -> None:
    house.environ.update(MY_API_KEY="sk-very-secret", LINE_KEY="line")
    outcome = execute(raising(error), {**WORDS, "work_dir": work_dir}, house.services())
    file = house.directory / (work_dir or ".llmops") / "error.log"
    assert outcome.verdict == "error"
    shown, kept = messages(outcome), file.read_text(encoding="utf-8")
    assert "A defect in llmops-actions" in shown
    assert f"Please report it with {file}." in shown
    assert "Traceback" not in shown
    assert "\x1b" not in shown
    assert "Traceback" in kept
    assert ", line " in kept
    assert "sk-very-secret" not in shown + kept


def test_a_traceback_that_cannot_be_kept(house: House) -> None:
    (house.directory / ".llmops").write_text("a file", encoding="utf-8")
    outcome = execute(raising(ZeroDivisionError()), WORDS, house.services())
    assert outcome.verdict == "error"
    assert "could not be written" in messages(outcome)


def test_sigterm_winds_up_as_ctrl_c_does(house: House) -> None:
    wound_up: list[bool] = []

    def run(inputs: SomeInputs, services: Services) -> Outcome[SomeOutputs]:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        finally:
            wound_up.append(True)
        raise AssertionError

    before = signal.getsignal(signal.SIGTERM)
    outcome = execute(step(run), WORDS, house.services())
    assert messages(outcome) == "error: Interrupted."
    assert wound_up == [True]
    assert signal.getsignal(signal.SIGTERM) == before


def test_who_ignores_sigterm_goes_on_ignoring_it(house: House) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:

        def run(inputs: SomeInputs, services: Services) -> Outcome[SomeOutputs]:
            os.kill(os.getpid(), signal.SIGTERM)
            return Outcome("passed", SomeOutputs(), "fine")

        assert execute(step(run), WORDS, house.services()).verdict == "passed"
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_a_thread_signals_are_left_alone(house: House) -> None:
    outcomes: list[Outcome[Any]] = []
    thread = threading.Thread(target=lambda: outcomes.append(execute(step(), WORDS, house.services())))
    thread.start()
    thread.join(10)
    assert outcomes[0].verdict == "passed"
