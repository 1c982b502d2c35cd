"""Reads a price table: ``prices.yaml``, for each model the US dollars for a million tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, RootModel

from llmops_actions.experiment.parsing import parse_document
from llmops_actions.experiment.prices import ModelPrice, PriceTable
from llmops_actions.experiment.yaml_source import read_yaml

FILE_NAME = "prices.yaml"

_Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _PriceBlock(BaseModel):
    model_config = ConfigDict(extra="forbid")

    prompt: _Dollars
    completion: _Dollars = 0.0


class _PriceFile(RootModel[dict[str, _PriceBlock]]):
    pass


def find_prices(folder: Path, repository: Path) -> Path | None:
    """The nearest ``prices.yaml``: in ``folder`` or in a folder above it, up to the repository's root."""
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
        if candidate == repository:
            break
    return None


def read_prices(file: Path) -> PriceTable:
    """Read a price table: ``gpt-4o: {prompt: 2.5, completion: 10}``.

    Raises:
        ExperimentError: the file cannot be read or holds something else.
    """
    content = parse_document(read_yaml(file), _PriceFile)
    return PriceTable({name: ModelPrice(price.prompt, price.completion) for name, price in content.root.items()})
