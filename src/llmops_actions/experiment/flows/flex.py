"""Flex flows: ``flow.flex.yaml`` names a Python function or class, which is read without being run."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.flows.signatures import (
    Callable_,
    Signature,
    find_definition,
    find_method,
    parse_python,
    signature_of,
)
from llmops_actions.experiment.flows.types import Flow, flow_inputs
from llmops_actions.experiment.yaml_source import Document, read_text

FILE_NAMES = ("flow.flex.yaml", "flow.flex.yml")
INIT_FILE = "init.json"


def load_flex(document: Document, includes: tuple[Path, ...], requirements: Path | None) -> Flow:
    """Read a flex flow: its entry's signature, and ``init.json`` beside it.

    Raises:
        ExperimentError: no entry, its file or name does not exist, or ``init.json`` is not an object.
    """
    folder = document.file.parent
    definition, source = _entry(document, folder)
    call = _signature(definition, "__call__")
    if call is None:
        raise ExperimentError(
            f"The class `{definition.name}` has no `__call__`; add one: it is run for each row.",
            Location(source, definition.lineno),
        )
    init_file = _init_file(folder)
    init = {**_sample_init(document), **(init_file.value if init_file else {})}
    is_class = isinstance(definition, ast.ClassDef)
    constructor = _signature(definition, "__init__") if is_class else None
    declared = document.value.get("inputs")
    return Flow(
        kind="flex",
        folder=folder,
        document=document,
        inputs=flow_inputs(declared) if isinstance(declared, dict) else call.inputs,
        outputs=tuple(document.value["outputs"]) if isinstance(document.value.get("outputs"), dict) else None,
        any_input=call.any_keyword,
        own_values={"init": {**_defaults(constructor), **init}},
        includes=includes,
        init=init,
        init_file=init_file,
        aggregates=isinstance(definition, ast.ClassDef) and find_method(definition, "__aggregate__") is not None,
        requirements=requirements,
    )


def constructor_of(flow: Flow) -> Signature | None:
    """The constructor's signature of a flex class; ``None`` for a function or a class without ``__init__``."""
    definition, _ = _entry(flow.document, flow.folder)
    return _signature(definition, "__init__") if isinstance(definition, ast.ClassDef) else None


def entry_signature(flow: Flow) -> Signature | None:
    """The signature of what is called for each row: the function, or ``__call__`` of the class."""
    definition, _ = _entry(flow.document, flow.folder)
    return _signature(definition, "__call__")


def connections_used(init: Mapping[str, Any], constructor: Signature | None) -> Iterator[tuple[str, str]]:
    """(argument, connection name) for each connection that the constructor arguments name."""
    for name, value in init.items():
        if isinstance(value, dict) and isinstance(value.get("connection"), str):
            yield name, value["connection"]
        annotation = constructor.annotations.get(name, "") if constructor else ""
        if isinstance(value, str) and annotation.endswith("Connection"):
            yield name, value


def _entry(document: Document, folder: Path) -> tuple[Callable_ | ast.ClassDef, Path]:
    entry = document.value.get("entry")
    module, colon, name = entry.partition(":") if isinstance(entry, str) else ("", "", "")
    if not colon or not name:
        raise ExperimentError("A flex flow needs `entry: <module>:<function or class>`.", document.locate(("entry",)))
    source = folder / (module.removesuffix(".py").replace(".", "/") + ".py")
    if not source.is_file():
        source = folder / module.replace(".", "/") / "__init__.py"
    if not source.is_file():
        raise ExperimentError(f"The entry's module `{module}` does not exist in {folder}.", document.locate(("entry",)))
    definition = find_definition(parse_python(source), name.split(".")[0])
    if definition is None:
        raise ExperimentError(
            f"The entry `{name}` is no function or class of {source.name}.", document.locate(("entry",))
        )
    return definition, source


def _signature(definition: Callable_ | ast.ClassDef, method: str) -> Signature | None:
    if not isinstance(definition, ast.ClassDef):
        return signature_of(definition)
    found = find_method(definition, method)
    return signature_of(found, method=True) if found else None


def _defaults(constructor: Signature | None) -> dict[str, Any]:
    parameters = constructor.parameters if constructor else ()
    return {parameter.name: parameter.default for parameter in parameters if parameter.has_default}


def _sample_init(document: Document) -> dict[str, Any]:
    sample = document.value.get("sample")
    init = sample.get("init") if isinstance(sample, dict) else None
    return init if isinstance(init, dict) else {}


def _init_file(folder: Path) -> Document | None:
    file = folder / INIT_FILE
    if not file.is_file():
        return None
    try:
        value = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"Not valid JSON: {error}.", Location(file, getattr(error, "lineno", None))) from error
    if not isinstance(value, dict):
        raise ExperimentError("It must hold an object: the arguments of the constructor.", Location(file, 1))
    return Document(file, value)
