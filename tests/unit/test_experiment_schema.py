"""The published JSON schema: it is the model's, takes what the model takes and refuses unknown keys."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from llmops_actions.experiment.discovery import find_use_cases
from llmops_actions.experiment.model import ExperimentFile
from llmops_actions.experiment.schema import DIALECT, experiment_schema, schema_text
from llmops_actions.experiment.yaml_source import read_yaml

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "schemas" / "experiment.schema.json"
SAMPLES = sorted(file for folder in find_use_cases(ROOT / "flows") for file in folder.glob("experiment*.yaml"))


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text(encoding="utf-8")))


def test_the_published_schema_is_the_export() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == schema_text(), (
        "Run `python -m llmops_actions.experiment.schema > schemas/experiment.schema.json`."
    )


def test_the_command_prints_it() -> None:
    command = [sys.executable, "-m", "llmops_actions.experiment.schema"]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == schema_text()


def test_it_is_a_schema_with_a_name() -> None:
    schema = experiment_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["$id"]) == (DIALECT, "experiment.schema.json")
    assert schema["title"] == "llmops-actions experiment"
    described = [schema, *schema["$defs"].values()]
    lacking = [name for block in described for name, each in block["properties"].items() if not each.get("description")]
    assert lacking == []


def test_there_are_samples() -> None:
    assert len(SAMPLES) >= 2


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_the_samples_are_valid(sample: Path, validator: jsonschema.Draft202012Validator) -> None:
    value = read_yaml(sample).value
    validator.validate(value)
    assert not validator.is_valid({**value, "dataset": []})


def test_check_jsonschema_takes_the_samples_and_refuses_an_unknown_key(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(PUBLISHED)]
    subprocess.run([*command, *map(str, SAMPLES)], check=True, capture_output=True)
    wrong = tmp_path / "experiment.yaml"
    wrong.write_text("name: x\nvariant: all\n", encoding="utf-8")
    result = subprocess.run([*command, str(wrong)], check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "variant" in result.stdout


DATASET = {"name": "d", "source": "d.jsonl", "mappings": None}
EVALUATOR_DATASET = {"name": "d", "source": None, "reference": None, "mappings": {"a": 1}}


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ({}, True),
        ({"name": "x", "evaluators": None, "datasets": None, "connections": None, "runtime": None}, True),
        ({"gates": None, "deployment": None, "hyperparameters": None, "flow": None}, True),
        ({"variants": None}, True),
        ({"variants": "*"}, True),
        ({"variants": "default"}, True),
        ({"variants": ["a.b"]}, True),
        ({"variants": "some"}, False),
        ({"variants": 1}, False),
        ({"$schema": "x"}, True),
        ({"schema_reference": "x"}, False),
        ({"name": " x"}, False),
        ({"name": "a/b"}, False),
        ({"name": ".."}, False),
        ({"name": "a\tb"}, False),
        ({"max_variations": 5}, True),
        ({"max_variations": "5"}, False),
        ({"max_variations": True}, False),
        ({"max_variations": 0}, False),
        ({"datasets": [DATASET]}, True),
        ({"datasets": [{"name": "d", "source": "d.jsonl"}]}, False),
        ({"datasets": [{**DATASET, "reference": "x"}]}, False),
        ({"datasets": [{**DATASET, "source": ""}]}, False),
        ({"evaluators": [{"name": "e", "datasets": [EVALUATOR_DATASET]}]}, True),
        ({"evaluators": [{"name": "e", "datasets": []}]}, False),
        ({"evaluators": [{"name": "e", "datasets": None}]}, False),
        ({"connections": [{"name": "c"}]}, True),
        ({"connections": [{"name": "c", "rpm": 3, "configs": None, "secrets": None, "x": [1]}]}, True),
        ({"connections": [{"name": "c", "requests_per_minute": "3"}]}, False),
        ({"hyperparameters": {"a": {"b": [1, None, "x"]}}}, True),
        ({"hyperparameters": {"a": {"b": 1}}}, False),
    ],
)
def test_schema_and_model_agree(value: dict[str, Any], valid: bool, validator: jsonschema.Draft202012Validator) -> None:
    try:
        ExperimentFile.model_validate(value)
        taken = True
    except ValidationError:
        taken = False
    assert (taken, validator.is_valid(value)) == (valid, valid)
