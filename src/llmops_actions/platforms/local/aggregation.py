"""What aggregation needs of each completed row: kept in files, row by row, never in memory.

Plain JSON values go to ``aggregation.jsonl`` in the run's folder and survive an interruption. Anything else (a data
class, a tuple, an array) is pickled by the child into a private file of this process: a pickle that came from
elsewhere could run code, so none is ever read from the run's folder, and after an interruption those rows run again.
"""

from __future__ import annotations

import base64
import json
import math
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llmops_actions.platforms.local.executors.protocol import NOTHING
from llmops_actions.platforms.local.records import strict_json

SPOOL_FILE = "aggregation.jsonl"


def pack(value: Any) -> tuple[bytes, str]:
    """``value`` as bytes without a line feed, and how: "json", "pickle", or "none" for ``NOTHING``.

    Raises:
        Exception: it can be neither.
    """
    if value is NOTHING:
        return b"", "none"
    if _is_plain(value):
        return strict_json(value), "json"
    return base64.b64encode(pickle.dumps(value)), "pickle"


def spool_line(line: int, packed: bytes, packed_as: str) -> tuple[bytes, bytes]:
    """The lines for the spool and for the private file (empty where there is nothing to write)."""
    if packed_as == "json":
        return b'{"line": %d, "value": %s}\n' % (line, packed), b""
    return b'{"line": %d, "private": true}\n' % line, b'{"line": %d, "pickle": "%s"}\n' % (line, packed)


def read(spool: Path, private: Path) -> Iterator[Any]:
    """The values, in line order. A line that was spooled twice counts once, as written last."""
    places: dict[int, tuple[Path, int]] = {}
    for file in (spool, private):
        if file.exists():
            with file.open("rb") as stream:
                offset = 0
                for text in stream:
                    entry = json.loads(text)
                    if "private" not in entry:
                        places[entry["line"]] = (file, offset)
                    offset += len(text)
    streams = {file: file.open("rb") for file in (spool, private) if file.exists()}
    try:
        for line in sorted(places):
            file, offset = places[line]
            streams[file].seek(offset)
            entry = json.loads(streams[file].readline())
            if "value" in entry:
                yield entry["value"]
            else:
                yield pickle.loads(base64.b64decode(entry["pickle"]))  # noqa: S301 - written by this session alone
    finally:
        for stream in streams.values():
            stream.close()


def finite_metrics(values: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """The values that are finite numbers, and a note for each that is not."""
    metrics: dict[str, float] = {}
    notes = []
    for name, value in values.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            notes.append(f"metric {name} is not a number ({type(value).__name__}): left out")
            continue
        if math.isfinite(number):
            metrics[str(name)] = number
        else:
            notes.append(f"metric {name} is {number}: left out")
    return metrics, notes


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind in (str, int, bool) or value is None:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return all(_is_plain(item) for item in value)
    if kind is dict:
        return all(type(key) is str and _is_plain(item) for key, item in value.items())
    return False
