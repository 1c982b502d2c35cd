"""Finds the lines of what was written: a key of a mapping, a key of a JSON file."""

from __future__ import annotations

import json
from pathlib import Path

from llmops_actions.errors import ExperimentError, Location
from llmops_actions.experiment.yaml_source import Document, read_text, read_yaml


class Places:
    """Looks up keys in the YAML files that are already known to parse; each file is read once."""

    def __init__(self) -> None:
        self._documents: dict[Path, Document] = {}

    def below(self, block: Location, *keys: str | int) -> Location:
        """The place of the value at ``keys`` of the block that starts at ``block``; the block's, if it is not there."""
        document = self._document(block.file)
        start = min(
            (path for path, position in document.positions.items() if position == (block.line, block.column)),
            key=len,
            default=None,
        )
        if start is None or (*start, *keys) not in document.positions:
            return block
        return document.locate((*start, *keys))

    def _document(self, file: Path) -> Document:
        if file not in self._documents:
            try:
                self._documents[file] = read_yaml(file)
            except ExperimentError:
                self._documents[file] = Document(file, None)
        return self._documents[file]


def json_key(file: Path, key: str) -> Location:
    """The line of a JSON file where ``key`` is first written."""
    written = json.dumps(key, ensure_ascii=False)
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if written in line:
            return Location(file, number)
    return Location(file, 1)
