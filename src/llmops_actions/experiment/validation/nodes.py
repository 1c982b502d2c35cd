"""The nodes of a dag flow as they are written, one for each variant, with the place of every key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_actions.errors import Location
from llmops_actions.experiment.yaml_source import Document, KeyPath


@dataclass(frozen=True)
class Node:
    """One node, or one variant of it. ``own`` and ``chosen`` are where the node's and the variant's keys stand."""

    name: str
    document: Document = field(repr=False)
    own: KeyPath
    body: Mapping[str, Any]
    variant: str | None = None
    chosen: KeyPath | None = None

    @property
    def label(self) -> str:
        """The node for a message."""
        return f"node `{self.name}`" + (f", variant `{self.variant}`" if self.variant else "")

    @property
    def title(self) -> str:
        """The node at the start of a sentence."""
        return f"N{self.label[1:]}"

    @property
    def inputs(self) -> Mapping[str, Any]:
        """What the node is given, by input."""
        written = self.body.get("inputs")
        return written if isinstance(written, dict) else {}

    @property
    def source(self) -> Mapping[str, Any]:
        """Where its code or template is."""
        written = self.body.get("source")
        return written if isinstance(written, dict) else {}

    @property
    def aggregates(self) -> bool:
        """Whether it runs once over all rows."""
        return bool(self.body.get("aggregation") or self.body.get("reduce"))

    def place(self, *keys: str) -> Location:
        """The place of a key of the node, wherever it is written; of its nearest parent, if it is not there."""
        written = [path for path in (self.chosen, self.own) if path is not None]
        for length in range(len(keys), 0, -1):
            for path in written:
                if (*path, *keys[:length]) in self.document.positions:
                    return self.document.locate((*path, *keys[:length]))
        return self.document.locate(written[0])


def read_nodes(document: Document) -> list[Node]:
    """Every node of a dag flow, and every variant of one. What has the wrong shape is left out."""
    table = _mapping(document.value.get("node_variants"))
    nodes: list[Node] = []
    written = document.value.get("nodes")
    for index, body in enumerate(written if isinstance(written, list) else []):
        if not isinstance(body, dict) or not isinstance(body.get("name"), str):
            continue
        own: KeyPath = ("nodes", index)
        if body.get("use_variants") and body["name"] in table:
            nodes.extend(_variants(document, own, body, _mapping(table[body["name"]])))
        else:
            nodes.append(Node(body["name"], document, own, body))
    return nodes


def _variants(document: Document, own: KeyPath, body: Mapping[str, Any], details: Mapping[str, Any]) -> Iterator[Node]:
    name = body["name"]
    for variant, written in _mapping(details.get("variants")).items():
        chosen = _mapping(_mapping(written).get("node"))
        rest = {key: value for key, value in body.items() if key != "use_variants"}
        path: KeyPath = ("node_variants", name, "variants", variant, "node")
        yield Node(name, document, own, {**rest, **chosen, "name": name}, variant, path)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def find_source(folder: Path, includes: tuple[Path, ...], written: str) -> Path | None:
    """The file that a node's ``source.path`` names: in the flow's folder, or in what it includes."""
    own = folder / written
    if own.is_file():
        return own
    for include in includes:
        first, *rest = Path(written).parts or ("",)
        if include.name == first and include.joinpath(*rest).is_file():
            return include.joinpath(*rest)
    return None
