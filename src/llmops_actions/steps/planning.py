"""What a sweep will run: every variation over every dataset, with a fingerprint for each run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_actions.experiment.datasets import read_rows
from llmops_actions.experiment.experiment import MappedDataset
from llmops_actions.experiment.fingerprint import of_folder, of_value
from llmops_actions.experiment.flows import Flow, model_calls
from llmops_actions.experiment.mapping import Mappings, complete
from llmops_actions.experiment.prices import PriceTable
from llmops_actions.experiment.program import Program
from llmops_actions.experiment.sweep import Variation, file_name
from llmops_actions.platforms.ports import BulkRun
from llmops_actions.steps.rows import DatasetRows, content_hash, count_rows
from llmops_actions.steps.use_case import Surroundings, UseCase
from llmops_actions.work_folder import DatasetRecord, PlanDocument, PlannedRun, VariationRecord

_SECRET_NAME = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)

CHARACTERS_PER_TOKEN = 4
"""English text has about four characters a token (OpenAI, "What are tokens and how to count them?")."""

EXPECTED_COMPLETION_TOKENS = 100
"""What an estimate assumes for an answer, where the node sets no ``max_tokens``."""


@dataclass(frozen=True)
class SweepRun:
    """One run of the sweep, ready for a runner, with what it was made from."""

    bulk_run: BulkRun
    variation: Variation
    dataset: DatasetRecord
    file: Path


def run_name(dataset: str, variation: Variation) -> str:
    """The name of a run: stable, readable, fit for a folder."""
    return file_name(f"{dataset}.{variation.name}")


def completed_mappings(flow: Flow, mappings: Mappings) -> Mappings:
    """The mappings with what prompt flow adds by itself (see :func:`llmops_actions.experiment.mapping.complete`)."""
    if flow.kind == "function":
        return mappings
    return complete(mappings, {name: each.has_default for name, each in flow.inputs.items()})


def dataset_record(mapped: MappedDataset) -> DatasetRecord:
    """Rows and hash of a dataset (reads the file once for each).

    Raises:
        ExperimentError: it is in the cloud, or a row cannot be read.
    """
    file = mapped.dataset.local_file(mapped.location)
    return DatasetRecord(
        name=mapped.dataset.name, source=mapped.dataset.source, rows=count_rows(file), sha256=content_hash(file)
    )


def program_identity(program: Program) -> dict[str, Any]:
    """What makes a program the program it is, as a JSON value: content of its files, definition, arguments."""
    return {
        "kind": program.kind,
        "files": of_folder(program.folder, program.includes),
        "definition": program.definition,
        "init": program.init,
        "functions": [f"{each.file}:{each.name}" for each in program.functions],
    }


def surroundings_identity(around: Surroundings) -> dict[str, Any]:
    """What of the surroundings can change a result: settings, never secrets. The stand-in is one, at any address."""
    connections = {
        name: {"type": each.type, **({} if around.offline_url and each.is_model else each.configs)}
        for name, each in around.connections.items()
    }
    environment = {
        name: value
        for name, value in around.environment.items()
        if not _SECRET_NAME.search(name) and not (around.offline_url and around.offline_url in value)
    }
    return {"connections": connections, "environment": environment, "offline": around.offline_url is not None}


def without_address(identity: Mapping[str, Any], around: Surroundings) -> str:
    """The fingerprint of an identity in which the stand-in's address, new each time, does not count."""
    url = around.offline_url
    return of_value(_masked(identity, url) if url else identity)


def _masked(value: Any, url: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(nested, url) for key, nested in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(nested, url) for nested in value]
    return value.replace(url, "offline-model") if isinstance(value, str) else value


