"""Dag flows: ``flow.dag.yaml`` with nodes, node variants and references."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.flows.signatures import Callable_, parse_python, signature_of, tool_function
from llmops_actions.experiment.flows.types import Flow, FlowInput, ModelCall, flow_inputs, token_limit
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.experiment.paths import resolve_inside
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
    variants = _variants(document)
    _check_nodes(document, variants)
    used = {node["name"] for node in value.get("nodes") or [] if node.get("use_variants")}
    variants = {node: each for node, each in variants.items() if node in used}
    return Flow(
        kind="dag",
        folder=document.file.parent,
        document=document,
        inputs=_inputs(document),
        outputs=tuple(_expect(document, value.get("outputs"), dict, ("outputs",), "a mapping of outputs") or {}),
        variants=variants,
        own_values=_own_values(value, variants),
        includes=includes,
        aggregates=aggregates(resolve_dag(value, Variation(""))),
        requirements=requirements,
    )


def aggregates(definition: Definition) -> bool:
    """Whether a resolved dag has a node that runs once over all rows."""
    return any(node.get("aggregation") for node in definition.get("nodes") or [])


def _check_nodes(document: Document, variants: Mapping[str, NodeVariants]) -> None:
    nodes = _expect(document, document.value.get("nodes"), list, ("nodes",), "a list of nodes") or []
    seen: set[str] = set()
    for index, node in enumerate(nodes):
        path: KeyPath = ("nodes", index)
        if not isinstance(node, dict) or not isinstance(node.get("name"), str):
            raise ExperimentError("A node needs keys, and a `name` that is text.", document.locate(path))
        name = node["name"]
        if name in seen:
            raise ExperimentError(f"The node `{name}` is already there. Names are unique.", document.locate(path))
        seen.add(name)
        _check_body(document, node, path)
        if node.get("use_variants") and name not in variants:
            message = f"The node `{name}` says `use_variants`, but has none under `node_variants`."
            raise ExperimentError(message, document.locate((*path, "use_variants")))


def check_sources(document: Document, repository: Path) -> None:
    """Whether the files of all nodes and variants lie in the repository; the shapes are right already.

    Raises:
        ExperimentError: one leaves it.
    """
    bodies: list[tuple[KeyPath, Definition]] = [
        (("nodes", index), node) for index, node in enumerate(document.value.get("nodes") or [])
    ]
    for name, details in (document.value.get("node_variants") or {}).items():
        for variant, body in ((details or {}).get("variants") or {}).items():
            bodies.append((("node_variants", name, "variants", variant, "node"), body["node"]))
    for path, body in bodies:
        written = (body.get("source") or {}).get("path")
        if isinstance(written, str):
            place = document.locate((*path, "source", "path"))
            resolve_inside(document.file.parent / written, written, repository, "source", place)


def _check_body(document: Document, node: Definition, path: KeyPath) -> None:
    for key in ("inputs", "source"):
        _expect(document, node.get(key), dict, (*path, key), "keys and values")


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
        _check_body(document, body["node"], (*path, "variants", name, "node"))
    default = str(details.get("default_variant_id"))
    if default not in variants:
        hint = did_you_mean(default, variants, f"It has {', '.join(variants) or 'none'}.")
        place = document.locate((*path, "default_variant_id"))
        raise ExperimentError(f"The default variant `{default}` of node `{node}` does not exist. {hint}", place)
    return NodeVariants(tuple(variants), default)


def _own_values(definition: Definition, variants: Mapping[str, NodeVariants]) -> dict[str, dict[str, Any]]:
    defaults = Variation("", {node: each.default for node, each in variants.items()})
    own: dict[str, dict[str, Any]] = {}
    for node in resolve_dag(definition, defaults)["nodes"]:
        own[node["name"]] = dict(node.get("inputs") or {})
        own[node["name"]].update({key: node[key] for key in _NODE_SETTINGS if key in node})
    return own


_NODE_SETTINGS = ("connection", "api", "provider")
_MODEL_SETTINGS = (
    *("deployment_name", "model", "temperature", "top_p", "n", "stop", "max_tokens", "presence_penalty"),
    *("frequency_penalty", "logit_bias", "user", "response_format", "seed", "tools", "tool_choice", "functions"),
    *("function_call", "suffix", "logprobs", "echo", "best_of"),
)
"""What the model tools of prompt flow take (``promptflow.tools.aoai``, ``promptflow.tools.openai``)."""


def resolve_dag(definition: Definition, variation: Variation) -> dict[str, Any]:
    """The definition with the chosen variant of each node in its place and the hyper-parameters set.

    The result has no variants left: it is what prompt flow runs, and later what is registered.
    """
    table = definition.get("node_variants") or {}
    nodes = []
    for written in definition.get("nodes") or []:
        name = written["name"]
        node = written
        if written.get("use_variants") and name in table:
            chosen = variation.variants.get(name, str(table[name]["default_variant_id"]))
            rest = {key: value for key, value in written.items() if key != "use_variants"}
            node = {**rest, **table[name]["variants"][chosen]["node"], "name": name}
        nodes.append(_with_values(node, variation.hyperparameters.get(name, {})))
    resolved = {key: value for key, value in definition.items() if key not in ("node_variants", "nodes")}
    return {**resolved, "nodes": nodes}


def _with_values(node: Definition, values: Mapping[str, Any]) -> dict[str, Any]:
    settings = {key: value for key, value in values.items() if key in _NODE_SETTINGS}
    inputs = {key: value for key, value in values.items() if key not in _NODE_SETTINGS}
    changed = {**node, **settings}
    if inputs:
        changed["inputs"] = {**(node.get("inputs") or {}), **inputs}
    return changed


def check_hyperparameters(document: Document, variation: Variation) -> None:
    """Whether the nodes that the hyper-parameters name are there and take what is set.

    Raises:
        ExperimentError: an unknown node, or an input that a model or a Python node does not take.
    """
    definition = resolve_dag(document.value, Variation("", variation.variants))
    nodes = {node["name"]: node for node in definition["nodes"]}
    for name, values in variation.hyperparameters.items():
        if name not in nodes:
            hint = _hint(name, list(nodes))
            message = f"`hyperparameters` names a node `{name}` that the flow does not have. {hint}"
            raise ExperimentError(message, document.locate(("nodes",)))
        known = _settable(nodes[name], document.file.parent)
        for key in values:
            if known is not None and key not in known:
                message = f"`hyperparameters` sets `{key}`, which the node `{name}` does not take. {_hint(key, known)}"
                raise ExperimentError(message, document.locate(("nodes", list(nodes).index(name))))


def _hint(name: str, known: list[str]) -> str:
    return did_you_mean(name, known, f"There are {', '.join(known) or 'none'}.")


def _settable(node: Definition, folder: Path) -> list[str] | None:
    """What can be set of a node; ``None`` where that is not known."""
    own = [*(node.get("inputs") or {}), *_NODE_SETTINGS]
    if node.get("type") == "llm":
        return [*own, *_MODEL_SETTINGS]
    function = _tool_of(node, folder) if node.get("type") == "python" else None
    if function is None:
        return None
    signature = signature_of(function)
    return None if signature.any_keyword else [*signature.inputs, *_NODE_SETTINGS]


def model_calls(definition: Definition) -> list[ModelCall]:
    """The nodes of a resolved dag that call a language model, once for each row."""
    return [
        ModelCall(node["name"], node.get("connection"), _model(inputs), token_limit(inputs))
        for node in definition.get("nodes") or []
        if node.get("type") == "llm" and not node.get("aggregation")
        for inputs in [node.get("inputs") or {}]
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
    """Inputs that are connections: annotated so, or of a package's tool and called ``connection``."""
    function = _tool_of(node, folder)
    packaged = (node.get("source") or {}).get("type") == "package"
    annotations = signature_of(function).annotations if function else {"connection": "Connection"} if packaged else {}
    for name, annotation in annotations.items():
        value = (node.get("inputs") or {}).get(name)
        if annotation.endswith("Connection") and isinstance(value, str) and value and not value.startswith("${"):
            yield value


def _tool_of(node: Definition, folder: Path) -> Callable_ | None:
    path = (node.get("source") or {}).get("path")
    file = folder / path if isinstance(path, str) and "\0" not in path else None
    return tool_function(parse_python(file)) if file is not None and file.is_file() else None


def _expect(document: Document, value: Any, kind: type, path: KeyPath, what: str) -> Any:
    if value is not None and not isinstance(value, kind):
        raise ExperimentError(
            f"`{'.'.join(map(str, path))}` must be {what}, not {type(value).__name__}.", document.locate(path)
        )
    return value
