"""Fingerprints: the same content is the same thing, whatever the order, the line ends or the caches beside it."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from tests.unit.experiment_files import write

from llmops_actions.experiment import fingerprint
from llmops_actions.experiment.fingerprint import canonical, folder_files, of_files, of_folder, of_value, row_key


def test_values() -> None:
    assert of_value({"a": 1, "b": [2.5, None]}) == of_value({"b": [2.5, None], "a": 1})
    assert len({of_value(value) for value in (1, "1", True, 1.5, None, [1], {"a": 1}, {"a": "1"})}) == 8
    assert canonical({"é": datetime.date(2026, 1, 2)}) == b'{"\\u00e9":"2026-01-02"}'
    assert of_value("\ud800") != of_value("\ud801")


def test_rows_are_named_by_their_content() -> None:
    assert row_key({"a": 1, "b": 2}) == row_key({"b": 2, "a": 1}) != row_key({"a": 2, "b": 1})
    assert len(row_key({})) == 16


def test_line_ends_do_not_count_and_names_do(tmp_path: Path) -> None:
    write(tmp_path, {"a": b"x\r\ny\r\n", "b": b"x\ny\n", "c": b"x\r\ny\0", "d": b"x\ny\0", "e": b"x\ry"})
    assert of_files([("f", tmp_path / "a")]) == of_files([("f", tmp_path / "b")])
    assert of_files([("f", tmp_path / "a")]) != of_files([("g", tmp_path / "a")])
    assert of_files([("f", tmp_path / "c")]) != of_files([("f", tmp_path / "d")])
    assert of_files([("f", tmp_path / "e")]) != of_files([("f", tmp_path / "b")])


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
def test_pieces_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    write(tmp_path, {"a": b"x\r\ny\r\rz\r\n\r", "b": b"x\ny\r\rz\n\r"})
    whole = of_files([("f", tmp_path / "b")])
    monkeypatch.setattr(fingerprint, "_PIECE", piece)
    assert of_files([("f", tmp_path / "a")]) == of_files([("f", tmp_path / "b")]) == whole


def test_content_does_not_move_between_files(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"x": "12", "y": "3"})
    second = write(tmp_path / "b", {"x": "1", "y": "23"})
    assert of_folder(first) != of_folder(second)


def test_caches_and_secrets_do_not_count(tmp_path: Path) -> None:
    folder = write(tmp_path, {"flow.dag.yaml": "nodes: []", "deep/a.py": "x"})
    before = of_folder(folder)
    write(
        folder,
        {
            "__pycache__/a.pyc": "1",
            ".promptflow/x": "1",
            ".git/x": "1",
            ".env": "SECRET=1",
            "deep/.DS_Store": "1",
            "run.log": "1",
            "a.pyc": "1",
        },
    )
    assert of_folder(folder) == before
    write(folder, {"deep/b.py": ""})
    assert of_folder(folder) != before


def test_includes_stand_beside_the_flow(tmp_path: Path) -> None:
    write(tmp_path, {"flow/a.py": "", "shared/b.py": "", "shared/deep/c.py": "", "one.py": ""})
    found = folder_files(tmp_path / "flow", [tmp_path / "shared", tmp_path / "one.py"])
    assert [name for name, _ in found] == ["a.py", "shared/b.py", "shared/deep/c.py", "one.py"]


def test_links_to_folders_end(tmp_path: Path) -> None:
    folder = write(tmp_path / "flow", {"a.py": "", "deep/b.py": ""})
    write(tmp_path, {"shared/c.py": ""})
    (folder / "self").symlink_to(folder)
    (folder / "root").symlink_to("/")
    (folder / "deep" / "up").symlink_to(folder)
    (folder / "shared").symlink_to(tmp_path / "shared")
    (folder / "broken").symlink_to(tmp_path / "none")
    assert [name for name, _ in folder_files(folder)] == ["a.py", "deep/b.py", "shared/c.py"]


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9")).write_text("x")
    assert len(of_folder(tmp_path)) == 64
