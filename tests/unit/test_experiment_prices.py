"""Price tables: where they are found, what they hold, and what calls cost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import write

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.price_file import find_prices, read_prices
from llmops_actions.experiment.prices import ModelPrice, PriceTable


def test_the_nearest_table_counts_up_to_the_repository(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    folder = repository / "flows" / "support"
    folder.mkdir(parents=True)
    write(tmp_path, {"prices.yaml": "far: {prompt: 1}"})
    assert find_prices(folder, repository) is None
    for nearer in (repository, repository / "flows", folder):
        write(nearer, {"prices.yaml": "x: {prompt: 1}"})
        assert find_prices(folder, repository) == nearer / "prices.yaml"


def test_without_any_table(tmp_path: Path) -> None:
    assert find_prices(tmp_path / "a", tmp_path / "b") is None


def test_a_table(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    write(tmp_path, {"prices.yaml": "gpt-4o: {prompt: 2.5, completion: 10}\nembedding:\n  prompt: 0.1\n"})
    table = read_prices(file)
    assert table == PriceTable({"gpt-4o": ModelPrice(2.5, 10.0), "embedding": ModelPrice(0.1, 0.0)})
    assert table.cost("gpt-4o", 1_000_000, 100_000) == 3.5
    assert table.cost("gpt-5", 1, 1) is None
    assert table.total({"gpt-4o": (400_000, 0), "embedding": (1_000_000, 7)}) == pytest.approx(1.1)
    assert table.total({"gpt-4o": (1, 1), "gpt-5": (1, 1)}) is None
    assert table.total({}) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gpt: {prompt: -1}", "`gpt.prompt`: Input should be greater than or equal to 0"),
        ("gpt: {prompt: .nan}", "`gpt.prompt`"),
        ("gpt: {prompt: .inf}", "`gpt.prompt`: Input should be a finite number"),
        ("gpt: {promt: 1}", "Unknown key `promt`"),
        ("gpt: 1", "`gpt`"),
        ("- gpt", "must hold keys and values"),
        ("", "it is empty"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: str, said: str) -> None:
    write(tmp_path, {"prices.yaml": text})
    with pytest.raises(ExperimentError) as caught:
        read_prices(tmp_path / "prices.yaml")
    assert said in caught.value.message
    assert caught.value.location is not None
    assert caught.value.location.file == tmp_path / "prices.yaml"
