"""The two sides of every comparison: our commands, and the reference; each as processes of their own."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import MEMORY_INTERVAL, BenchmarkError, Sample, measure
from benchmarks.reference import file_keyring
from benchmarks.reference.jobs import EvaluationJob, Jobs, Results, RunJob
from benchmarks.use_case import (
    CONNECTION,
    CONNECTION_KEY,
    DEFAULT_VARIANT,
    EVALUATOR_MAPPINGS,
    MAPPINGS,
    VARIED_NODE,
    UseCase,
)
from llmops_actions.platforms.local.offline_model.process import start
from llmops_actions.platforms.local.offline_model.settings import Settings
from llmops_actions.steps.lifecycle import PARTS

ROOT = Path(__file__).parents[1]
LLMOPS = str(Path(sys.executable).with_name("llmops"))
WORK = "work"
"""Name of our work folder, beside the use case's files."""

SKIPPED = ",".join(step for step in PARTS if step not in ("bulk-run", "evaluate"))
"""What of the lifecycle is left out: the reference runs and evaluates, and does nothing else."""

_SLOWS_IMPORTS_DOWN = "PYTHONDONTWRITEBYTECODE"
_QUIET = {
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "PYTHON_KEYRING_BACKEND": "benchmarks.reference.file_keyring.FileKeyring",
}


def plain_environment() -> dict[str, str]:
    """This process's environment, without what would slow imports down."""
    return {name: value for name, value in os.environ.items() if name != _SLOWS_IMPORTS_DOWN}


