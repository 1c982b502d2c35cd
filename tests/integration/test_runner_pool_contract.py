"""The runner of prompt flow's own pool keeps the contract of runners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.offline_model_server import running
from tests.integration.runner_contract import RunnerContract

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
