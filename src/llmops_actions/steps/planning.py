"""What a sweep will run: every variation over every dataset, with a fingerprint for each run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.experiment import Dataset
from llmops_actions.experiment.fingerprint import of_folder, of_value
from llmops_actions.experiment.flows import Flow, model_calls
from llmops_actions.experiment.mapping import Mappings, complete
from llmops_actions.experiment.prices import PriceTable
from llmops_actions.experiment.program import Program
from llmops_actions.experiment.secret_names import is_secret
from llmops_actions.experiment.sweep import Variation
from llmops_actions.platforms.ports import BulkRun
from llmops_actions.steps.rows import DatasetFacts, DatasetRows, dataset_facts
from llmops_actions.steps.use_case import Surroundings, UseCase
from llmops_actions.work_folder import DatasetRecord, PlanDocument, PlannedRun, VariationRecord, folder_name

CHARACTERS_PER_TOKEN = 4
"""English text has about four characters a token (OpenAI, "What are tokens and how to count them?")."""

EXPECTED_COMPLETION_TOKENS = 100
"""What an estimate assumes for an answer, where the node or the prompty sets no ``max_tokens``."""


@dataclass(frozen=True)
class SweepRun:
    """One run of the sweep, ready for a runner, with what it was made from.

    ``fingerprint`` is that of flow, data and settings, however often each row is repeated. ``characters``: those of
    all values in its dataset, for the estimate.
    """

    bulk_run: BulkRun
    variation: Variation
    dataset: DatasetRecord
    fingerprint: str
    characters: int
    repeats: int = 1


def run_names(datasets: Sequence[str], variations: Sequence[Variation]) -> dict[tuple[str, str], str]:
    """The name of the run of each (dataset, variation): readable, fit for a folder, unique whatever the case.

    It is made from the whole sweep, so that it stays the same when ``variations`` narrows what is run.
    """
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    for variation in variations:
        for dataset in datasets:
            name = folder_name(f"{dataset}.{variation.name}")
            if name.lower() in taken:
                name = f"{name[:91]}-{of_value([dataset, variation.name])[:8]}"
            taken.add(name.lower())
            names[dataset, variation.name] = name
    return names


def completed_mappings(flow: Flow, mappings: Mappings) -> Mappings:
    """The mappings with what prompt flow adds by itself (see :func:`llmops_actions.experiment.mapping.complete`)."""
    if flow.kind == "function":
        return mappings
    return complete(mappings, {name: each.has_default for name, each in flow.inputs.items()})


def program_identity(program: Program, files: str) -> dict[str, Any]:
    """What makes a program the program it is, as a JSON value: content of its ``files``, definition, arguments."""
    return {
        "kind": program.kind,
        "files": files,
        "definition": program.definition,
        "init": _without_secrets(program.init),
        "functions": [f"{each.file}:{each.name}" for each in program.functions],
    }


def surroundings_identity(around: Surroundings) -> dict[str, Any]:
    """What of the surroundings can change a result: settings, never secrets. The stand-in is one, at any address."""
    connections = {
        name: {"type": each.type, **({} if around.offline_url and each.is_model else each.configs)}
        for name, each in around.connections.items()
    }
    return {
        "connections": _without_secrets(connections),
        "environment": _without_secrets(around.environment),
        "offline": around.offline_url is not None,
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_secrets(each) for name, each in value.items() if not is_secret(str(name), each)}
    return [_without_secrets(each) for each in value] if isinstance(value, list | tuple) else value


def fingerprint(identity: Mapping[str, Any], around: Surroundings) -> str:
    """The hash of an identity, in which the stand-in's address, another one each time, does not count."""
    return of_value(_masked(identity, around.offline_url) if around.offline_url else identity)


def _masked(value: Any, url: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(nested, url) for key, nested in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(nested, url) for nested in value]
    return value.replace(url, "offline-model") if isinstance(value, str) else value


def described(mappings: Mappings) -> dict[str, str]:
    """Mappings as a JSON value that tells apart what differs."""
    return {name: str(source) for name, source in mappings.items()}


