"""Records, the file of rows, what aggregation keeps, and the frames between processes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llmops_actions.platforms.local import aggregation
from llmops_actions.platforms.local.executors.protocol import NOTHING
from llmops_actions.platforms.local.messages import Decoder, Message, Ready, RowEnded, RunRow, encode
from llmops_actions.platforms.local.records import RowError, RowRecord
from llmops_actions.platforms.local.rows_file import RowsFile


def record(line: int, error: RowError | None = None, **more: Any) -> RowRecord:
    outputs = None if error else {"answer": line}
    return RowRecord(line, f"key-{line}", b'{"a": 1}', outputs, error, **more)


def append(rows: RowsFile, line: int, error: RowError | None = None) -> None:
    usage = {"gpt": (1, 10, 5)}
    rows.append(line, record(line, error, usage=usage, attempts=2).encode(), error is not None, 2, usage)


def lines_of(folder: Path) -> list[int]:
    return [json.loads(text)["line"] for text in (folder / "rows.jsonl").read_text().splitlines()]


def resume(folder: Path, count: int, retry_failed: bool = False) -> RowsFile:
    return RowsFile.resume(folder, count, retry_failed, lambda _: True)


def test_record_is_the_documented_object() -> None:
    usage = {"gpt-35-turbo": (1, 12, 3)}
    whole = RowRecord(7, "k", b'{"q": "?"}', {"a": "é\u2028"}, None, usage, 0.5, 1.23456, 2).encode()
    assert whole.isascii()
    assert whole.count(b"\n") == 1
    assert json.loads(whole) == {
        "schema_version": 1,
        "line": 7,
        "key": "k",
        "status": "completed",
        "inputs": {"q": "?"},
        "outputs": {"a": "é\u2028"},
        "error": None,
        "usage": {"gpt-35-turbo": {"calls": 1, "prompt_tokens": 12, "completion_tokens": 3}},
        "cost": 0.5,
        "duration": 1.2346,
        "attempts": 2,
    }


def test_record_of_a_failed_row() -> None:
    whole = json.loads(record(1, RowError("ValueError", "x" * 9000, "node")).encode())
    assert (whole["status"], whole["outputs"]) == ("failed", None)
    assert whole["error"]["type"] == "ValueError"
    assert whole["error"]["node"] == "node"
    assert whole["error"]["message"].endswith("(9000 characters)")
    assert len(whole["error"]["message"]) < 8100


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), {1, 2}, {(1, 2): 3}, b"bytes"])
def test_record_refuses_what_is_not_json(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        RowRecord(0, "", b"{}", {"a": value}).encode()


def test_lone_surrogates_survive() -> None:
    assert json.loads(RowRecord(0, "", b"{}", {"a": "\ud83d"}).encode())["outputs"]["a"] == "\ud83d"


def test_rows_are_there_at_once_and_in_order_at_the_end(tmp_path: Path) -> None:
    rows = RowsFile.start(tmp_path, 4)
    for line in (2, 0, 3):
        append(rows, line)
        assert lines_of(tmp_path)[-1] == line
    append(rows, 1, RowError("E", "m"))
    assert rows.has_ended(1)
    assert not rows.has_ended(4)
    rows.finish()
    assert lines_of(tmp_path) == [0, 1, 2, 3]
    assert (rows.totals.completed, rows.totals.failed, rows.totals.attempts) == (3, 1, 8)
    assert rows.totals.usage == {"gpt": (4, 40, 20)}
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_more_rows_than_announced(tmp_path: Path) -> None:
    rows = RowsFile.start(tmp_path, 1)
    for line in (5, 0):
        append(rows, line)
    rows.finish()
    assert lines_of(tmp_path) == [0, 5]


def test_resume_keeps_what_is_whole(tmp_path: Path) -> None:
    rows = RowsFile.start(tmp_path, 4)
    for line in (3, 0):
        append(rows, line)
    append(rows, 1, RowError("E", "m"))
    rows.close()
    with (tmp_path / "rows.jsonl").open("ab") as file:
        file.write(record(2).encode()[:-5])
    again = resume(tmp_path, 4)
    assert [again.has_ended(line) for line in range(4)] == [True, True, False, True]
    assert (again.totals.completed, again.totals.failed) == (2, 1)
    append(again, 2)
    again.finish()
    assert lines_of(tmp_path) == [0, 1, 2, 3]


def test_resume_tries_again_what_was_not_the_rows_fault(tmp_path: Path) -> None:
    rows = RowsFile.start(tmp_path, 3)
    append(rows, 0, RowError("RunTimeout", "m"))
    append(rows, 1, RowError("ValueError", "m"))
    append(rows, 2)
    rows.finish()
    again = resume(tmp_path, 3)
    assert [again.has_ended(line) for line in range(3)] == [False, True, True]
    again.close()
    again = resume(tmp_path, 3, retry_failed=True)
    assert [again.has_ended(line) for line in range(3)] == [False, False, True]
    append(again, 1)
    append(again, 0)
    again.finish()
    assert lines_of(tmp_path) == [0, 1, 2]
    final = resume(tmp_path, 3)
    assert (final.totals.completed, final.totals.failed) == (3, 0)
    final.close()


def test_resume_takes_the_last_of_two(tmp_path: Path) -> None:
    rows = RowsFile.start(tmp_path, 1)
    append(rows, 0, RowError("ValueError", "m"))
    append(rows, 0)
    rows.close()
    again = resume(tmp_path, 1)
    assert (again.totals.completed, again.totals.failed) == (1, 0)
    again.finish()
    assert lines_of(tmp_path) == [0]


@pytest.mark.parametrize("bad", [b"not json\n", b"[]\n", b'{"line": -1}\n', b'{"line": "x", "status": "failed"}\n'])
def test_resume_leaves_out_what_is_no_record(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "rows.jsonl").write_bytes(bad + record(0).encode())
    rows = resume(tmp_path, 1)
    assert rows.totals.completed == 1
    rows.finish()
    assert (tmp_path / "rows.jsonl").read_bytes() == record(0).encode()


@dataclass(frozen=True)
class Answer:
    value: int


@pytest.mark.parametrize(
    ("value", "packed_as"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, "json"),
        (None, "json"),
        ("text", "json"),
        ((1, 2), "pickle"),
        (Answer(3), "pickle"),
        ({"a": math.nan}, "pickle"),
        ({1: "x"}, "pickle"),
    ],
)
def test_aggregation_gets_back_what_it_was_given(tmp_path: Path, value: object, packed_as: str) -> None:
    packed, how = aggregation.pack(value)
    assert how == packed_as
    assert b"\n" not in packed
    spool, private = tmp_path / "spool", tmp_path / "private"
    for line in (1, 0):
        for_spool, for_private = aggregation.spool_line(line, packed, how)
        with spool.open("ab") as file:
            file.write(for_spool)
        if for_private:
            with private.open("ab") as file:
                file.write(for_private)
    assert repr(list(aggregation.read(spool, private))) == repr([value, value])
    assert private.exists() == (packed_as == "pickle"), "a pickle never goes where it may be read from later"


def test_aggregation_of_nothing(tmp_path: Path) -> None:
    assert aggregation.pack(NOTHING) == (b"", "none")
    assert list(aggregation.read(tmp_path / "a", tmp_path / "b")) == []


def test_metrics_are_finite_numbers() -> None:
    values = {"good": 1, "true": True, "text": "0.5", "nan": math.nan, "none": None}
    metrics, notes = aggregation.finite_metrics(values)
    assert metrics == {"good": 1.0, "true": 1.0, "text": 0.5}
    assert notes == ["metric nan is nan: left out", "metric none is not a number (NoneType): left out"]


def test_frames_survive_any_cut() -> None:
    sent: list[Message] = [
        RunRow(1, 2, "key", payload=b'{"a": 1}'),
        Ready(),
        RowEnded(0, 1, True, {"m": (1, 2, 3)}, {"h": (1, 2)}, 1, 0.5, 3, payload=b"abc" * 1000),
    ]
    stream = b"".join(encode(message) for message in sent)
    for size in (1, 7, 1000, len(stream)):
        decoder = Decoder()
        got = [
            message for start in range(0, len(stream), size) for message in decoder.feed(stream[start : start + size])
        ]
        assert [encode(message) for message in got] == [encode(message) for message in sent]
        assert [message.payload for message in got] == [message.payload for message in sent]
