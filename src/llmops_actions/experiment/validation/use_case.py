"""All of a use case: its flow, its evaluators, its datasets and what joins them, examined without running anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.datasets import not_scored
from llmops_actions.experiment.discovery import no_such_overlay
from llmops_actions.experiment.environment import (
    FlowEnvironment,
    Missing,
    flow_environment,
    resolve_arguments,
)
from llmops_actions.experiment.experiment import Experiment, MappedDataset
from llmops_actions.experiment.flows import (
    Program,
    connections_used,
    find_definition_file,
    load_flow,
    resolve,
)
from llmops_actions.experiment.flows.dag import FILE_NAMES as DAG_FILES
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.validation import (
    connections,
    dag,
    flex,
    functions,
    mappings,
    prompty,
    requirements,
    rows,
    sweep,
)
from llmops_actions.experiment.validation.connections import UsedConnection
from llmops_actions.experiment.validation.findings import from_error, listing, notice, warning
from llmops_actions.experiment.validation.mappings import Taker
from llmops_actions.experiment.validation.nodes import read_nodes
from llmops_actions.experiment.validation.places import Places, json_key
from llmops_actions.experiment.validation.requirements import Packages
from llmops_actions.experiment.validation.rows import DatasetFacts, Use
from llmops_actions.experiment.variables import Variables
from llmops_actions.experiment.yaml_source import Document, read_yaml
from llmops_actions.outcome import Finding


@dataclass(frozen=True)
class ExaminedFlow:
    """A flow and what was found in it. ``flow`` is ``None`` if it cannot be read.

    ``programs`` hold every variant between them, by a name that tells which. ``sound`` says that no error was found:
    only then is it worth being loaded by its engine.
    """

    label: str
    flow: Flow | None
    programs: tuple[tuple[str, Program], ...] = ()
    variations: int = 0
    sound: bool = False
    used: tuple[UsedConnection, ...] = ()
    missing: tuple[Missing, ...] = ()


@dataclass(frozen=True)
class Examination:
    """What is known of a use case after its files were read."""

    findings: tuple[Finding, ...]
    flow: ExaminedFlow
    evaluators: tuple[ExaminedFlow, ...]
    datasets: Mapping[str, DatasetFacts] = field(default_factory=dict)
    environment: FlowEnvironment = field(default_factory=FlowEnvironment)

    @property
    def rows(self) -> int:
        """The rows of all datasets that the flow is run over."""
        return sum(facts.rows or 0 for facts in self.datasets.values())


@dataclass(frozen=True)
class Setting:
    """What a use case is examined in: variables, packages, and whether the stand-in model answers."""

    variables: Variables
    packages: Packages
    offline: bool
    shown: Callable[[Path], str] = str
    """A path as a command names it."""


def examine(experiment: Experiment, setting: Setting) -> Examination:
    """Check everything that can be checked without running the use case's code. All findings come back at once."""
    findings: list[Finding] = [*_check_overlay(experiment), *connections.check_entries(experiment)]
    environment = _environment(experiment, setting, findings)
    flow = _examine_flow("the flow", experiment.flow, experiment, setting, findings)
    evaluators = [
        _examine_flow(f"the evaluator `{each.name}`", each.path, experiment, setting, findings)
        for each in experiment.evaluators
    ]
    datasets = _examine_mappings(experiment, flow, evaluators, findings)
    used = [each for examined in (flow, *evaluators) for each in examined.used]
    missing = [each for examined in (flow, *evaluators) for each in examined.missing]
    findings.extend(connections.check_used(experiment, used))
    findings.extend(connections.check_missing(experiment, environment, missing, used, setting.offline))
    return Examination(tuple(findings), flow, tuple(evaluators), datasets, environment)


def _check_overlay(experiment: Experiment) -> Iterator[Finding]:
    if experiment.environment and experiment.overlay is None:
        misspelt = no_such_overlay(experiment.folder, experiment.environment)
        if misspelt:
            yield misspelt
            return
        name = f"experiment.{experiment.environment}.yaml"
        yield notice(f"There is no {name} beside it: the experiment is taken as it is.", experiment.file)


