"""Where a baseline comes from: a work folder, or a digest that ``gate --save-baseline`` wrote."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from llmops_actions.errors import Location, UsageError
from llmops_actions.evaluation.baseline import BaselineDigest, digest_run, restore_run
from llmops_actions.evaluation.series import RunScores
from llmops_actions.steps.scores import evaluated_runs, read_metrics, read_scores
from llmops_actions.verdict_documents import VerdictDocument
from llmops_actions.work_folder import WorkFolder, read_document

VERDICT_FILE = "verdict.json"
COMPARISON_FILE = "comparison.json"

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+):(?!\\)")


def load_baseline(source: str, directory: Path, experiment: str, environment: str | None) -> BaselineDigest:
    """The baseline at ``source``: ``baseline.json``, or a folder with one, or a work folder of an earlier run.

    Raises:
        UsageError: there is nothing there, or it is no baseline.
    """
    scheme = _SCHEME.match(source)
    if scheme:
        raise UsageError(f"A baseline cannot come from `{scheme[1]}:` yet; give the path of a folder or a file.")
    path = directory / source
    if path.is_dir():
        if (path / "baseline.json").is_file():
            return _read(path / "baseline.json")
        for root in (path, WorkFolder.of(path, experiment, environment).root):
            folder = WorkFolder(root)
            if folder.metrics.is_file():
                return digest_folder(folder, judged_variation(folder), {})
    if path.is_file():
        return _read(path)
    raise UsageError(f"There is no baseline at `{source}`: no baseline.json, and no work folder with metrics.json.")


def _read(file: Path) -> BaselineDigest:
    try:
        digest = BaselineDigest.model_validate_json(file.read_bytes())
        for run in digest.runs:
            restore_run(run, digest.variation)
    except (OSError, ValidationError, ValueError) as error:
        raise UsageError(
            f"This is no baseline that this version reads: {error}. `llmops gate --save-baseline` writes one.",
            Location(file),
        ) from error
    return digest


def judged_variation(folder: WorkFolder) -> str:
    """The variation that ``verdict.json`` of a work folder is about; without a verdict, the default of the sweep."""
    file = folder.root / VERDICT_FILE
    if file.is_file():
        return read_document(file, VerdictDocument).variation
    runs = evaluated_runs(folder, read_metrics(folder))
    if not runs:
        raise UsageError(f"Nothing was evaluated in {folder.root}.")
    return next((run.variation.name for run in runs if run.variation.is_default), runs[0].variation.name)


def digest_folder(
    folder: WorkFolder, variation: str, lineage: Mapping[str, str], created_at: str = ""
) -> BaselineDigest:
    """The digest of one variation of a work folder."""
    metrics = read_metrics(folder)
    runs = [run for run in evaluated_runs(folder, metrics) if run.variation.name == variation]
    if not runs:
        raise UsageError(f"The variation `{variation}` was not evaluated in {folder.root}.")
    return BaselineDigest(
        experiment=metrics.experiment,
        environment=metrics.environment,
        variation=variation,
        created_at=created_at or max(run.started_at for run in runs),
        lineage=dict(lineage),
        runs=tuple(digest_run(read_scores(folder, run, metrics), run.repeats) for run in runs),
    )


def restored(digest: BaselineDigest) -> dict[str, RunScores]:
    """The runs of a digest by dataset."""
    return {run.dataset: restore_run(run, digest.variation) for run in digest.runs}
