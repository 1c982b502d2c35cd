"""The work folder: whole files or none, one worker at a time, and the way out of what cannot be read."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops_actions.errors import PlatformError, UsageError
from llmops_actions.platforms.local.records import RowError, RowRecord
from llmops_actions.work_folder import (
    DatasetRecord,
    Document,
    ErrorRecord,
    PlanDocument,
    RowDocument,
    ScoreDocument,
    WorkFolder,
    atomic_writer,
    folder_name,
    read_document,
    read_lines,
    write_document,
    write_lines,
)

PLAN = PlanDocument(
    experiment="ü",
    environment=None,
    flow="flows/x",
    variations=(),
    datasets=(DatasetRecord(name="d", source="d.jsonl", rows=1, sha256="00"),),
    evaluators=(),
    runs=(),
    rows=0,
    model_calls=0,
    cost=float("inf"),
)


class Small(Document):
    """A document for tests."""

    text: str


def test_a_document_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "plan.json"
    write_document(file, PLAN)
    assert read_document(file, PlanDocument) == PLAN.model_copy(update={"cost": None})
    assert json.loads(file.read_text(encoding="utf-8"))["schema_version"] == 1


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_files_have_the_modes_that_the_user_wants(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_document(tmp_path / "a.json", Small(text="x"))
        write_lines(tmp_path / "b.jsonl", [Small(text="x")])
    finally:
        os.umask(before)
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~mask


def test_an_exception_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_document(file, Small(text="old"))

    def documents() -> Any:
        yield Small(text="new")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_lines(file, documents())
    assert read_document(file, Small).text == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


def test_a_crash_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    write_document(file, Small(text="old"))
    crash = (
        "import os, sys; from pathlib import Path; from llmops_actions.work_folder import atomic_writer\n"
        "with atomic_writer(Path(sys.argv[1])) as stream:\n"
        "    stream.write('new' * 100_000); stream.flush(); os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", crash, str(file)], check=False)
    assert done.returncode == -9
    assert read_document(file, Small).text == "old"
    left = [each.name for each in tmp_path.iterdir() if each != file]
    assert len(left) == 1
    assert left[0].startswith(".")
    assert left[0].endswith(".tmp")


def test_readers_see_the_whole_file_only(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    with atomic_writer(file) as stream:
        stream.write("half")
        stream.flush()
        assert not file.exists()
    assert file.read_text(encoding="utf-8") == "half"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "The file is damaged: Expecting value"),
        (b'{"schema_version": 1, "text": "x"', "The file is damaged: Expecting"),
        (b"\xff\xfe", "The file is damaged: "),
        (b"[" * 100_000, "The file is damaged: "),
        (b"[]", "The file is damaged: it: Input should be"),
        (b'{"schema_version": 1}', "The file is damaged: text: Field required"),
        (b'{"text": NaN}', "The file is damaged: NaN is no number of JSON"),
        (b'{"schema_version": 2, "text": "x"}', "The file has schema version 2; this llmops reads version 1. Use the "),
        (b'{"schema_version": "one"}', "remove the work folder and run the steps again"),
    ],
)
def test_what_cannot_be_read_says_the_way_out(tmp_path: Path, content: bytes, text: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(PlatformError) as caught:
        read_document(file, Small)
    assert text in caught.value.message
    assert str(caught.value).startswith(str(file))
    assert "again" in caught.value.message


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match=r"The file is missing\. Run the step again that writes it\."):
        read_document(tmp_path / "x.json", Small)


def test_documents_of_later_minor_versions_may_have_more(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"schema_version": 1, "text": "x", "more": 1}', encoding="utf-8")
    assert read_document(file, Small) == Small(text="x")


def test_lines_survive_what_models_write(tmp_path: Path) -> None:
    texts = ["a\nb", "\u2028", "half a pair \ud83d", "😀", "\x00", '"']
    write_lines(tmp_path / "x.jsonl", [Small(text=text) for text in texts])
    content = (tmp_path / "x.jsonl").read_bytes()
    assert content.isascii()
    assert content.count(b"\n") == len(texts)
    assert [each.text for each in read_lines(tmp_path / "x.jsonl", Small)] == texts


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"text": "a"}\n{"text": \n', encoding="utf-8")
    with pytest.raises(PlatformError) as caught:
        list(read_lines(file, Small))
    assert str(caught.value).startswith(f"{file}:2: The file is damaged")


def test_rows_are_read_as_the_runner_writes_them(tmp_path: Path) -> None:
    record = RowRecord(
        line=3,
        key="k",
        inputs=b'{"q": 1}',
        outputs={"a": [1, None, True]},
        usage={"gpt": (1, 2, 3)},
        cost=None,
        duration=1.23456,
        attempts=2,
    )
    failed = RowRecord(line=4, key="k", inputs=b"{}", error=RowError("TypeError", "no", "node"))
    (tmp_path / "rows.jsonl").write_bytes(record.encode() + failed.encode())
    first, second = read_lines(tmp_path / "rows.jsonl", RowDocument)
    assert (first.line, first.inputs, first.outputs, first.cost, first.attempts) == (
        3,
        {"q": 1},
        {"a": [1, None, True]},
        None,
        2,
    )
    assert first.usage["gpt"].completion_tokens == 3
    assert (second.status, second.error) == ("failed", ErrorRecord(type="TypeError", message="no", node="node"))
    assert {field.name for field in fields(RowRecord)} | {"schema_version", "status"} == set(RowDocument.model_fields)
    assert {field.name for field in fields(RowError)} == set(ErrorRecord.model_fields)
    assert set(json.loads(record.encode())) == set(RowDocument.model_fields)


def test_scores_keep_their_types(tmp_path: Path) -> None:
    scores = {"right": True, "stars": 4, "share": 0.5, "wrong": False, "none": 0}
    document = ScoreDocument(line=0, key="k", status="completed", scores=scores, outputs=None, error=None)
    write_lines(tmp_path / "x.jsonl", [document])
    [back] = read_lines(tmp_path / "x.jsonl", ScoreDocument)
    assert [type(value) for value in back.scores.values()] == [bool, int, float, bool, int]


def test_one_worker_at_a_time(tmp_path: Path) -> None:
    folder = WorkFolder.of(tmp_path, "x", None)
    with folder.locked(), pytest.raises(UsageError, match="Another llmops works in"), folder.locked():
        pass
    with folder.locked():
        assert (folder.root / ".lock").exists()


def test_git_passes_over_the_folder_and_an_edited_gitignore_stays(tmp_path: Path) -> None:
    folder = WorkFolder.of(tmp_path, "support", None)
    with folder.locked():
        folder.run("train.default").mkdir(parents=True)
        folder.rows("train.default").write_text("secret data\n", encoding="utf-8")
    git = ("git", "-C", str(tmp_path))
    subprocess.run([*git, "init", "-q"], check=True)
    status = subprocess.run([*git, "status", "--porcelain"], check=True, capture_output=True, text=True)
    assert status.stdout == ""
    (folder.root / ".gitignore").write_text("rows.jsonl\n", encoding="utf-8")
    with folder.locked():
        assert (folder.root / ".gitignore").read_text(encoding="utf-8") == "rows.jsonl\n"


def test_a_killed_worker_holds_no_lock(tmp_path: Path) -> None:
    folder = WorkFolder.of(tmp_path, "x", "pr")
    hold = (
        "import sys, time; from pathlib import Path; from llmops_actions.work_folder import WorkFolder\n"
        "with WorkFolder(Path(sys.argv[1])).locked():\n    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(folder.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(UsageError), folder.locked():
            pass
        child.kill()
        child.wait()
    with folder.locked():
        pass


def test_where_things_are(tmp_path: Path) -> None:
    folder = WorkFolder.of(tmp_path, "support", "pr")
    assert folder.root == tmp_path / "support" / "pr"
    assert WorkFolder.of(tmp_path, "support", None).root == tmp_path / "support" / "base"
    assert folder.plan == folder.root / "plan.json"
    assert folder.metrics == folder.root / "metrics.json"
    assert folder.run_document("r") == folder.root / "runs/r/run.json"
    assert folder.rows("r") == folder.root / "runs/r/rows.jsonl"
    assert folder.scores("e", "r") == folder.root / "scores/e/r.jsonl"
    assert folder.evaluation_run("e", "r") == folder.root / "scores/e/r.run"


@given(st.text(min_size=1, max_size=400))
def test_any_name_is_fit_for_a_folder(name: str) -> None:
    safe = folder_name(name)
    assert safe.isascii()
    assert 0 < len(safe) <= 100
    assert not set(safe) & set('/\\:*?"<>|\0 ')
    assert safe[0] not in ".-"
    assert folder_name(safe) == safe


def test_names_that_look_alike_are_told_apart() -> None:
    names = ["über", "öber", "a/b", "a-b", "..", ".", "😀", "🎉", "x" * 101, "x" * 102, "\ud800", "\ud801"]
    assert len({folder_name(name) for name in names}) == len(names)
    assert folder_name("web_classification") == "web_classification"
