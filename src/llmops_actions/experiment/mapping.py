"""Column mappings: from the columns of a dataset and the outputs of a run to the inputs of a flow."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

SourceKind = Literal["data", "run.outputs", "run.inputs", "target", "literal"]

_REFERENCE = re.compile(r"^\$\{([^{}]+)\}$")
_KINDS: tuple[SourceKind, ...] = ("data", "run.outputs", "run.inputs", "target")


@dataclass(frozen=True)
class MappingSource:
    """Where the value of one flow input comes from: a column, an output of the run, or a literal value."""

    kind: SourceKind
    name: str = ""
    value: Any = None

    def __str__(self) -> str:
        return repr(self.value) if self.kind == "literal" else f"${{{self.kind}.{self.name}}}"


Mappings = Mapping[str, MappingSource]


class MappingError(ValueError):
    """A mapping that means nothing, or a row that lacks what the mapping names."""


def parse_source(value: Any) -> MappingSource:
    """Parse one right-hand side: ``${data.<column>}``, ``${run.outputs.<name>}``, ``${target.<name>}`` or a literal.

    Raises:
        MappingError: a reference of another kind, such as ``${dataa.x}``.
    """
    match = _REFERENCE.match(value.strip()) if isinstance(value, str) else None
    if match is None:
        return MappingSource("literal", value=value)
    reference = match[1].strip()
    for kind in _KINDS:
        if reference.startswith(f"{kind}.") and len(reference) > len(kind) + 1:
            return MappingSource(kind, reference[len(kind) + 1 :])
    if ":" in reference:
        raise MappingError(f"`{value}` has a colon where a dot belongs; write `${{data.<column>}}`.")
    raise MappingError(
        f"`{value}` names no known source. Use `${{data.<column>}}`, `${{run.outputs.<output>}}`, "
        "`${target.<output>}` or a plain value."
    )


def complete(mappings: Mappings, inputs: Mapping[str, bool]) -> dict[str, MappingSource]:
    """Add what prompt flow adds: an unmapped input without a default takes the column of its own name.

    ``inputs`` says for each flow input whether it has a default, which then wins over a column of the same name
    (``promptflow.batch._batch_inputs_processor``).
    """
    implied = {name: MappingSource("data", name) for name, has_default in inputs.items() if not has_default}
    return {**implied, **mappings}


def apply(mappings: Mappings, data: Mapping[str, Any], run: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The inputs for one row. ``run`` holds the run's ``outputs`` and ``inputs`` of the same row, if there is one.

    Raises:
        MappingError: the row has no such column or output.
    """
    inputs: dict[str, Any] = {}
    for name, source in mappings.items():
        if source.kind == "literal":
            inputs[name] = source.value
            continue
        values = data if source.kind == "data" else run.get("inputs" if source.kind == "run.inputs" else "outputs", {})
        if source.name not in values:
            raise MappingError(f"{source} has no value in this row; it has {_listing(values)}.")
        inputs[name] = values[source.name]
    return inputs


def _listing(names: Collection[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "nothing"
