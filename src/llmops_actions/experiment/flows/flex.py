"""Flex flows: ``flow.flex.yaml`` names a Python function or class, which is read without being run."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.flows.signatures import (
    Callable_,
    Signature,
    binds,
    find_definition,
    find_method,
    parse_python,
    signature_of,
)
from llmops_actions.experiment.flows.types import Flow, FlowInput, flow_inputs
from llmops_actions.experiment.parsing import did_you_mean
from llmops_actions.experiment.yaml_source import Document, read_text

FILE_NAMES = ("flow.flex.yaml", "flow.flex.yml")
INIT_FILE = "init.json"

_ENTRY = re.compile(r"([\w-]+(?:\.[\w-]+)*):(\w+)")
_EMPTY_BASES = frozenset({"object", "ABC", "abc.ABC"})


def load_flex(document: Document, includes: tuple[Path, ...], requirements: Path | None) -> Flow:
    """Read a flex flow: its entry's signature, and ``init.json`` beside it.

    Constructor arguments are the defaults of ``init`` in the flow's file, and over them ``init.json`` or, without
    one, ``sample.init`` (``promptflow.executor._script_executor``).

    Raises:
        ExperimentError: no entry, its file or name does not exist, or ``init.json`` is not an object.
    """
    folder = document.file.parent
    entry = _entry(document, folder)
    call = _called(entry, document)
    init_file = _init_file(folder)
    sample = _section(document, "sample").get("init")
    given = (init_file.value if init_file else None) or (sample if isinstance(sample, dict) else {})
    init = {**_written_defaults(document, "init"), **given}
    outputs = document.value.get("outputs")
    return Flow(
        kind="flex",
        folder=folder,
        document=document,
        inputs=_inputs(document, call),
        outputs=tuple(outputs) if isinstance(outputs, dict) else None,
        any_input=call.any_keyword,
        own_values={"init": {**_defaults(_constructor(entry)), **init}},
        includes=includes,
        init=init,
        init_file=init_file,
        aggregates=entry.is_class and _method(entry, "__aggregate__") not in (None, UNKNOWN),
        requirements=requirements,
    )


def constructor_of(flow: Flow) -> Signature | None:
    """The constructor's signature of a flex class; ``None`` for a function or a class without ``__init__``.

    One that cannot be read (inherited from a package, made by a decorator) takes any keyword.
    """
    return _constructor(_entry(flow.document, flow.folder))


def entry_signature(flow: Flow) -> Signature | None:
    """The signature of what is called for each row: the function, or ``__call__`` of the class."""
    return _called(_entry(flow.document, flow.folder), flow.document)


def connections_used(init: Mapping[str, Any], constructor: Signature | None) -> Iterator[tuple[str, str]]:
    """(argument, connection name) for each connection that the constructor arguments name."""
    for name, value in init.items():
        if isinstance(value, dict) and isinstance(value.get("connection"), str):
            yield name, value["connection"]
        annotation = constructor.annotations.get(name, "") if constructor else ""
        if isinstance(value, str) and annotation.endswith("Connection"):
            yield name, value


UNKNOWN = Signature(parameters=(), annotations={}, any_keyword=True, line=1)
"""The signature of something that is only known when it is imported."""


@dataclass(frozen=True)
class _Entry:
    """What ``entry`` names. ``definition`` is ``None`` where it is imported from elsewhere or made at run time."""

    definition: Callable_ | ast.ClassDef | None
    module: ast.Module
    source: Path

    @property
    def is_class(self) -> bool:
        return isinstance(self.definition, ast.ClassDef)


def _entry(document: Document, folder: Path) -> _Entry:
    place = document.locate(("entry",))
    written = document.value.get("entry")
    match = _ENTRY.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ExperimentError("A flex flow needs `entry: <module>:<function or class>`.", place)
    module, name = match[1], match[2]
    source = _source(module, folder, place)
    if source is None:
        return _Entry(None, ast.Module([], []), document.file)
    tree = parse_python(source)
    definition = find_definition(tree, name)
    if definition is None and not binds(tree, name):
        known = [each.name for each in tree.body if isinstance(each, Callable_ | ast.ClassDef)]
        text = f"The entry `{name}` is no function or class of {source.name}. {did_you_mean(name, known)}"
        raise ExperimentError(text.rstrip(), place)
    return _Entry(definition, tree, source)


def _source(module: str, folder: Path, place: Location) -> Path | None:
    """The file of a module in the flow's folder; ``None`` for one of an installed package."""
    parts = module.split(".")
    for candidate in (folder.joinpath(*parts[:-1], f"{parts[-1]}.py"), folder.joinpath(*parts, "__init__.py")):
        if candidate.is_file():
            return candidate
    own = (folder / parts[0]).exists() or (folder / f"{parts[0]}.py").exists()
    if own or not _is_installed(parts[0]):
        hint = " Leave out `.py`." if parts[-1] == "py" else ""
        raise ExperimentError(f"The entry's module `{module}` does not exist in {folder}.{hint}", place)
    return None


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _called(entry: _Entry, document: Document) -> Signature:
    """The signature of what is called for each row.

    Raises:
        ExperimentError: a class without ``__call__``, or an input that cannot be passed by its name.
    """
    found = _method(entry, "__call__") if entry.is_class else _signature(entry.definition)
    if found is None:
        line = entry.definition.lineno if entry.definition else 1
        raise ExperimentError(
            f"The class of the entry `{document.value['entry']}` has no `__call__`; add one: it is run for each row.",
            Location(entry.source, line),
        )
    for name in found.positional_only:
        if not found.inputs[name].has_default:
            raise ExperimentError(
                f"`{name}` is positional-only, but inputs are passed by name. Remove the `/`.",
                Location(entry.source, found.line),
            )
    return found


