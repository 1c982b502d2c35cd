"""The baseline digest: small, and the same scores again."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluation.runs import gate, run

from llmops_actions.evaluation.baseline import (
    FALSE_PAIRING,
    BaselineDigest,
    RunDigest,
    digest_run,
    key_digits,
    restore_run,
)
from llmops_actions.evaluation.gates import judge_gates
from llmops_actions.evaluation.metric_gates import Evidence
from llmops_actions.evaluation.series import KEY_DIGITS, LoggedMetric, RunScores, ScoreSeries, SeriesRow
from llmops_actions.experiment.fingerprint import row_key

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
booleans = st.sampled_from([True, False, None])
numbers = st.one_of(st.none(), st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False, width=32))


@st.composite
def runs(draw: st.DrawFn) -> RunScores:
    """Runs with repeats, equal rows, failed ones, and several scores of several kinds."""
    repeats = draw(st.integers(1, 3))
    keys = [row_key({"row": content}) for content in draw(st.lists(st.integers(0, 5), max_size=8))]
    series = []
    for (evaluator, score), values in draw(
        st.dictionaries(st.tuples(names, names), st.sampled_from([booleans, numbers]), max_size=3)
    ).items():
        rows = tuple(SeriesRow(key, line, tuple(draw(values) for _ in range(repeats))) for line, key in enumerate(keys))
        series.append(ScoreSeries(evaluator, score, rows))
    logged = tuple(LoggedMetric(*each) for each in draw(st.lists(st.tuples(names, names, st.floats(0, 1)), max_size=2)))
    cost = draw(st.one_of(st.none(), st.floats(0, 9)))
    return replace(run(cost=cost), series=tuple(series), logged=logged, evaluators=draw(st.dictionaries(names, names)))


def through_json(digest: RunDigest) -> RunDigest:
    return RunDigest.model_validate(json.loads(json.dumps(digest.model_dump())))


@given(runs())
def test_what_is_kept_comes_back(before: RunScores) -> None:
    digest = digest_run(before)
    after = restore_run(through_json(digest), before.variation)
    assert replace(after, series=(), key_digits=0) == replace(before, series=(), key_digits=0)
    assert [each.metric for each in after.series] == [each.metric for each in before.series]
    for kept, own in zip(after.series, before.series, strict=True):
        assert [row.values for row in kept.rows] == [row.values for row in own.rows]
        assert [row.key for row in kept.rows] == [row.key[: after.key_digits] for row in own.rows]
    assert digest_run(after) == digest


@given(runs())
def test_a_run_compared_with_its_own_digest_has_not_changed(before: RunScores) -> None:
    after = replace(restore_run(digest_run(before), before.variation), fingerprint="another")
    for series in before.series:
        if len([each for each in before.series if each.metric == series.metric]) > 1:
            continue
        rule = gate(metric=series.metric, against="baseline", max_drop=0.1)
        try:
            [result] = judge_gates([rule], Evidence([before], {before.dataset: after}, has_baseline=True))
        except ValueError:
            continue
        assert (result.only_candidate, result.only_baseline, result.regressed) == (0, 0, ())
        assert not result.difference


@pytest.mark.parametrize(("rows", "digits"), [(0, 6), (1, 6), (64, 9), (1000, 11), (100_000, 14), (10**9, KEY_DIGITS)])
def test_keys_are_as_long_as_a_false_pairing_is_improbable(rows: int, digits: int) -> None:
    assert key_digits(rows) == digits
    pairs = (2 * rows) ** 2 / 2
    assert digits == KEY_DIGITS or pairs * 16.0**-digits <= FALSE_PAIRING


def test_equal_rows_keep_their_order() -> None:
    rows = tuple(SeriesRow("a" * 16, line, (value,)) for line, value in enumerate([True, False, True]))
    before = replace(run(), series=(ScoreSeries("g", "correct", rows),))
    assert [row.values[0] for row in restore_run(digest_run(before), "default").series[0].rows] == [True, False, True]


@pytest.mark.parametrize(("rows", "raw", "compressed"), [(100, 20, 10), (1000, 14, 8), (10_000, 14.5, 8.5)])
def test_a_row_takes_few_bytes(rows: int, raw: float, compressed: float) -> None:
    """One boolean score, the keys of the rows included: what the page about gates says."""
    chance = random.Random(0)
    scores = [chance.random() < 0.8 for _ in range(rows)]
    one = digest_run(run({"grade.correct": scores}, keys=[row_key({"row": row}) for row in range(rows)]))
    text = BaselineDigest(experiment="x", environment=None, variation="default", created_at="", runs=(one,))
    content = text.model_dump_json().encode()
    assert len(content) / rows < raw
    assert len(gzip.compress(content)) / rows < compressed


def test_a_further_boolean_score_takes_a_fifth_of_a_byte() -> None:
    chance = random.Random(0)
    keys = [row_key({"row": row}) for row in range(10_000)]
    scores = {f"grade.s{number}": [chance.random() < 0.8 for _ in keys] for number in range(2)}
    two = gzip.compress(digest_run(run(scores, keys=keys)).model_dump_json().encode())
    one = gzip.compress(digest_run(run({"grade.s0": scores["grade.s0"]}, keys=keys)).model_dump_json().encode())
    assert (len(two) - len(one)) / len(keys) < 0.2


def broken(**changes: object) -> RunDigest:
    digest = digest_run(run({"grade.correct": "10-1"}))
    return RunDigest.model_validate({**digest.model_dump(), **changes})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"keys": "abc"}, "which are no keys of"),
        ({"keys": ""}, "`correct` has 4 values for 0 rows x 1 repeats"),
        ({"repeats": 3}, "`correct` has 4 values for 4 rows x 3 repeats"),
        ({"series": [{"evaluator": "g", "score": "s", "marks": "10?1"}]}, r"marks that mean nothing: \['\?'\]"),
        ({"series": [{"evaluator": "g", "score": "s"}]}, "`s` has 0 values"),
    ],
)
def test_a_digest_that_contradicts_itself(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        restore_run(broken(**changes), "default")


@pytest.mark.parametrize("changes", [{"repeats": 0}, {"key_digits": 0}, {"key_digits": 17}])
def test_numbers_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="should be"):
        broken(**changes)
