"""An experiment: a use case with its overlay applied, every path found and every name checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.gates import GateBlock
from llmops_actions.experiment.mapping import Mappings
from llmops_actions.experiment.model import DEFAULT_MAX_VARIATIONS, ConnectionBlock
from llmops_actions.experiment.sweep import VariantSelection


@dataclass(frozen=True)
class Dataset:
    """A dataset: a local file, or a data asset of Azure ML by ``azureml:<name>:<version>`` (then ``file`` is None)."""

    name: str
    source: str
    file: Path | None
    description: str | None = None

    def local_file(self, location: Location | None = None) -> Path:
        """The file.

        Raises:
            ExperimentError: the dataset is a data asset in the cloud.
        """
        if self.file is None:
            raise ExperimentError(
                f"The dataset `{self.name}` is a data asset ({self.source}), which the local platform cannot read. "
                "Name a file as its source in an overlay for this environment.",
                location,
            )
        return self.file


@dataclass(frozen=True)
class MappedDataset:
    """A dataset and how its columns (and a run's outputs) become inputs. ``reference``: whose runs it evaluates."""

    dataset: Dataset
    mappings: Mappings
    location: Location
    reference: str | None = None


@dataclass(frozen=True)
class Evaluator:
    """An evaluator: the path of its flow, and the datasets whose runs it scores."""

    name: str
    path: Path
    datasets: tuple[MappedDataset, ...]
    location: Location

    def datasets_for(self, dataset: str) -> list[MappedDataset]:
        """How to evaluate runs over ``dataset``: by its own name, or as the reference of another dataset."""
        return [each for each in self.datasets if dataset in (each.reference, each.dataset.name)]


@dataclass(frozen=True)
class Experiment:
    """A use case in one environment. ``folder`` is the use case's, ``repository`` the folder no path may leave."""

    name: str
    folder: Path
    repository: Path
    environment: str | None
    flow: Path
    file: Location
    overlay: Path | None = None
    datasets: tuple[MappedDataset, ...] = ()
    evaluators: tuple[Evaluator, ...] = ()
    connections: tuple[tuple[ConnectionBlock, Location], ...] = ()
    runtime: str | None = None
    variants: VariantSelection = "all"
    hyperparameters: Mapping[str, Mapping[str, list[Any]]] = field(default_factory=dict)
    max_variations: int = DEFAULT_MAX_VARIATIONS
    gates: tuple[tuple[GateBlock, Location], ...] = ()
    deployment: Mapping[str, Any] = field(default_factory=dict)
    sweep_location: Location | None = None
