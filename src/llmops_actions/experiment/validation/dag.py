"""Dag flows: the graph of nodes. Names, references, cycles, variants, outputs and aggregation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops_actions.errors import Location
from llmops_actions.experiment.validation import types
from llmops_actions.experiment.validation.findings import error, hint, listing, warning
from llmops_actions.experiment.validation.node_sources import check_node
from llmops_actions.experiment.validation.nodes import Node, read_nodes
from llmops_actions.experiment.validation.references import Reference, holds_reference, parse_reference
from llmops_actions.experiment.yaml_source import Document
from llmops_actions.outcome import Finding

_RESERVED = ("flow", "inputs")


def check(
    document: Document, includes: tuple[Path, ...], connection_types: Mapping[str, str], repository: Path
) -> Iterator[Finding]:
    """Everything about a dag flow that can be said without running it, for every variant of every node.

    ``connection_types`` are the types of the experiment's connections by name; no file may leave the ``repository``.
    """
    nodes = read_nodes(document)
    names = _Names(_flow_inputs(document), nodes)
    yield from _check_inputs(document)
    yield from _check_names(document)
    yield from _check_variants(document, nodes)
    for node in nodes:
        yield from _check_node_references(node, names)
        yield from check_node(node, includes, connection_types, repository)
    yield from _check_outputs(document, names)
    yield from _check_cycles(nodes)


def _flow_inputs(document: Document) -> Mapping[str, Any]:
    written = document.value.get("inputs")
    return written if isinstance(written, dict) else {}


class _Names:
    """What references can mean."""

    def __init__(self, inputs: Collection[str], nodes: Sequence[Node]) -> None:
        self.inputs = inputs
        self.nodes = {node.name: node.aggregates for node in nodes}

    def problem(self, reference: Reference) -> str | None:
        """What is wrong with a reference; ``None`` if it can be resolved."""
        if reference.kind == "input":
            if reference.name in self.inputs:
                return None
            return f"The flow has no input `{reference.name}`. {hint(reference.name, self.inputs)}"
        if reference.name not in self.nodes:
            return f"There is no node `{reference.name}`. {hint(reference.name, self.nodes)}"
        if reference.section != "output":
            shown = f"${{{reference.name}.{reference.section}}}"
            return f"`{shown}` means nothing: only `${{{reference.name}.output}}` and its keys can be referenced."
        return None


def _check_inputs(document: Document) -> Iterator[Finding]:
    for name, details in _flow_inputs(document).items():
        yield from _check_type(document, "input", name, details)
        if not isinstance(details, dict):
            continue
        kind, default = details.get("type"), details.get("default")
        if default is not None and not types.fits(kind, default):
            place = document.locate(("inputs", name))
            yield error(f"The default {types.described(default)} of the input `{name}` is no {kind}.", place)


def _check_type(document: Document, what: str, name: str, details: Any) -> Iterator[Finding]:
    """Prompt flow loads no dag without the types of its inputs and outputs."""
    kind = details.get("type") if isinstance(details, dict) else None
    place = document.locate((f"{what}s", name))
    if kind is None:
        yield error(f"The {what} `{name}` needs a `type`: {listing(types.KNOWN[:6])}.", place)
    elif kind not in types.KNOWN:
        yield error(f"The {what} `{name}` has the unknown type `{kind}`. {hint(str(kind), types.KNOWN)}", place)


def _check_names(document: Document) -> Iterator[Finding]:
    written = document.value.get("nodes")
    if not written:
        yield error("The flow has no nodes. Add some, or name another flow.", document.locate(("nodes",)))
    seen: dict[str, Location] = {}
    for index, body in enumerate(written if isinstance(written, list) else []):
        name = body.get("name") if isinstance(body, dict) else None
        if not isinstance(name, str):
            continue
        place = document.locate(("nodes", index))
        if name in seen:
            yield error(f"The node `{name}` is already there, at line {seen[name].line}. Rename one.", place)
        elif name in _RESERVED:
            yield error(f"A node cannot be called `{name}`: `${{{name}.…}}` means an input of the flow.", place)
        seen.setdefault(name, place)


def _check_variants(document: Document, nodes: Sequence[Node]) -> Iterator[Finding]:
    written = document.value.get("node_variants")
    table = written if isinstance(written, dict) else {}
    for node in nodes:
        if node.variant is None and node.body.get("use_variants"):
            yield error(
                f"The node `{node.name}` uses variants, but `node_variants` has none for it. Add them there.",
                node.place("use_variants"),
            )
    varied = {node.name for node in nodes if node.variant is not None}
    known = {node.name for node in nodes}
    for name, details in table.items():
        place = document.locate(("node_variants", name))
        if name not in known:
            yield warning(f"`node_variants` has `{name}`, which is no node. {hint(name, known)}", place)
        elif name not in varied:
            yield warning(f"The variants of `{name}` are never used: give the node `use_variants: true`.", place)
        yield from _check_default(document, name, details)


def _check_default(document: Document, node: str, details: Any) -> Iterator[Finding]:
    variants = details.get("variants") if isinstance(details, dict) else None
    names = list(variants) if isinstance(variants, dict) else []
    default = details.get("default_variant_id") if isinstance(details, dict) else None
    if default not in names:
        place = document.locate(("node_variants", node, "default_variant_id"))
        known = hint(str(default), names) if default else f"Add `default_variant_id`: one of {listing(names)}."
        yield error(f"The default variant `{default}` of node `{node}` does not exist. {known}", place)


def _check_node_references(node: Node, names: _Names) -> Iterator[Finding]:
    for name, value in node.inputs.items():
        place = node.place("inputs", name)
        reference = parse_reference(value)
        if reference is None:
            if holds_reference(value):
                yield warning(
                    f"The input `{name}` of {node.label} is taken literally: a reference stands alone, "
                    "without text around it.",
                    place,
                )
            continue
        yield from _check_reference(node, reference, names, place)
    yield from _check_condition(node, names)


def _check_reference(node: Node, reference: Reference, names: _Names, place: Location) -> Iterator[Finding]:
    problem = names.problem(reference)
    if problem:
        yield error(f"{node.title}: {problem}", place)
    elif reference.kind == "node" and names.nodes[reference.name] and not node.aggregates:
        yield error(
            f"{node.title} runs for each row, so it cannot use `{reference.name}`, which runs once over "
            "all rows. Give it `aggregation: true` as well, or use another node.",
            place,
        )


def _check_condition(node: Node, names: _Names) -> Iterator[Finding]:
    if node.body.get("skip") is not None:
        yield warning(
            f"`skip` of {node.label} has no effect in prompt flow 1.18; use `activate` with the opposite condition.",
            node.place("skip"),
        )
    condition = node.body.get("activate")
    if condition is None:
        return
    if not isinstance(condition, dict) or not {"when", "is"} <= condition.keys():
        yield error(f"`activate` of {node.label} needs `when` and `is`.", node.place("activate"))
        return
    place = node.place("activate", "when")
    reference = parse_reference(condition["when"])
    if reference is None:
        yield warning(f"`activate` of {node.label}: `when` is no reference, so it never changes.", place)
        return
    yield from _check_reference(node, reference, names, place)
    if node.aggregates and reference.kind == "node" and names.nodes.get(reference.name) is False:
        yield error(
            f"{node.title} runs once over all rows, so its condition cannot be `{reference.name}`, "
            "which runs for each row.",
            place,
        )


def _check_outputs(document: Document, names: _Names) -> Iterator[Finding]:
    written = document.value.get("outputs")
    for name, details in (written if isinstance(written, dict) else {}).items():
        value = details.get("reference") if isinstance(details, dict) else None
        place = document.locate(("outputs", name, "reference"))
        yield from _check_type(document, "output", name, details)
        reference = parse_reference(value)
        if not value:
            yield error(f"The output `{name}` needs `reference: ${{<node>.output}}`.", place)
        elif reference is None:
            yield warning(f"The output `{name}` is the same for every row: {types.described(value)}.", place)
        elif problem := names.problem(reference):
            yield error(f"Output `{name}`: {problem}", place)
        elif reference.kind == "node" and names.nodes[reference.name]:
            yield warning(
                f"The output `{name}` is left out: `{reference.name}` runs once over all rows. "
                "Use `log_metric` there for its result.",
                place,
            )


def _check_cycles(nodes: Sequence[Node]) -> Iterator[Finding]:
    """Nodes that wait for each other, in any combination of variants; each cycle once, with its names."""
    needs: dict[str, dict[str, None]] = {node.name: {} for node in nodes}
    places: dict[str, Location] = {}
    for node in nodes:
        places.setdefault(node.name, node.document.locate(node.own))
        condition = node.body.get("activate")
        values = [*node.inputs.values(), condition.get("when") if isinstance(condition, dict) else None]
        for reference in map(parse_reference, values):
            if reference and reference.kind == "node" and reference.name in needs:
                needs[node.name][reference.name] = None
    for cycle in _cycles(needs):
        yield error(
            f"The nodes wait for each other: {' -> '.join([*cycle, cycle[0]])}. Remove one of these references.",
            places[cycle[0]],
        )


def _cycles(needs: Mapping[str, Collection[str]]) -> list[list[str]]:
    """A cycle for each edge that closes one (depth first, without recursion)."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = []
        if start not in done:
            path, stack = [start], [(start, iter(needs[start]))]
        while stack:
            name, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                done.add(name)
                stack.pop()
                path.pop()
            elif following in path:
                found.append(path[path.index(following) :])
            elif following not in done:
                path.append(following)
                stack.append((following, iter(needs[following])))
    return found
