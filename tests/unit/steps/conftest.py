"""A use case in a repository of its own, with fake services."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import use_case
from tests.unit.steps.fakes import House

ROWS = '{"question": "Why?"}\n{"question": "How?"}\n{"question": "Why?"}\n'


@pytest.fixture
def house(tmp_path: Path) -> House:
    use_case(tmp_path, {"data/train.jsonl": ROWS})
    return House(tmp_path)
