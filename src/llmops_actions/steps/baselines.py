"""Where a baseline comes from: a work folder, or a digest that ``gate --save-baseline`` wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from llmops_actions.errors import Location, UsageError
from llmops_actions.evaluation.baseline import SCHEMA_VERSION, BaselineDigest, digest_run, restore_run
from llmops_actions.evaluation.series import RunScores
from llmops_actions.steps.scores import evaluated_runs, read_metrics, read_variations
from llmops_actions.verdict_documents import VerdictDocument
from llmops_actions.work_folder import WorkFolder, atomic_writer, read_document

VERDICT_FILE = "verdict.json"
COMPARISON_FILE = "comparison.json"
BASELINE_FILE = "baseline.json"

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):")
_WRITE_ONE = "`llmops gate --save-baseline` writes one."


@dataclass(frozen=True)
class Baseline:
    """What a run is compared with, and where it came from."""

    experiment: str
    environment: str | None
    variation: str
    created_at: str
    runs: tuple[RunScores, ...] = field(repr=False)
    lineage: Mapping[str, str] = field(default_factory=dict)


def load_baseline(source: str, directory: Path, experiment: str, environment: str | None) -> Baseline:
    """The baseline at ``source``: ``baseline.json``, or a folder with one, or a work folder of an earlier run.

    Raises:
        UsageError: there is nothing there, or it is no baseline.
        PlatformError: a file of the work folder is damaged.
    """
    path = directory / source
    if path.is_file():
        return _read(path)
    if path.is_dir():
        if (path / BASELINE_FILE).is_file():
            return _read(path / BASELINE_FILE)
        for root in (path, WorkFolder.of(path, experiment, environment).root):
            folder = WorkFolder(root)
            if folder.metrics.is_file():
                return _of_folder(folder)
        where = f"{experiment}/{environment or 'base'}"
        raise UsageError(f"`{source}` is no baseline: no {BASELINE_FILE} in it, and no results of {where}.")
    scheme = _SCHEME.match(source)
    if scheme:
        raise UsageError(f"A baseline cannot come from `{scheme[1]}:` yet; give the path of a folder or a file.")
    raise UsageError(f"There is no baseline at `{source}`. {_WRITE_ONE}")


def _read(file: Path) -> Baseline:
    try:
        value = json.loads(file.read_bytes())
        version = value.get("schema_version") if isinstance(value, dict) else None
        if version not in (None, SCHEMA_VERSION):
            raise ValueError(f"it has schema version {version}, this llmops reads version {SCHEMA_VERSION}")
        digest = BaselineDigest.model_validate(value)
        runs = tuple(restore_run(run, digest.variation) for run in digest.runs)
    except (OSError, ValueError, RecursionError) as error:
        message = f"This is no baseline: {_problem(error)}. {_WRITE_ONE}"
        raise UsageError(message, Location(file)) from error
    return Baseline(
        digest.experiment, digest.environment, digest.variation, digest.created_at, runs, dict(digest.lineage)
    )


def _problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'it'}: {first['msg']}"
    return str(error) or type(error).__name__


def _of_folder(folder: WorkFolder) -> Baseline:
    metrics = read_metrics(folder)
    name = judged_variation(folder)
    found = read_variations(folder, [name])
    if not found:
        raise UsageError(f"The variation `{name}` was not evaluated in {folder.root}.")
    created = max(run.started_at for run in evaluated_runs(folder, metrics) if run.variation.name == name)
    return Baseline(metrics.experiment, metrics.environment, name, created, tuple(found[0].runs))


def judged_variation(folder: WorkFolder) -> str:
    """The variation that ``verdict.json`` of a work folder is about; without a verdict, the default of the sweep.

    Raises:
        UsageError: nothing was evaluated there.
    """
    file = folder.root / VERDICT_FILE
    if file.is_file():
        return read_document(file, VerdictDocument).variation
    runs = evaluated_runs(folder, read_metrics(folder))
    return next((run.variation.name for run in runs if run.variation.is_default), runs[0].variation.name)


def save_baseline(file: Path, baseline: Baseline) -> None:
    """Write the digest of a baseline: whole or not at all."""
    digest = BaselineDigest(
        experiment=baseline.experiment,
        environment=baseline.environment,
        variation=baseline.variation,
        created_at=baseline.created_at,
        lineage=dict(baseline.lineage),
        runs=tuple(digest_run(run) for run in baseline.runs),
    )
    with atomic_writer(file) as stream:
        stream.write(json.dumps(digest.model_dump(), separators=(",", ":"), allow_nan=False) + "\n")


def restored(baseline: Baseline) -> dict[str, RunScores]:
    """The runs of a baseline by dataset."""
    return {run.dataset: run for run in baseline.runs}
