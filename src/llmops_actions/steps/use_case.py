"""Opens a use case for a step: the experiment, its flow and sweep, and all that the flow gets from outside."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from llmops_actions.errors import ExperimentError, Location, UsageError
from llmops_actions.experiment.connections import Connection, point_at
from llmops_actions.experiment.environment import (
    Missing,
    asked_by_environment_file,
    experiment_variables,
    flow_environment,
    left_out,
    resolve_arguments,
)
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.fingerprint import IGNORED_FOLDERS
from llmops_actions.experiment.flows import Flow, load_flow, resolve
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.offline import offline_environment, point_program_at
from llmops_actions.experiment.price_file import find_prices, read_prices
from llmops_actions.experiment.prices import PriceTable
from llmops_actions.experiment.program import Program
from llmops_actions.experiment.sweep import SweepError, Variation, make_variations, select_variations
from llmops_actions.experiment.variables import Variables
from llmops_actions.outcome import Finding
from llmops_actions.steps.inputs import OfflineInputs, SweepInputs, UseCaseInputs
from llmops_actions.steps.services import OFFLINE_MODEL_VARIABLE, Services
from llmops_actions.work_folder import NO_ENVIRONMENT, WorkFolder

PLAIN = Variation("default", is_default=True)


@dataclass(frozen=True)
class Surroundings:
    """What programs get from outside. ``offline_url`` is the stand-in model's address, if that is what answers."""

    variables: Variables = field(repr=False)
    connections: Mapping[str, Connection]
    environment: Mapping[str, str] = field(repr=False)
    missing: tuple[Missing, ...] = ()
    offline_url: str | None = None
    left_out: tuple[Missing, ...] = ()
    """What ``env.yaml`` asks for and nobody defines, where the stand-in answers: its variables are left out."""
    lenient: bool = False
    """Leave a variable that nobody defines as it is written, where nothing is run."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """A warning for each variable that was left out."""
        return tuple(Finding("warning", left_out(each), each.asked_by) for each in self.left_out)

    def program(self, flow: Flow, variation: Variation) -> Program:
        """The flow with a variation, its constructor arguments resolved.

        Raises:
            UsageError: a variable that the arguments ask for is not defined.
            ExperimentError: the variation does not fit the flow.
        """
        program = resolve(flow, variation)
        if self.offline_url:
            program = point_program_at(program, self.offline_url)
        place = flow.init_file.locate() if flow.init_file else flow.document.locate()
        init, missing = resolve_arguments(program.init, self.variables, place)
        if not self.lenient:
            require_nothing_missing(missing)
        return replace(program, init=init)


@dataclass(frozen=True)
class UseCase:
    """A use case with its sweep, ready to be planned."""

    experiment: Experiment
    flow: Flow
    variations: tuple[Variation, ...]
    prices: PriceTable
    work_folder: WorkFolder
    selected: tuple[Variation, ...]


def open_use_case(inputs: UseCaseInputs, services: Services, sweep: SweepInputs | None = None) -> UseCase:
    """Load the experiment, its flow and its variations; ``sweep`` narrows them.

    Raises:
        UsageError: no such use case, no such variation, or a work folder that changes the flow.
        ExperimentError: what the user wrote cannot be used.
    """
    if inputs.env == NO_ENVIRONMENT:
        raise UsageError(f"`{NO_ENVIRONMENT}` stands for no environment at all. Leave it out, or take another name.")
    experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    if inputs.env and experiment.overlay is None:
        services.progress.note(f"There is no experiment.{inputs.env}.yaml: the experiment is taken as it is.")
    flow = load_flow(experiment.flow, experiment.repository)
    try:
        variations = make_variations(
            flow.variants,
            experiment.variants,
            experiment.hyperparameters,
            flow.own_values,
            experiment.max_variations,
        )
    except SweepError as error:
        raise ExperimentError(str(error), experiment.sweep_location) from error
    try:
        selected = select_variations(variations, sweep.variations if sweep else ())
    except SweepError as error:
        raise UsageError(str(error)) from error
    work_folder = WorkFolder.of(services.directory / inputs.work_dir, experiment.name, inputs.env)
    _keep_out_of_flows(work_folder, experiment)
    return UseCase(
        experiment=experiment,
        flow=flow,
        variations=variations,
        prices=_prices(experiment, services.directory, sweep.prices if sweep else None),
        work_folder=work_folder,
        selected=selected,
    )


def _keep_out_of_flows(work_folder: WorkFolder, experiment: Experiment) -> None:
    """Refuse a work folder among the files of a flow: each result would make the run before it out of date."""
    root = work_folder.root.resolve()
    for flow in (experiment.flow, *(evaluator.path for evaluator in experiment.evaluators)):
        folder = flow if flow.is_dir() else flow.parent
        if root.is_relative_to(folder) and IGNORED_FOLDERS.isdisjoint(root.relative_to(folder).parts):
            raise UsageError(f"The work folder {root} lies inside the flow {folder}. Use another --work-dir.")


def _prices(experiment: Experiment, directory: Path, given: Path | None) -> PriceTable:
    if given is not None and not (directory / given).is_file():
        raise UsageError(f"The price table `{given}` does not exist.")
    file = directory / given if given else find_prices(experiment.folder, experiment.repository)
    return read_prices(file) if file else PriceTable()


@contextlib.contextmanager
def surroundings(experiment: Experiment, inputs: OfflineInputs, services: Services) -> Iterator[Surroundings]:
    """What programs get from outside; with ``offline`` a stand-in model is there for as long as the block lasts.

    Raises:
        UsageError: variables that nobody defines, with who asks for them.
    """
    if not inputs.offline:
        found = _resolved(experiment, services, None)
        require_nothing_missing(found.missing)
        yield found
        return
    url = offline_model_address(services)
    with contextlib.ExitStack() as stack:
        if not url:
            url = stack.enter_context(services.offline_model()).url
            services.progress.note(f"A stand-in answers instead of a language model, at {url}.")
        found = _resolved(experiment, services, url)
        require_nothing_missing(found.missing)
        yield found


def offline_model_address(services: Services) -> str | None:
    """The address of the stand-in model that somebody started already, without a slash at its end.

    Raises:
        UsageError: it is no address of this machine: nothing that is offline may go out.
    """
    written = services.environ.get(OFFLINE_MODEL_VARIABLE)
    if not written:
        return None
    if not _is_on_this_machine(written):
        raise UsageError(
            f"{OFFLINE_MODEL_VARIABLE} must be an address of this machine, such as http://127.0.0.1:8321: "
            "offline, nothing goes out."
        )
    return written.rstrip("/")


def _is_on_this_machine(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https"):
            return False
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unresolved_surroundings(experiment: Experiment, services: Services) -> Surroundings:
    """The surroundings for a look at what would run: nothing is started, nothing has to be defined."""
    return replace(_resolved(experiment, services, None), lenient=True)


def _resolved(experiment: Experiment, services: Services, url: str | None) -> Surroundings:
    offline = offline_environment(url) if url else {}
    variables = experiment_variables(experiment, {**services.environ, **offline})
    found = flow_environment(experiment, variables)
    connections = dict(found.connections)
    missing = found.missing
    spared: tuple[Missing, ...] = ()
    if url:
        replaced = {name: each for name, each in connections.items() if each.is_model}
        places = {each.location for each in replaced.values()}
        connections |= {name: point_at(each, url) for name, each in replaced.items()}
        missing = tuple(each for each in missing if each.asked_by not in places)
        spared = tuple(each for each in missing if asked_by_environment_file(each, experiment))
        missing = tuple(each for each in missing if each not in spared)
    return Surroundings(variables, connections, {**found.variables, **offline}, missing, url, spared)


def require_nothing_missing(missing: tuple[Missing, ...] | list[Missing]) -> None:
    """Refuse to go on without a variable.

    Raises:
        UsageError: which variables are missing, and which file asks for each.
    """
    if missing:
        places = ((each.variable, each.asked_by.file.name, each.asked_by.line) for each in missing)
        lines = [f"  {variable} (asked for by {file}:{line})" for variable, file, line in places]
        raise UsageError(
            "\n".join(["Variables are missing; set them in the environment or in `.env`:", *dict.fromkeys(lines)]),
            Location(missing[0].asked_by.file, missing[0].asked_by.line, missing[0].asked_by.column),
        )
