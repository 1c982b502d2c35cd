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
IGNORED_SUFFIXES = frozenset({".pyc", ".pyo", ".log"})
IGNORED_FILES = frozenset({".env", ".DS_Store", "flow.detail.json", "flow.log", "flow.output.json"})


def of_value(value: Any) -> str:
    """The SHA-256 (hexadecimal) of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces. What JSON does not know (a date, a decimal) is taken by its text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def of_files(files: Iterable[tuple[str, Path]]) -> str:
    """The SHA-256 over names and contents, in the order of the names.

    File names count. Line ends do not: CRLF reads as LF in a file without NUL bytes, so that a checkout on Windows
    has the fingerprint of one on Linux.
    """
    digest = hashlib.sha256()
    for name, file in sorted(files):
        content = file.read_bytes()
        if b"\0" not in content:
            content = content.replace(b"\r\n", b"\n")
        digest.update(f"{len(name.encode())}:{name}:{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()


def of_folder(folder: Path, includes: Iterable[Path] = ()) -> str:
    """The fingerprint of a folder with its ``additional_includes`` (see :func:`folder_files`)."""
    return of_files(folder_files(folder, includes))


def folder_files(folder: Path, includes: Iterable[Path] = ()) -> Iterator[tuple[str, Path]]:
    """The files that belong to a flow: (name as seen from the flow's folder, file).

    Caches, run histories, logs and ``.env`` files do not belong to it.
    """
    yield from _files_below(folder, "")
    for include in includes:
        if include.is_dir():
            yield from _files_below(include, f"{include.name}/")
        else:
            yield include.name, include


def _files_below(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in IGNORED_FOLDERS:
                yield from _files_below(entry, f"{prefix}{entry.name}/")
        elif entry.suffix not in IGNORED_SUFFIXES and entry.name not in IGNORED_FILES and entry.is_file():
            yield f"{prefix}{entry.name}", entry


def row_key(inputs: Mapping[str, Any]) -> str:
    """Names a row by its content: the first 16 hexadecimal digits of the SHA-256 of its mapped inputs.

    Rows with the same content have the same key; the n-th of them in one run pairs with the n-th in another.
    Two different rows of 10^6 share a key with a probability below 10^-7 (birthday bound, n^2 / 2^65).
    """
    return of_value(inputs)[:16]
