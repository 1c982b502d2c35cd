"""Something happens right after a module is imported."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from llmops_actions.platforms.local.late_imports import after_import


def test_it_happens_after_the_import_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "late_module.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    seen: list[int] = []
    after_import("late_module", lambda: seen.append(sys.modules["late_module"].value))
    assert seen == []
    assert importlib.import_module("late_module").value == 1
    assert seen == [1]
    importlib.import_module("late_module")
    assert seen == [1]
    after_import("late_module", lambda: seen.append(2))
    assert seen == [1, 2]
    monkeypatch.delitem(sys.modules, "late_module")


def test_a_module_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    after_import("not_a_module_of_this_world", lambda: None)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("not_a_module_of_this_world")
