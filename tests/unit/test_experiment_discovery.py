"""Discovery: the use cases of a repository, without what is installed or cached in it."""

from __future__ import annotations

from pathlib import Path

from tests.unit.experiment_files import write

from llmops_actions.experiment.discovery import environments, find_use_cases


def test_use_cases_in_the_order_of_their_paths(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "b/experiment.yaml": "",
            "a/deep/experiment.yaml": "",
            "experiment.yaml": "",
            "c/experiment.pr.yaml": "",
            ".hidden/experiment.yaml": "",
            ".venv/experiment.yaml": "",
            "env/pyvenv.cfg": "",
            "env/lib/experiment.yaml": "",
            "node_modules/x/experiment.yaml": "",
            "build/experiment.yaml": "",
        },
    )
    (tmp_path / "linked").symlink_to(tmp_path / "b")
    assert [str(each.relative_to(tmp_path)) for each in find_use_cases(tmp_path)] == [".", "a/deep", "b"]
    assert find_use_cases(tmp_path / "none") == []


def test_environments(tmp_path: Path) -> None:
    ours = ["experiment.pr.yaml", "experiment.dev.yaml", "experiment.prod.eu.yaml"]
    others = ["experiment..yaml", "experiment_x.yaml", "experiment.a b.yaml", "experiment.-x.yaml", "experiment.yaml"]
    write(tmp_path, dict.fromkeys([*ours, *others], ""))
    assert environments(tmp_path) == ["dev", "pr", "prod.eu"]
