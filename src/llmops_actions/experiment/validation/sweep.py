"""The sweep: its variants and hyper-parameters exist, and it is not larger than allowed."""

from __future__ import annotations

from collections.abc import Iterator

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.flows import Program, resolve
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.sweep import SweepError, Variation, make_variations
from llmops_actions.experiment.validation.findings import error
from llmops_actions.outcome import Finding


def variations_of(experiment: Experiment, flow: Flow) -> tuple[tuple[Variation, ...], list[Finding]]:
    """The variations of the sweep, or why there are none."""
    try:
        variations = make_variations(
            flow.variants,
            experiment.variants,
            experiment.hyperparameters,
            flow.own_values,
            experiment.max_variations,
        )
    except SweepError as problem:
        return (), [error(str(problem), experiment.sweep_location)]
    return variations, list(_check_variations(flow, variations, experiment.sweep_location))


def _check_variations(flow: Flow, variations: tuple[Variation, ...], place: Location | None) -> Iterator[Finding]:
    seen: set[str] = set()
    for variation in variations:
        try:
            resolve(flow, variation)
        except ExperimentError as problem:
            if problem.message not in seen:
                seen.add(problem.message)
                yield error(problem.message, problem.location or place)


def covering_programs(flow: Flow) -> list[tuple[str, Program]]:
    """As few programs as hold every variant of every node at least once, each with a name that tells which."""
    most = max((len(each.names) for each in flow.variants.values()), default=1)
    programs = []
    for number in range(most):
        chosen = {node: each.names[number % len(each.names)] for node, each in flow.variants.items()}
        name = ", ".join(f"{node}.{variant}" for node, variant in chosen.items()) or "the flow"
        programs.append((name, resolve(flow, Variation(name, chosen))))
    return programs
