"""The local runner keeps the contract of runners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.offline_model_server import running
from tests.integration.runner_contract import RunnerContract

from llmops_actions.platforms.local.runner import LocalRunner


@pytest.fixture
def runner() -> LocalRunner:
    return LocalRunner()


@pytest.fixture(scope="module")
def model() -> Iterator[str]:
    with running() as url:
        yield url


class TestLocalRunner(RunnerContract):
    """All of the contract."""
