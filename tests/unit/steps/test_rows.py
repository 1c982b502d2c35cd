"""Rows: a dataset's, and those of an evaluation, joined with a run by the number of the line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmops_actions.errors import ExperimentError, PlatformError
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.experiment.mapping import parse_source
from llmops_actions.steps.rows import DatasetFacts, DatasetRows, EvaluationRows, content_hash, dataset_facts

MAPPINGS = {"truth": parse_source("${data.truth}"), "answer": parse_source("${run.outputs.answer}")}


def dataset(folder: Path, rows: list[dict[str, Any]]) -> Path:
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def record(line: int, answer: str | None = None, error: str | None = None, **other: Any) -> dict[str, Any]:
    failure = {"type": "ToolError", "message": error, "node": "work"} if error else None
    return {
        "schema_version": 1,
        "line": line,
        "key": f"key-{line}",
        "status": "failed" if error is not None else "completed",
        "inputs": {"question": f"q{line}"},
        "outputs": None if error is not None else {"answer": answer},
        "error": failure,
        "usage": {},
        "cost": 0.0,
        "duration": 0.1,
        "attempts": 1,
        **other,
    }


def run_file(folder: Path, records: list[dict[str, Any]]) -> Path:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return file


def test_a_dataset_is_mapped_row_by_row_again_and_again(tmp_path: Path) -> None:
    rows = DatasetRows(dataset(tmp_path, [{"q": "a"}, {"p": "b"}, {"q": "c"}]), {"question": parse_source("${data.q}")})
    first = list(rows)
    assert [row.line for row in first] == [0, 1, 2]
    assert [dict(row.inputs) for row in first] == [{"question": "a"}, {}, {"question": "c"}]
    assert first[0].key == row_key({"question": "a"})
    assert first[1].error == "${data.q} has no value in this row; it has `p`."
    assert first[0].error is None
    assert list(rows) == first


def test_rows_are_joined_by_their_number(tmp_path: Path) -> None:
    data = dataset(tmp_path, [{"truth": f"t{line}"} for line in range(3)])
    run = run_file(tmp_path, [record(line, f"a{line}") for line in range(3)])
    joined = list(EvaluationRows(data, MAPPINGS, run))
    assert [dict(row.inputs) for row in joined] == [{"truth": f"t{line}", "answer": f"a{line}"} for line in range(3)]
    assert [row.key for row in joined] == ["key-0", "key-1", "key-2"]


def test_repeats_stand_side_by_side_and_share_their_partner(tmp_path: Path) -> None:
    data = dataset(tmp_path, [{"truth": "t0"}, {"q": "lacks it"}])
    mappings = {"truth": MAPPINGS["truth"]}
    rows = list(DatasetRows(data, mappings, repeats=3))
    assert [row.line for row in rows] == list(range(6))
    assert [row.error is None for row in rows] == [True] * 3 + [False] * 3
    assert len({row.key for row in rows}) == 2
    data = dataset(tmp_path, [{"truth": "t0"}, {"truth": "t1"}])
    run = run_file(tmp_path, [record(line, f"a{line}") for line in range(5)])
    joined = list(EvaluationRows(data, MAPPINGS, run, repeats=2))
    assert [row.inputs.get("truth") for row in joined] == ["t0", "t0", "t1", "t1"]


def test_a_gap_in_the_run_does_not_shift_the_partners(tmp_path: Path) -> None:
    data = dataset(tmp_path, [{"truth": f"t{line}"} for line in range(6)])
    run = run_file(tmp_path, [record(line, "a") for line in (1, 4, 5)])
    joined = list(EvaluationRows(data, MAPPINGS, run))
    assert [(row.line, row.inputs["truth"]) for row in joined] == [(1, "t1"), (4, "t4"), (5, "t5")]


def test_rows_that_failed_before_stay(tmp_path: Path) -> None:
    data = dataset(tmp_path, [{"truth": "t0"}, {"truth": "t1"}, {"truth": "t2"}])
    without_error = record(2, error="")
    run = run_file(tmp_path, [record(0, "a0"), record(1, error="no answer"), without_error])
    joined = list(EvaluationRows(data, MAPPINGS, run))
    assert [row.error for row in joined] == [
        None,
        "The row failed in the bulk run: no answer",
        "The row failed in the bulk run: no reason given",
    ]
    assert [row.line for row in joined] == [0, 1, 2]


@pytest.mark.parametrize("mappings", [MAPPINGS, {"answer": MAPPINGS["answer"]}])
def test_a_dataset_that_is_too_short_leaves_out_every_row_beyond_it(tmp_path: Path, mappings: Any) -> None:
    """Also where no column of it is mapped: a row without a partner is not scored by chance."""
    data = dataset(tmp_path, [{"truth": "t0"}])
    run = run_file(tmp_path, [record(line, f"a{line}") for line in range(4)])
    joined = list(EvaluationRows(data, mappings, run))
    assert [(row.line, row.key, row.error) for row in joined] == [(0, "key-0", None)]


def test_inputs_of_the_run_and_missing_outputs(tmp_path: Path) -> None:
    data = dataset(tmp_path, [{}, {}])
    run = run_file(tmp_path, [record(0, "a"), record(1, "b", outputs={"other": 1})])
    mappings = {"question": parse_source("${run.inputs.question}"), "answer": parse_source("${run.outputs.answer}")}
    first, second = EvaluationRows(data, mappings, run)
    assert dict(first.inputs) == {"question": "q0", "answer": "a"}
    assert second.error == "${run.outputs.answer} has no value in this row; it has `other`."
    assert second.key == "key-1"


def test_a_damaged_run_is_an_error_and_not_a_row(tmp_path: Path) -> None:
    data = dataset(tmp_path, [{"truth": "t"}])
    run = run_file(tmp_path, [{"line": 0}])
    with pytest.raises(PlatformError, match="damaged: key") as caught:
        list(EvaluationRows(data, MAPPINGS, run))
    assert caught.value.location is not None
    assert caught.value.location.line == 1


def test_facts_of_a_dataset(tmp_path: Path) -> None:
    file = dataset(tmp_path, [{"a": "xx", "b": 1}, {"a": "yy", "b": 2}])
    assert dataset_facts(file) == DatasetFacts(2, 2 * len("['xx', 1]"), content_hash(file))
    file.write_text("[1]\n", encoding="utf-8")
    with pytest.raises(ExperimentError):
        dataset_facts(file)
