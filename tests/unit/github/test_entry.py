"""An action's step from the inputs in the environment to the exit code."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.github.corpus import CORPUS
from tests.unit.github.runner import Read, read_log, read_outputs

from llmops_actions.github.commands import WorkflowLog
from llmops_actions.github.entry import read_words, run_action, run_step
from llmops_actions.outcome import Finding, Outcome
from llmops_actions.platforms.ports import RunProgress
from llmops_actions.steps.declaration import Inputs, Names, Outputs, Step, required
from llmops_actions.steps.services import Services

EXIT_CODES = [("passed", 0), ("failed", 1), ("usage", 2), ("error", 3), ("inconclusive", 4)]


class EchoInputs(Inputs):
    use_case: Path = required("The use case.")
    verdict: Any = "passed"
    names: Names = ()
    is_loud: bool = False


class EchoOutputs(Outputs):
    echo: str = ""
    names: tuple[str, ...] = ()
    is_loud: bool = False


def echo(inputs: EchoInputs, services: Services) -> Outcome[EchoOutputs]:
    text = str(inputs.use_case)
    services.progress.phase("Echo")
    services.progress.note(text)
    services.progress.run(RunProgress("run", 1, 0, 1))
    outputs = EchoOutputs(echo=text, names=inputs.names, is_loud=inputs.is_loud)
    return Outcome(inputs.verdict, outputs, "echoed", (Finding("warning", text),))


ECHO = Step("echo", EchoInputs, EchoOutputs, echo)


class Action:
    """A step of a job, with its environment and its files."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.output = folder / "output"
        self.summary = folder / "summary"
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        for name in list(os.environ):
            if name.startswith("INPUT_"):
                monkeypatch.delenv(name)
        monkeypatch.setenv("GITHUB_WORKSPACE", str(folder))
        monkeypatch.setenv("GITHUB_OUTPUT", str(self.output))
        monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(self.summary))

    def inputs(self, **inputs: str) -> None:
        for name, value in inputs.items():
            self.monkeypatch.setenv(f"INPUT_{name.upper()}", value)

    def run(self, **inputs: str) -> tuple[int, Read]:
        self.inputs(**inputs)
        stream = io.StringIO()
        code = run_step(ECHO, read_words(ECHO), WorkflowLog(stream))
        return code, read_log(stream.getvalue())


@pytest.fixture
def action(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Action:
    return Action(tmp_path, monkeypatch)


@pytest.mark.parametrize(("verdict", "code"), EXIT_CODES)
def test_the_verdict_is_the_exit_code_after_everything_was_reported(action: Action, verdict: str, code: int) -> None:
    ended, read = action.run(use_case="flows/sample", verdict=verdict, names="a, b", is_loud="true")
    assert ended == code
    assert read_outputs(action.output) == {
        "verdict": verdict,
        "echo": "flows/sample",
        "names": '["a", "b"]',
        "is-loud": "true",
    }
    assert action.summary.read_text().startswith("echoed")
    assert [command.name for command in read.commands if command.name != "add-mask"] == ["group", "endgroup", "warning"]


@pytest.mark.parametrize("text", [text for text in CORPUS.values() if "\x00" not in text])
def test_an_input_is_text_whatever_it_holds(action: Action, text: str) -> None:
    _, read = action.run(use_case=text)
    outputs = read_outputs(action.output)
    assert outputs["echo"] == str(Path(text.strip())).encode("utf-8", "replace").decode()
    assert outputs["verdict"] == "passed"
    assert [command.name for command in read.commands if command.name != "add-mask"] == ["group", "endgroup", "warning"]
    assert not Path("/tmp/llmops-was-here").exists()  # noqa: S108 - what the corpus would make


def test_a_missing_input_is_a_usage_error(action: Action) -> None:
    code, read = action.run()
    assert code == 2
    assert [command.message for command in read.annotations] == ["The input `use-case` is missing."]
    assert read_outputs(action.output)["verdict"] == "usage"
    assert "is missing" in action.summary.read_text()


def test_secrets_of_the_environment_are_masked_before_the_first_line(action: Action) -> None:
    action.monkeypatch.setenv("MODEL_API_KEY", "s3cret-value")
    action.inputs(use_case="s3cret-value")
    stream = io.StringIO()
    run_step(ECHO, read_words(ECHO), WorkflowLog(stream))
    lines = stream.getvalue().splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("::add-mask::"))
    assert "::add-mask::s3cret-value" in lines[:first]
    assert "s3cret-value" not in "\n".join(lines[first:]) + action.output.read_text() + action.summary.read_text()


def test_a_file_that_cannot_be_written_is_an_error(action: Action) -> None:
    action.output.mkdir()
    code, read = action.run(use_case="x")
    assert code == 3
    assert read.annotations[-1].message.startswith("The step ended as passed, but GitHub cannot be told more:")


def run(*arguments: str) -> tuple[int, Read]:
    stream = io.StringIO()
    code = run_action(arguments, WorkflowLog(stream))
    return code, read_log(stream.getvalue())


def test_an_unknown_step_is_named(action: Action) -> None:
    code, read = run("frobnicate\n::error::forged")
    assert code == 2
    steps = "plan, validate, bulk-run, evaluate, compare, gate, report, lifecycle"
    assert [command.message for command in read.annotations] == [
        f"`frobnicate\n::error::forged` is no step of an action. Steps: {steps}."
    ]


def test_the_root_action_names_its_step_by_an_input(action: Action) -> None:
    action.inputs(step="plan", use_case="nowhere")
    code, _ = run()
    assert code == 2
    assert "**plan**" in action.summary.read_text()


def test_the_root_action_refuses_an_input_of_another_step(action: Action) -> None:
    action.inputs(step="plan", use_case="nowhere", concurrency="8")
    code, read = run()
    assert code == 2
    assert "The step `plan` takes no input `concurrency`; `bulk-run` does." in read.annotations[0].message


ECHOING = """
import os, sys
from llmops_actions.github import entry
from llmops_actions.steps.declaration import Finding, Inputs, Outcome, Outputs, Step

def run(inputs, services):
    services.progress.note("before")
    os.write(1, b"::error::forged by a child\\n")
    os.write(2, b"::error::forged on standard error\\n")
    return Outcome("failed", Outputs(), "summary", (Finding("warning", "ours"),))

entry._asked_for = lambda arguments: (Step("echo", Inputs, Outputs, run), {})
sys.exit(entry.main(["echo"]))
"""


def process(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "PYTHONSAFEPATH": "", **environment},
        cwd=Path(sys.executable).parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_process_writes_past_us_stays_text_in_its_place(action: Action) -> None:
    result = process("-c", ECHOING)
    assert (result.returncode, result.stderr) == (1, "")
    read = read_log(result.stdout)
    assert [(command.name, command.message) for command in read.annotations] == [("warning", "ours")]
    spoken = [line for line in read.text if line.startswith("::error::forged")]
    assert spoken == ["::error::forged by a child", "::error::forged on standard error"]
    lines = result.stdout.splitlines()
    assert lines.index("    before") < lines.index(spoken[0]) < lines.index(spoken[1]) < lines.index("echo: failed")


def test_the_workspace_hides_none_of_our_modules(action: Action) -> None:
    (action.folder / "json.py").write_text("raise SystemExit('the workspace got in')\n", encoding="utf-8")
    result = process("-m", "llmops_actions", "plan", INPUT_USE_CASE="nowhere")
    assert (result.returncode, result.stderr) == (2, "")
    assert [command.name for command in read_log(result.stdout).annotations] == ["error"]