def _constructor(entry: _Entry) -> Signature | None:
    if entry.definition is None:
        return UNKNOWN
    if not isinstance(entry.definition, ast.ClassDef):
        return None
    found = _method(entry, "__init__")
    return UNKNOWN if found is None and entry.definition.decorator_list else found


def _signature(definition: Callable_ | ast.ClassDef | None) -> Signature:
    return signature_of(definition) if isinstance(definition, Callable_) else UNKNOWN


def _method(entry: _Entry, name: str) -> Signature | None:
    """A method's signature, also an inherited one; :data:`UNKNOWN` where a base class stands in another module."""
    waiting: list[str | ast.ClassDef] = [entry.definition] if isinstance(entry.definition, ast.ClassDef) else []
    seen: set[str] = set()
    elsewhere = False
    while waiting:
        current = waiting.pop(0)
        definition = find_definition(entry.module, current) if isinstance(current, str) else current
        if not isinstance(definition, ast.ClassDef):
            elsewhere = elsewhere or current not in _EMPTY_BASES
            continue
        method = find_method(definition, name)
        if method:
            return signature_of(method, method=True)
        seen.add(definition.name)
        bases = (base.id if isinstance(base, ast.Name) else ast.unparse(base) for base in definition.bases)
        waiting.extend(base for base in bases if base not in seen)
    return UNKNOWN if elsewhere else None


def _section(document: Document, name: str) -> dict[str, Any]:
    value = document.value.get(name)
    if value is not None and not isinstance(value, dict):
        raise ExperimentError(f"`{name}` must hold names and values.", document.locate((name,)))
    return value or {}


def _inputs(document: Document, call: Signature) -> dict[str, FlowInput]:
    """The parameters of the call, with the types and defaults that the flow's file declares.

    A declared default that is an empty text stands for none (``ScriptExecutor._init_input_sign``).
    """
    inputs = call.inputs
    declared = {name: written or {} for name, written in _section(document, "inputs").items()}
    for name, written in flow_inputs(declared).items():
        own = inputs.get(name, FlowInput(name))
        if written.has_default and written.default != "":
            inputs[name] = FlowInput(name, written.type or own.type, True, written.default)
        else:
            inputs[name] = FlowInput(name, written.type or own.type, own.has_default, own.default)
    return inputs


def _written_defaults(document: Document, section: str) -> dict[str, Any]:
    written = flow_inputs({name: each for name, each in _section(document, section).items() if isinstance(each, dict)})
    return {name: each.default for name, each in written.items() if each.has_default and each.default != ""}


def _defaults(constructor: Signature | None) -> dict[str, Any]:
    parameters = constructor.parameters if constructor else ()
    return {parameter.name: parameter.default for parameter in parameters if parameter.has_default}


def _init_file(folder: Path) -> Document | None:
    file = folder / INIT_FILE
    if not file.is_file():
        return None
    try:
        value = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        place = Location(file, getattr(error, "lineno", None), getattr(error, "colno", None))
        raise ExperimentError(f"Not valid JSON: {getattr(error, 'msg', error)}.", place) from error
    if not isinstance(value, dict):
        raise ExperimentError("It must hold an object: the arguments of the constructor.", Location(file, 1))
    return Document(file, value)
