"""The work folder: the files by which steps hand over to one another (see ``docs/work-folder.md``)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops_actions.errors import Location, PlatformError, UsageError
from llmops_actions.experiment.sweep import file_name

SCHEMA_VERSION: Literal[1] = 1

ROWS_FILE = "rows.jsonl"
"""The file of a run's folder in which each row that ended is a line."""

NO_ENVIRONMENT = "base"
"""The folder of an experiment that runs without an environment; so no environment can have that name."""


class Document(BaseModel):
    """A JSON file of the work folder."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: Literal[1] = SCHEMA_VERSION


class VariationRecord(BaseModel):
    """Which combination of variants and hyper-parameter values a run had."""

    model_config = ConfigDict(frozen=True)

    name: str
    is_default: bool
    variants: Mapping[str, str] = Field(default_factory=dict)
    hyperparameters: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict)


class DatasetRecord(BaseModel):
    """Which data a run had: its source as the experiment file writes it, rows, SHA-256 of the file's content."""

    model_config = ConfigDict(frozen=True)

    name: str
    source: str
    rows: int
    sha256: str


class UsageRecord(BaseModel):
    """Calls to one model, and their tokens."""

    model_config = ConfigDict(frozen=True)

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


class PlannedRun(BaseModel):
    """A run of the plan. ``cost`` in USD, ``None`` where a price is not known."""

    model_config = ConfigDict(frozen=True)

    name: str
    variation: str
    dataset: str
    rows: int
    model_calls: int
    cost: float | None = None


class PlanDocument(Document):
    """``plan.json``: what the sweep will run."""

    experiment: str
    environment: str | None
    flow: str
    variations: tuple[VariationRecord, ...]
    datasets: tuple[DatasetRecord, ...]
    evaluators: tuple[str, ...]
    runs: tuple[PlannedRun, ...]
    rows: int
    model_calls: int
    cost: float | None = None


UNCOUNTED_ENGINE = "promptflow"
"""Prompt flow's own pool does not tell what its model calls used."""


class RunDocument(Document):
    """``runs/<run>/run.json``: one bulk run, with everything that it was made from."""

    name: str
    experiment: str
    environment: str | None
    flow: str
    flow_kind: str
    variation: VariationRecord
    dataset: DatasetRecord
    fingerprint: str
    status: Literal["running", "completed", "failed", "timed-out"]
    offline: bool = False
    repeats: int = 1
    rows: int = 0
    completed: int = 0
    failed: int = 0
    reused: int = 0
    attempts: int = 0
    usage: Mapping[str, UsageRecord] = Field(default_factory=dict)
    cost: float | None = None
    metrics: Mapping[str, float] = Field(default_factory=dict)
    error: str | None = None
    started_at: str = ""
    duration: float = 0.0
    engine: str = ""
    versions: Mapping[str, str] = Field(default_factory=dict)

    @property
    def tokens(self) -> int | None:
        """Prompt and completion tokens, all models together; ``None`` where the engine does not count them."""
        if self.engine == UNCOUNTED_ENGINE:
            return None
        return sum(each.prompt_tokens + each.completion_tokens for each in self.usage.values())


