"""Prices: what tokens cost, and that an unknown price is not nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.experiment_files import write

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.price_file import find_prices, read_prices
from llmops_actions.experiment.prices import ModelPrice, PriceTable

TABLE = PriceTable({"gpt": ModelPrice(2.5, 10.0), "free": ModelPrice(0.0, 0.0)})


def test_costs() -> None:
    assert TABLE.cost("gpt", 1_000_000, 500_000) == pytest.approx(7.5)
    assert TABLE.cost("free", 10, 10) == 0
    assert TABLE.cost("other", 1, 1) is None


def test_totals() -> None:
    assert TABLE.total({"gpt": (1_000_000, 0), "free": (1, 1)}) == pytest.approx(2.5)
    assert TABLE.total({"gpt": (1, 1), "other": (0, 0)}) is None
    assert TABLE.total({}) == 0


def test_a_price_file(tmp_path: Path) -> None:
    folder = write(tmp_path, {"prices.yaml": "gpt: {prompt: 2.5, completion: 10}\nada: {prompt: 0.1}\n"})
    table = read_prices(folder / "prices.yaml")
    assert table.models == {"gpt": ModelPrice(2.5, 10.0), "ada": ModelPrice(0.1, 0.0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "it is empty"),
        ("gpt: 3\n", "`gpt` must hold names and values"),
        ("gpt: {promt: 1}\n", "Unknown key `promt`"),
        ("gpt: {prompt: -1}\n", "greater than or equal to 0"),
        ("gpt: {prompt: .nan}\n", "finite"),
        ("gpt: {prompt: much}\n", "`gpt.prompt`"),
    ],
)
def test_price_files_of_another_shape(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path, {"prices.yaml": text})
    with pytest.raises(ExperimentError) as raised:
        read_prices(tmp_path / "prices.yaml")
    assert expected in str(raised.value)
    assert raised.value.location is not None


def test_the_nearest_price_file_counts(tmp_path: Path) -> None:
    write(tmp_path, {"prices.yaml": "", "repository/flows/chat/x": ""})
    folder = tmp_path / "repository" / "flows" / "chat"
    assert find_prices(folder, tmp_path / "repository") is None
    write(tmp_path / "repository", {"prices.yaml": ""})
    assert find_prices(folder, tmp_path / "repository") == tmp_path / "repository" / "prices.yaml"
    write(folder, {"prices.yaml": ""})
    assert find_prices(folder, tmp_path / "repository") == folder / "prices.yaml"
    assert find_prices(Path("/"), tmp_path) is None
