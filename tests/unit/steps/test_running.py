"""What bulk runs and evaluations share."""

from __future__ import annotations

from importlib import metadata

import pytest

from llmops_actions.steps.running import total_cost, versions, worst


def test_a_package_that_is_not_there_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "openai":
            raise metadata.PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    assert versions().keys() == {"python", "llmops-actions", "promptflow", "promptflow-tools"}


def test_sums_and_verdicts() -> None:
    assert total_cost([0.5, 0.25]) == 0.75
    assert total_cost([0.5, None]) is None
    assert total_cost([]) == 0
    assert worst(["passed", "failed", "error"]) == "error"
    assert worst(["passed", "failed"]) == "failed"
    assert worst([]) == "passed"
