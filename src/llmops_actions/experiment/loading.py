"""Loads an experiment: the base file, the overlay of its environment, and the rules that both must keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location, UsageError
from llmops_actions.experiment.experiment import Dataset, Evaluator, Experiment, MappedDataset
from llmops_actions.experiment.flows import is_flow
from llmops_actions.experiment.mapping import MappingError, Mappings, parse_source
from llmops_actions.experiment.model import (
    ConnectionBlock,
    DatasetBlock,
    EvaluatorDatasetBlock,
    ExperimentFile,
)
from llmops_actions.experiment.parsing import nearest_name, parse_document
from llmops_actions.experiment.yaml_source import Document, KeyPath, read_yaml

FILE_NAME = "experiment.yaml"
REMOTE_PREFIX = "azureml:"
_FROM_THE_BASE = ("name", "flow", "schema_reference")


@dataclass(frozen=True)
class _Source:
    """A parsed file with its document, to locate what is wrong in it."""

    document: Document
    content: ExperimentFile


def load_experiment(use_case: Path, environment: str | None = None, file_name: str = FILE_NAME) -> Experiment:
    """Load ``<use case>/experiment.yaml`` with the overlay ``experiment.<environment>.yaml``, if there is one.

    Each block of the overlay replaces the base's whole block; an empty ``evaluators:`` means none; ``name`` and
    ``flow`` always come from the base.

    Raises:
        UsageError: no such use case.
        ExperimentError: a file cannot be read, breaks a rule, or names what does not exist.
    """
    folder, file = _find_files(use_case, file_name)
    base = _read(file)
    overlay_file = file.with_name(f"{file.stem}.{environment}{file.suffix}") if environment else None
    overlay = _read(overlay_file) if overlay_file and overlay_file.is_file() else None

    def block(name: str) -> _Source:
        return overlay if overlay and name in overlay.content.model_fields_set else base

    repository = find_repository(folder)
    resolver = _Resolver(folder, repository)
    datasets = resolver.datasets(block("datasets"), base)
    sweep = block("hyperparameters")
    return Experiment(
        name=base.content.name,
        folder=folder,
        repository=repository,
        environment=environment,
        flow=resolver.flow(base),
        file=base.document.locate(),
        overlay=overlay.document.file if overlay else None,
        datasets=datasets,
        evaluators=resolver.evaluators(block("evaluators"), datasets, inherited=block("evaluators") is not overlay),
        connections=_connections(block("connections")),
        runtime=block("runtime").content.runtime,
        variants=block("variants").content.variants,
        hyperparameters=sweep.content.hyperparameters,
        max_variations=block("max_variations").content.max_variations,
        gates=tuple(block("gates").content.gates),
        deployment=block("deployment").content.deployment,
        sweep_location=sweep.document.locate(("hyperparameters",)),
    )


def find_repository(folder: Path) -> Path:
    """The folder that no path may leave: the nearest one above with ``.git``, else the use case's parent."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder.parent


def _find_files(use_case: Path, file_name: str) -> tuple[Path, Path]:
    folder = use_case.resolve()
    if folder.is_file():
        return folder.parent, folder
    if not folder.is_dir():
        raise UsageError(f"There is no use case `{use_case}`. `llmops list` shows those of a repository.")
    file = folder / file_name
    if not file.is_file():
        misspelt = next(iter(sorted(folder.glob("experiment.y*ml"))), None)
        hint = f" Rename {misspelt.name} to {file_name}." if misspelt else ""
        raise UsageError(f"`{use_case}` has no {file_name}, so it is no use case.{hint}")
    return folder, file


def _read(file: Path) -> _Source:
    document = read_yaml(file)
    return _Source(document, parse_document(document, ExperimentFile))


def _connections(source: _Source) -> tuple[tuple[ConnectionBlock, Location], ...]:
    seen: dict[str, Location] = {}
    found = []
    for index, block in enumerate(source.content.connections):
        place = source.document.locate(("connections", index))
        if block.name in seen:
            raise ExperimentError(f"The connection `{block.name}` is already there, at {seen[block.name]}.", place)
        seen[block.name] = place
        found.append((block, place))
    return tuple(found)


