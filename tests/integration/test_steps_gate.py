"""``gate`` and ``compare`` on the samples, with the real engine and the stand-in model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.integration.steps_command import ROOT, llmops, llmops_json, read_json
from tests.integration.test_steps_lifecycle import BETTER_SUMMARY, DEFAULT, WORSE_PROMPT, sample
from tests.unit.test_imports import SLOW, imported_by

SAMPLES = sorted(file.parent.name for file in (ROOT / "flows").glob("*/experiment.yaml"))
RESULTS = Path(".llmops/web_classification/base")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with web_classification, its whole sweep run and evaluated."""
    repository = sample(tmp_path_factory.mktemp("gate") / "repository", "web_classification")
    for step in ("bulk-run", "evaluate"):
        outcome = llmops_json(repository, step, "web_classification", "--offline", "--quiet")
        assert outcome["verdict"] == "passed", outcome["findings"]
    return repository


@pytest.fixture
def repository(evaluated: Path, tmp_path: Path) -> Path:
    shutil.copytree(evaluated, tmp_path / "repository")
    return tmp_path / "repository"


def gate(repository: Path, *words: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The outcome, and the gates as ``verdict.json`` has them."""
    outcome = llmops_json(repository, "gate", "web_classification", *words)
    return outcome, read_json(repository / RESULTS / "verdict.json")["gates"]


def test_the_best_variation_passes_and_becomes_the_baseline(repository: Path) -> None:
    outcome, gates = gate(repository, "--save-baseline", "kept/baseline.json")
    assert (outcome["verdict"], outcome["exit_code"]) == ("passed", 0)
    assert outcome["outputs"]["variation"] == BETTER_SUMMARY
    assert {each["without_baseline"] for each in gates if each["kind"] == "baseline"} == {True}
    assert [each["level"] for each in outcome["findings"]] == ["warning"] * 3

    outcome, gates = gate(repository, "--baseline", "kept")
    assert outcome["verdict"] == "passed"
    compared = [each for each in gates if each["kind"] == "baseline"]
    assert [(each["identical"], each["pairs"], each["difference"]) for each in compared] == [
        (True, 64, 0),
        (True, 32, 0),
    ]
    assert "Passed by identity" in outcome["summary"]


def test_a_worse_variation_fails_against_it_row_by_row(repository: Path) -> None:
    gate(repository, "--variation", DEFAULT, "--save-baseline", "baseline.json")
    outcome, gates = gate(repository, "--baseline", "baseline.json", "--variation", WORSE_PROMPT)
    assert (outcome["verdict"], outcome["exit_code"]) == ("failed", 1)
    compared = {each["dataset"]: each for each in gates if each["kind"] == "baseline"}
    pages = compared["web_pages"]
    assert (pages["verdict"], pages["test"]) == ("failed", "Tango; McNemar mid-p")
    assert pages["interval"]["high"] < -0.1
    rows = {
        variation: {line["key"]: line["scores"]["correct"] for line in _scores(repository, f"web_pages.{variation}")}
        for variation in (DEFAULT, WORSE_PROMPT)
    }
    lost = {key for key, right in rows[DEFAULT].items() if right and not rows[WORSE_PROMPT][key]}
    assert {row["key"] for row in pages["regressed"]} == lost
    assert outcome["outputs"]["regressed"] == len(lost) + len(compared["web_pages_hard"]["regressed"])
    assert pages["difference"] == pytest.approx(
        (sum(rows[WORSE_PROMPT].values()) - sum(rows[DEFAULT].values())) / 64, abs=1e-9
    )


def _scores(repository: Path, run: str) -> list[dict[str, Any]]:
    file = repository / RESULTS / f"scores/classification_accuracy/{run}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_the_work_folder_of_an_earlier_run_is_a_baseline(repository: Path) -> None:
    gate(repository, "--variation", DEFAULT)
    shutil.copytree(repository / ".llmops", repository / "earlier")
    outcome, gates = gate(repository, "--baseline", "earlier", "--variation", BETTER_SUMMARY)
    assert outcome["verdict"] == "passed"
    assert all(each["difference"] > 0 for each in gates if each["kind"] == "baseline")


def test_another_order_of_the_rows_changes_nothing(repository: Path) -> None:
    """Paired by content: a baseline over the same rows, sorted in another way."""
    gate(repository, "--variation", WORSE_PROMPT, "--save-baseline", "baseline.json")
    _, gates = gate(repository, "--baseline", "baseline.json", "--variation", DEFAULT)
    digest = read_json(repository / "baseline.json")
    for run in digest["runs"]:
        digits = run["key_digits"]
        keys = [run["keys"][at : at + digits] for at in range(0, len(run["keys"]), digits)]
        run["keys"] = "".join(reversed(keys))
        for series in run["series"]:
            for values in ("marks", "numbers"):
                series[values] = series[values][::-1] if series[values] else None
    (repository / "baseline.json").write_text(json.dumps(digest), encoding="utf-8")
    _, turned = gate(repository, "--baseline", "baseline.json", "--variation", DEFAULT)
    for one, two in zip(gates, turned, strict=True):
        assert (one["verdict"], one["interval"], one["pairs"]) == (two["verdict"], two["interval"], two["pairs"])


def test_light_steps_import_nothing_slow(repository: Path) -> None:
    """A gate over few rows has to start at once: no scipy, and numpy for the bootstrap only."""
    slow = {*SLOW, "scipy", "statsmodels"}
    assert imported_by(repository, "gate", "web_classification", "--save-baseline", "b.json") & slow == set()
    assert imported_by(repository, "gate", "web_classification", "--baseline", "b.json") & slow == set()
    assert imported_by(repository, "compare", "web_classification") & slow == set()


def test_the_words_of_a_terminal(repository: Path) -> None:
    code, output, errors = llmops(repository, "gate", "web_classification", "--baseline", "x")
    assert code == 2
    assert "error: There is no baseline at `x`." in output + errors
    code, output, _ = llmops(repository, "gate", "web_classification", "--variation", DEFAULT)
    assert code == 1
    assert "failed: 1 of 9 gates failed: accuracy at least 0.75 (web_pages)" in output


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["base", "pr"])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_passes_its_gates(tmp_path: Path, name: str, environment: str) -> None:
    repository = sample(tmp_path / "repository", name)
    words = ["--env", environment] if environment != "base" else []
    outcome = llmops_json(repository, "lifecycle", name, "--offline", "--quiet", *words)
    assert outcome["verdict"] == "passed", outcome["findings"]
    document = read_json(repository / f".llmops/{name}/{environment}/verdict.json")
    assert document["verdict"] == "passed"
    deciding = [each for each in document["gates"] if not each["advisory"]]
    assert deciding
    assert {each["verdict"] for each in deciding} == {"passed"}
