"""Reading YAML: plain values with their places, and nothing that a hostile file can do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import write

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment import yaml_source
from llmops_actions.experiment.yaml_source import Document, parse_yaml, read_text, read_yaml

FILE = Path("experiment.yaml")


def refused(text: str) -> str:
    with pytest.raises(ExperimentError) as raised:
        parse_yaml(text, FILE)
    assert raised.value.location is not None
    assert raised.value.location.file == FILE
    return str(raised.value)


def test_values_know_their_line_and_column() -> None:
    document = parse_yaml("name: x\ndatasets:\n- name: a\n  source: b\n", FILE)
    assert document.value == {"name": "x", "datasets": [{"name": "a", "source": "b"}]}
    assert str(document.locate(("datasets", 0, "source"))) == "experiment.yaml:4:3"
    assert str(document.locate(("datasets", 0, "mappings"))) == "experiment.yaml:3:3"
    assert str(document.locate(("nothing",))) == "experiment.yaml:1:1"


def test_lines_count_from_where_the_text_stands_in_its_file() -> None:
    assert str(parse_yaml("a: 1\nb: 2", FILE, first_line=7).locate(("b",))) == "experiment.yaml:8:1"


def test_an_empty_file_has_no_value() -> None:
    assert parse_yaml("", FILE).value is None
    assert parse_yaml("# only a remark\n", FILE) == Document(FILE, None, {})


@pytest.mark.parametrize("written", ["2023-07-01", "2023-07-01-preview", "2024-01-01 10:00:00"])
def test_dates_stay_the_text_that_was_written(written: str) -> None:
    assert parse_yaml(f"api_version: {written}", FILE).value == {"api_version": written}


def test_keys_are_text_and_scalars_are_what_yaml_says() -> None:
    text = "1: 1\nyes: yes\nnull: null\nhalf: 0.5\n=: =\nmerge: <<\n"
    assert parse_yaml(text, FILE).value == {
        "1": 1,
        "yes": True,
        "null": None,
        "half": 0.5,
        "=": "=",
        "merge": "<<",
    }


def test_a_duplicate_key_names_the_first_line() -> None:
    assert refused("name: a\nflow: b\nname: c\n") == (
        "experiment.yaml:3:1: The key `name` is already there, in line 1. Keep one."
    )
    assert "`1`" in refused('1: a\n"1": b\n')


def test_merge_keys_work_and_own_keys_win() -> None:
    text = "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\nboth:\n  b: 0\n  <<: [*base, *more]\n"
    document = parse_yaml(text, FILE)
    assert document.value["both"] == {"a": 1, "b": 0, "c": 4}
    assert document.locate(("both", "b")).line == 4
    assert "merges mappings only" in refused("a: &a [1]\nb:\n  <<: *a\n")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [ls]",
        "a: !!python/name:os.system",
        "a: !!python/object:os.x {b: 1}",
        "!!set {a, b}",
        "a: !!binary aGk=",
        "!!python/name:os.x : 1",
        "a: !secret x",
    ],
)
def test_tags_are_refused(text: str) -> None:
    message = refused(text)
    assert "is not allowed" in message or "must be plain text" in message


@pytest.mark.parametrize("text", ["a: !!int abc", 'a: !!int ""', 'a: !!float ""', "a: !!bool maybe"])
def test_a_scalar_that_is_not_what_its_tag_says(text: str) -> None:
    assert "Quote it" in refused(text)


def test_a_key_must_be_plain() -> None:
    assert "must be plain text" in refused("? [a, b]\n: 1")


def test_a_number_that_python_refuses_to_read_is_shown_short() -> None:
    message = refused(f"a: {'9' * 5000}")
    assert "Quote it" in message
    assert len(message) < 200


LEVELS = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))
MERGES = "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x]\n" + LEVELS,
        "a0: &a0 {}\n" + MERGES,
        "a0: &a0 {k: v}\n" + MERGES,
        'a: &a "' + "x" * 100_000 + '"\nb: [' + ", ".join(["*a"] * 1000) + "]",
        "a: &a {" + ", ".join(f"{'k' * 1000}{i}: v" for i in range(20)) + "}\nb: [" + ", ".join(["*a"] * 1000) + "]",
    ],
    ids=["lists", "empty merges", "merges", "texts", "keys"],
)
def test_aliases_count_at_their_expanded_size(text: str) -> None:
    assert "expands to more than" in refused(text)


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a\n  b: *a", "a: &a\n  <<: *a"])
def test_aliases_of_themselves(text: str) -> None:
    assert "levels of nesting" in refused(text)


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_that_would_end_the_process_inside_libyaml(opening: str) -> None:
    assert f"More than {yaml_source.MAX_DEPTH} levels of nesting" in refused(opening * 200_000)


def test_nesting_up_to_the_limit_is_read() -> None:
    depth = yaml_source.MAX_DEPTH
    value = parse_yaml("[" * depth + "]" * depth, FILE).value
    assert len(value) == 1


def test_syntax_errors_have_a_place_and_a_hint() -> None:
    assert "spaces, not tabs" in refused("a:\n\tb: 1")
    assert refused("a: 1\nb: [1, 2\n").startswith("experiment.yaml:3:1: Not valid YAML")
    assert refused("a: 1\n---\nb: 2\n").startswith("experiment.yaml:2:1: Not valid YAML")
    assert refused("a: *b").startswith("experiment.yaml:1:4: Not valid YAML")


def test_control_characters_have_a_line() -> None:
    assert refused("a: 1\nb: x\x00y\n").startswith("experiment.yaml:2: Not valid YAML")


def test_a_byte_order_mark_and_windows_line_ends(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": b"\xef\xbb\xbfname: a\r\nflow: b\r\n"})
    document = read_yaml(tmp_path / "a.yaml")
    assert document.value == {"name": "a", "flow": "b"}
    assert document.locate(("flow",)).line == 2


@pytest.mark.parametrize("content", ["name: \u00e9".encode("latin-1"), "name: x".encode("utf-16")])
def test_other_encodings_are_refused_with_the_line(tmp_path: Path, content: bytes) -> None:
    write(tmp_path, {"a.yaml": b"# one\n" + content})
    with pytest.raises(ExperimentError, match=r"a\.yaml:2: The file is not UTF-8.*Save it as UTF-8"):
        read_yaml(tmp_path / "a.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="No such file"):
        read_text(tmp_path / "none.yaml")
    write(tmp_path, {"big.yaml": "x" * 100})
    with pytest.raises(ExperimentError, match="has 100 bytes; more than 50"):
        read_text(tmp_path / "big.yaml", limit=50)
