"""The page about the work folder tells of every field that there is, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from llmops_actions import verdict_documents, work_folder
from llmops_actions.evaluation import baseline

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "work-folder.md").read_text(encoding="utf-8")

DOCUMENTED = dict(re.findall(r"<!-- fields: (\w+) -->\n((?:\|.*\n)+)", PAGE))
MODELS = {
    name: each
    for module in (work_folder, verdict_documents, baseline)
    for name, each in vars(module).items()
    if isinstance(each, type) and issubclass(each, BaseModel) and each.__module__ == module.__name__
}
TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "text", "Literal": "text"}

FILES = [
    "plan.json",
    "run.json",
    "rows.jsonl",
    "metrics.json",
    "verdict.json",
    "comparison.json",
    "state.json",
    ".lock",
]


def rows(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_every_document_has_a_table() -> None:
    assert set(DOCUMENTED) == set(MODELS) - {"Document", "_Record"}


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_fields_and_their_order(name: str) -> None:
    table = rows(DOCUMENTED[name])
    assert [row[0].strip("`") for row in table] == list(MODELS[name].model_fields)
    assert all(len(row) == 3 and row[2] for row in table)


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_types(name: str) -> None:
    for field, kind, _ in rows(DOCUMENTED[name]):
        annotation = str(MODELS[name].model_fields[field.strip("`")].annotation).replace("typing.", "")
        annotation = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", annotation)
        word = next((word for key, word in TYPES.items() if re.match(rf"(<class '{key}'>|{key}\b)", annotation)), None)
        if field == "`schema_version`":
            word = "integer"
        if word is None:
            word = "list" if annotation.startswith("tuple") else "object"
        assert kind.startswith(word), f"{name}.{field}: {kind}, {annotation}"
        assert ("or null" in kind) == ("None" in annotation), f"{name}.{field}"


def test_links_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 _-]", "", line.lower()).strip().replace(" ", "-")
        for line in PAGE.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(#([^)]+)\)", PAGE):
        assert target in {heading.lstrip("-") for heading in headings}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_written_are_named(name: str) -> None:
    assert name in PAGE
