"""Loads an experiment: the base file, the overlay of its environment, and the rules that both must keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location, UsageError, shortened
from llmops_actions.experiment.experiment import Dataset, Evaluator, Experiment, MappedDataset
from llmops_actions.experiment.flows import is_flow
from llmops_actions.experiment.gates import GateBlock
from llmops_actions.experiment.mapping import MappingError, Mappings, parse_source
from llmops_actions.experiment.model import (
    ConnectionBlock,
    DatasetBlock,
    EvaluatorBlock,
    EvaluatorDatasetBlock,
    ExperimentFile,
)
from llmops_actions.experiment.parsing import did_you_mean, parse_document
from llmops_actions.experiment.paths import find_repository, resolve_inside
from llmops_actions.experiment.yaml_source import Document, KeyPath, read_yaml

FILE_NAME = "experiment.yaml"
REMOTE_PREFIX = "azureml:"

_ENVIRONMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


@dataclass(frozen=True)
class _Source:
    """A parsed file with its document, to locate what is wrong in it."""

    document: Document
    content: ExperimentFile


def load_experiment(use_case: Path, environment: str | None = None, file_name: str = FILE_NAME) -> Experiment:
    """Load ``<use case>/experiment.yaml`` with the overlay ``experiment.<environment>.yaml``, if there is one.

    Each block of the overlay replaces the base's whole block; an empty ``evaluators:`` means none; ``name`` and
    ``flow`` always come from the base. Evaluators that the overlay leaves to the base keep those of their datasets
    that the overlay still has, with the overlay's source; an evaluator may be left with none.

    Raises:
        UsageError: no such use case.
        ExperimentError: a file cannot be read, breaks a rule, or names what does not exist.
    """
    folder, file = _find_files(use_case, file_name)
    repository = find_repository(folder)
    base = _read(file, repository)
    if not base.content.name:
        raise ExperimentError("`name` is missing; add `name: …`.", base.document.locate())
    overlay_file = _overlay_file(file, environment) if environment else None
    overlay = _read(overlay_file, repository) if overlay_file and overlay_file.is_file() else None

    def block(name: str) -> _Source:
        return overlay if overlay and name in overlay.content.model_fields_set else base

    resolver = _Resolver(folder, repository)
    datasets = resolver.datasets(block("datasets"), base)
    return Experiment(
        name=base.content.name,
        folder=folder,
        repository=repository,
        environment=environment,
        flow=resolver.flow(base, base.content.name),
        file=base.document.locate(),
        overlay=overlay.document.file if overlay else None,
        datasets=datasets,
        evaluators=resolver.evaluators(block("evaluators"), datasets, _known_names(block, base)),
        connections=_connections(block("connections")),
        runtime=block("runtime").content.runtime,
        variants=block("variants").content.variants,
        hyperparameters=block("hyperparameters").content.hyperparameters,
        max_variations=block("max_variations").content.max_variations,
        gates=resolver.gates(block("gates"), _all_names(base, overlay)),
        deployment=block("deployment").content.deployment,
        sweep_location=_sweep_location(block),
    )


def is_environment(name: str) -> bool:
    """Whether an environment can have the name: it becomes part of file names."""
    return _ENVIRONMENT.fullmatch(name) is not None


def _sweep_location(block: Callable[[str], _Source]) -> Location:
    name = "hyperparameters" if block("hyperparameters").content.hyperparameters else "variants"
    return block(name).document.locate((name,))


def _known_names(block: Callable[[str], _Source], base: _Source) -> frozenset[str]:
    """The datasets that evaluators may name: those that stand in their own file, else the other file's.

    An overlay that empties ``datasets:`` leaves its evaluators the names of the base.
    """
    evaluators, datasets = block("evaluators"), block("datasets")
    source = base if evaluators is base or not datasets.content.datasets else datasets
    return frozenset(each.name for each in source.content.datasets)


def _all_names(base: _Source, overlay: _Source | None) -> list[str]:
    """The datasets of both files: a gate may be on one that this environment leaves out."""
    sources = [base, overlay] if overlay else [base]
    return list(dict.fromkeys(each.name for source in sources for each in source.content.datasets))


def _find_files(use_case: Path, file_name: str) -> tuple[Path, Path]:
    try:
        folder = use_case.resolve()
        is_file, is_folder = folder.is_file(), folder.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise UsageError(f"`{str(use_case)!r}` cannot be a use case: {error}.") from error
    if is_file:
        return folder.parent, folder
    if not is_folder:
        raise UsageError(f"There is no use case `{use_case}`. `llmops list` shows those of a repository.")
    file = folder / file_name
    if not file.is_file():
        misspelt = next(iter(sorted(folder.glob("experiment.y*ml"))), None)
        hint = f" Rename {misspelt.name} to {file_name}." if misspelt else ""
        raise UsageError(f"`{use_case}` has no {file_name}, so it is no use case.{hint}")
    return folder, file


def _overlay_file(file: Path, environment: str) -> Path:
    if not is_environment(environment):
        raise UsageError(
            f"`{shortened(environment)}` cannot name an environment: it has at most 64 letters, digits, `.`, `_` "
            "and `-`, and starts with a letter or a digit."
        )
    return file.with_name(f"{file.stem}.{environment}{file.suffix}")


def _read(file: Path, repository: Path) -> _Source:
    if not file.resolve().is_relative_to(repository):
        raise ExperimentError(f"The file is a link that leaves the repository ({repository}).", Location(file))
    document = read_yaml(file)
    if document.value is None:
        return _Source(document, ExperimentFile())
    return _Source(document, parse_document(document, ExperimentFile))


def find_dataset(experiment: Experiment, written: str, place: Location) -> Path:
    """The file of a dataset that a gate names, found as the source of a dataset is.

    Raises:
        ExperimentError: it does not exist, is no file, or lies outside of the repository.
    """
    return _Resolver(experiment.folder, experiment.repository).dataset_file(written, place)


def _connections(source: _Source) -> tuple[tuple[ConnectionBlock, Location], ...]:
    seen: dict[str, Location] = {}
    found = []
    for index, block in enumerate(source.content.connections):
        place = source.document.locate(("connections", index))
        settings = block.model_fields_set | set(block.model_extra or {})
        if block.connection_type is None and settings != {"name"}:
            raise ExperimentError(f"The connection `{block.name}` has no `connection_type`; add it.", place)
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

    def flow(self, base: _Source, experiment: str) -> Path:
        written = base.content.flow
        candidates = [written, f"flows/{written}"] if written else [f"flows/{experiment}", experiment]
        return self._find(candidates, base.document.locate(("flow",)), "flow", is_flow)

    def datasets(self, source: _Source, base: _Source) -> tuple[MappedDataset, ...]:
        blocks = source.content.datasets
        if not blocks and source is base:
            raise ExperimentError("`datasets` is missing: add at least one.", source.document.locate(("datasets",)))
        found: dict[str, MappedDataset] = {}
        for index, block in enumerate(blocks):
            path: KeyPath = ("datasets", index)
            if block.name in found:
                place = source.document.locate((*path, "name"))
                raise ExperimentError(f"The dataset `{block.name}` is already there. Names are unique.", place)
            found[block.name] = self._mapped(source.document, path, block, self._dataset(source.document, path, block))
        return tuple(found.values())

    def evaluators(
        self, source: _Source, datasets: Sequence[MappedDataset], names: Collection[str]
    ) -> tuple[Evaluator, ...]:
        """The evaluators. ``names``: datasets that they may name; of these, only ``datasets`` are run over."""
        active = {each.dataset.name: each.dataset for each in datasets}
        found: dict[str, Evaluator] = {}
        for index, block in enumerate(source.content.evaluators):
            path: KeyPath = ("evaluators", index)
            if block.name in found:
                place = source.document.locate((*path, "name"))
                raise ExperimentError(f"The evaluator `{block.name}` is already there. Names are unique.", place)
            written = block.flow
            candidates = [written, f"flows/{written}"] if written else [f"flows/{block.name}", block.name]
            found[block.name] = Evaluator(
                name=block.name,
                path=self._find(candidates, source.document.locate((*path, "flow")), "flow", is_flow),
                datasets=self._evaluator_datasets(source.document, path, block, active, names),
                location=source.document.locate(path),
            )
        return tuple(found.values())

    def gates(self, source: _Source, names: Collection[str]) -> tuple[tuple[GateBlock, Location], ...]:
        """The gates. ``names``: datasets that they may be on."""
        document = source.document
        found = []
        for index, gate in enumerate(source.content.gates):
            path: KeyPath = ("gates", index)
            if gate.dataset is not None and gate.dataset not in names:
                hint = _hint(gate.dataset, names)
                message = f"The gate is on the dataset `{gate.dataset}`, which is not defined. {hint}"
                raise ExperimentError(message, document.locate((*path, "dataset")))
            if gate.each_row and gate.each_row.rows:
                self.dataset_file(gate.each_row.rows, document.locate((*path, "each_row", "rows")))
            found.append((gate, document.locate(path)))
        return tuple(found)

    def _evaluator_datasets(
        self,
        document: Document,
        path: KeyPath,
        evaluator: EvaluatorBlock,
        active: Mapping[str, Dataset],
        names: Collection[str],
    ) -> tuple[MappedDataset, ...]:
        mapped = []
        seen = set()
        for index, block in enumerate(evaluator.datasets):
            place: KeyPath = (*path, "datasets", index)
            if block.name in seen:
                message = f"The evaluator has the dataset `{block.name}` already. Name it once."
                raise ExperimentError(message, document.locate((*place, "name")))
            seen.add(block.name)
            _check_evaluator_dataset(document, place, block, names)
            if block.reference is None:
                if block.name in active:
                    mapped.append(self._mapped(document, place, block, active[block.name]))
            elif block.reference in active or block.name in active:
                dataset = self._dataset(document, place, block)
                mapped.append(self._mapped(document, place, block, dataset, block.reference))
        return tuple(mapped)

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
        return Dataset(block.name, block.source, self.dataset_file(block.source, place), block.description)

    def dataset_file(self, written: str, place: Location) -> Path:
        """The file that a dataset's source names, also looked up under ``data/``."""
        file = self._find([written, f"data/{written}"], place, "dataset", Path.exists)
        if not file.is_file():
            raise ExperimentError(f"The dataset `{written}` is no file. Name one file as its source.", place)
        return file

    def _find(self, candidates: Sequence[str], place: Location, what: str, fits: Callable[[Path], bool]) -> Path:
        paths = [self._inside(candidate, place) for candidate in candidates]
        for path in paths:
            try:
                if fits(path):
                    return path
            except OSError as error:
                message = f"The {what} `{shortened(candidates[0])}` cannot be looked at: {error.strerror}."
                raise ExperimentError(message, place) from error
        shown = " and ".join(f"`{path.relative_to(self.repository)}`" for path in dict.fromkeys(paths))
        hint = " Write `/` between folders." if "\\" in candidates[0] else ""
        raise ExperimentError(f"The {what} `{candidates[0]}` does not exist: looked for {shown}.{hint}", place)

    def _inside(self, written: str, place: Location) -> Path:
        if _DRIVE.match(written):
            raise ExperimentError(f"`{written}` is a path of one machine. Write it from the use case's folder.", place)
        return resolve_inside(self.folder / written, written, self.repository, "path", place)


