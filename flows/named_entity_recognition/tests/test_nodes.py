"""Tests of the Python nodes of the flow and of its evaluator: no model, no network."""

import importlib.util
from pathlib import Path

import pytest

FLOWS = Path(__file__).resolve().parents[1] / "flows"


def node(path):
    """The module of a node, loaded by its path: other use cases may have a node of the same name."""
    spec = importlib.util.spec_from_file_location(f"named_entity_recognition_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


read_list = node(FLOWS / "standard" / "read_list.py").read_list
match = node(FLOWS / "evaluation" / "match.py").match
totals = node(FLOWS / "evaluation" / "totals.py").totals


@pytest.mark.parametrize(
    ("answer", "entities"),
    [
        ("Ana Ruiz, Bo Lind", ["Ana Ruiz", "Bo Lind"]),
        ("- Ana Ruiz\n- Bo Lind\n- Ana Ruiz", ["Ana Ruiz", "Bo Lind"]),
        ('Here you are: ["Ana Ruiz", 7, "Bo  Lind"]', ["Ana Ruiz", "Bo Lind"]),
        ('"Ana Ruiz".', ["Ana Ruiz"]),
        ("[not json], x", ["[not json]", "x"]),
        ("None", []),
        ("", []),
        (None, []),
    ],
)
def test_a_list_is_read_from_the_answer(answer, entities):
    assert read_list(answer=answer) == entities


@pytest.mark.parametrize("answer", ["x," * 100_000, "[" * 50_000 + "]", ",".join(str(n) for n in range(10_000))])
def test_a_flood_is_cut(answer):
    entities = read_list(answer=answer)
    assert len(entities) <= 50
    assert all(len(entity) <= 120 for entity in entities)


@pytest.mark.parametrize(
    ("truth", "found", "precision", "recall", "f1", "exact"),
    [
        ("Ana Ruiz, Bo Lind", ["ana ruiz", "Bo Lind"], 1.0, 1.0, 1.0, True),
        ("Ana Ruiz, Bo Lind", ["Ana Ruiz"], 1.0, 0.5, 2 / 3, False),
        ("Ana Ruiz", ["Ana Ruiz", "Oslo"], 0.5, 1.0, 2 / 3, False),
        ("Ana Ruiz", ["Oslo"], 0.0, 0.0, 0.0, False),
        ("Ana Ruiz", [], 0.0, 0.0, 0.0, False),
        ("None", [], 1.0, 1.0, 1.0, True),
        ("None", ["Oslo"], 0.0, 0.0, 0.0, False),
    ],
)
def test_a_row_is_matched(truth, found, precision, recall, f1, exact):
    row = match(ground_truth=truth, entities=found)
    assert (row["precision"], row["recall"], row["exact"]) == (precision, recall, exact)
    assert row["f1"] == pytest.approx(f1)


def test_the_totals_weigh_every_entity_alike(monkeypatch):
    logged = {}
    monkeypatch.setitem(totals.__wrapped__.__globals__, "log_metric", logged.__setitem__)
    rows = [match(ground_truth="a, b, c", entities=["a", "b", "c"]), match(ground_truth="d", entities=["x"])]
    assert totals(matches=rows) == {
        "entity_precision": 0.75,
        "entity_recall": 0.75,
        "entity_f1": 0.75,
        "exact_share": 0.5,
    }
    assert logged["entity_f1"] == 0.75


def test_the_totals_of_no_rows_are_zero(monkeypatch):
    monkeypatch.setitem(totals.__wrapped__.__globals__, "log_metric", lambda *_: None)
    assert set(totals(matches=[]).values()) == {0.0}
