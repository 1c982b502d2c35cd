"""Mappings: from columns and outputs to inputs, as prompt flow maps them."""

from __future__ import annotations

from typing import Any

import pytest

from llmops_actions.experiment.mapping import MappingError, MappingSource, apply, complete, parse_source


@pytest.mark.parametrize(
    ("written", "kind", "name"),
    [
        ("${data.url}", "data", "url"),
        (" ${data.a.b} ", "data", "a.b"),
        ("${ data.two words }", "data", "two words"),
        ("${run.outputs.category}", "run.outputs", "category"),
        ("${run.inputs.url}", "run.inputs", "url"),
        ("${target.answer}", "target", "answer"),
    ],
)
def test_references(written: str, kind: str, name: str) -> None:
    source = parse_source(written)
    assert (source.kind, source.name) == (kind, name)
    assert str(source) == f"${{{kind}.{name}}}"


@pytest.mark.parametrize(
    "written", ["schema.json", "", 3, 0.5, True, None, [1], {"a": 1}, "to ${data.x}", "${data:x} and", "$data.x", "${}"]
)
def test_literals(written: Any) -> None:
    source = parse_source(written)
    assert (source.kind, source.value) == ("literal", written)
    assert str(source) == repr(written)


@pytest.mark.parametrize("written", ["${dta.x}", "${data}", "${data.}", "${run.output.x}", "${NAME}", "${inputs.x}"])
def test_references_to_nothing(written: str) -> None:
    with pytest.raises(MappingError, match="names no known source"):
        parse_source(written)


def test_a_colon_instead_of_a_dot() -> None:
    with pytest.raises(MappingError, match=r"colon where a dot belongs; write `\$\{data\.<column>\}`"):
        parse_source("${data:url}")


def test_an_input_without_default_takes_the_column_of_its_name() -> None:
    mappings = {"b": MappingSource("literal", value=1)}
    assert complete(mappings, {"a": False, "b": False, "c": True}) == {"a": MappingSource("data", "a"), **mappings}


def test_a_row() -> None:
    mappings = {
        "question": parse_source("${data.q}"),
        "answer": parse_source("${run.outputs.answer}"),
        "again": parse_source("${target.answer}"),
        "asked": parse_source("${run.inputs.q}"),
        "top_k": parse_source(3),
    }
    run = {"outputs": {"answer": "42"}, "inputs": {"q": "Why"}}
    assert apply(mappings, {"q": None, "other": 1}, run) == {
        "question": None,
        "answer": "42",
        "again": "42",
        "asked": "Why",
        "top_k": 3,
    }


def test_what_a_row_lacks() -> None:
    with pytest.raises(MappingError, match=r"\$\{data\.q\} has no value in this row; it has `a`, `b`"):
        apply({"x": parse_source("${data.q}")}, {"b": 1, "a": 2}, {})
    with pytest.raises(MappingError, match=r"\$\{run\.outputs\.q\} has no value in this row; it has nothing"):
        apply({"x": parse_source("${run.outputs.q}")}, {"q": 1}, {})