def _hint(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known, f"There are {', '.join(sorted(known)) or 'none'}.")


def _check_evaluator_dataset(
    document: Document, path: KeyPath, block: EvaluatorDatasetBlock, names: Collection[str]
) -> None:
    """One of the experiment's datasets by its name alone, or a new one with ``source`` and ``reference``."""
    if block.name in names:
        for key in ("source", "reference"):
            if getattr(block, key) is not None:
                raise ExperimentError(
                    f"`{block.name}` is a dataset of the experiment, so it takes no `{key}` here. "
                    "Remove it, or give the new dataset a name of its own.",
                    document.locate((*path, key)),
                )
        return
    if block.source is None or block.reference is None:
        lacking = "source" if block.source is None else "reference"
        text = (
            f"`{block.name}` is no dataset of the experiment, so it needs `source` and `reference`; "
            f"`{lacking}` is missing. {did_you_mean(block.name, names)}"
        )
        raise ExperimentError(text.rstrip(), document.locate(path))
    if block.reference not in names:
        raise ExperimentError(
            f"The referenced dataset `{block.reference}` is not defined. {_hint(block.reference, names)}",
            document.locate((*path, "reference")),
        )


def _mappings(document: Document, path: KeyPath, block: DatasetBlock) -> Mappings:
    mappings = {}
    for name, value in block.mappings.items():
        try:
            mappings[name] = parse_source(value)
        except MappingError as error:
            raise ExperimentError(str(error), document.locate((*path, "mappings", name))) from error
    return mappings
