"""Properties of sweeps, mappings and row keys: laws that hold whatever the values are."""

from __future__ import annotations

import json
import math
import re
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.experiment_files import write

from llmops_actions.experiment.fingerprint import of_value, row_key
from llmops_actions.experiment.flows import load_flow
from llmops_actions.experiment.mapping import MappingError, apply, complete, parse_source
from llmops_actions.experiment.sweep import (
    MAX_NAME_LENGTH,
    NodeVariants,
    SweepError,
    file_name,
    make_variations,
    select_variations,
)
from llmops_actions.experiment.variables import Variables

SETTINGS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text(string.ascii_letters + string.digits + "_-é", min_size=1, max_size=12)
PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), PRINTABLE)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3), max_leaves=8
)


# --- sweeps

CHOICES = st.one_of(
    st.integers(-3, 3),
    st.booleans(),
    st.none(),
    st.floats(0, 2, width=16),
    st.text("aAbB é/.+=", max_size=4),
    st.text("xX", min_size=90, max_size=110),
    st.lists(st.integers(0, 2), max_size=2),
)
NODES = st.sampled_from(["a", "A", "b", "node one", "nœud", "a.b"])
VARIANTS = st.dictionaries(
    NODES,
    st.lists(st.sampled_from(["v0", "v1", "V1", "b", "x/y"]), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.sampled_from(names).map(lambda default: NodeVariants(tuple(names), default))
    ),
    max_size=3,
)
HYPERPARAMETERS = st.dictionaries(
    NODES,
    st.dictionaries(st.sampled_from(["t", "T", "n"]), st.lists(CHOICES, min_size=1, max_size=3), max_size=2),
    max_size=2,
)


def identity(value: Any) -> str:
    """Equal for the same choice: 1 is 1.0, and neither is True or "1"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def expected_size(variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]]) -> int:
    size = math.prod(len(each.names) for each in variants.values())
    for inputs in values.values():
        size *= math.prod(len({identity(value) for value in options}) for options in inputs.values())
    return size


@SETTINGS
@given(variants=VARIANTS, values=HYPERPARAMETERS)
def test_a_sweep_is_the_product_of_its_choices(
    variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]]
) -> None:
    made = make_variations(variants, "all", values)
    assert len(made) == expected_size(variants, values)
    assert len({of_value([each.variants, each.hyperparameters]) for each in made}) == len(made)
    assert [each.is_default for each in made] == [True] + [False] * (len(made) - 1)
    assert made[0].variants == {node: each.default for node, each in variants.items()}
    assert make_variations(variants, "all", values) == made


@SETTINGS
@given(variants=VARIANTS, values=HYPERPARAMETERS)
def test_names_are_unique_and_fit_for_files(
    variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]]
) -> None:
    names = [each.name for each in make_variations(variants, "all", values)]
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9._=+-]+", name)
        assert len(name) <= MAX_NAME_LENGTH
        assert name[0] not in ".-"


@SETTINGS
@given(variants=VARIANTS, values=HYPERPARAMETERS, own=st.data())
def test_the_flow_as_written_is_first_where_it_is_in_the_sweep(
    variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]], own: st.DataObject
) -> None:
    own_values = {
        node: {key: own.draw(st.sampled_from(options)) for key, options in inputs.items()}
        for node, inputs in values.items()
    }
    first = make_variations(variants, "all", values, own_values)[0]
    assert first.name == "default"
    for node, inputs in own_values.items():
        assert {key: identity(value) for key, value in first.hyperparameters.get(node, {}).items()} == {
            key: identity(value) for key, value in inputs.items()
        }


@SETTINGS
@given(variants=VARIANTS, values=HYPERPARAMETERS)
def test_values_that_are_there_twice_change_nothing(
    variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]]
) -> None:
    doubled = {node: {key: [*each, *each] for key, each in inputs.items()} for node, inputs in values.items()}
    assert make_variations(variants, "all", doubled) == make_variations(variants, "all", values)


@SETTINGS
@given(variants=VARIANTS, values=HYPERPARAMETERS, limit=st.integers(1, 20))
def test_the_guard_lets_through_what_is_small_enough(
    variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]], limit: int
) -> None:
    if expected_size(variants, values) <= limit:
        assert len(make_variations(variants, "all", values, max_variations=limit)) <= limit
    else:
        with pytest.raises(SweepError, match="more than max_variations"):
            make_variations(variants, "all", values, max_variations=limit)


@SETTINGS
@given(variants=VARIANTS, values=HYPERPARAMETERS, picked=st.data())
def test_narrowing_keeps_names_and_order(
    variants: dict[str, NodeVariants], values: dict[str, dict[str, list[Any]]], picked: st.DataObject
) -> None:
    made = make_variations(variants, "all", values)
    chosen = picked.draw(st.lists(st.sampled_from([each.name for each in made]), min_size=1))
    selected = select_variations(made, chosen)
    assert [each for each in made if each.name in chosen] == list(selected)


@SETTINGS
@given(keys=st.permutations(["description", "environment", "additional", "outputs", "inputs"]))
def test_the_order_of_unrelated_keys_does_not_change_a_sweep(keys: list[str]) -> None:
    blocks: dict[str, str] = {
        "description": "description: about\n",
        "environment": "environment: {}\n",
        "additional": "additional_includes: []\n",
        "outputs": "outputs: {}\n",
        "inputs": "inputs: {}\n",
    }
    flow = """nodes: [{name: a, use_variants: true}, {name: b, use_variants: true}]
