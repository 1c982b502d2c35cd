"""Datasets: rows with the line they start in, and errors that say which line is to blame."""

from __future__ import annotations

import json
import os
import sys
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.datasets import PARQUET_ROWS, read_rows


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
    import pyarrow

    rows = read_parquet(
        tmp_path,
        {
            "float": [0.1 + 0.2, float("nan")],
            "integer": pyarrow.array([2**60 + 1, None]),
            "text": ["x\u2028y\nz", None],
            "truth": [True, None],
            "price": [Decimal("1.10"), None],
            "day": [date(2026, 1, 2), None],
            "moment": [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone.utc), None],
            "tags": [["a", "b"], None],
            "nested": [{"n": Decimal(2), "at": time(1, 2)}, None],
        },
    )
    assert rows[0] == (
        1,
        {
            "float": 0.1 + 0.2,
            "integer": 2**60 + 1,
            "text": "x\u2028y\nz",
            "truth": True,
            "price": "1.10",
            "day": "2026-01-02",
            "moment": "2026-01-02T03:04:05.000006+00:00",
            "tags": ["a", "b"],
            "nested": {"n": "2", "at": "01:02:00"},
        },
    )
    assert rows[1] == (2, dict.fromkeys(rows[0][1]))
    json.dumps(rows, allow_nan=False)


def read_parquet(folder: Path, columns: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), folder / "a.parquet")
    return list(read_rows(folder / "a.parquet"))


def test_parquet_of_pandas_comes_without_its_index(tmp_path: Path) -> None:
    import pandas

    frame = pandas.DataFrame({"a": [1, 2, 3], "at": pandas.to_datetime(["2026-01-02"] * 3)})
    frame[frame["a"] > 1].to_parquet(tmp_path / "a.parquet")
    rows = [{"a": 2, "at": "2026-01-02T00:00:00"}, {"a": 3, "at": "2026-01-02T00:00:00"}]
    assert list(read_rows(tmp_path / "a.parquet")) == list(enumerate(rows, 1))


def test_parquet_is_read_batch_by_batch(tmp_path: Path) -> None:
    count = 3 * PARQUET_ROWS + 1
    rows = read_parquet(tmp_path, {"n": list(range(count))})
    assert rows == [(number + 1, {"n": number}) for number in range(count)]


def test_parquet_that_json_cannot_hold(tmp_path: Path) -> None:
    for value, kind in ((b"x", "bytes"), ([{"deep": b"x"}], "bytes"), (timedelta(1), "timedelta")):
        with pytest.raises(ExperimentError, match=rf"a\.parquet:2: The column `raw` holds {kind}, which JSON cannot"):
            read_parquet(tmp_path, {"raw": [None, value]})


def test_parquet_with_a_column_twice(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table([[1], [2]], names=["a", "a"])
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ExperimentError, match="`a` stands twice"):
        list(read_rows(tmp_path / "a.parquet"))


def test_parquet_that_is_none(tmp_path: Path) -> None:
    assert "Not a valid Parquet file" in refused(tmp_path, "a.parquet", b"no parquet")


def test_parquet_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
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
