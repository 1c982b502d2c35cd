"""Content hashes: two things with the same fingerprint are the same thing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

IGNORED_FOLDERS = frozenset(
    {
        ".git",
        ".promptflow",
        ".runs",
        ".llmops",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".venv",
    }
)
_PIECE = 1 << 20
IGNORED_SUFFIXES = frozenset({".pyc", ".pyo", ".log"})
IGNORED_FILES = frozenset({".env", ".DS_Store", "flow.detail.json", "flow.log", "flow.output.json"})


def of_value(value: Any) -> str:
    """The SHA-256 (hexadecimal) of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, in ASCII. What JSON does not know (a date, a decimal) goes by its text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode()


def of_files(files: Iterable[tuple[str, Path]]) -> str:
    """The SHA-256 over names and contents, in the order of the names. Files are read in pieces.

    File names count. Line ends do not: CRLF reads as LF in a file without NUL bytes, so that a checkout on Windows
    has the fingerprint of one on Linux.
    """
    digest = hashlib.sha256()
    for name, file in sorted(files):
        content = hashlib.sha256()
        for piece in _normalised(file):
            content.update(piece)
        digest.update(f"{len(name.encode(errors='surrogateescape'))}:".encode())
        digest.update(name.encode(errors="surrogateescape"))
        digest.update(content.digest())
    return digest.hexdigest()


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _normalised(file: Path) -> Iterator[bytes]:
    if any(b"\0" in piece for piece in _pieces(file)):
        yield from _pieces(file)
        return
    held = b""
    for piece in _pieces(file):
        whole = held + piece
        held = b"\r" if whole.endswith(b"\r") else b""
        yield whole[: len(whole) - len(held)].replace(b"\r\n", b"\n")
    yield held


def of_folder(folder: Path, includes: Iterable[Path] = ()) -> str:
    """The fingerprint of a folder with its ``additional_includes`` (see :func:`folder_files`)."""
    return of_files(folder_files(folder, includes))


def folder_files(folder: Path, includes: Iterable[Path] = ()) -> Iterator[tuple[str, Path]]:
    """The files that belong to a flow: (name as seen from the flow's folder, file).

    Caches, run histories, logs and ``.env`` files do not belong to it. A link to a folder is followed, but not into
    a folder that it stands in.
    """
    yield from _files_below(folder, "", frozenset())
    for include in includes:
        if include.is_dir():
            yield from _files_below(include, f"{include.name}/", frozenset())
        else:
            yield include.name, include


def _files_below(folder: Path, prefix: str, above: frozenset[Path]) -> Iterator[tuple[str, Path]]:
    inside = above | {folder.resolve()}
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in IGNORED_FOLDERS and not _holds(entry.resolve(), inside):
                yield from _files_below(entry, f"{prefix}{entry.name}/", inside)
        elif entry.suffix not in IGNORED_SUFFIXES and entry.name not in IGNORED_FILES and entry.is_file():
            yield f"{prefix}{entry.name}", entry


def _holds(folder: Path, others: frozenset[Path]) -> bool:
    return any(other.is_relative_to(folder) for other in others)


def row_key(inputs: Mapping[str, Any]) -> str:
    """Names a row by its content: the first 16 hexadecimal digits of the SHA-256 of its mapped inputs.

    Rows with the same content have the same key; the n-th of them in one run pairs with the n-th in another.
    Two different rows of 10^6 share a key with a probability below 10^-7 (birthday bound, n^2 / 2^65).
    """
    return of_value(inputs)[:16]
