"""Datasets: JSONL, CSV, TSV, JSON and Parquet files, read row by row."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location

DataRow = tuple[int, dict[str, Any]]
"""The line of the file where the row starts (from 1), and its values by column."""

MAX_FIELD_CHARACTERS = 50_000_000
PARQUET_ROWS = 1024
"""Rows of a Parquet file that are held at once, besides its row group."""

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read_rows(file: Path) -> Iterator[DataRow]:
    """The rows of a dataset, one after another: memory does not grow with the file (except JSON).

    Values of CSV and TSV are text, as prompt flow reads them: its flows turn them into the types of their inputs.
    Empty lines are passed over.

    Raises:
        ExperimentError: an unknown kind of file, or a row that cannot be read, with its line.
    """
    if not file.is_file():
        raise ExperimentError("The dataset does not exist or is not a file.", Location(file))
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        known = ", ".join(sorted(_READERS))
        raise ExperimentError(f"A `{file.suffix}` file is no dataset; known are {known}.", Location(file))
    return _readable(reader, file)


def not_scored(rows: int, partners: int, file: str) -> str:
    """What is told where an evaluator's dataset has fewer rows than the run that it is joined with by row number."""
    left_out = rows - partners
    have, are = ("has", "is") if left_out == 1 else ("have", "are")
    return f"{left_out:,} of {rows:,} rows {have} no row in {file} and {are} not scored."


def _readable(reader: Callable[[Path], Iterator[DataRow]], file: Path) -> Iterator[DataRow]:
    try:
        yield from reader(file)
    except OSError as error:
        raise ExperimentError(f"Cannot read the dataset: {error.strerror or error}.", Location(file)) from error


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    with file.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            yield number, _decode(raw, file, number)


def _read_jsonl(file: Path) -> Iterator[DataRow]:
    for number, text in _lines(file):
        if text.strip():
            yield number, _as_row(_parse_json(text.rstrip(), file, number), file, number)


def _read_json(file: Path) -> Iterator[DataRow]:
    values = _parse_json(_decode(file.read_bytes(), file, 1), file, 1)
    if not isinstance(values, list):
        raise ExperimentError("A JSON dataset is a list of objects.", Location(file, 1))
    for value in values:
        yield 1, _as_row(value, file, 1)


def _parse_json(text: str, file: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = Location(file, first_line + error.lineno - 1, error.colno)
        raise ExperimentError(f"Not valid JSON: {error.msg}.", place) from error
    except ValueError as error:
        raise ExperimentError(f"Not valid JSON: {error}.", Location(file, first_line)) from error
    except RecursionError as error:
        raise ExperimentError("Not valid JSON: nested too deeply.", Location(file, first_line)) from error


def _as_row(value: Any, file: Path, line: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ExperimentError(f"A row is an object with columns, not {type(value).__name__}.", Location(file, line))
    return value


def _decode(raw: bytes, file: Path, line: int) -> str:
    try:
        return raw.decode("utf-8-sig" if line == 1 else "utf-8")
    except UnicodeDecodeError as error:
        place = Location(file, line + raw.count(b"\n", 0, error.start))
        raise ExperimentError(f"Not UTF-8 (byte 0x{raw[error.start]:02x}). Save the file as UTF-8.", place) from error


def _separated(delimiter: str) -> Callable[[Path], Iterator[DataRow]]:
    def read(file: Path) -> Iterator[DataRow]:
        csv.field_size_limit(MAX_FIELD_CHARACTERS)
        reader = csv.reader((text for _, text in _lines(file)), delimiter=delimiter, strict=True)
        try:
            header = _check_header(next(reader, None), file)
            yield from _separated_rows(reader, header, file)
        except csv.Error as error:
            raise ExperimentError(f"Not a valid table: {error}.", Location(file, reader.line_num)) from error

    return read


def _check_header(header: list[str] | None, file: Path) -> list[str]:
    if not header:
        raise ExperimentError("The table has no header line.", Location(file, 1))
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise ExperimentError(f"The column `{doubled[0]}` stands twice in the header.", Location(file, 1))
    return header


def _separated_rows(reader: Any, header: list[str], file: Path) -> Iterator[DataRow]:
    start = reader.line_num + 1
    for values in reader:
        if values:
            if len(values) != len(header):
                raise ExperimentError(
                    f"The row has {len(values)} fields, the header has {len(header)}.", Location(file, start)
                )
            yield start, dict(zip(header, values, strict=True))
        start = reader.line_num + 1


def _read_parquet(file: Path) -> Iterator[DataRow]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ExperimentError(
            "Parquet needs pyarrow: `pip install 'llmops-actions[parquet]'`, or convert the file to JSONL.",
            Location(file),
        ) from error
    number = 0
    try:
        with parquet.ParquetFile(file) as table:
            _check_header(table.schema_arrow.names, file)
            for batch in table.iter_batches(PARQUET_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield number, _parquet_row(row, Location(file, number))
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        raise ExperimentError(f"Not a valid Parquet file: {error}.", Location(file)) from error


def _parquet_row(row: dict[str, Any], place: Location) -> dict[str, Any]:
    """The row as JSON; without the index that pandas writes as a column."""
    values = {}
    for column, value in row.items():
        if not _PANDAS_INDEX.fullmatch(column):
            try:
                values[column] = _as_json(value)
            except TypeError as error:
                message = f"The column `{column}` holds {error}, which JSON cannot hold. Convert it to text."
                raise ExperimentError(message, place) from error
    return values


def _as_json(value: Any) -> Any:
    """A value of pyarrow as JSON has it; exact numbers and times become text, NaN and infinities null.

    Raises:
        TypeError: there is no such JSON value; the message is the type.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {name: _as_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]
    raise TypeError(type(value).__name__)


_READERS: dict[str, Callable[[Path], Iterator[DataRow]]] = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".json": _read_json,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".parquet": _read_parquet,
}