def _environment(experiment: Experiment, setting: Setting, findings: list[Finding]) -> FlowEnvironment:
    try:
        return flow_environment(experiment, setting.variables)
    except ExperimentError as problem:
        findings.extend(finding for finding in from_error(problem) if finding not in findings)
        return FlowEnvironment()


def _examine_flow(
    label: str, path: Path, experiment: Experiment, setting: Setting, findings: list[Finding]
) -> ExaminedFlow:
    """Check one flow by itself; what is found goes to ``findings``."""
    found: list[Finding] = []
    flow: Flow | None = None
    try:
        flow = load_flow(path, experiment.repository)
        found.extend(_check_flow(flow, experiment))
    except ExperimentError as problem:
        found.extend(_unreadable(path, problem, experiment))
    is_main = path == experiment.flow
    examined = ExaminedFlow(label, flow)
    if flow is not None:
        variations, swept = sweep.variations_of(experiment, flow) if is_main else ((), [])
        found.extend(swept)
        sound = not any(finding.level == "error" for finding in found)
        if flow.requirements:
            found.extend(requirements.check(flow.requirements, setting.packages, setting.shown(flow.requirements)))
        programs = tuple(sweep.covering_programs(flow))
        swept_programs = [resolve(flow, each) for each in variations] if sound else []
        used = connections_named(label, flow, [*(program for _, program in programs), *swept_programs])
        place = flow.init_file.locate() if flow.init_file else flow.document.locate()
        _, missing = resolve_arguments(flow.init, setting.variables, place)
        examined = ExaminedFlow(label, flow, programs, len(variations), sound, used, tuple(missing))
    # Two evaluators may share a flow: what is wrong with it is said once.
    findings.extend(finding for finding in found if finding not in findings)
    return examined


def _check_flow(flow: Flow, experiment: Experiment) -> Iterator[Finding]:
    if flow.kind == "dag":
        yield from dag.check(
            flow.document, flow.includes, connections.connection_types(experiment), experiment.repository
        )
    elif flow.kind == "flex":
        is_main = flow.file.is_relative_to(experiment.flow) or flow.file == experiment.flow
        yield from flex.check(flow, experiment.hyperparameters if is_main else {})
    elif flow.kind == "prompty":
        yield from prompty.check(flow)
    else:
        yield from functions.check(flow)


def _unreadable(path: Path, problem: ExperimentError, experiment: Experiment) -> Iterator[Finding]:
    """Why a flow cannot be read, and whatever else a graph shows: one broken part hides no other."""
    others: list[Finding] = []
    document = _graph(path)
    if document is not None:
        types = connections.connection_types(experiment)
        others = list(dag.check(document, _includes(document), types, experiment.repository))
    known = {finding.location for finding in others if finding.level == "error"}
    yield from (finding for finding in from_error(problem) if finding.location not in known)
    yield from others


def _graph(path: Path) -> Document | None:
    file = find_definition_file(path)
    if file is None or file.name not in DAG_FILES:
        return None
    try:
        document = read_yaml(file)
    except ExperimentError:
        return None
    return document if isinstance(document.value, dict) else None


def _includes(document: Document) -> tuple[Path, ...]:
    written = document.value.get("additional_includes")
    paths = [document.file.parent / each for each in written or () if isinstance(each, str)]
    return tuple(path.resolve() for path in paths if path.exists())


def connections_named(label: str, flow: Flow, programs: Iterable[Program]) -> tuple[UsedConnection, ...]:
    """The connections that programs of a flow name: each with who names it, and where."""
    user = label[:1].upper() + label[1:]
    used: dict[UsedConnection, None] = {}
    for program in programs:
        # A Python file that does not parse is told where the node is checked.
        with contextlib.suppress(ExperimentError):
            for where, name in connections_used(program, flow):
                shown = f"The node `{where}`" if flow.kind == "dag" else user
                used[UsedConnection(name, shown, _place_of_connection(flow, where, name))] = None
    return tuple(used)