node_variants:
  b: {default_variant_id: y, variants: {x: {node: {type: llm}}, y: {node: {type: llm}}}}
  a: {default_variant_id: x, variants: {x: {node: {type: llm}}, y: {node: {type: llm}}}}
"""
    with tempfile.TemporaryDirectory() as folder:
        written = "".join(blocks[key] for key in keys[:3]) + flow + "".join(blocks[key] for key in keys[3:])
        loaded = load_flow(write(Path(folder), {"flow.dag.yaml": written}))
    assert [each.name for each in make_variations(loaded.variants)] == ["default", "a.y", "b.x", "b.x+a.y"]


@SETTINGS
@given(text=st.text(max_size=200))
def test_any_text_has_a_file_name(text: str) -> None:
    name = file_name(text)
    assert re.fullmatch(r"[A-Za-z0-9._=+-]{1,100}", name)
    assert name not in (".", "..")


# --- mappings, rows, variables

ROWS = st.dictionaries(NAMES, VALUES, max_size=5)


@SETTINGS
@given(value=SCALARS | st.text(max_size=20) | st.text("${}data.run:", max_size=14))
def test_any_mapping_is_a_source_or_refused(value: Any) -> None:
    try:
        source = parse_source(value)
    except MappingError:
        assert isinstance(value, str)
        return
    if source.kind == "literal":
        assert source.value is value
    else:
        assert parse_source(str(source)) == source


@SETTINGS
@given(row=ROWS, outputs=ROWS, literals=st.dictionaries(st.text("lit", min_size=1), VALUES, max_size=2))
def test_mapping_takes_each_value_from_where_it_says(
    row: dict[str, Any], outputs: dict[str, Any], literals: dict[str, Any]
) -> None:
    sources: dict[str, Any] = {f"d_{name}": f"${{data.{name}}}" for name in row}
    sources |= {f"o_{name}": f"${{run.outputs.{name}}}" for name in outputs}
    mappings = {name: parse_source(source) for name, source in sources.items()}
    mappings |= {f"l_{name}": parse_source([value]) for name, value in literals.items()}
    assert apply(mappings, row, {"outputs": outputs}) == {
        **{f"d_{name}": value for name, value in row.items()},
        **{f"o_{name}": value for name, value in outputs.items()},
        **{f"l_{name}": [value] for name, value in literals.items()},
    }


@SETTINGS
@given(row=ROWS, inputs=st.dictionaries(NAMES, st.booleans(), max_size=4))
def test_every_input_without_a_default_is_mapped_in_the_end(row: dict[str, Any], inputs: dict[str, bool]) -> None:
    mappings = complete({name: parse_source(1) for name in row}, inputs)
    assert set(mappings) == set(row) | {name for name, has_default in inputs.items() if not has_default}


@SETTINGS
@given(row=ROWS, shuffled=st.randoms(use_true_random=False))
def test_a_row_key_depends_on_content_alone(row: dict[str, Any], shuffled: Any) -> None:
    names = list(row)
    shuffled.shuffle(names)
    key = row_key(row)
    assert row_key({name: row[name] for name in names}) == key == row_key(json.loads(json.dumps(row)))
    assert re.fullmatch(r"[0-9a-f]{16}", key)
    assert row_key({**row, "one more": 1}) != key


@SETTINGS
@given(left=ROWS, right=ROWS)
def test_different_rows_have_different_keys(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert (row_key(left) == row_key(right)) == (identity_of(left) == identity_of(right))


def identity_of(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


@SETTINGS
@given(text=st.text("${}aA_ ", max_size=30), value=st.text("x${}a", min_size=1, max_size=5))
def test_references_are_replaced_once_or_named_as_missing(text: str, value: str) -> None:
    resolution = Variables({"A": value}).resolve(text)
    if not resolution.missing and "${" not in text:
        assert resolution.text == text
    assert all(re.fullmatch(r"[A-Z0-9_]*", name) for name in resolution.missing)