class MetricRecord(BaseModel):
    """One metric of one evaluator on one run.

    ``source`` is ``logged`` for a metric that the evaluator logged itself, ``mean`` for the mean of a score.
    ``n`` rows have a value, ``failed`` rows have none; for a boolean score the failed ones count as false in
    ``value``, for a numeric one they are outside ``value`` and only counted here.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    value: float | None
    source: Literal["logged", "mean"]
    kind: Literal["boolean", "numeric", "logged"]
    n: int
    failed: int


class EvaluationRecord(BaseModel):
    """The metrics of one evaluator on one run: the attribution is complete."""

    model_config = ConfigDict(frozen=True)

    run: str
    variation: str
    dataset: str
    evaluator: str
    evaluation_dataset: str
    scores: str
    fingerprint: str
    run_fingerprint: str = ""
    evaluator_fingerprint: str = ""
    status: Literal["completed", "failed", "timed-out"]
    rows: int
    completed: int
    failed: int
    metrics: tuple[MetricRecord, ...] = ()
    usage: Mapping[str, UsageRecord] = Field(default_factory=dict)
    cost: float | None = None
    error: str | None = None
    duration: float = 0.0


class MetricsDocument(Document):
    """``metrics.json``: every evaluator on every matching run."""

    experiment: str
    environment: str | None
    evaluations: tuple[EvaluationRecord, ...]


class ErrorRecord(BaseModel):
    """Why a row failed, and in which node of the flow, where there is one."""

    model_config = ConfigDict(frozen=True)

    type: str
    message: str
    node: str | None = None


class RowDocument(Document):
    """A line of ``rows.jsonl``: how a row ended."""

    line: int
    key: str
    status: Literal["completed", "failed"]
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any] | None
    error: ErrorRecord | None
    usage: Mapping[str, UsageRecord]
    cost: float | None
    duration: float
    attempts: int


class ScoreDocument(Document):
    """A line of ``scores/<evaluator>/<run>.jsonl``: the scores of a row; none where the row failed."""

    line: int
    key: str
    status: Literal["completed", "failed"]
    scores: Mapping[str, bool | int | float]
    outputs: Mapping[str, Any] | None
    error: ErrorRecord | None


DocumentType = TypeVar("DocumentType", bound=Document)


def folder_name(text: str) -> str:
    """``text`` as the name of a folder or file: itself where that is safe, else a readable part of it and a hash.

    Two texts never share a name, except such as differ in case only.
    """
    name = file_name(text)
    if name == text:
        return name
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{name[:91]}-{digest[:8]}"


@dataclass(frozen=True)
class WorkFolder:
    """``<work dir>/<experiment>/<environment>/``: where the files of one experiment in one environment are."""

    root: Path

    @classmethod
    def of(cls, work_dir: Path, experiment: str, environment: str | None) -> WorkFolder:
        """The folder of an experiment in an environment (``base`` where there is no environment)."""
        return cls(work_dir / folder_name(experiment) / (environment or NO_ENVIRONMENT))

    @property
    def plan(self) -> Path:
        """``plan.json``."""
        return self.root / "plan.json"

    @property
    def metrics(self) -> Path:
        """``metrics.json``."""
        return self.root / "metrics.json"

    def run(self, name: str) -> Path:
        """The folder of a bulk run."""
        return self.root / "runs" / name

    def run_document(self, name: str) -> Path:
        """``run.json`` of a bulk run."""
        return self.run(name) / "run.json"

    def rows(self, name: str) -> Path:
        """``rows.jsonl`` of a bulk run."""
        return self.run(name) / ROWS_FILE

    def scores(self, evaluator: str, name: str) -> Path:
        """The scores of an evaluator on a run, one line a row."""
        return self.root / "scores" / folder_name(evaluator) / f"{name}.jsonl"

    def evaluation_run(self, evaluator: str, name: str) -> Path:
        """The folder in which an evaluator runs; it can be resumed from there."""
        return self.root / "scores" / folder_name(evaluator) / f"{name}.run"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone.

        Raises:
            UsageError: another process works in it.
        """
        from filelock import FileLock, Timeout

        self.root.mkdir(parents=True, exist_ok=True)
        _keep_out_of_git(self.root)
        lock = FileLock(self.root / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise UsageError(f"Another llmops works in {self.root}. Wait for it, or use another --work-dir.") from error
        try:
            yield
        finally:
            lock.release()


def _keep_out_of_git(folder: Path) -> None:
    """Let git pass over the folder: its rows are data, which must not be committed by accident."""
    file = folder / ".gitignore"
    if not file.exists():
        file.write_text("*\n", encoding="utf-8")


def write_document(file: Path, document: Document) -> None:
    """Write a JSON document: whole or not at all, even when the process or the machine dies."""
    write_text(file, f"{document.model_dump_json(indent=2)}\n")


def write_text(file: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_writer(file) as stream:
        stream.write(text)


@contextlib.contextmanager
def atomic_writer(file: Path) -> Iterator[IO[str]]:
    """A text stream whose content becomes ``file`` when the block ends without an exception.

    A temporary file beside it is flushed to the disk and renamed.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_lines(file: Path, documents: Iterable[Document]) -> None:
    """Write a JSONL file atomically. ASCII only, so that no separator of any reader can occur inside a line."""
    with atomic_writer(file) as stream:
        for document in documents:
            stream.write(json.dumps(document.model_dump(), separators=(",", ":"), allow_nan=False) + "\n")


def read_document(file: Path, kind: type[DocumentType]) -> DocumentType:
    """Read a document back.

    Raises:
        PlatformError: it is missing, damaged or of another schema version.
    """
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise PlatformError("The file is missing. Run the step again that writes it.", Location(file)) from error
    return read_line(content, kind, Location(file))


def read_lines(file: Path, kind: type[DocumentType]) -> Iterator[DocumentType]:
    """The documents of a JSONL file, one after another: memory does not grow with the file.

    Raises:
        PlatformError: a line is damaged or of another schema version.
    """
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            yield read_line(line, kind, Location(file, number))


def read_line(content: bytes, kind: type[DocumentType], place: Location) -> DocumentType:
    """A document from its JSON text, which stands at ``place``.

    Read by ``json``, which takes half a surrogate pair that a model left, where pydantic's reader does not.

    Raises:
        PlatformError: it is damaged or of another schema version.
    """
    try:
        value = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise PlatformError(f"The file is damaged: {error}. Run the step again that writes it.", place) from error
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version not in (None, SCHEMA_VERSION):
        raise PlatformError(
            f"The file has schema version {version}; this llmops reads version {SCHEMA_VERSION}. Use the version of "
            "llmops-actions that wrote it, or remove the work folder and run the steps again.",
            place,
        )
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "it"
        raise PlatformError(
            f"The file is damaged: {where}: {first['msg']}. Run the step again that writes it.", place
        ) from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
