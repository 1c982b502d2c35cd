"""The work folder: the files by which steps hand over to one another (see ``docs/work-folder.md``)."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llmops_actions.errors import Location, PlatformError, UsageError

SCHEMA_VERSION: Literal[1] = 1
NO_ENVIRONMENT = "base"


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
    """Which data a run had: path seen from the repository, number of rows, SHA-256 of the content."""

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


DocumentType = TypeVar("DocumentType", bound=Document)


@dataclass(frozen=True)
class WorkFolder:
    """``<work dir>/<experiment>/<environment>/``: where the files of one experiment in one environment are."""

    root: Path

    @classmethod
    def of(cls, work_dir: Path, experiment: str, environment: str | None) -> WorkFolder:
        """The folder of an experiment in an environment (``base`` where there is no environment)."""
        return cls(work_dir / experiment / (environment or NO_ENVIRONMENT))

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
        return self.run(name) / "rows.jsonl"

    def scores(self, evaluator: str, name: str) -> Path:
        """The scores of an evaluator on a run, one line a row."""
        return self.root / "scores" / evaluator / f"{name}.jsonl"

    def evaluation_run(self, evaluator: str, name: str) -> Path:
        """The folder in which an evaluator runs; it can be resumed from there."""
        return self.root / "scores" / evaluator / f"{name}.run"

    def runs(self) -> list[RunDocument]:
        """The documents of all bulk runs, by name."""
        files = sorted(self.root.glob("runs/*/run.json"))
        return [read_document(file, RunDocument) for file in files]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder alone.

        Raises:
            UsageError: another process works in it.
        """
        from filelock import FileLock, Timeout

        self.root.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.root / ".lock", blocking=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise UsageError(f"Another llmops works in {self.root}. Wait for it, or use another --work-dir.") from error
        try:
            yield
        finally:
            lock.release()


def write_document(file: Path, document: Document) -> None:
    """Write a JSON document: whole or not at all, even when the process or the machine dies."""
    write_text(file, f"{document.model_dump_json(indent=2)}\n")


def write_text(file: Path, text: str) -> None:
    """Write a text file atomically (temporary file, flush to the disk, rename)."""
    with atomic_writer(file) as stream:
        stream.write(text)


@contextlib.contextmanager
def atomic_writer(file: Path) -> Iterator[Any]:
    """A text stream whose content becomes ``file`` when the block ends without an exception."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), 0o666 & ~_umask())
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read_document(file: Path, kind: type[DocumentType]) -> DocumentType:
    """Read a document back.

    Raises:
        PlatformError: it is damaged or of another schema version.
    """
    try:
        return kind.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise PlatformError(
            f"The file is damaged or was written by another version: {error}. Run the step again that writes it.",
            Location(file),
        ) from error


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file, one after another.

    Raises:
        PlatformError: a line is no JSON object.
    """
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = json.loads(line)
            except ValueError as error:
                raise PlatformError(f"The line is damaged: {error}.", Location(file, number)) from error
            if not isinstance(record, dict):
                raise PlatformError("The line is no JSON object.", Location(file, number))
            yield record


def write_lines(file: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write a JSONL file atomically."""
    with atomic_writer(file) as stream:
        for record in records:
            stream.write(json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n")
