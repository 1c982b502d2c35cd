"""The runner of prompt flow's own pool keeps the contract of runners."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration import runner_programs as programs
from tests.integration.offline_model_server import running
from tests.integration.runner_contract import RunnerContract
from tests.integration.runner_programs import assert_accounted, bulk_run, run_one

from llmops_actions.platforms.local.promptflow_pool import PromptFlowPoolRunner


@pytest.fixture
def runner() -> PromptFlowPoolRunner:
    return PromptFlowPoolRunner()


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with running() as url:
        yield url


class TestPromptFlowPool(RunnerContract):
    """All of the contract."""

    def test_what_is_not_counted_is_not_free(self, runner: PromptFlowPoolRunner, tmp_path: Path) -> None:
        program = programs.flex(tmp_path / "flow", "def same(number: int):\n    return number\n", "same")
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 1))
        [row] = assert_accounted(result, tmp_path / "run", 1)
        assert (result.cost, result.usage) == (None, {})
        assert row["cost"] is None

    def test_a_crash_says_why(self, runner: PromptFlowPoolRunner, tmp_path: Path) -> None:
        program = programs.one_node(tmp_path / "flow", "import ctypes\nctypes.string_at(0)\n")
        result, _ = run_one(runner, bulk_run(program, tmp_path / "run", 1))
        [row] = assert_accounted(result, tmp_path / "run", 1)
        assert row["error"]["type"] == "ChildDied"
        assert "SIGSEGV" in row["error"]["message"]
        assert "work.py" in row["error"]["message"], "the stack is told"
