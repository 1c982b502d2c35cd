"""A program: what a runner calls once for each row, with nothing left to choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ProgramKind = Literal["dag", "flex", "prompty", "function"]


RUN_PARAMETERS = frozenset({"run_name", "data_id", "column_mapping"})
"""A function with these parameters is called once for a whole run, as the established templates do."""


@dataclass(frozen=True)
class FunctionReference:
    """A Python function in a file of the program's folder, e.g. ``eval_tone.py`` and ``eval_tone``."""

    file: str
    name: str


@dataclass(frozen=True)
class Program:
    """What is called once for each row: a flow with its variation applied, or plain Python functions.

    ``folder`` is the user's own folder: import root and working directory. ``definition`` is the resolved flow
    definition (the document of ``flow.dag.yaml`` or ``flow.flex.yaml`` without any variant left to choose, or the
    front matter of a prompty); ``file`` is the name of the file it came from. ``init`` holds the constructor
    arguments of a flex class. ``includes`` are files and folders that ``additional_includes`` names (absolute).
    ``aggregates`` says that something runs once over all rows after the last one.
    """

    kind: ProgramKind
    folder: Path
    file: str
    definition: Mapping[str, Any] = field(default_factory=dict)
    init: Mapping[str, Any] = field(default_factory=dict)
    includes: tuple[Path, ...] = ()
    functions: tuple[FunctionReference, ...] = ()
    aggregates: bool = False
