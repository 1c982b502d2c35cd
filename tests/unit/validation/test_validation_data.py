"""Datasets, mappings and types: what a row must have to become an input."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from tests.unit.validation.use_cases import changed, examine_use_case, findings_of, shown, write_use_case

from llmops_actions.experiment.validation.rows import MOST_COLUMNS, Use, examine
from llmops_actions.experiment.validation.types import described, fits

PEOPLE = "data/people.jsonl"
EXPERIMENT = "experiment.yaml"
FLOW = "flows/greet/flow.dag.yaml"


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("int", "3", True),
        ("int", 3.7, True),
        ("int", "3.7", False),
        ("int", None, False),
        ("int", [], False),
        ("int", float("inf"), False),
        ("double", "3.7", True),
        ("double", "much", False),
        ("bool", "True", True),
        ("bool", False, True),
        ("bool", 1, False),
        ("bool", "yes", False),
        ("list", [1], True),
        ("list", "[1]", True),
        ("list", "1", False),
        ("list", "[1", False),
        ("list", {}, False),
        ("string", 3, True),
        ("object", "{", True),
        (None, [], True),
    ],
)
def test_types_by_prompt_flows_rules(kind: str | None, value: object, expected: bool) -> None:
    assert fits(kind, value) is expected


def test_a_value_is_cut_for_a_message() -> None:
    assert described("x" * 100) == '"' + "x" * 56 + "…"


def test_at_most_five_findings_for_an_input_and_the_number_of_the_others(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    file.write_text("".join(json.dumps({"n": "many" if line % 2 else line}) + "\n" for line in range(40)), "utf-8")
    facts = examine(file, [Use("n", "count", "int", "the flow")])
    assert facts.rows == 40
    assert len(facts.findings) == 5
    text = '`n` is "many", but `count` of the flow takes an int.'
    assert shown(facts.findings)[0] == f"error d.jsonl:2 {text}"
    assert shown(facts.findings)[-1] == f"error d.jsonl:10 {text} And 15 more rows."


def test_a_row_without_a_column_that_others_have(tmp_path: Path) -> None:
    found = findings_of(tmp_path, {PEOPLE: '{"name": "Ada", "truth": "x"}\n{"truth": "y"}\n'})
    assert found == ["error people.jsonl:2 The row has no `name`, which the flow takes as `name`; it has `truth`."]


def test_a_null_for_a_text_is_a_warning(tmp_path: Path) -> None:
    found = findings_of(tmp_path, {PEOPLE: '{"name": null, "truth": "x"}\n'})
    assert found == [
        "warning people.jsonl:1 `name` is null: the flow gets the text `None` as `name`. Give it a text.",
    ]


def test_a_broken_row_is_named_and_hides_no_broken_flow(tmp_path: Path) -> None:
    broken = changed(FLOW, "${inputs.name}", "${inputs.nam}")
    found = findings_of(tmp_path, {PEOPLE: '{"name": "Ada", "truth": "x"}\n{"name": \n', **broken})
    assert any(line.startswith("error people.jsonl:2 Not valid JSON") for line in found)
    assert any("no input `nam`" in line for line in found)


def test_what_was_found_before_a_broken_row_is_kept(tmp_path: Path) -> None:
    flow = changed(FLOW, "type: string", "type: int")
    found = findings_of(tmp_path, {PEOPLE: '{"name": "1", "truth": "x"}\n{"name": "b", "truth": "x"}\n[]\n', **flow})
    assert [line.split()[1] for line in found] == ["people.jsonl:3", "people.jsonl:2"]


def test_an_empty_dataset(tmp_path: Path) -> None:
    assert findings_of(tmp_path, {PEOPLE: "\n"}) == ["error people.jsonl The dataset has no rows. Add some."]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.csv", "name,truth\nAda,x\n"),
        ("people.tsv", "name\ttruth\nAda\tx\n"),
        ("people.json", '[{"name":1,"truth":2}]'),
    ],
)
def test_other_formats(tmp_path: Path, name: str, text: str) -> None:
    changes = changed(EXPERIMENT, "people.jsonl", name)
    assert findings_of(tmp_path, {**changes, f"data/{name}": text}) == []


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def peak(rows: int) -> int:
        file = tmp_path / f"{rows}.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            lines.writelines(json.dumps({"n": "x", f"c{row}": row}) + "\n" for row in range(rows))
        tracemalloc.start()
        facts = examine(file, [Use("n", "count", "int", "the flow")])
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert facts.rows == rows
        assert facts.columns is None
        return highest

    assert peak(4 * MOST_COLUMNS) < 1.2 * peak(2 * MOST_COLUMNS)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'name: "${data.name}"',
            'name: "${data.nam}"',
            "error experiment.yaml:12 The dataset `people` has no column `nam`. Did you mean `name`?",
        ),
        (
            'name: "${data.name}"',
            'nam: "${data.name}"',
            "error experiment.yaml:12 The flow has no input `nam`. Did you mean `name`?",
        ),
        (
            'name: "${data.name}"',
            'name: "${data.name}"\n    flavour: sweet',
            (
                "warning experiment.yaml:13 The flow has no input `flavour`: the mapping does nothing. Remove it. "
                "The inputs: `name`."
            ),
        ),
        (
            'name: "${data.name}"',
            'name: "${run.outputs.name}"',
            (
                "error experiment.yaml:12 `${run.outputs.name}` is for evaluators: a run has no earlier run. "
                "Use `${data.<column>}` or a plain value."
            ),
        ),
        (
            "${run.outputs.answer}",
            "${run.outputs.answers}",
            "error experiment.yaml:19 The flow has no output `answers`. Did you mean `answer`?",
        ),
        (
            "${run.outputs.answer}",
            "${target.reply}",
            "error experiment.yaml:19 The flow has no output `reply`. There are `answer`.",
        ),
        (
            "${run.outputs.answer}",
            "${run.inputs.nme}",
            "error experiment.yaml:19 The flow has no input `nme`. Did you mean `name`?",
        ),
        (
            '      answer: "${run.outputs.answer}"\n',
            "",
            (
                "error experiment.yaml:18 The input `answer` of the evaluator `polite` has no default, is not mapped, "
                "and `people` has no such column. Map it: `answer: ${data.<column>}`; the columns: `name`, `truth`."
            ),
        ),
    ],
)
def test_a_mapping_that_leads_nowhere(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert expected in findings_of(tmp_path, changed(EXPERIMENT, old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name: "${data.name}"', "name: everybody"),
        ('mappings:\n    name: "${data.name}"', "mappings:"),
        ("${run.outputs.answer}", "${target.answer}"),
        ("${run.outputs.answer}", "${run.inputs.name}"),
    ],
)
def test_a_mapping_that_leads_somewhere(tmp_path: Path, old: str, new: str) -> None:
    assert findings_of(tmp_path, changed(EXPERIMENT, old, new)) == []


def test_a_literal_of_the_wrong_type(tmp_path: Path) -> None:
    flow = changed(FLOW, "type: string", "type: int")
    experiment = changed(EXPERIMENT, '"${data.name}"', "three")
    assert findings_of(tmp_path, {**flow, **experiment}) == [
        'error experiment.yaml:12 "three" is no int, which `name` of the flow takes.'
    ]


def _with_new_dataset() -> dict[str, str]:
    end = '    mappings:\n      answer: "${run.outputs.answer}"\n      truth: "${data.truth}"\n'
    return changed(EXPERIMENT, end, end + "  - name: more\n    source: more.jsonl\n    reference: people\n" + end)


def test_an_evaluators_dataset_with_fewer_rows(tmp_path: Path) -> None:
    found = findings_of(tmp_path, {**_with_new_dataset(), "data/more.jsonl": '{"truth": "x"}\n'})
    assert found == [
        (
            "warning experiment.yaml:21 1 of 2 rows has no row in more.jsonl and is not scored. "
            "Rows are joined by their number."
        )
    ]


def test_an_evaluators_dataset_with_more_rows(tmp_path: Path) -> None:
    found = findings_of(tmp_path, {**_with_new_dataset(), "data/more.jsonl": '{"truth": "x"}\n' * 3})
    assert found == [
        (
            "warning experiment.yaml:21 `more` has 3 rows, but `people`, whose runs it evaluates, has 2. "
            "Rows are joined by their number, and those beyond are not used."
        )
    ]


def test_an_evaluators_dataset_with_the_same_number_of_rows(tmp_path: Path) -> None:
    assert findings_of(tmp_path, {**_with_new_dataset(), "data/more.jsonl": '{"truth": "x"}\n' * 2}) == []


def test_a_data_asset_and_unused_columns_are_notices(tmp_path: Path) -> None:
    changes = changed(EXPERIMENT, "source: people.jsonl", "source: azureml:people:1")
    examination = examine_use_case(write_use_case(tmp_path, changes))
    assert shown(examination.findings, notices=True) == [
        "notice experiment.yaml:9 `people` is a data asset in the cloud: its rows are not checked here."
    ]
    assert examination.rows == 0
    rows = '{"name": "Ada", "truth": "x", "age": 36}\n'
    examination = examine_use_case(write_use_case(tmp_path / "b", {PEOPLE: rows}))
    assert shown(examination.findings, notices=True) == ["notice people.jsonl No mapping uses `age`."]


def test_an_evaluator_that_has_nothing_to_do_in_an_environment(tmp_path: Path) -> None:
    overlay = "name: greetings\ndatasets:\n- name: other\n  source: people.jsonl\n  mappings: {name: x}\n"
    use_case = write_use_case(tmp_path, {"experiment.pr.yaml": overlay})
    found = shown(examine_use_case(use_case, environment="pr").findings, notices=True)
    assert "notice experiment.yaml:14 The evaluator `polite` has no dataset in this environment." in found
