"""``list``: the use cases of a repository, also where one of them cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.unit.experiment_files import use_case, write
from tests.unit.steps.fakes import House, messages

from llmops_actions.outcome import Outcome
from llmops_actions.steps import load_step
from llmops_actions.steps.execution import execute


def found_in(folder: Path, **words: str) -> Outcome[Any]:
    return execute(load_step("list"), words, House(folder).services())


def test_use_cases_are_found_with_what_they_have(tmp_path: Path) -> None:
    use_case(tmp_path)
    use_case(tmp_path / "more", {"experiment.pr.yaml": "name: support\n", "experiment.dev.yaml": "name: support\n"})
    outcome = found_in(tmp_path)
    assert outcome.verdict == "passed"
    assert [each.model_dump() for each in outcome.outputs.use_cases] == [
        {
            "path": path,
            "name": "support",
            "flow_kind": "dag",
            "datasets": ("train",),
            "evaluators": ("grade",),
            "environments": environments,
        }
        for path, environments in [("more/support", ("dev", "pr")), ("support", ())]
    ]
    assert r"| more/support | support | dag | 1 | 1 | dev, pr |" in outcome.summary
    assert "| support | support | dag | 1 | 1 | \\- |" in outcome.summary


def test_one_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    use_case(tmp_path)
    write(tmp_path, {"broken/experiment.yaml": "name: broken\n"})
    outcome = found_in(tmp_path)
    assert (outcome.verdict, outcome.exit_code) == ("failed", 1)
    assert [each.path for each in outcome.outputs.use_cases] == ["support"]
    assert "error: broken/experiment.yaml" in messages(outcome)


def test_nothing_found(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    outcome = found_in(tmp_path, root="empty")
    assert outcome.verdict == "passed"
    assert "has an experiment" in outcome.summary
    assert found_in(tmp_path, root="nowhere").verdict == "usage"
