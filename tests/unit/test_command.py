"""The command ``llmops`` from its first import on: Ctrl-C shows no traceback, whenever it comes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

from llmops_actions import cli, command

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


class CtrlC(MetaPathFinder):
    """Somebody presses Ctrl-C while a module is being loaded."""

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self.module:
            raise KeyboardInterrupt
        return None


@pytest.mark.parametrize("module", ["llmops_actions.cli", "llmops_actions.steps.list"])
def test_while_modules_are_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr(sys, "meta_path", [CtrlC(module), *sys.meta_path])
    monkeypatch.setattr(sys, "argv", ["llmops", "list"])
    assert command.main() == 3
    assert capsys.readouterr() == ("", "llmops: Interrupted.\n")


def test_after_the_step(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main(["list"]) == 3
    assert capsys.readouterr() == ("", "llmops: Interrupted.\n")


def test_it_is_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["llmops", "lis"])
    assert command.main() == 2
    assert "Did you mean `list`?" in capsys.readouterr().err


def test_the_package_installs_it() -> None:
    assert 'llmops = "llmops_actions.command:main"\n' in PROJECT.read_text(encoding="utf-8")


def test_the_choices_of_an_optional_input_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["gate", "--help"])
    shown = capsys.readouterr().out
    assert "--on-inconclusive {" in shown
    assert "--env VALUE" in shown


def test_the_help_tells_the_whole_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "validate -> bulk-run -> evaluate -> compare -> gate -> report" in capsys.readouterr().out
