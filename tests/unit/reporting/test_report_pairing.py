"""How rows stand: which two sides are compared, row by row, and what counts as a regression."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.reporting.folders import RowFailsError, Sample, read, write_comparison, write_verdict

from llmops_actions.evaluation.series import RunScores, ScoreSeries, SeriesRow
from llmops_actions.reporting.facts import gather
from llmops_actions.reporting.overview import answer_text, overview
from llmops_actions.reporting.pairing import groups, make_pairing, standing
from llmops_actions.reporting.results import Answer, read_baseline, read_results
from llmops_actions.work_folder import RowDocument, RunDocument, read_document, write_document


def made(outputs: Mapping[str, Any] | None, **scores: bool | float) -> Answer:
    row = RowDocument(
        line=0,
        key="k",
        status="failed" if outputs is None else "completed",
        inputs={},
        outputs=outputs,
        error=None,
        usage={},
        cost=None,
        duration=0,
        attempts=1,
    )
    return Answer(row, scores, {})


RIGHT, WRONG, FAILED = made({"a": 1}, s=True), made({"a": 2}, s=False), made(None)
KEPT = Answer(None, {"s": True}, {})


@pytest.mark.parametrize(
    ("candidate", "reference", "expected"),
    [
        (RIGHT, RIGHT, "same"),
        (made({"a": 3}, s=True), RIGHT, "changed"),
        (WRONG, RIGHT, "regressed"),
        (RIGHT, WRONG, "improved"),
        (FAILED, RIGHT, "regressed"),
        (FAILED, FAILED, "failed"),
        (RIGHT, FAILED, "improved"),
        (WRONG, FAILED, "improved"),
        (made({"a": 1}, s=0.4, t=0.9), made({"a": 1}, s=0.5, t=0.1), "regressed"),
        (made({"a": 1}, s=0.5, other=0.1), made({"a": 1}, s=0.5, other=0.9), "same"),
        (made({"a": 1}), RIGHT, "same"),
        (RIGHT, KEPT, "same"),
        (WRONG, KEPT, "regressed"),
        (RIGHT, None, "completed"),
        (WRONG, None, "wrong"),
        (FAILED, None, "failed"),
        (None, RIGHT, None),
    ],
)
def test_how_a_row_stands(candidate: Answer | None, reference: Answer | None, expected: str | None) -> None:
    assert standing(candidate, reference, ("s", "t")) == expected


def sides(found: Any) -> tuple[str, str | None]:
    pairing = found.pairing
    reference = pairing.sides[pairing.reference].label if pairing.reference is not None else None
    return pairing.sides[pairing.candidate].label, reference


def test_another_variation_is_compared_with_the_default(tmp_path: Path) -> None:
    assert sides(read(Sample(variations=("default", "a", "b")).write(tmp_path))) == ("a", "default")


def test_the_best_variation_is_compared_with_the_default(tmp_path: Path) -> None:
    folder = Sample(variations=("default", "a", "brief")).write(tmp_path)
    write_comparison(folder)
    assert sides(read(folder)) == ("brief", "default")


def test_a_gated_variation_is_compared_with_the_baseline(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder)
    assert sides(read(folder)) == ("brief", "baseline")


def test_the_gated_default_is_compared_with_the_baseline(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    write_verdict(folder, variation="default")
    assert sides(read(folder)) == ("default", "baseline")


def test_a_gated_default_without_a_baseline_leaves_the_place_to_the_best(tmp_path: Path) -> None:
    folder = Sample(variations=("default", "a", "brief")).write(tmp_path)
    write_verdict(folder, baseline=None, variation="default")
    write_comparison(folder)
    assert sides(read(folder)) == ("brief", "default")


def test_one_variation_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    found = read(Sample(variations=("default",)).write(tmp_path))
    assert sides(found) == ("default", None)
    assert found.overview.counts == {"wrong": 2, "completed": 4}


def test_boolean_scores_are_watched_and_those_that_are_gated(tmp_path: Path) -> None:
    folder = Sample().write(tmp_path)
    assert read(folder).pairing.watched == ("grade.correct",)
    write_comparison(folder, metric="length")
    assert read(folder).pairing.watched == ("grade.correct", "grade.length")


def test_without_boolean_scores_all_are_watched(tmp_path: Path) -> None:
    folder = Sample(grade=lambda variation, row, outputs: {"facts": 0.5, "words": 3}).write(tmp_path)
    assert read(folder).pairing.watched == ("grade.facts", "grade.words")


def test_rows_are_put_side_by_side(tmp_path: Path) -> None:
    found = read(Sample(rows=6, datasets=("train", "hard")).write(tmp_path))
    rows = list(groups(found.results, None, found.pairing))
    assert [(row.dataset, row.line) for row in rows] == [("train", n) for n in range(6)] + [
        ("hard", n) for n in range(6)
    ]
    assert found.overview.counts == {"regressed": 4, "improved": 4, "same": 4}


def test_a_row_that_one_side_lacks_has_no_answer_there(tmp_path: Path) -> None:
    folder = Sample(rows=3).write(tmp_path)
    file = folder.rows("train.brief")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[1:]))
    found = read(folder)
    answers = [row.answers for row in groups(found.results, None, found.pairing)]
    assert [[answer is not None for answer in each] for each in answers] == [[True, False], [True, True], [True, True]]
    assert sum(found.overview.counts.values()) == 2


def test_repeats_are_paired_with_repeats(tmp_path: Path) -> None:
    folder = Sample(rows=2, repeats=2).write(tmp_path)
    once = Sample(rows=2, variations=("brief",)).write(tmp_path / "once")
    folder.rows("train.brief").write_bytes(once.rows("train.brief").read_bytes())
    document = read_document(folder.run_document("train.brief"), RunDocument)
    write_document(folder.run_document("train.brief"), document.model_copy(update={"repeats": 1}))
    found = read(folder)
    rows = [(row.line, row.repeat, row.answers[1] is not None) for row in groups(found.results, None, found.pairing)]
    assert rows == [(0, 0, True), (0, 1, False), (1, 0, True), (1, 1, False)]


def with_baseline(tmp_path: Path, before: Sample, now: Sample) -> Any:
    folder = now.write(tmp_path / "now")
    before.write(tmp_path / "before")
    write_verdict(folder, variation="default")
    baseline = read_baseline(read_results(folder), tmp_path)
    assert baseline is not None
    return read(folder, baseline), baseline


def test_a_baseline_is_paired_by_key_not_by_place(tmp_path: Path) -> None:
    turned = Sample(
        rows=3, key=lambda row: f"{2 - row:016x}", answer=lambda variation, row: {"answer": f"Because {row}"}
    )
    now = Sample(rows=3, answer=lambda variation, row: {"answer": f"Because {2 - row}"})
    found, _ = with_baseline(tmp_path, turned, now)
    assert found.overview.counts == {"same": 3}


def test_equal_keys_are_paired_in_their_order(tmp_path: Path) -> None:
    before = Sample(rows=3, key=lambda row: "same", answer=lambda variation, row: {"answer": f"Because {row}"})
    found, baseline = with_baseline(tmp_path, before, before)
    assert found.overview.counts == {"same": 3}
    more = Sample(rows=4, key=lambda row: "same", answer=before.answer)
    results = read_results(more.write(tmp_path / "more"))
    pairing = found.pairing
    partners = [answer_text(row.answers[-1]) for row in groups(results, baseline, pairing)]
    assert partners == ["Because 0", "Because 1", "Because 2", "Because 2"]


def test_rows_that_the_baseline_lacks_stand_alone(tmp_path: Path) -> None:
    found, _ = with_baseline(tmp_path, Sample(rows=1), Sample(rows=3))
    assert found.overview.counts == {"wrong": 1, "same": 1, "completed": 1}


def test_a_dataset_that_the_baseline_lacks_stands_alone(tmp_path: Path) -> None:
    found, _ = with_baseline(tmp_path, Sample(datasets=("train",)), Sample(datasets=("train", "hard")))
    assert found.overview.counts == {"wrong": 2, "same": 6, "completed": 4}


def test_a_digest_has_scores_without_answers(tmp_path: Path) -> None:
    folder = Sample(rows=3, datasets=("train", "hard"), key=lambda row: f"{row:014x}ff").write(tmp_path)
    write_verdict(folder)
    rows = tuple(SeriesRow(f"{line:014x}", line, (value,)) for line, value in enumerate((True, False, None)))
    kept = RunScores(
        run="train.default",
        variation="default",
        dataset="train",
        fingerprint="",
        rows=3,
        failed=1,
        scored=2,
        tokens=0,
        cost=None,
        latency_p95=None,
        series=(ScoreSeries("grade", "correct", rows),),
        key_digits=14,
    )
    results = read_results(folder)
    facts = gather(results)
    pairing = make_pairing(results, {"train": kept}, facts.score_kinds)
    found = overview(results, {"train": kept}, pairing, 10)
    assert found.counts == {"regressed": 1, "wrong": 1, "improved": 1, "same": 1, "completed": 2}
    assert found.worst[0].before == "(not kept)"


def test_where_the_baseline_is_not_here_the_verdict_tells_what_regressed(tmp_path: Path) -> None:
    folder = Sample(rows=3).write(tmp_path)
    write_verdict(folder)
    found = read(folder)
    assert found.overview.counts == {"regressed": 1, "completed": 2}
    assert [(each.line, each.changes[0].score) for each in found.overview.worst] == [(1, "grade.correct")]


def test_the_worst_rows_come_first(tmp_path: Path) -> None:
    falls = {0: 0.9, 1: 0.2, 2: 0.9, 3: 0.5}

    def answer(variation: str, row: int) -> Mapping[str, Any]:
        if variation != "default" and row == 3:
            raise RowFailsError("It broke.")
        return {"answer": "x", "note": {"row": row}}

    def grade(variation: str, row: int, outputs: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"facts": 1.0 if variation == "default" else 1.0 - falls[row]}

    found = read(Sample(rows=4, answer=answer, grade=grade).write(tmp_path), top=3)
    assert [each.line for each in found.overview.worst] == [4, 1, 3]
    assert found.overview.regressed == 4
    assert found.overview.worst[0].after == "(failed) RowFailsError: It broke."
    assert found.overview.worst[1].before == 'answer: x; note: {"row": 0}'
