"""Flex flows: constructor arguments against ``init.json`` and the sweep, declared inputs against the signature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmops_actions.errors import Location
from llmops_actions.experiment.flows.flex import constructor_of, entry_signature
from llmops_actions.experiment.flows.types import Flow
from llmops_actions.experiment.sweep import Hyperparameters
from llmops_actions.experiment.validation.findings import error, hint, warning
from llmops_actions.experiment.validation.places import json_key
from llmops_actions.outcome import Finding


def check(flow: Flow, hyperparameters: Hyperparameters) -> Iterator[Finding]:
    """The constructor gets what it needs and nothing else; the declared inputs are those of the entry."""
    yield from _check_constructor(flow, hyperparameters)
    yield from _check_inputs(flow)


def _check_constructor(flow: Flow, hyperparameters: Hyperparameters) -> Iterator[Finding]:
    entry = flow.document.locate(("entry",))
    constructor = constructor_of(flow)
    parameters = constructor.inputs if constructor else {}
    if not (constructor and constructor.any_keyword):
        for name in flow.init:
            if name not in parameters:
                known = hint(name, parameters) if parameters else "It takes none: remove it."
                yield error(f"The constructor takes no argument `{name}`. {known}", _place_of(flow, name))
    swept: Mapping[str, object] = hyperparameters.get("init", {})
    for name, parameter in parameters.items():
        if not parameter.has_default and name not in flow.init and name not in swept:
            yield error(
                f"The constructor needs the argument `{name}`. Give it in init.json beside {flow.file.name}.", entry
            )


def _place_of(flow: Flow, argument: str) -> Location:
    if flow.init_file and argument in flow.init_file.value:
        return json_key(flow.init_file.file, argument)
    return flow.document.locate(("sample", "init", argument))


def _check_inputs(flow: Flow) -> Iterator[Finding]:
    declared = flow.document.value.get("inputs")
    signature = entry_signature(flow)
    if not isinstance(declared, dict) or signature is None:
        return
    for name in declared:
        if name not in signature.inputs and not signature.any_keyword:
            place = flow.document.locate(("inputs", name))
            yield error(f"The entry takes no `{name}`. {hint(name, signature.inputs)}", place)
    for name, parameter in signature.inputs.items():
        if name not in declared and not parameter.has_default:
            yield error(
                f"The entry needs `{name}`, which `inputs` does not declare. Add it.", flow.document.locate(("inputs",))
            )
        elif name not in declared:
            yield warning(
                f"`inputs` does not declare `{name}`: the entry always gets its default.",
                flow.document.locate(("inputs",)),
            )
