"""Dag flows: ``flow.dag.yaml`` with nodes, node variants and references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.flows.signatures import parse_python, signature_of, tool_function
from llmops_actions.experiment.flows.types import Flow, FlowInput, ModelCall, flow_inputs
from llmops_actions.experiment.parsing import nearest_name
from llmops_actions.experiment.sweep import NodeVariants, Variation
from llmops_actions.experiment.yaml_source import Document, KeyPath

FILE_NAMES = ("flow.dag.yaml", "flow.dag.yml")

Definition = Mapping[str, Any]


def load_dag(document: Document, includes: tuple[Path, ...], requirements: Path | None) -> Flow:
    """Read the parts of a dag flow that the lifecycle needs.

    Raises:
        ExperimentError: a part has the wrong shape, or a default variant does not exist.
    """
    value = document.value
    nodes = _expect(document, value.get("nodes"), list, ("nodes",), "a list of nodes") or []
    for index, node in enumerate(nodes):
        _expect(document, node, dict, ("nodes", index), "a node with keys")
        if not isinstance(node.get("name"), str):
            raise ExperimentError("A node needs a `name`.", document.locate(("nodes", index)))
    variants = _variants(document)
    return Flow(
        kind="dag",
        folder=document.file.parent,
        document=document,
        inputs=_inputs(document),
        outputs=tuple(_expect(document, value.get("outputs"), dict, ("outputs",), "a mapping of outputs") or {}),
        variants=variants,
        own_values=_own_values(value, variants),
        includes=includes,
        aggregates=any(node.get("aggregation") for node in nodes),
        requirements=requirements,
    )


def _inputs(document: Document) -> dict[str, FlowInput]:
    written = _expect(document, document.value.get("inputs"), dict, ("inputs",), "a mapping of inputs") or {}
    for name, details in written.items():
        _expect(document, details, dict, ("inputs", name), "an input with `type`")
    return flow_inputs({name: details or {} for name, details in written.items()})


def _variants(document: Document) -> dict[str, NodeVariants]:
    written = _expect(document, document.value.get("node_variants"), dict, ("node_variants",), "a mapping of nodes")
    return {node: _node_variants(document, node, details) for node, details in (written or {}).items()}


def _node_variants(document: Document, node: str, written: Any) -> NodeVariants:
    path: KeyPath = ("node_variants", node)
    details = _expect(document, written, dict, path, "variants of a node") or {}
    variants = _expect(document, details.get("variants"), dict, (*path, "variants"), "a mapping of variants") or {}
    for name, variant in variants.items():
        body = _expect(document, variant, dict, (*path, "variants", name), "a variant with a `node`") or {}
        if not isinstance(body.get("node"), dict):
            raise ExperimentError("A variant needs a `node` with keys.", document.locate((*path, "variants", name)))
    default = details.get("default_variant_id")
    if default not in variants:
        nearest = nearest_name(str(default), list(variants))
        hint = f" Did you mean `{nearest}`?" if nearest else f" It has {', '.join(variants) or 'none'}."
        place = document.locate((*path, "default_variant_id"))
        raise ExperimentError(f"The default variant `{default}` of node `{node}` does not exist.{hint}", place)
    return NodeVariants(tuple(variants), str(default))


def _own_values(definition: Definition, variants: Mapping[str, NodeVariants]) -> dict[str, dict[str, Any]]:
    defaults = Variation("", {node: each.default for node, each in variants.items()})
    own: dict[str, dict[str, Any]] = {}
    for node in resolve_dag(definition, defaults)["nodes"]:
        own[node["name"]] = dict(node.get("inputs") or {})
        own[node["name"]].update({key: node[key] for key in _NODE_SETTINGS if key in node})
    return own


_NODE_SETTINGS = ("connection", "api", "provider")


def resolve_dag(definition: Definition, variation: Variation) -> dict[str, Any]:
    """The definition with the chosen variant of each node in its place and the hyper-parameters set.

    The result has no variants left: it is what prompt flow runs, and later what is registered.

    Raises:
        ExperimentError: a hyper-parameter names a node that does not exist.
    """
    table = definition.get("node_variants") or {}
    nodes = []
    for written in definition.get("nodes") or []:
        name = written["name"]
        node = written
        if written.get("use_variants") and name in table:
            chosen = variation.variants.get(name, table[name]["default_variant_id"])
            rest = {key: value for key, value in written.items() if key != "use_variants"}
            node = {**rest, **table[name]["variants"][chosen]["node"], "name": name}
        nodes.append(_with_values(node, variation.hyperparameters.get(name, {})))
    _check_nodes(variation, {node["name"] for node in nodes})
    resolved = {key: value for key, value in definition.items() if key not in ("node_variants", "nodes")}
    return {**resolved, "nodes": nodes}


def _with_values(node: Definition, values: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in values.items() if key in _NODE_SETTINGS}
    inputs = {key: value for key, value in values.items() if key not in _NODE_SETTINGS}
    changed = {**node, **settings}
    if inputs:
        changed["inputs"] = {**(node.get("inputs") or {}), **inputs}
    return changed


def _check_nodes(variation: Variation, names: set[str]) -> None:
    for node in variation.hyperparameters:
        if node not in names:
            nearest = nearest_name(node, sorted(names))
            hint = f" Did you mean `{nearest}`?" if nearest else ""
            raise ExperimentError(f"`hyperparameters` names a node `{node}` that the flow does not have.{hint}")


def model_calls(definition: Definition) -> list[ModelCall]:
    """The nodes of a resolved dag that call a language model, once for each row."""
    return [
        ModelCall(node["name"], node.get("connection"), _model(node.get("inputs") or {}))
        for node in definition.get("nodes") or []
        if node.get("type") == "llm" and not node.get("aggregation")
    ]


def _model(inputs: Mapping[str, Any]) -> str | None:
    name = inputs.get("deployment_name") or inputs.get("model")
    return name if isinstance(name, str) else None


def connections_used(definition: Definition, folder: Path) -> Iterator[tuple[str, str]]:
    """(node, connection name) for each connection that a resolved dag names, also in inputs of Python nodes."""
    for node in definition.get("nodes") or []:
        if isinstance(node.get("connection"), str) and node["connection"]:
            yield node["name"], node["connection"]
        if node.get("type") == "python":
            yield from ((node["name"], name) for name in _connection_inputs(node, folder))


def _connection_inputs(node: Definition, folder: Path) -> Iterator[str]:
    path = (node.get("source") or {}).get("path")
    file = folder / path if isinstance(path, str) else None
    if file is None or not file.is_file():
        return
    function = tool_function(parse_python(file))
    if function is None:
        return
    for name, annotation in signature_of(function).annotations.items():
        value = (node.get("inputs") or {}).get(name)
        if annotation.endswith("Connection") and isinstance(value, str) and value and not value.startswith("${"):
            yield value


def _expect(document: Document, value: Any, kind: type, path: KeyPath, what: str) -> Any:
    if value is not None and not isinstance(value, kind):
        raise ExperimentError(
            f"`{'.'.join(map(str, path))}` must be {what}, not {type(value).__name__}.", document.locate(path)
        )
    return value