def _place_of_connection(flow: Flow, where: str, name: str) -> Location:
    if flow.kind == "flex":
        if flow.init_file and where in flow.init_file.value:
            return json_key(flow.init_file.file, where)
        return flow.document.locate(("sample", "init", where))
    if flow.kind == "prompty":
        return flow.document.locate(("model", "configuration", "connection"))
    for node in read_nodes(flow.document):
        if node.name == where and node.body.get("connection") == name:
            return node.place("connection")
        if node.name == where and name in node.inputs.values():
            return node.place("inputs", next(key for key, value in node.inputs.items() if value == name))
    return flow.document.locate()


def _examine_mappings(
    experiment: Experiment, flow: ExaminedFlow, evaluators: list[ExaminedFlow], findings: list[Finding]
) -> dict[str, DatasetFacts]:
    """Read every dataset once, then check each mapping against its columns; the flow's own datasets come back."""
    pairs = [*_takers(experiment, flow, evaluators)]
    uses: dict[Path, list[Use]] = {}
    for taker, mapped in pairs:
        if mapped.dataset.file is not None:
            column_uses = mappings.uses_of(taker, mapped) if taker else []
            uses.setdefault(mapped.dataset.file, []).extend(column_uses)
    facts = {file: rows.examine(file, list(dict.fromkeys(wanted))) for file, wanted in uses.items()}
    findings.extend(finding for each in facts.values() for finding in each.findings)
    by_name = {
        mapped.dataset.name: facts[mapped.dataset.file] if mapped.dataset.file else DatasetFacts(None, None)
        for _, mapped in pairs
    }
    places = Places()
    for taker, mapped in pairs:
        if taker:
            findings.extend(mappings.check(taker, mapped, by_name[mapped.dataset.name].columns, places))
    findings.extend(_check_datasets(experiment, pairs, by_name))
    unread = {mapped.dataset.file for taker, mapped in pairs if taker is None}
    findings.extend(_unused_columns({file: each for file, each in uses.items() if file not in unread}, facts))
    return {mapped.dataset.name: by_name[mapped.dataset.name] for mapped in experiment.datasets}


def _takers(
    experiment: Experiment, flow: ExaminedFlow, evaluators: list[ExaminedFlow]
) -> Iterator[tuple[Taker | None, MappedDataset]]:
    """Everyone who takes rows of a dataset; no taker where the flow cannot be read."""
    for mapped in experiment.datasets:
        yield (Taker("the flow", flow.flow) if flow.flow else None), mapped
    for evaluator, examined in zip(experiment.evaluators, evaluators, strict=True):
        for mapped in evaluator.datasets:
            yield (Taker(examined.label, examined.flow, flow.flow, True) if examined.flow else None), mapped


def _check_datasets(
    experiment: Experiment, pairs: list[tuple[Taker | None, MappedDataset]], facts: Mapping[str, DatasetFacts]
) -> Iterator[Finding]:
    for mapped in dict.fromkeys(each.dataset.name for _, each in pairs if each.dataset.file is None):
        place = next(each.location for _, each in pairs if each.dataset.name == mapped)
        yield notice(f"`{mapped}` is a data asset in the cloud: its rows are not checked here.", place)
    for _, mapped_dataset in pairs:
        if mapped_dataset.reference is None:
            continue
        own, other = facts[mapped_dataset.dataset.name].rows, facts[mapped_dataset.reference].rows
        if own is not None and other is not None and own != other:
            if own < other and mapped_dataset.dataset.file:
                text = not_scored(other, own, mapped_dataset.dataset.file.name)
                yield warning(f"{text} Rows are joined by their number.", mapped_dataset.location)
            else:
                text = (
                    f"`{mapped_dataset.dataset.name}` has {own:,} rows, but `{mapped_dataset.reference}`, whose runs "
                    f"it evaluates, has {other:,}. Rows are joined by their number, and those beyond are not used."
                )
                yield warning(text, mapped_dataset.location)
    for evaluator in experiment.evaluators:
        if not evaluator.datasets:
            yield notice(f"The evaluator `{evaluator.name}` has no dataset in this environment.", evaluator.location)


def _unused_columns(uses: Mapping[Path, list[Use]], facts: Mapping[Path, DatasetFacts]) -> Iterator[Finding]:
    for file, wanted in uses.items():
        used = {use.column for use in wanted}
        unused = [column for column in facts[file].columns or () if column not in used]
        if unused and used:
            yield notice(f"No mapping uses {listing(unused)}.", Location(file))