def plan_runs(use_case: UseCase, around: Surroundings, repeats: int = 1) -> list[SweepRun]:
    """Every selected variation over every dataset, variation by variation. Reads each dataset once, to its end.

    Raises:
        ExperimentError: a dataset or a variation cannot be used, or there is nothing to run.
    """
    if not use_case.experiment.datasets:
        raise ExperimentError("There are no datasets, so there is nothing to run.", _written_in(use_case))
    files = [mapped.dataset.local_file(mapped.location) for mapped in use_case.experiment.datasets]
    facts = [dataset_facts(file) for file in files]
    for mapped, file, fact in zip(use_case.experiment.datasets, files, facts, strict=True):
        if not fact.rows:
            raise ExperimentError(f"The dataset `{mapped.dataset.name}` has no rows.", Location(file))
    names = run_names([mapped.dataset.name for mapped in use_case.experiment.datasets], use_case.variations)
    content = of_folder(use_case.flow.folder, use_case.flow.includes)
    outside = surroundings_identity(around)
    runs = []
    for variation in use_case.selected:
        program = around.program(use_case.flow, variation)
        identity = program_identity(program, content)
        for mapped, file, fact in zip(use_case.experiment.datasets, files, facts, strict=True):
            mappings = completed_mappings(use_case.flow, mapped.mappings)
            name = names[mapped.dataset.name, variation.name]
            parts = {
                "program": identity,
                "surroundings": outside,
                "data": fact.sha256,
                "mappings": described(mappings),
            }
            own = fingerprint(parts, around)
            bulk_run = BulkRun(
                name=name,
                program=program,
                rows=DatasetRows(file, mappings, repeats),
                row_count=fact.rows * repeats,
                folder=use_case.work_folder.run(name),
                fingerprint=of_value([own, repeats]) if repeats > 1 else own,
                connections=around.connections,
                environment=around.environment,
            )
            record = _dataset_record(mapped.dataset, fact)
            runs.append(SweepRun(bulk_run, variation, record, own, fact.characters, repeats))
    return runs


def _written_in(use_case: UseCase) -> Location:
    overlay = use_case.experiment.overlay
    return Location(overlay) if overlay else use_case.experiment.file


def _dataset_record(dataset: Dataset, facts: DatasetFacts) -> DatasetRecord:
    return DatasetRecord(name=dataset.name, source=dataset.source, rows=facts.rows, sha256=facts.sha256)


def variation_record(variation: Variation) -> VariationRecord:
    """The variation as the work folder keeps it."""
    return VariationRecord(
        name=variation.name,
        is_default=variation.is_default,
        variants=variation.variants,
        hyperparameters=variation.hyperparameters,
    )


def make_plan(use_case: UseCase, runs: Sequence[SweepRun]) -> PlanDocument:
    """The plan of ``runs``: their size, their model calls, and with a price table what they will cost.

    The cost is an estimate: prompt templates and columns at four characters a token for the prompt, ``max_tokens``
    (at most 100 expected) for the answer. ``None`` where a price is not known.
    """
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
        rows=run.bulk_run.row_count,
        model_calls=len(calls) * run.bulk_run.row_count,
        cost=_estimate(run, prices) if calls else 0.0,
    )


def _estimate(run: SweepRun, prices: PriceTable) -> float | None:
    program = run.bulk_run.program
    data_tokens = run.characters // CHARACTERS_PER_TOKEN
    total = 0.0
    nodes = {node["name"]: node for node in program.definition.get("nodes") or []}
    for call in model_calls(program):
        template = _template_characters(program, nodes.get(call.node, {})) // CHARACTERS_PER_TOKEN
        answer = (
            EXPECTED_COMPLETION_TOKENS if call.max_tokens is None else min(call.max_tokens, EXPECTED_COMPLETION_TOKENS)
        )
        prompt = (template * run.dataset.rows + data_tokens) * run.repeats
        cost = prices.cost(call.model or "", prompt, answer * run.bulk_run.row_count)
        if cost is None:
            return None
        total += cost
    return total


def _template_characters(program: Program, node: Mapping[str, Any]) -> int:
    source = (node.get("source") or {}).get("path")
    file = program.folder / source if isinstance(source, str) else program.folder / program.file
    return file.stat().st_size if file.is_file() else 0
