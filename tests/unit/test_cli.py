"""The command line: what it teaches, what it takes, and how it says no."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import use_case

from llmops_actions import __version__, cli
from llmops_actions.steps import STEPS, load_step


@pytest.fixture(autouse=True)
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_case(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return tmp_path


def text_of(details: Any) -> str:
    return " ".join((details.description or "").split())


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_help_of_a_step_shows_every_input_with_its_default(
    name: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    shown = "".join(capsys.readouterr().out.split())
    for field, details in load_step(name).inputs.model_fields.items():
        option = field.replace("_", "-")
        positional = (details.json_schema_extra or {}) == {"positional": True}
        assert (option if positional else f"--{option}") in shown
        assert "".join(text_of(details).split()) in shown
        if not details.is_required():
            after = shown.split("".join(text_of(details).split()), 1)[1]
            assert after.startswith("(default:")
    for option in ("--format", "--quiet", "--verbose"):
        assert option in shown


def test_defaults_are_shown_as_people_write_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["bulk-run", "--help"])
    shown = capsys.readouterr().out
    for text in ("(default: 600)", "(default: threads)", "(default: off)", "(default: none)", "(default: .llmops)"):
        assert text in shown
    assert "{threads,promptflow}" in shown


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_llmops_alone_teaches(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    if words:
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0
    else:
        assert cli.main(words) == 0
    shown = capsys.readouterr().out
    for name, summary in STEPS.items():
        assert name in shown
        assert summary in shown
    assert "Exit codes: 0 passed, 1 failed, 2 usage, 3 error, 4 inconclusive." in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"llmops-actions {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["bulkrun"], "There is no step `bulkrun`. Did you mean `bulk-run`? See `llmops --help`."),
        (["xyz"], "There is no step `xyz`. See `llmops --help`."),
        (["-q", "plan", "support"], "The step comes first: llmops plan -q …"),
        (["--fromat", "json"], "There is no step `--fromat`. See `llmops --help`."),
        (["plan", "support", "--varations", "x"], "takes no option `--varations`. Did you mean `--variations`?"),
        (["plan", "support", "--varations=x"], "takes no option `--varations=x`. Did you mean `--variations`?"),
        (["plan", "support", "--zzz"], "`plan` takes no option `--zzz`. See `llmops plan --help`."),
        (["plan", "support", "more"], "`plan` takes no further word `more`. See `llmops plan --help`."),
        (["plan"], "the following arguments are required: use-case. See `llmops plan --help`."),
        (["plan", "support", "--format", "yaml"], "invalid choice: 'yaml'"),
        (["plan", "support", "-q", "-v"], "not allowed with argument"),
        (["plan", "support", "--env"], "expected one argument"),
        (["plan", "support", "--vari", "x"], "takes no option `--vari`."),
    ],
)
def test_wrong_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("llmops: ")
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["plan", "support", "--format", "json"],
        ["plan", "nowhere", "--format=json"],
        ["plan", "support", "--format", "json", "--zzz"],
        ["plan", "--format=json"],
        ["plan", "support", "--format", "json", "--variations", "\ud800"],
        ["list", "--format", "json", "-v"],
    ],
)
def test_json_is_one_document_and_nothing_else(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(words)
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == code
    assert document["step"] == words[0]
    assert {"schema_version", "verdict", "outputs", "findings", "summary"} <= document.keys()
    assert (code == 0) == (document["findings"] == [])


def test_the_plan_as_json_holds_a_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "support", "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["outputs"]["matrix"] == {"include": [{"variation": "default"}]}


def test_findings_on_the_terminal_name_files_as_typed(capsys: pytest.CaptureFixture[str], repository: Path) -> None:
    (repository / "support/experiment.yaml").write_text("name: support\nflwo: x\n", encoding="utf-8")
    assert cli.main(["plan", "support"]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith("error: support/experiment.yaml:2:1: Unknown key `flwo`. Did you mean `flow`?")
    assert shown.out.endswith("plan: usage\n")


def test_names_can_be_given_with_commas_and_again_and_again(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "support", "--variations", "nothing,default", "--variations", "d*"]
    assert cli.main(words) == 2
    assert "No variation is called `nothing`." in capsys.readouterr().out
    assert cli.main([*words[:-3], "default", "--variations", "d*"]) == 0


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "painted"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colors_on_a_terminal(environment: dict[str, str], painted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    assert cli.main(["plan", "support"]) == 0
    assert ("plan: \x1b[32mpassed\x1b[0m" in terminal.getvalue()) is painted


@pytest.mark.parametrize(
    ("words", "environment", "kind"),
    [
        ([], {}, "LiveProgress"),
        (["-v"], {}, "LineProgress"),
        (["-q"], {}, "SilentProgress"),
        ([], {"CI": "true"}, "LineProgress"),
        ([], {"TERM": "dumb"}, "LineProgress"),
    ],
)
def test_progress_fits_who_reads_it(
    words: list[str], environment: dict[str, str], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = cli._progress(quiet="-q" in words, verbose="-v" in words)
    assert type(progress).__name__ == kind


def test_progress_elsewhere_is_by_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "support", "--env", "prd"]) == 0
    assert capsys.readouterr().err == "    There is no experiment.prd.yaml: the experiment is taken as it is.\n"
    assert cli.main(["plan", "support", "--env", "prd", "--quiet"]) == 0
    assert capsys.readouterr().err == ""
