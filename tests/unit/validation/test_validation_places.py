"""Places and findings: where something was written, and how an error becomes findings."""

from __future__ import annotations

from pathlib import Path

from tests.unit.validation.use_cases import shown

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.validation.findings import from_error, hint, listing
from llmops_actions.experiment.validation.places import Places, json_key


def test_a_key_is_found_below_its_block(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("a:\n- name: one\n- name: two\n  mappings:\n    key: 1\n", encoding="utf-8")
    places, block = Places(), Location(file, 3, 3)
    assert places.below(block, "mappings", "key").line == 5
    assert places.below(block, "mappings", "other") == block
    nowhere = Location(file, 9, 9)
    assert places.below(nowhere, "mappings") == nowhere


def test_a_file_that_cannot_be_read_leaves_the_block(tmp_path: Path) -> None:
    block = Location(tmp_path / "gone.yaml", 1, 1)
    assert Places().below(block, "name") == block


def test_a_key_of_a_json_file(tmp_path: Path) -> None:
    file = tmp_path / "init.json"
    file.write_text('{\n  "a": {\n    "b": 1\n  }\n}\n', encoding="utf-8")
    assert json_key(file, "b").line == 3
    assert json_key(file, "c").line == 1


def test_an_error_of_several_lines_is_several_findings() -> None:
    place = Location(Path("a.yaml"), 2, 1)
    problem = ExperimentError("one\nb.yaml:4:3: two: more\nthree", place)
    assert shown(from_error(problem)) == ["error a.yaml:2 one", "error b.yaml:4 two: more", "error a.yaml:2 three"]


def test_hints() -> None:
    assert hint("nam", ["name", "age"]) == "Did you mean `name`?"
    assert hint("x", ["name", "age"]) == "There are `name`, `age`."
    assert listing([]) == "none"
    assert listing([str(number) for number in range(14)], 2) == "`0`, `1` and 12 more"