@dataclass(frozen=True)
class _Resolver:
    """Finds the files behind what was written, seen from the use case's folder."""

    folder: Path
    repository: Path

    def flow(self, base: _Source) -> Path:
        written = base.content.flow
        name = written or base.content.name
        candidates = [name, f"flows/{name}"] if written else [f"flows/{name}", name]
        return self._find(candidates, base.document.locate(("flow",)), "flow", is_flow)

    def datasets(self, source: _Source, base: _Source) -> tuple[MappedDataset, ...]:
        blocks = source.content.datasets
        if not blocks and source is base:
            raise ExperimentError("`datasets` is missing: add at least one.", source.document.locate(("datasets",)))
        found: dict[str, MappedDataset] = {}
        for index, block in enumerate(blocks):
            path: KeyPath = ("datasets", index)
            _require(source.document, path, block, ("source", "mappings"))
            if block.name in found:
                place = source.document.locate((*path, "name"))
                raise ExperimentError(f"The dataset `{block.name}` is already there. Names are unique.", place)
            found[block.name] = self._mapped(source.document, path, block, self._dataset(source.document, path, block))
        return tuple(found.values())

    def evaluators(
        self, source: _Source, datasets: Sequence[MappedDataset], *, inherited: bool
    ) -> tuple[Evaluator, ...]:
        """The evaluators. Those ``inherited`` from the base may name datasets that the overlay left out: dropped."""
        known = {each.dataset.name: each.dataset for each in datasets}
        found: dict[str, Evaluator] = {}
        for index, block in enumerate(source.content.evaluators):
            path: KeyPath = ("evaluators", index)
            if block.name in found:
                place = source.document.locate((*path, "name"))
                raise ExperimentError(f"The evaluator `{block.name}` is already there. Names are unique.", place)
            place = source.document.locate((*path, "flow"))
            name = block.flow or block.name
            flow = self._find(
                [name, f"flows/{name}"] if block.flow else [f"flows/{name}", name], place, "flow", is_flow
            )
            mapped = [
                self._evaluator_dataset(source.document, (*path, "datasets", number), each, known)
                for number, each in enumerate(block.datasets)
                if not (
                    inherited
                    and datasets
                    and (each.reference or each.name) not in known
                    and self._known_in(source, each)
                )
            ]
            found[block.name] = Evaluator(block.name, flow, tuple(mapped), source.document.locate(path))
        return tuple(found.values())

    @staticmethod
    def _known_in(source: _Source, block: EvaluatorDatasetBlock) -> bool:
        return (block.reference or block.name) in {each.name for each in source.content.datasets}

    def _evaluator_dataset(
        self, document: Document, path: KeyPath, block: EvaluatorDatasetBlock, known: dict[str, Dataset]
    ) -> MappedDataset:
        place = document.locate(path)
        _require(document, path, block, ("mappings",))
        if block.name in known:
            for key in ("source", "reference"):
                if getattr(block, key) is not None:
                    raise ExperimentError(
                        f"`{block.name}` is a dataset of the experiment, so it takes no `{key}` here. "
                        "Remove it, or give the new dataset a name of its own.",
                        document.locate((*path, key)),
                    )
            return self._mapped(document, path, block, known[block.name])
        if block.source is None or block.reference is None:
            lacking = "source" if block.source is None else "reference"
            nearest = nearest_name(block.name, list(known))
            hint = f" Did you mean `{nearest}`?" if nearest else ""
            raise ExperimentError(
                f"`{block.name}` is no dataset of the experiment, so it needs `source` and `reference`; "
                f"`{lacking}` is missing.{hint}",
                place,
            )
        if block.reference not in known:
            nearest = nearest_name(block.reference, list(known))
            hint = f"Did you mean `{nearest}`?" if nearest else f"There are {', '.join(known) or 'none'}."
            raise ExperimentError(
                f"The referenced dataset `{block.reference}` is not defined. {hint}",
                document.locate((*path, "reference")),
            )
        return self._mapped(document, path, block, self._dataset(document, path, block), block.reference)

    def _mapped(
        self,
        document: Document,
        path: KeyPath,
        block: DatasetBlock,
        dataset: Dataset,
        reference: str | None = None,
    ) -> MappedDataset:
        return MappedDataset(dataset, _mappings(document, path, block), document.locate(path), reference)

    def _dataset(self, document: Document, path: KeyPath, block: DatasetBlock) -> Dataset:
        place = document.locate((*path, "source"))
        if block.source.startswith(REMOTE_PREFIX):
            if len(block.source.split(":")) != 3 or not all(block.source.split(":")):
                raise ExperimentError(f"`{block.source}` is not `azureml:<name>:<version>`.", place)
            return Dataset(block.name, block.source, None, block.description)
        candidates = [block.source, f"data/{block.source}"]
        return Dataset(
            block.name, block.source, self._find(candidates, place, "dataset", Path.exists), block.description
        )

    def _find(self, candidates: Sequence[str], place: Location, what: str, fits: Callable[[Path], bool]) -> Path:
        paths = [self._inside(candidate, place) for candidate in candidates]
        for path in paths:
            if fits(path):
                return path
        shown = " nor ".join(f"`{path.relative_to(self.repository)}`" for path in paths)
        raise ExperimentError(f"The {what} `{candidates[0]}` does not exist: neither {shown}.", place)

    def _inside(self, written: str, place: Location) -> Path:
        if "\0" in written:
            raise ExperimentError("A path holds a NUL character.", place)
        path = (self.folder / written).resolve()
        if not path.is_relative_to(self.repository):
            raise ExperimentError(f"The path `{written}` leaves the repository ({self.repository}).", place)
        return path


def _require(document: Document, path: KeyPath, block: DatasetBlock, keys: Sequence[str]) -> None:
    for key in keys:
        if key not in block.model_fields_set:
            raise ExperimentError(f"The dataset `{block.name}` has no `{key}`; add it.", document.locate(path))


def _mappings(document: Document, path: KeyPath, block: DatasetBlock) -> Mappings:
    mappings = {}
    for name, value in block.mappings.items():
        try:
            mappings[name] = parse_source(value)
        except MappingError as error:
            raise ExperimentError(str(error), document.locate((*path, "mappings", name))) from error
    return mappings
