"""The CSV files: everything is in them, no cell is a formula, memory does not grow with the rows."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from tests.unit.reporting.folders import RowFailsError, Sample, read
from tests.unit.reporting.hostile import HOSTILE

from llmops_actions.reporting.csv_files import cell, write_metrics, write_results
from llmops_actions.reporting.results import read_results


def table(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_line_for_each_run_and_row(tmp_path: Path) -> None:
    def answer(variation: str, row: int) -> dict[str, Any]:
        if row == 1:
            raise RowFailsError("It broke.")
        return {"answer": "Because", "tags": ["a", {"b": None}], "extra": 3} if row else {"answer": "Because"}

    results = read_results(Sample(rows=3, answer=answer).write(tmp_path))
    assert write_results(tmp_path / "results.csv", results) == 6
    first, second, third, *_ = table(tmp_path / "results.csv")
    assert first == {
        "run": "train.default",
        "variation": "default",
        "dataset": "train",
        "line": "1",
        "repeat": "1",
        "key": "0000000000000000",
        "status": "completed",
        "inputs.question": "Why 0?",
        "outputs.answer": "Because",
        "outputs.tags": "",
        "outputs.extra": "",
        "grade.correct": "true",
        "grade.length": "21",
        "remarks.grade.reason": "It gives one.",
        "error_type": "",
        "error": "",
        "node": "",
        "prompt_tokens": "10",
        "completion_tokens": "1",
        "tokens": "11",
        "cost": "0.001",
        "duration": "0.1",
        "attempts": "1",
    }
    assert (second["error_type"], second["error"], second["node"]) == ("RowFailsError", "It broke.", "reply")
    assert second["grade.correct"] == ""
    assert (third["outputs.tags"], third["outputs.extra"]) == ('["a",{"b":null}]', "3")


def test_a_line_for_each_run_and_metric_with_its_origin(tmp_path: Path) -> None:
    facts = read(Sample(logged={"f1": 0.25}).write(tmp_path)).facts
    assert write_metrics(tmp_path / "metrics.csv", facts, "abc") == 6
    lines = table(tmp_path / "metrics.csv")
    line = next(each for each in lines if (each["run"], each["metric"]) == ("train.brief", "correct"))
    assert line["evaluator"] == "grade"
    assert float(line["low"]) < float(line["value"]) < float(line["high"])
    assert (line["run_fingerprint"], line["evaluation_fingerprint"]) == ("f" * 64, "e" * 64)
    assert (line["dataset_sha256"], line["commit"], line["models"]) == ("5" * 64, "abc", "gpt")
    assert line["hyperparameters"] == '{"reply":{"temperature":0.5}}'
    assert "" not in (line["experiment"], line["environment"], line["flow"], line["versions"], line["started_at"])


def test_a_metric_of_the_flow_itself_has_no_evaluator(tmp_path: Path) -> None:
    from llmops_actions.work_folder import RunDocument, read_document, write_document

    folder = Sample().write(tmp_path)
    document = read_document(folder.run_document("train.default"), RunDocument)
    write_document(folder.run_document("train.default"), document.model_copy(update={"metrics": {"own": 0.25}}))
    write_metrics(tmp_path / "metrics.csv", read(folder).facts, None)
    line = next(each for each in table(tmp_path / "metrics.csv") if each["metric"] == "own")
    assert (line["evaluator"], line["evaluation_fingerprint"], line["value"]) == ("", "", "0.25")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_cell_is_a_formula(text: str) -> None:
    shown = cell(text)
    assert isinstance(shown, str)
    assert not shown.strip(" \t\r\n\ufeff").startswith(("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"))
    assert not shown.startswith(("\t", "\r", "\n"))
    assert not any(0xD800 <= ord(each) < 0xE000 or (ord(each) < 32 and each not in "\t\r\n") for each in shown)


def test_hostile_text_and_names_come_back_whole(tmp_path: Path) -> None:
    texts = list(HOSTILE.values())
    sample = Sample(
        rows=len(texts),
        variations=("default",),
        answer=lambda variation, row: {"answer": texts[row], "=1+1": texts[row]},
        inputs=lambda row: {"question": texts[row]},
    )
    results = read_results(sample.write(tmp_path))
    write_results(tmp_path / "results.csv", results)
    lines = table(tmp_path / "results.csv")
    assert len(lines) == len(texts)
    for line, text in zip(lines, texts, strict=True):
        assert line["outputs.answer"] == line["outputs.=1+1"] == str(cell(text))
    assert all(cell(text) in (text, f"'{text}") for text in texts if text.isprintable())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-5, -5),
        (-0.5, -0.5),
        ("-5", "-5"),
        ("+1.5e3", "+1.5e3"),
        ("-", "'-"),
        ("-1-1", "'-1-1"),
        (True, "true"),
        (False, "false"),
        (None, ""),
        ({"a": "ä"}, '{"a":"ä"}'),
        ("plain", "plain"),
        ("'=1", "'=1"),
    ],
)
def test_numbers_stay_numbers(value: object, expected: object) -> None:
    assert cell(value) == expected


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        sample = Sample(rows=rows, variations=("default",), inputs=lambda row: {"question": "x" * 500})
        results = read_results(sample.write(tmp_path / str(rows)))
        tracemalloc.start()
        try:
            write_results(tmp_path / "results.csv", results)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    small, large = peak(100), peak(3000)
    assert large < small + 150_000
