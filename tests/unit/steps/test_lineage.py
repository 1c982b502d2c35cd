"""Where results come from, outside of a workflow: git, if it is there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from llmops_actions.steps.lineage import lineage


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=x", "-c", "user.email=x@x.example", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "flow.txt").write_text("a")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def test_commit_and_branch(repository: Path) -> None:
    assert lineage(repository, {}) == {"commit": git(repository, "rev-parse", "HEAD"), "branch": "main"}


def test_a_changed_tree_is_said(repository: Path) -> None:
    (repository / "flow.txt").write_text("b")
    assert lineage(repository, {})["changed"] == "yes"


def test_a_change_beside_the_use_case_is_none_of_it(repository: Path) -> None:
    (repository / "case").mkdir()
    (repository / "case/a.txt").write_text("a")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "second")
    (repository / "flow.txt").write_text("b")
    assert "changed" not in lineage(repository / "case", {})


def test_no_repository_and_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert lineage(tmp_path, {}) == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lineage(tmp_path, {}) == {}
