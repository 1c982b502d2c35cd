"""The examples of the actions' READMEs fit together: what a job downloads, the job that it needs uploads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ACTIONS = Path(__file__).parents[3] / "actions"
CHAIN = ("bulk-run", "evaluate", "compare", "gate", "report")


def jobs_of(name: str) -> dict[str, Any]:
    text = (ACTIONS / name / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(jobs:\n.*?)```", text, re.DOTALL)
    jobs: dict[str, Any] = yaml.safe_load(example)["jobs"]
    return jobs


def with_of(job: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [step["with"] for step in job["steps"] if step.get("uses", "").startswith(f"actions/{action}-artifact@")]


@pytest.mark.parametrize("name", CHAIN[1:])
def test_a_job_downloads_what_the_job_that_it_needs_uploads(name: str) -> None:
    job = jobs_of(name)[name]
    [download] = with_of(job, "download")
    before = jobs_of(job["needs"])[job["needs"]]
    [upload] = with_of(before, "upload")
    assert download["name"] == upload["name"]
    assert download["path"] == upload["path"] == ".llmops/"
    assert upload["include-hidden-files"] is True


def test_each_leg_of_the_matrix_has_an_artifact_of_its_own_and_all_are_merged() -> None:
    jobs = jobs_of("plan")
    [upload] = with_of(jobs["run"], "upload")
    [download] = with_of(jobs["evaluate"], "download")
    assert upload["name"] == "run-${{ strategy.job-index }}"
    assert upload["include-hidden-files"] is True
    assert (download["pattern"], download["merge-multiple"], download["path"]) == ("run-*", True, upload["path"])
    assert jobs["evaluate"]["needs"] == "run"
