"""The fake runner keeps what the contract of a runner asks: every row ends once, in line order."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.runner_programs import assert_accounted
from tests.unit.steps.fakes import FakeRunner, NodeError

from llmops_actions.platforms.ports import BulkRun, Program, Row, Runner, RunProgress, RunSettings


def bulk_run(folder: Path, rows: list[Row]) -> BulkRun:
    return BulkRun("run", Program("dag", folder, "flow.dag.yaml"), rows, len(rows), folder / "run", "fingerprint")


@pytest.mark.parametrize("count", [0, 1, 5])
def test_every_row_ends_once_in_line_order(tmp_path: Path, count: int) -> None:
    def picky(run: BulkRun, row: Row) -> dict[str, object]:
        if row.line == 1:
            raise NodeError("one is not welcome", "work")
        return dict(row.inputs)

    heard: list[RunProgress] = []
    runner: Runner = FakeRunner(picky)
    rows = [Row(line, f"key-{line}", {"n": line}, "no input" if line == 3 else None) for line in range(count)]
    [result] = runner.run([bulk_run(tmp_path, rows)], RunSettings(), heard.append)
    records = assert_accounted(result, tmp_path / "run", count)
    assert [row["key"] for row in records] == [row.key for row in rows]
    assert result.failed == sum(line in (1, 3) for line in range(count))
    assert [each.ended for each in heard] == list(range(1, count + 1))
