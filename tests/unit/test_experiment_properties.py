"""Properties: whatever is written, it is read or refused with its place; sweeps, mappings and keys keep their laws."""

from __future__ import annotations

import json
import math
import string
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.unit.experiment_files import DAG, EXPERIMENT, use_case, write

from llmops_actions.errors import ExperimentError, UsageError
from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.experiment.flows import load_flow, resolve
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.model import ExperimentFile
from llmops_actions.experiment.parsing import parse_document
from llmops_actions.experiment.schema import experiment_schema
from llmops_actions.experiment.sweep import (
    make_variations,
)
from llmops_actions.experiment.yaml_source import parse_yaml

SETTINGS = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
FILE = Path("experiment.yaml")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One use case that all examples write their files into."""
    with tempfile.TemporaryDirectory() as name:
        yield use_case(Path(name))


# --- what people, and others, may write

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    PRINTABLE,
    st.sampled_from(["..", "/", "~", "a"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3), max_leaves=12
)
KEYS = st.sampled_from([*ExperimentFile.model_fields, "$schema", "source", "mappings", "reference", "configs", "x"])
PIECES = st.sampled_from(
    [
        *("name: support\n", "flow: flows/answer\n", "datasets:\n", "- name: train\n", "  source: train.jsonl\n"),
        *("  mappings:\n", '    q: "${data.q}"\n', "evaluators:\n", "variants: all\n", "\t", "&a ", "*a", "<<: ", "!!"),
        *(
            "!!python/object:x ",
            "{",
            "}",
            "[",
            "]",
            '"',
            "'",
            "\r\n",
            "\ufeff",
            "---\n",
            "...\n",
            "? ",
            ": ",
            "- ",
            "\0",
        ),
        *("\0", "|\n", ">\n", "%YAML 1.1\n", "hyperparameters: {a: {b: [1]}}\n", "\u2028", "~", "\ud7ff"),
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=14).map("".join))


def check_refusal(error: UsageError, file: str = "experiment") -> None:
    assert isinstance(error, ExperimentError)
    assert error.location is not None
    assert error.location.file.name.startswith(file)
    assert error.location.line is None or error.location.line >= 1
    assert error.message.strip()


@SETTINGS
@given(text=TEXTS)
@example("a: &a {<<: *a}")
@example("variants: {}")
@example("name: x\ndatasets: [[]]\n")
def test_any_text_is_read_or_refused_with_its_place(folder: Path, text: str) -> None:
    write(folder, {"experiment.yaml": text.encode("utf-8", "surrogatepass")})
    try:
        load_experiment(folder)
    except UsageError as error:
        check_refusal(error)


@SETTINGS
@given(content=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_with_their_place(folder: Path, content: bytes) -> None:
    write(folder, {"experiment.yaml": content})
    try:
        load_experiment(folder)
    except UsageError as error:
        check_refusal(error)


@SETTINGS
@given(value=st.dictionaries(KEYS, VALUES, max_size=6) | VALUES)
def test_any_value_is_read_or_refused_with_its_place(folder: Path, value: Any) -> None:
    write(folder, {"experiment.yaml": yaml.safe_dump(value, allow_unicode=True)})
    try:
        load_experiment(folder)
    except UsageError as error:
        check_refusal(error)


@SETTINGS
@given(text=TEXTS)
def test_any_overlay_is_read_or_refused_with_its_place(folder: Path, text: str) -> None:
    write(folder, {"experiment.yaml": EXPERIMENT, "experiment.pr.yaml": text.encode("utf-8", "surrogatepass")})
    try:
        experiment = load_experiment(folder, "pr")
    except UsageError as error:
        check_refusal(error)
    else:
        assert (experiment.name, experiment.flow.name) == ("support", "answer")


@SETTINGS
@given(source=st.text(min_size=1, max_size=300), environment=st.text(max_size=8))
@example("x" * 300, "pr")
@example("..", "..")
def test_no_source_leaves_the_repository(folder: Path, source: str, environment: str) -> None:
    written = json.dumps(source, ensure_ascii=True)
    write(folder, {"experiment.yaml": EXPERIMENT.replace("data/train.jsonl", written)})
    try:
        experiment = load_experiment(folder, environment or None)
    except UsageError:
        return
    file = experiment.datasets[0].dataset.file
    assert file is None or file.is_relative_to(experiment.repository)


FLOW_FILES = st.sampled_from(["flow.dag.yaml", "flow.flex.yaml", "a.prompty", "eval_a.py"])
FLOW_KEYS = st.sampled_from(
    [
        *("nodes", "inputs", "outputs", "node_variants", "entry", "init", "sample", "model", "environment", "name"),
        *("additional_includes", "variants", "default_variant_id", "node", "use_variants", "source", "configuration"),
    ]
)
FLOW_VALUES = st.recursive(
    SCALARS | st.sampled_from(["chat:Chat", "a", "llm", "python"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FLOW_KEYS | PRINTABLE, inner, max_size=4),
    max_leaves=15,
)


@SETTINGS
@given(name=FLOW_FILES, value=st.dictionaries(FLOW_KEYS, FLOW_VALUES, max_size=5), text=TEXTS, as_text=st.booleans())
def test_any_flow_is_read_or_refused_with_its_place(name: str, value: Any, text: str, as_text: bool) -> None:
    written = text if as_text or name.endswith(".py") else yaml.safe_dump(value, allow_unicode=True)
    if name.endswith(".prompty") and not as_text:
        written = f"---\n{written}---\nsystem:\n"
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), {name: written.encode("utf-8", "surrogatepass"), "chat.py": "class Chat: ..."})
        try:
            flow = load_flow(Path(folder))
            for variation in make_variations(flow.variants, own_values=flow.own_values):
                resolve(flow, variation)
        except ExperimentError as error:
            check_refusal(error, "")


# --- experiments that are valid

NAMES = st.text(string.ascii_letters + string.digits + "_-é", min_size=1, max_size=12)
LITERALS = st.one_of(st.integers(), st.booleans(), NAMES, st.lists(st.integers(), max_size=2))
MAPPINGS = st.dictionaries(NAMES, LITERALS | NAMES.map(lambda name: f"${{data.{name}}}"), max_size=3)
DATASETS = st.lists(
    st.fixed_dictionaries({"name": NAMES, "source": st.just("train.jsonl"), "mappings": MAPPINGS | st.none()}),
    min_size=1,
    max_size=4,
    unique_by=lambda dataset: str(dataset["name"]),
)


@st.composite
def experiments(draw: st.DrawFn) -> dict[str, Any]:
    datasets = draw(DATASETS)
    known = [each["name"] for each in datasets]
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, unique=True))
    evaluators = draw(
        st.none()
        | st.just([{"name": "grade", "datasets": [{"name": name, "mappings": draw(MAPPINGS)} for name in chosen]}])
    )
    return {
        "name": draw(NAMES),
        "flow": "flows/answer",
        "datasets": datasets,
        "evaluators": evaluators,
        "variants": draw(st.sampled_from(["all", "defaults", "*", None]) | st.lists(NAMES, max_size=3)),
        "hyperparameters": draw(
            st.dictionaries(NAMES, st.dictionaries(NAMES, st.lists(LITERALS, min_size=1, max_size=3), max_size=2))
            | st.none()
        ),
        "max_variations": draw(st.integers(1, 1000)),
    }


@SETTINGS
@given(written=experiments(), shuffled=st.randoms(use_true_random=False))
def test_a_valid_experiment_is_read_as_it_was_written(folder: Path, written: dict[str, Any], shuffled: Any) -> None:
    keys = list(written)
    shuffled.shuffle(keys)
    text = yaml.safe_dump({key: written[key] for key in keys}, sort_keys=False, allow_unicode=True)
    write(folder, {"experiment.yaml": text})
    experiment = load_experiment(folder)
    assert experiment.name == written["name"]
    assert [each.dataset.name for each in experiment.datasets] == [each["name"] for each in written["datasets"]]
    for read, block in zip(experiment.datasets, written["datasets"], strict=True):
        assert {
            name: source.value if source.kind == "literal" else str(source) for name, source in read.mappings.items()
        } == (block["mappings"] or {})
    assert len(experiment.evaluators) == len(written["evaluators"] or [])
    assert experiment.hyperparameters == (written["hyperparameters"] or {})
    assert experiment.max_variations == written["max_variations"]


@SETTINGS
@given(written=experiments())
def test_a_valid_experiment_survives_a_round_trip(written: dict[str, Any]) -> None:
    first = ExperimentFile.model_validate(written)
    text = yaml.safe_dump(first.model_dump(by_alias=True, exclude_unset=True), allow_unicode=True)
    assert parse_document(parse_yaml(text, FILE), ExperimentFile) == first


VALIDATOR = jsonschema.Draft202012Validator(experiment_schema())


@SETTINGS
@given(value=experiments() | st.dictionaries(KEYS, VALUES, max_size=4).map(lambda value: value))
def test_what_the_model_takes_the_schema_takes(value: dict[str, Any]) -> None:
    try:
        ExperimentFile.model_validate(value)
    except ValueError:
        return
    VALIDATOR.validate(value)


# --- YAML


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


@SETTINGS
@given(value=VALUES)
def test_plain_values_are_read_as_yaml_reads_them(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    assert same(parse_yaml(text, FILE).value, yaml.safe_load(text))


# --- datasets

ROWS = st.dictionaries(NAMES, VALUES, max_size=5)


@SETTINGS
@given(rows=st.lists(ROWS, max_size=5))
def test_rows_are_read_as_they_were_written(folder: Path, rows: list[dict[str, Any]]) -> None:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    assert list(read_rows(file)) == list(enumerate(rows, 1))


@SETTINGS
@given(name=st.sampled_from(["rows.jsonl", "rows.json", "rows.csv", "rows.tsv"]), content=st.binary(max_size=60))
def test_any_dataset_is_read_or_refused_with_its_line(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    try:
        for line, row in read_rows(folder / name):
            assert line >= 1
            row_key(row)
    except ExperimentError as error:
        check_refusal(error, name)


def test_the_use_case_of_these_tests_loads(tmp_path: Path) -> None:
    assert load_flow(load_experiment(use_case(tmp_path)).flow).document.value == parse_yaml(DAG, FILE).value
