"""Mappings: every input of a flow gets its value from a column, an output or a literal that is there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from llmops_actions.experiment.experiment import MappedDataset
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.mapping import MappingSource, complete
from llmops_actions.experiment.parsing import nearest_name
from llmops_actions.experiment.validation.findings import error, hint, listing, warning
from llmops_actions.experiment.validation.places import Places
from llmops_actions.experiment.validation.rows import Use
from llmops_actions.experiment.validation.types import described, fits
from llmops_actions.outcome import Finding


@dataclass(frozen=True)
class Taker:
    """Who takes a dataset's rows: the flow or an evaluator; ``run`` is the flow whose outputs can be mapped."""

    label: str
    flow: Flow
    run: Flow | None = None
    is_evaluator: bool = False


def uses_of(taker: Taker, mapped: MappedDataset) -> list[Use]:
    """The columns that become inputs; those that prompt flow maps by itself included."""
    written = {name: source for name, source in mapped.mappings.items() if source.kind == "data"}
    implied = {name: source for name, source in _complete(taker, mapped).items() if name not in mapped.mappings}
    types = {name: each.type for name, each in taker.flow.inputs.items()}
    return [
        Use(source.name, name, types.get(name), taker.label)
        for name, source in {**written, **implied}.items()
        if source.kind == "data"
    ]


def _complete(taker: Taker, mapped: MappedDataset) -> Mapping[str, MappingSource]:
    return complete(mapped.mappings, {name: each.has_default for name, each in taker.flow.inputs.items()})


def check(taker: Taker, mapped: MappedDataset, columns: Collection[str] | None, places: Places) -> Iterator[Finding]:
    """The mappings of one dataset. ``columns`` are those of the dataset, ``None`` where they are not known."""
    for name, source in mapped.mappings.items():
        place = places.below(mapped.location, "mappings", name)
        if name not in taker.flow.inputs and not taker.flow.any_input:
            yield _unknown_input(name, taker, mapped, places)
        problem = _source_problem(source, taker, mapped, columns)
        if problem:
            yield error(problem, place)
        elif source.kind == "literal" and name in taker.flow.inputs:
            kind = taker.flow.inputs[name].type
            if not fits(kind, source.value):
                yield error(f"{described(source.value)} is no {kind}, which `{name}` of {taker.label} takes.", place)
    yield from _unmapped(taker, mapped, columns, places)


def _unknown_input(name: str, taker: Taker, mapped: MappedDataset, places: Places) -> Finding:
    """A mapping to nothing: an error if it is the misspelt name of an input that nothing else is mapped to."""
    place = places.below(mapped.location, "mappings", name)
    free = [each for each in taker.flow.inputs if each not in mapped.mappings]
    nearest = nearest_name(name, free)
    if nearest:
        return error(f"{_start(taker)} has no input `{name}`. Did you mean `{nearest}`?", place)
    return warning(
        f"{_start(taker)} has no input `{name}`: the mapping does nothing. "
        f"Remove it. The inputs: {listing(taker.flow.inputs)}.",
        place,
    )


def _start(taker: Taker) -> str:
    return taker.label[:1].upper() + taker.label[1:]


def _source_problem(
    source: MappingSource, taker: Taker, mapped: MappedDataset, columns: Collection[str] | None
) -> str | None:
    if source.kind == "literal":
        return None
    if source.kind == "data":
        known, owner = columns, f"The dataset `{mapped.dataset.name}` has no column"
    elif not taker.is_evaluator:
        return f"`{source}` is for evaluators: a run has no earlier run. Use `${{data.<column>}}` or a plain value."
    else:
        known, owner = _known_of_run(source, taker.run)
    if known is None or source.name in known:
        return None
    return f"{owner} `{source.name}`. {hint(source.name, known)}"


def _known_of_run(source: MappingSource, run: Flow | None) -> tuple[Collection[str] | None, str]:
    """The names that a run's rows have, as far as they are known before it runs."""
    if source.kind == "run.inputs":
        return (None if run is None or run.any_input else run.inputs), "The flow has no input"
    return (run.outputs if run else None), "The flow has no output"


def _unmapped(
    taker: Taker, mapped: MappedDataset, columns: Collection[str] | None, places: Places
) -> Iterator[Finding]:
    """Inputs without a default that no mapping names, and no column of the same name fills."""
    if columns is None:
        return
    for name, source in _complete(taker, mapped).items():
        if name in mapped.mappings or source.name in columns:
            continue
        yield error(
            f"The input `{name}` of {taker.label} has no default, is not mapped, and `{mapped.dataset.name}` has no "
            f"such column. Map it: `{name}: ${{data.<column>}}`; the columns: {listing(columns)}.",
            places.below(mapped.location, "mappings"),
        )
