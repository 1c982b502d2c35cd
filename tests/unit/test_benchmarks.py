"""What the benchmarks do with what they measured: sums, targets, Markdown, made-up data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks import report, results
from benchmarks.cases.growth import drift
from benchmarks.measure import Sample, ratios, spread
from benchmarks.memory import MemorySample
from benchmarks.results import TIMES, CaseResult, Document, Figure, Machine, Target
from benchmarks.use_case import write_use_case

from llmops_actions.experiment.loading import load_experiment


def sample(wall: float, *pss: float) -> Sample:
    step = wall / max(len(pss), 1)
    return Sample(
        wall, 2 * wall, tuple(MemorySample(step * at, each, 2 * each, each, 1) for at, each in enumerate(pss))
    )


def document(figure: Figure) -> Document:
    machine = Machine(
        processor="Example", processors_used=2, memory_gb=8.0, system="Linux 6", versions={"python": "3.11.0"}
    )
    case = CaseResult(title="two rows", figures=(figure,), commands={"ours": ("llmops list",)}, date="2026-01-02")
    return Document(machine=machine, command="python -m benchmarks", cases={"example": case})


def test_ratio_is_taken_pair_by_pair() -> None:
    found = ratios([10.0, 40.0, 90.0], [1.0, 2.0, 3.0])
    assert (found.median, found.lowest, found.highest, found.count) == (20.0, 10.0, 30.0, 3)


def test_ratio_refuses_unequal_numbers_of_samples() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("target", "value", "met"),
    [
        (Target(limit=8, at_least=True), 8.0, True),
        (Target(limit=8, at_least=True), 7.9, False),
        (Target(limit=0.2), 0.2, True),
        (Target(limit=0.2), 0.21, False),
    ],
)
def test_target(target: Target, value: float, met: bool) -> None:
    assert Figure(name="f", unit="s", measured=spread([value]), target=target).met is met


def test_processes_one_after_another_add_up() -> None:
    total = sample(2.0, 100.0, 150.0) + sample(1.0, 120.0)
    assert (total.wall, total.cpu, total.peak_pss, total.peak_rss) == (3.0, 6.0, 150.0, 300.0)
    assert [each.at for each in total.memory] == [0.0, 1.0, 2.0]


def test_drift_compares_the_last_tenth_with_the_second() -> None:
    assert drift(sample(10.0, 5, 100, 900, 900, 900, 900, 900, 900, 900, 130)) == 30


@pytest.mark.parametrize(
    ("figure", "row"),
    [
        (
            Figure(
                name="faster",
                unit=TIMES,
                ours=spread([1.0, 2.0, 3.0]),
                reference=spread([20.0, 20.0, 20.0]),
                measured=spread([10.0, 10.04, 12.0]),
                target=Target(limit=8, at_least=True),
            ),
            "| faster | 2.00 s (1.00–3.00) | 20.0 s (20.0–20.0) | ≥ 8× | 10.0× (10.0–12.0) | 3 | yes |",  # noqa: RUF001
        ),
        (
            Figure(name="peak", unit="MB", measured=spread([1234.5]), target=Target(limit=250)),
            "| peak |  |  | ≤ 250 MB | 1,234 MB | 1 | **no** |",
        ),
    ],
)
def test_figure_is_one_row_of_the_table(figure: Figure, row: str) -> None:
    assert row in report.render(document(figure)).splitlines()


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    written = document(Figure(name="peak", unit="MB", measured=spread([1.0, 2.0]), note="why"))
    results.write(tmp_path / "results.json", written)
    assert results.read(tmp_path / "results.json") == written
    assert results.read(tmp_path / "missing.json") is None


def test_table_replaces_what_is_between_the_markers() -> None:
    readme = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.insert(readme, "new") == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"


def test_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        report.insert("nothing here", "new")


def test_made_up_pages_are_the_same_each_time(tmp_path: Path) -> None:
    one = write_use_case(tmp_path / "one", 5, ("pages", "more_pages"))
    other = write_use_case(tmp_path / "other", 5, ("pages", "more_pages"))
    pages = one.dataset("pages").read_text()
    assert pages == other.dataset("pages").read_text()
    assert pages != one.dataset("more_pages").read_text()
    assert len({json.loads(line)["url"] for line in pages.splitlines()}) == 5


def test_written_use_case_is_an_experiment(tmp_path: Path) -> None:
    write_use_case(tmp_path / "case", 2, ("pages", "more_pages"), ("accuracy", "evidence"), sweep=True)
    experiment = load_experiment(tmp_path / "case")
    assert [each.name for each in experiment.evaluators] == ["accuracy", "evidence"]
