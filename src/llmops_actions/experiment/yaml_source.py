"""Reads a YAML file into plain values, and remembers where in the file each of them stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from llmops_actions.errors import ExperimentError, Location, shortened

KeyPath = tuple[str | int, ...]

MAX_BYTES = 1_000_000
MAX_VALUES = 50_000
MAX_CHARACTERS = 10_000_000
MAX_DEPTH = 50

_Composer: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "timestamp", "value", "merge")}
_SCALAR_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float")}
_MERGE_TAG = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Document:
    """A parsed YAML file: its plain value, and the position of every value in it by key path."""

    file: Path
    value: Any
    positions: Mapping[KeyPath, tuple[int, int]] = field(repr=False, default_factory=dict)

    def locate(self, path: KeyPath = ()) -> Location:
        """The location of the value at ``path``, or of its nearest parent that stands in the file."""
        while path and path not in self.positions:
            path = path[:-1]
        line, column = self.positions.get(path, (1, 1))
        return Location(self.file, line, column)


def read_text(file: Path, limit: int = MAX_BYTES) -> str:
    r"""The text of a UTF-8 file, without a byte order mark and with ``\n`` line ends.

    Raises:
        ExperimentError: it cannot be read, is larger than ``limit`` bytes or is not UTF-8.
    """
    try:
        size = file.stat().st_size
        if size > limit:
            raise ExperimentError(f"The file has {size:,} bytes; more than {limit:,} are not read.", Location(file))
        raw = file.read_bytes()
    except OSError as error:
        raise ExperimentError(f"Cannot read the file: {error.strerror}.", Location(file)) from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ExperimentError(
            f"The file is not UTF-8 (byte 0x{raw[error.start]:02x}). Save it as UTF-8.", Location(file, line)
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_yaml(file: Path) -> Document:
    """Parse one YAML file.

    Dates stay the text that was written; keys are always text. Aliases count at their expanded size, so that a
    small file cannot grow into a large value.

    Raises:
        ExperimentError: not UTF-8, not YAML, a duplicate key, an unknown tag, or too large when expanded.
    """
    return parse_yaml(read_text(file), file)


def parse_yaml(text: str, file: Path, first_line: int = 1) -> Document:
    """Parse YAML ``text`` that stands in ``file`` from ``first_line`` on (see :func:`read_yaml`)."""
    try:
        _check_nesting(text, file, first_line)
        node = yaml.compose(text, Loader=_Composer)
    except yaml.YAMLError as error:
        raise _syntax_error(error, text, file, first_line) from error
    builder = _Builder(file, first_line)
    value = None if node is None else builder.build(node, (), 0)
    return Document(file, value, builder.positions)


def _check_nesting(text: str, file: Path, first_line: int) -> None:
    """Refuse deep nesting before the tree is made: libyaml makes it by recursion in C, which ends the process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Composer):
        if isinstance(event, CollectionStartEvent):
            depth += 1
        elif isinstance(event, CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            mark: Any = event.start_mark
            place = Location(file, mark.line + first_line, mark.column + 1)
            raise ExperimentError(f"More than {MAX_DEPTH} levels of nesting.", place)


def _syntax_error(error: yaml.YAMLError, text: str, file: Path, first_line: int) -> ExperimentError:
    if isinstance(error, yaml.reader.ReaderError):
        before = text.encode(errors="replace")[: error.position]
        place = Location(file, before.count(b"\n") + first_line)
        return ExperimentError(f"Not valid YAML: {error.reason} (character {error.character!r}).", place)
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    place = Location(file, mark.line + first_line, mark.column + 1) if mark else Location(file, first_line)
    hint = " YAML is indented by spaces, not tabs." if "cannot start any token" in problem else ""
    return ExperimentError(f"Not valid YAML: {f'{context}, ' if context else ''}{problem}.{hint}", place)


class _Builder:
    """Turns composed nodes into plain values, and counts what they expand to."""

    def __init__(self, file: Path, first_line: int) -> None:
        self._file = file
        self._first_line = first_line
        self._values = 0
        self._characters = 0
        self._scalars = yaml.constructor.SafeConstructor()
        self.positions: dict[KeyPath, tuple[int, int]] = {}

    def build(self, node: Node, path: KeyPath, depth: int) -> Any:
        self.positions[path] = self._position(node)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        self._count(node, depth)
        if isinstance(node, SequenceNode):
            self._require_tag(node, "tag:yaml.org,2002:seq")
            return [self.build(child, (*path, index), depth + 1) for index, child in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: Node, path: KeyPath, depth: int) -> dict[str, Any]:
        self._count(node, depth)
        self._require_tag(node, "tag:yaml.org,2002:map")
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                merged = {**self._merged(value_node, path, depth), **merged}
        own: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE_TAG:
                continue
            key = self._key(key_node)
            if key in own:
                raise self._error(key_node, f"The key `{key}` is already there, in line {lines[key]}. Keep one.")
            lines[key] = self._position(key_node)[0]
            key_path: KeyPath = (*path, key)
            own[key] = self.build(value_node, key_path, depth + 1)
            self.positions[key_path] = self._position(key_node)
        return {**merged, **own}

    def _merged(self, node: Node, path: KeyPath, depth: int) -> dict[str, Any]:
        """What ``<<`` brings in: of several mappings the first one wins."""
        merged: dict[str, Any] = {}
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(source, MappingNode):
                raise self._error(source, "`<<` merges mappings only.")
            merged = {**self._mapping(source, path, depth + 1), **merged}
        return merged

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode) or node.tag not in _TEXT_TAGS | _SCALAR_TAGS:
            raise self._error(node, "A key must be plain text.")
        self._characters += len(node.value)
        return str(node.value)

    def _count(self, node: Node, depth: int) -> None:
        self._values += 1
        self._characters += len(node.value) if isinstance(node, ScalarNode) else 0
        if self._values > MAX_VALUES or self._characters > MAX_CHARACTERS:
            raise self._error(
                node,
                f"The file expands to more than {MAX_VALUES:,} values or {MAX_CHARACTERS:,} characters: "
                "too many aliases.",
            )
        if depth > MAX_DEPTH:
            raise self._error(node, f"More than {MAX_DEPTH} levels of nesting.")

    def _require_tag(self, node: Node, expected: str) -> None:
        if node.tag != expected:
            raise self._error(node, f"The tag `{node.tag}` is not allowed: only plain YAML values are read.")

    def _scalar(self, node: Node) -> Any:
        if node.tag in _TEXT_TAGS:
            return node.value
        if node.tag in _SCALAR_TAGS:
            try:
                return self._scalars.construct_object(node)
            except (ValueError, KeyError, IndexError, yaml.YAMLError) as error:
                raise self._error(node, f"`{shortened(node.value)}` is not a valid value here. Quote it.") from error
        raise self._error(node, f"The tag `{node.tag}` is not allowed: only plain YAML values are read.")

    def _position(self, node: Node) -> tuple[int, int]:
        return (node.start_mark.line + self._first_line, node.start_mark.column + 1)

    def _error(self, node: Node, message: str) -> ExperimentError:
        line, column = self._position(node)
        return ExperimentError(message, Location(self._file, line, column))
