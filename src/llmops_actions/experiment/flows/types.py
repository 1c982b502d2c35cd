"""What a flow is, whichever of the four kinds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops_actions.experiment.program import FunctionReference, ProgramKind
from llmops_actions.experiment.sweep import NodeVariants
from llmops_actions.experiment.yaml_source import Document


@dataclass(frozen=True)
class FlowInput:
    """An input of a flow. ``type`` is prompt flow's name of it (``string``, ``int`` …), ``None`` if not declared."""

    name: str
    type: str | None = None
    has_default: bool = False
    default: Any = None


def flow_inputs(declared: Mapping[str, Any]) -> dict[str, FlowInput]:
    """The inputs that a flow's definition declares: ``{name: {type, default}}``, or ``{name: default}``."""
    inputs = {}
    for name, written in declared.items():
        details = written if isinstance(written, dict) else {"default": written}
        default = details.get("default")
        kind = details.get("type")
        inputs[name] = FlowInput(name, kind if isinstance(kind, str) else None, default is not None, default)
    return inputs


@dataclass(frozen=True)
class ModelCall:
    """A place in a flow where a language model is called: its node, the connection and the model's deployment.

    ``max_tokens``: the most that an answer may have, if that is set.
    """

    node: str
    connection: str | None
    model: str | None
    max_tokens: int | None = None


def token_limit(settings: Mapping[str, Any]) -> int | None:
    """The ``max_tokens`` of a node's inputs or a prompty's parameters, where it is a number."""
    limit = settings.get("max_tokens")
    return limit if isinstance(limit, int) and not isinstance(limit, bool) else None


@dataclass(frozen=True)
class Flow:
    """A flow as it stands in its folder.

    ``outputs`` is ``None`` where they are only known when it runs. ``any_input`` says that it takes inputs which it
    does not declare. ``own_values`` are the values a hyper-parameter would replace, by node (``init``, ``model``).
    ``includes`` are absolute paths of ``additional_includes``. ``aggregates``: something runs once over all rows.
    """

    kind: ProgramKind
    folder: Path
    document: Document
    inputs: Mapping[str, FlowInput] = field(default_factory=dict)
    outputs: tuple[str, ...] | None = None
    any_input: bool = False
    variants: Mapping[str, NodeVariants] = field(default_factory=dict)
    own_values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    includes: tuple[Path, ...] = ()
    init: Mapping[str, Any] = field(default_factory=dict)
    init_file: Document | None = None
    functions: tuple[FunctionReference, ...] = ()
    aggregates: bool = False
    requirements: Path | None = None

    @property
    def file(self) -> Path:
        """The file that defines the flow (for Python functions: the first of their files)."""
        return self.document.file
