"""Inputs that several steps share, so that a word means the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from llmops_actions.platforms.ports import RunSettings
from llmops_actions.steps.declaration import POSITIONAL, Inputs, Names, required

DEFAULTS = RunSettings()
DEFAULT_WORK_DIR = Path(".llmops")


class UseCaseInputs(Inputs):
    """Which use case, in which environment."""

    use_case: Path = required("Folder of the use case, with its experiment.yaml.", json_schema_extra=POSITIONAL)
    env: str | None = Field(
        None, description="Environment, such as pr, dev or prod: applies the overlay experiment.<env>.yaml."
    )
    work_dir: Path = Field(DEFAULT_WORK_DIR, description="Folder for results, handed from step to step.")


class OfflineInputs(Inputs):
    """Whether the stand-in model answers."""

    offline: bool = Field(
        False, description="Point every model connection at a stand-in model on this machine: no network, no keys."
    )


class SweepInputs(Inputs):
    """Which variations, and at what price."""

    variations: Names = Field(
        (), description="Names of the variations to run, with * and ? as wildcards; all of the sweep by default."
    )
    prices: Path | None = Field(
        None,
        description="Price table (YAML: model, then prompt and completion in USD for a million tokens); prices.yaml "
        "of the use case or a folder above it by default.",
    )


class RepeatInputs(Inputs):
    """How often each row is run."""

    repeats: int = Field(
        1, ge=1, le=100, description="Times that each row is run; its repeats are averaged before anything is decided."
    )


class EngineInputs(Inputs):
    """How rows are run."""

    engine: Literal["threads", "promptflow"] = Field(
        "threads",
        description="threads: many rows at once in each process; promptflow: prompt flow's own process pool, for "
        "flows that are not safe to run in threads: it counts no tokens, tries and cost, and limits no calls.",
    )
    concurrency: int = Field(
        DEFAULTS.concurrency, ge=1, le=4096, description="Rows in flight at once, all runs together."
    )
    processes: int = Field(
        DEFAULTS.processes, ge=0, le=256, description="Child processes at once; 0 takes one for each processor."
    )
    line_timeout: float = Field(
        DEFAULTS.line_timeout, ge=0, description="Seconds after which a row is given up; 0 for no limit."
    )
    call_timeout: float = Field(
        DEFAULTS.call_timeout,
        ge=0,
        description="Seconds after which one try of a model call is given up; 0 for what is left of the row's time.",
    )
    run_timeout: float = Field(
        DEFAULTS.run_timeout, ge=0, description="Seconds after which a run is given up; 0 for no limit."
    )
    attempts: int = Field(
        DEFAULTS.attempts, ge=1, le=100, description="Tries for one model call that is throttled, broken or too slow."
    )
    max_failed_rows: int = Field(0, ge=0, description="Failed rows that a run may have and still pass.")
    resume: bool = Field(False, description="Keep the rows of an interrupted run and run only what is missing.")
    retry_failed: bool = Field(False, description="With resume: run the failed rows again as well.")