def plan_runs(use_case: UseCase, around: Surroundings) -> list[SweepRun]:
    """Every selected variation over every dataset, variation by variation.

    Raises:
        ExperimentError: a dataset or a variation cannot be used.
    """
    datasets = [(mapped, dataset_record(mapped)) for mapped in use_case.experiment.datasets]
    outside = surroundings_identity(around)
    runs = []
    for variation in use_case.selected:
        program = around.program(use_case.flow, variation)
        identity = program_identity(program)
        for mapped, record in datasets:
            mappings = completed_mappings(use_case.flow, mapped.mappings)
            fingerprint = without_address(
                {
                    "program": identity,
                    "surroundings": outside,
                    "data": record.sha256,
                    "mappings": {name: str(source) for name, source in mappings.items()},
                },
                around,
            )
            name = run_name(record.name, variation)
            file = mapped.dataset.local_file(mapped.location)
            bulk_run = BulkRun(
                name=name,
                program=program,
                rows=DatasetRows(file, mappings),
                row_count=record.rows,
                folder=use_case.work_folder.run(name),
                fingerprint=fingerprint,
                connections=around.connections,
                environment=around.environment,
            )
            runs.append(SweepRun(bulk_run, variation, record, file))
    return runs


def variation_record(variation: Variation) -> VariationRecord:
    """The variation as the work folder keeps it."""
    return VariationRecord(
        name=variation.name,
        is_default=variation.is_default,
        variants=variation.variants,
        hyperparameters=variation.hyperparameters,
    )


def make_plan(use_case: UseCase, around: Surroundings) -> PlanDocument:
    """The plan: the runs, their model calls, and with a price table what they will cost.

    The cost is an estimate: prompt templates and columns at four characters a token for the prompt, ``max_tokens``
    (at most 100 expected) for the answer. ``None`` where a price is not known.
    """
    runs = plan_runs(use_case, around)
    planned = tuple(_planned(run, use_case.prices) for run in runs)
    known = [run.cost for run in planned if run.cost is not None]
    records = {run.dataset.name: run.dataset for run in runs}
    return PlanDocument(
        experiment=use_case.experiment.name,
        environment=use_case.experiment.environment,
        flow=str(use_case.experiment.flow.relative_to(use_case.experiment.repository)),
        variations=tuple(variation_record(variation) for variation in use_case.selected),
        datasets=tuple(records.values()),
        evaluators=tuple(evaluator.name for evaluator in use_case.experiment.evaluators),
        runs=planned,
        rows=sum(run.rows for run in planned),
        model_calls=sum(run.model_calls for run in planned),
        cost=sum(known) if len(known) == len(planned) else None,
    )


def _planned(run: SweepRun, prices: PriceTable) -> PlannedRun:
    program = run.bulk_run.program
    calls = model_calls(program)
    return PlannedRun(
        name=run.bulk_run.name,
        variation=run.variation.name,
        dataset=run.dataset.name,
        rows=run.dataset.rows,
        model_calls=len(calls) * run.dataset.rows,
        cost=_estimate(run, prices) if calls else 0.0,
    )


def _estimate(run: SweepRun, prices: PriceTable) -> float | None:
    program = run.bulk_run.program
    data_tokens = sum(len(str(list(values.values()))) for _, values in read_rows(run.file)) // CHARACTERS_PER_TOKEN
    total = 0.0
    nodes = {node["name"]: node for node in program.definition.get("nodes") or []}
    for call in model_calls(program):
        template = _template_characters(program, nodes.get(call.node, {})) // CHARACTERS_PER_TOKEN
        limit = (nodes.get(call.node, {}).get("inputs") or {}).get("max_tokens")
        answer = min(limit, EXPECTED_COMPLETION_TOKENS) if isinstance(limit, int) else EXPECTED_COMPLETION_TOKENS
        cost = prices.cost(call.model or "", template * run.dataset.rows + data_tokens, answer * run.dataset.rows)
        if cost is None:
            return None
        total += cost
    return total


def _template_characters(program: Program, node: Mapping[str, Any]) -> int:
    source = (node.get("source") or {}).get("path")
    file = program.folder / source if isinstance(source, str) else program.folder / program.file
    return file.stat().st_size if file.is_file() else 0
