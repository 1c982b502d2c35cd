"""Datasets: rows with the line they start in, and errors that say which line is to blame."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.datasets import read_rows


def read(tmp_path: Path, name: str, content: str | bytes) -> list[tuple[int, dict[str, Any]]]:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_rows(file))


def refused(tmp_path: Path, name: str, content: str | bytes) -> str:
    with pytest.raises(ExperimentError) as raised:
        read(tmp_path, name, content)
    assert raised.value.location is not None
    return str(raised.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "A.JSONL"])
def test_jsonl(tmp_path: Path, name: str) -> None:
    text = '\ufeff{"a": 1, "b": "é\u2028x"}\r\n\n  \n{"a": [2.0, null]}'
    assert read(tmp_path, name, text) == [(1, {"a": 1, "b": "é\u2028x"}), (4, {"a": [2.0, None]})]


def test_an_empty_jsonl_has_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "a.jsonl", "") == []


def test_jsonl_that_is_none(tmp_path: Path) -> None:
    assert refused(tmp_path, "a.jsonl", '{"a": 1}\n{"a" 2}\n') == (
        "a.jsonl:2:6: Not valid JSON: Expecting ':' delimiter."
    )
    assert "a.jsonl:1: A row is an object with columns, not list." in refused(tmp_path, "a.jsonl", "[1]\n")
    assert "a.jsonl:1: Not valid JSON: nested too deeply" in refused(tmp_path, "a.jsonl", "[" * 100_000)
    assert "a.jsonl:1: Not valid JSON" in refused(tmp_path, "a.jsonl", "9" * 5000)
    assert refused(tmp_path, "a.jsonl", b'{"a": 1}\n{"a": "\xff"}').startswith("a.jsonl:2: Not UTF-8 (byte 0xff)")


def test_json(tmp_path: Path) -> None:
    assert read(tmp_path, "a.json", '[{"a": 1}, {"a": 2}]') == [(1, {"a": 1}), (1, {"a": 2})]
    assert "a list of objects" in refused(tmp_path, "a.json", '{"a": 1}')
    assert refused(tmp_path, "a.json", '[{"a": 1},\n {"a" 1}]').startswith("a.json:2:7: Not valid JSON")
    assert refused(tmp_path, "a.json", b'[\n"\xff"]').startswith("a.json:2: Not UTF-8")


def test_csv_is_text_as_prompt_flow_reads_it(tmp_path: Path) -> None:
    text = '\ufeffid,text,n\r\n007,"a ""quoted"", b\nand a second line",1.50\r\n\r\n8,,true\r\n'
    assert read(tmp_path, "a.csv", text) == [
        (2, {"id": "007", "text": 'a "quoted", b\nand a second line', "n": "1.50"}),
        (5, {"id": "8", "text": "", "n": "true"}),
    ]


def test_tsv(tmp_path: Path) -> None:
    assert read(tmp_path, "a.tsv", "a\tb\n1,2\tx\n") == [(2, {"a": "1,2", "b": "x"})]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.csv:1: The table has no header line."),
        ("a,b,a\n", "a.csv:1: The column `a` stands twice in the header."),
        ("a,b\n1,2\n\n1\n", "a.csv:4: The row has 1 fields, the header has 2."),
        ('a,b\n"1\n2",3\n1,2,3\n', "a.csv:4: The row has 3 fields, the header has 2."),
        ('a,b\n"1"x,2\n', "a.csv:2: Not a valid table: "),
        ('a,b\n1,"open\n', "a.csv:2: Not a valid table: "),
        (b"a,b\n1,2\n\xff,2\n", "a.csv:3: Not UTF-8 (byte 0xff). Save the file as UTF-8."),
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert refused(tmp_path, "a.csv", text).startswith(expected)


def test_parquet(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"a": [0.1234567890123, 2.0], "b": ["x\u2028y\nz", None]})
    frame["day"] = pandas.to_datetime(["2026-01-02", "2026-01-03"])
    frame.to_parquet(tmp_path / "a.parquet")
    rows = list(read_rows(tmp_path / "a.parquet"))
    assert [(number, row["a"], row["b"]) for number, row in rows] == [
        (1, 0.1234567890123, "x\u2028y\nz"),
        (2, 2.0, None),
    ]
    assert rows[0][1]["day"].startswith("2026-01-02")


def test_parquet_that_is_none(tmp_path: Path) -> None:
    assert "Not a valid Parquet file" in refused(tmp_path, "a.parquet", b"no parquet")


def test_parquet_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pandas

    def missing(file: Path) -> None:
        raise ImportError("pyarrow")

    monkeypatch.setattr(pandas, "read_parquet", missing)
    assert "llmops-actions[parquet]" in refused(tmp_path, "a.parquet", b"")


def test_other_files(tmp_path: Path) -> None:
    assert "A `.txt` file is no dataset; known are .csv, .json" in refused(tmp_path, "a.txt", "")
    with pytest.raises(ExperimentError, match="does not exist or is not a file"):
        read_rows(tmp_path / "none.jsonl")
    with pytest.raises(ExperimentError, match="does not exist or is not a file"):
        read_rows(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
def test_a_file_that_goes_away(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("[]")
    rows = read_rows(file)
    file.unlink()
    with pytest.raises(ExperimentError, match="Cannot read the dataset: No such file"):
        list(rows)


def test_rows_are_read_one_after_another(tmp_path: Path) -> None:
    pipe = tmp_path / "rows.jsonl"
    pipe.write_text(json.dumps({"a": 1}) + "\nbroken\n")
    rows = read_rows(pipe)
    assert next(rows) == (1, {"a": 1})
    with pytest.raises(ExperimentError):
        next(rows)


def test_a_row_as_long_as_a_book(tmp_path: Path) -> None:
    text = "word " * 200_000
    [(_, row)] = read(tmp_path, "a.csv", f'a{os.linesep}"{text}"')
    assert row == {"a": text}