def model_environment(url: str) -> dict[str, str]:
    """The environment in which the use case's connection leads to the stand-in model at ``url``."""
    return {
        **plain_environment(),
        "AZURE_OPENAI_ENDPOINT": url,
        f"{CONNECTION.upper()}_API_KEY": CONNECTION_KEY,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def with_benchmarks(environment: dict[str, str]) -> dict[str, str]:
    """``environment`` in which Python finds this package."""
    path = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
    return {**environment, "PYTHONPATH": path}


def promptflow_environment(environment: dict[str, str], home: Path) -> dict[str, str]:
    """``environment`` with a private home for prompt flow, and without its telemetry and its daemon."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n")
    return {
        **with_benchmarks(environment),
        **_QUIET,
        "PF_HOME_DIRECTORY": str(home),
        file_keyring.FILE_VARIABLE: str(home / "keyring.json"),
    }


@dataclass(frozen=True)
class Ours:
    """Our commands on a use case: every sample starts with an empty work folder and a fresh stand-in model.

    Run and evaluation are one process, as they are for the reference; ``apart``: a command each.
    """

    use_case: UseCase
    latency: float
    options: tuple[str, ...] = ()
    evaluate: bool = True
    apart: bool = False
    memory_interval: float = MEMORY_INTERVAL

    @property
    def commands(self) -> list[list[str]]:
        """The commands, one process each."""
        if not self.evaluate:
            words = [["bulk-run"]]
        elif self.apart:
            words = [["bulk-run"], ["evaluate"]]
        else:
            words = [["lifecycle", "--skip", SKIPPED]]
        return [["llmops", step, ".", *more, "--work-dir", WORK, *self.options] for step, *more in words]

    def __call__(self) -> Sample:
        shutil.rmtree(self.use_case.folder / WORK, ignore_errors=True)
        total = Sample(0.0, 0.0)
        with start(Settings(latency=self.latency)) as model:
            for _, *words in self.commands:
                environment = model_environment(model.url)
                total += measure([LLMOPS, *words], self.use_case.folder, environment, self.memory_interval)
        return total

    def results(self) -> Results:
        """What the last sample gave."""
        folder = self.use_case.folder / WORK / "benchmark" / "base"
        documents = [json.loads(file.read_text()) for file in sorted((folder / "runs").glob("*/run.json"))]
        outputs, names = {}, {}
        for document in documents:
            variant = document["variation"]["variants"].get(VARIED_NODE, DEFAULT_VARIANT)
            names[document["name"]] = run_name(document["dataset"]["name"], variant)
            with (folder / "runs" / document["name"] / "rows.jsonl").open(encoding="utf-8") as lines:
                outputs[names[document["name"]]] = [json.loads(line)["outputs"] for line in lines]
        metrics: dict[str, dict[str, float]] = {}
        if self.evaluate:
            for each in json.loads((folder / "metrics.json").read_text())["evaluations"]:
                logged = {metric["name"]: metric["value"] for metric in each["metrics"] if metric["source"] == "logged"}
                metrics[f"{names[each['run']]}.{each['evaluator']}"] = logged
        return Results(outputs=outputs, metrics=metrics)


@dataclass(frozen=True)
class Reference:
    """A reference process on the same use case. ``module`` is one of ``benchmarks.reference``."""

    use_case: UseCase
    latency: float
    module: str
    home: Path
    evaluate: bool = True
    memory_interval: float = MEMORY_INTERVAL

    def __call__(self) -> Sample:
        shutil.rmtree(self.home, ignore_errors=True)
        with start(Settings(latency=self.latency)) as model:
            environment = promptflow_environment(model_environment(model.url), self.home)
            self._prepare(environment)
            file = self.home / "jobs.json"
            file.write_text(self._jobs().model_dump_json())
            words = [sys.executable, "-m", self.module, str(file)]
            return measure(words, self.home, environment, self.memory_interval)

    def results(self) -> Results:
        """What the last sample gave."""
        return Results.model_validate_json(self._jobs().results.read_text())

    def _prepare(self, environment: dict[str, str]) -> None:
        """Create the connection, not measured."""
        if self.module.endswith(".templates"):
            words = [sys.executable, "-m", "benchmarks.reference.create_connection", CONNECTION]
            measure(words, self.home, environment, memory_interval=None)

    def _jobs(self) -> Jobs:
        case = self.use_case
        runs = [
            RunJob(
                name=run_name(dataset, variant),
                flow=case.flow,
                data=case.dataset(dataset),
                mappings=MAPPINGS,
                variant=f"${{{VARIED_NODE}.{variant}}}" if len(case.variants) > 1 else None,
            )
            for dataset in case.datasets
            for variant in case.variants
        ]
        evaluations = [
            EvaluationJob(
                name=f"{run.name}.{evaluator}",
                flow=case.evaluator(evaluator),
                data=run.data,
                mappings=EVALUATOR_MAPPINGS[evaluator],
                run=run.name,
            )
            for evaluator in case.evaluators
            for run in runs
            if self.evaluate
        ]
        return Jobs(runs=tuple(runs), evaluations=tuple(evaluations), results=self.home / "results.json")


def run_name(dataset: str, variant: str) -> str:
    """The name of a bulk run, the same on both sides."""
    return f"{dataset}.{variant}"


def require_same_results(ours: Ours, reference: Reference) -> None:
    """Hold both sides to the same outputs and metrics; otherwise their speed means nothing.

    Raises:
        BenchmarkError: what differs.
    """
    one, other = ours.results(), reference.results()
    if one.outputs.keys() != other.outputs.keys():
        raise BenchmarkError(f"Ours ran {sorted(one.outputs)}, the reference {sorted(other.outputs)}.")
    for run, outputs in one.outputs.items():
        _require_same_rows(run, outputs, other.outputs[run], ours.use_case.rows)
    if not _same_metrics(one.metrics, other.metrics):
        raise BenchmarkError(f"The metrics differ: {one.metrics} and {other.metrics}.")


def _same_metrics(ours: dict[str, dict[str, float]], reference: dict[str, dict[str, float]]) -> bool:
    """Whether both have the same metrics, but for rounding."""
    if ours.keys() != reference.keys():
        return False
    return all(
        ours[name].keys() == reference[name].keys()
        and all(math.isclose(value, reference[name][metric], rel_tol=1e-9) for metric, value in ours[name].items())
        for name in ours
    )


def _require_same_rows(
    run: str, ours: Sequence[dict[str, object]], reference: Sequence[dict[str, object]], rows: int
) -> None:
    if not len(ours) == len(reference) == rows:
        raise BenchmarkError(f"{run}: {rows} rows, of which ours gave {len(ours)}, the reference {len(reference)}.")
    for line, (one, other) in enumerate(zip(ours, reference, strict=True)):
        if one != other:
            raise BenchmarkError(f"{run}, row {line + 1}: {one} is not {other}.")
