"""The rows of a run: a dataset's, or a dataset's joined with the outputs of the run that is evaluated."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.fingerprint import row_key
from llmops_actions.experiment.mapping import MappingError, Mappings, apply
from llmops_actions.platforms.ports import Row
from llmops_actions.work_folder import RowDocument, read_lines

FAILED_BEFORE = "The row failed in the bulk run"
"""How the error of a row starts that an evaluator never got to see."""


@dataclass(frozen=True)
class DatasetRows:
    """The rows of a dataset, mapped to a flow's inputs. Can be read again and again; streams.

    With ``repeats`` each row comes so many times, one after another: line ``repeats * row + repeat``.
    """

    file: Path
    mappings: Mappings
    repeats: int = 1

    def __iter__(self) -> Iterator[Row]:
        for number, (_, values) in enumerate(read_rows(self.file)):
            row = self._mapped(values)
            for repeat in range(self.repeats):
                yield replace(row, line=number * self.repeats + repeat)

    def _mapped(self, values: dict[str, Any]) -> Row:
        try:
            inputs = apply(self.mappings, values, {})
        except MappingError as error:
            return Row(0, row_key(values), {}, str(error))
        return Row(0, row_key(inputs), inputs)


@dataclass(frozen=True)
class EvaluationRows:
    """For each row of a bulk run: the row of the evaluation dataset with the same number, and the run's outputs.

    A row that failed in the bulk run comes with its ``error``: it stays in the denominator. One that the dataset has
    no partner for is left out, as prompt flow does (``promptflow.batch._batch_inputs_processor``). Keys are those of
    the bulk run, so that scores can be paired with another run's.
    """

    file: Path
    mappings: Mappings
    run: Path
    repeats: int = 1

    def __iter__(self) -> Iterator[Row]:
        partners = ((line, values) for line, (_, values) in enumerate(read_rows(self.file)))
        partner = next(partners, None)
        for record in read_lines(self.run, RowDocument):
            number = record.line // self.repeats
            while partner is not None and partner[0] < number:
                partner = next(partners, None)
            if partner is None:
                return
            yield self._joined(record, partner[1])

    def _joined(self, record: RowDocument, values: dict[str, Any]) -> Row:
        if record.status != "completed":
            problem = record.error.message if record.error else "no reason given"
            return Row(record.line, record.key, {}, f"{FAILED_BEFORE}: {problem}")
        run = {"outputs": record.outputs or {}, "inputs": record.inputs}
        try:
            return Row(record.line, record.key, apply(self.mappings, values, run))
        except MappingError as error:
            return Row(record.line, record.key, {}, str(error))


@dataclass(frozen=True)
class DatasetFacts:
    """What a plan needs to know of a dataset's file: rows, characters of their values, SHA-256 of the content."""

    rows: int
    characters: int
    sha256: str


def dataset_facts(file: Path) -> DatasetFacts:
    """Read a dataset to its end.

    Raises:
        ExperimentError: a row that cannot be read, with its line.
    """
    rows = characters = 0
    for _, values in read_rows(file):
        rows += 1
        characters += len(str(list(values.values())))
    return DatasetFacts(rows, characters, content_hash(file))


def content_hash(file: Path) -> str:
    """The SHA-256 (hexadecimal) of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
