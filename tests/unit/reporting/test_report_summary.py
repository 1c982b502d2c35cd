"""``summary.md``: golden files, a limit that always holds, and nothing in it that GitHub would act on."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.unit.reporting.folders import RowFailsError, Sample, read, write_comparison, write_verdict
from tests.unit.reporting.hostile import HOSTILE

from llmops_actions.reporting.summary import Subject, literal, summarise
from llmops_actions.work_folder import RunDocument, WorkFolder, read_document, write_document

GOLDEN = Path(__file__).parents[2] / "data" / "report"


def subject(folder: WorkFolder, top: int = 10) -> Subject:
    found = read(folder, top=top)
    return Subject(found.results, found.facts, found.pairing, found.overview, "abc")


def with_everything(root: Path) -> WorkFolder:
    folder = Sample(datasets=("train", "hard"), logged={"accuracy": 0.67}).write(root)
    write_verdict(folder)
    write_comparison(folder)
    return folder


def with_nothing_but_rows(root: Path) -> WorkFolder:
    def answer(variation: str, row: int) -> Mapping[str, Any]:
        if row == 1:
            raise RowFailsError("It broke.")
        return {"answer": "Because"}

    folder = Sample(variations=("default",), answer=answer).write(root)
    folder.metrics.unlink()
    document = read_document(folder.run_document("train.default"), RunDocument)
    write_document(folder.run_document("train.default"), document.model_copy(update={"cost": None, "offline": True}))
    return folder


def without_a_baseline(root: Path) -> WorkFolder:
    folder = Sample().write(root)
    write_verdict(folder, baseline=None, gates=(), verdict="inconclusive", reason="There is nothing to decide by.")
    write_comparison(folder, comparisons=())
    return folder


@pytest.mark.parametrize("build", [with_everything, with_nothing_but_rows, without_a_baseline])
def test_the_summary_is_the_golden_one(tmp_path: Path, build: Any) -> None:
    written = summarise(subject(build(tmp_path)), 65_000)
    assert written == (GOLDEN / f"{build.__name__}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", [200, 400, 1000, 2000, 4000, 8000, 20_000, 65_000])
def test_the_limit_holds_and_the_verdict_stays(tmp_path: Path, limit: int) -> None:
    names = [f"{'long-name-' * 9}{number}" for number in range(12)]
    texts = list(HOSTILE.values())
    sample = Sample(
        rows=len(texts),
        variations=names,
        answer=lambda variation, row: {"answer": texts[row] * (variation != names[0])},
    )
    folder = sample.write(tmp_path)
    gates = read(with_everything(tmp_path / "other")).results.verdict
    assert gates is not None
    write_verdict(folder, variation=names[1], gates=gates.gates * 40)
    written = summarise(subject(folder), limit)
    assert len(written) <= limit
    assert written.startswith("## support")
    assert ": failed" in written[:100]


def test_a_name_that_is_all_marks_does_not_push_the_verdict_out(tmp_path: Path) -> None:
    folder = Sample(variations=("default",)).write(tmp_path)
    write_verdict(folder, verdict="inconclusive", reason="@" * 500)
    found = subject(folder)
    results = dataclasses.replace(found.results, experiment="@" * 500, environment="_" * 64)
    written = summarise(dataclasses.replace(found, results=results), 200)
    assert len(written) <= 200
    assert written.endswith(": inconclusive")


def test_more_room_shows_more(tmp_path: Path) -> None:
    texts = [f"{'word ' * 80}{number}" for number in range(40)]
    sample = Sample(rows=40, inputs=lambda row: {"question": texts[row]})
    found = subject(sample.write(tmp_path), top=40)
    lengths = [len(summarise(found, limit)) for limit in (200, 500, 2000, 5000, 10_000, 20_000, 40_000)]
    assert lengths == sorted(lengths)
    assert len(set(lengths)) >= 5


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    found = subject(Sample(rows=60).write(tmp_path), top=3)
    assert "### Regressed rows: 20" in summarise(found, 65_000)
    assert "17 more regressed rows are in the report." in summarise(found, 65_000)
    none = subject(Sample(rows=60).write(tmp_path), top=0)
    assert "### Regressed rows: 20\n\n20 more regressed rows are in the report." in summarise(none, 65_000)


def tokens(written: str) -> list[Token]:
    found = []
    for token in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(written):
        found += [token, *(token.children or [])]
    return found


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_stays_text_wherever_it_stands(tmp_path: Path, text: str) -> None:
    def answer(variation: str, row: int) -> Mapping[str, Any]:
        return {"answer": text, "right": variation == "default"}

    def grade(variation: str, row: int, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"correct": outputs["right"]}

    folder = Sample(rows=2, answer=answer, grade=grade, inputs=lambda row: {"question": text}).write(tmp_path)
    sayable = text.encode("utf-8", "replace").decode()
    write_verdict(folder, reason=sayable, baseline=sayable)
    written = summarise(subject(folder), 65_000)
    harmless_folder = Sample(rows=2, answer=lambda v, r: {"answer": "x", "right": v == "default"}, grade=grade).write(
        tmp_path / "harmless"
    )
    write_verdict(harmless_folder, reason="x", baseline="x")
    harmless = summarise(subject(harmless_folder), 65_000)
    found, expected = tokens(written), tokens(harmless)
    kinds = {token.type for token in found}
    assert kinds <= {token.type for token in expected} | {"text_special"}
    for kind in ("tr_open", "td_open", "heading_open", "table_open"):
        assert sum(token.type == kind for token in found) == sum(token.type == kind for token in expected)
    for token in found:
        if token.type.startswith("text"):
            assert not re.search(r"@\w", token.content)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_rendered_notices_nobody(text: str) -> None:
    rendered = MarkdownIt("commonmark").render(f"start {literal(text, 5000)} end")
    visible = re.sub(r"<[^>]*>", "", rendered)
    assert not re.search(r"(?<!&)[@#]\w", visible.replace("&#x27;", ""))
    assert set(re.findall(r"<(\w+)", rendered)) <= {"p"}
