"""The page about gates: its keys are those that there are, its examples load, its numbers are measured."""

from __future__ import annotations

import gzip
import random
import re
from pathlib import Path

import pytest
from tests.unit.evaluation.runs import run
from tests.unit.experiment_files import EXPERIMENT, use_case

from llmops_actions.evaluation.baseline import BaselineDigest, digest_run
from llmops_actions.experiment import gates
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.outcome import EXIT_CODES, Verdict

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
STATISTICS = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"<!-- gates -->\n```yaml\n(.*?)```\n", PAGE, re.DOTALL)
TABLES = dict(re.findall(r"<!-- keys: (\w+) -->\n((?:\|.*\n)+)", PAGE))


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def table_after(heading: str) -> list[list[str]]:
    found = re.search(rf"{re.escape(heading)}[\s\S]*?\n((?:\|.*\n)+)", PAGE)
    assert found is not None
    return cells(found[1])


@pytest.mark.parametrize("model", [gates.GateBlock, gates.EachRow])
def test_every_key_and_its_default_is_in_the_table(model: type[gates.GateBlock | gates.EachRow]) -> None:
    rows = cells(TABLES[model.__name__])
    assert [row[0].strip("`") for row in rows] == list(model.model_fields)
    for name, meaning, default in rows:
        field = model.model_fields[name.strip("`")]
        assert meaning
        if field.is_required():
            assert default == "required"
        elif field.default is not None:
            assert default == str(field.default).lower(), name


def test_every_subject_is_named() -> None:
    for subject in gates.SUBJECTS:
        assert f"`{subject}`" in PAGE


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_loads(tmp_path: Path, example: str) -> None:
    folder = use_case(tmp_path, {"experiment.yaml": EXPERIMENT + example, "data/must_pass.jsonl": "{}\n"})
    assert len(load_experiment(folder).gates) == example.count("\n- ")


def test_every_yaml_is_such_an_example() -> None:
    assert PAGE.count("```yaml") == len(EXAMPLES) == 4


def test_exit_codes() -> None:
    found = {row[0]: int(row[1]) for row in table_after("## Verdicts")}
    codes: dict[Verdict, int] = {name: code for name, code in EXIT_CODES.items() if name != "usage"}
    assert found == codes


@pytest.mark.parametrize(
    ("rows", "raw", "compressed", "further"),
    [
        (int(row[0].replace(",", "")), *map(float, row[1:]))
        for row in table_after("Measured with one boolean score")
        if len(row[0]) < 6
    ],
)
def test_the_size_of_a_baseline_is_what_it_says(rows: int, raw: float, compressed: float, further: float) -> None:
    one, two = (_sizes(rows, scores) for scores in (1, 2))
    assert [round(size / rows, 1) for size in one] == [raw, compressed]
    assert round((two[1] - one[1]) / rows, 1) == further


def _sizes(rows: int, scores: int) -> tuple[int, int]:
    """Bytes of a digest as it is, and compressed."""
    chance = random.Random(0)
    keys = [row_key({"row": row}) for row in range(rows)]
    values = {f"g.s{number}": [chance.random() < 0.8 for _ in keys] for number in range(scores)}
    digest = digest_run(run(values, keys=keys))
    whole = BaselineDigest(experiment="x", environment=None, variation="default", created_at="", runs=(digest,))
    content = whole.model_dump_json().encode()
    return len(content), len(gzip.compress(content))


def test_what_rows_can_see_is_what_the_statistics_say() -> None:
    """Both ends of the column "detectable", over calm and lively flows."""
    [table] = re.findall(r"<!-- table: decide -->\n((?:\|.*\n)+)", STATISTICS)
    for rows, seen, _, _ in table_after("## How many rows, which limit"):
        points = [float(row[2].split()[0]) for row in cells(table) if row[0] == rows]
        assert seen == f"{round(min(points))} to {round(max(points))} points"


def test_links_lead_somewhere() -> None:
    pages = {"": PAGE}
    for target, anchor in re.findall(r"\]\(([a-z-]*(?:\.md)?)#([^)]+)\)", PAGE):
        page = pages.setdefault(target, (ROOT / "docs" / target).read_text(encoding="utf-8") if target else PAGE)
        headings = {
            re.sub(r"[^a-z0-9 _-]", "", line.lower()).strip().replace(" ", "-").lstrip("-")
            for line in page.splitlines()
            if line.startswith("#")
        }
        assert anchor in headings, f"{target}#{anchor}"
