"""Packs the rows for the page: numbers at once, texts in pieces that the page unpacks when it shows them.

A pack is JSON, deflated (RFC 1951) and in base64, so that no text of a row is ever part of the page's markup. Its
readers are ``page.js`` (``unpack``) and the tests.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmops_actions.reporting.overview import value_text
from llmops_actions.reporting.pairing import Group
from llmops_actions.reporting.results import Answer
from llmops_actions.work_folder import RowDocument

PIECE = 250
"""Rows whose texts are packed together."""

LIMITS = (20_000, 8_000, 4_000, 2_000, 1_000, 500, 200, 80, 20)
"""Characters kept of one text: the first of these with which the page stays within its size."""

FIELDS = 60
"""Inputs, outputs or remarks of one answer that are shown; the CSV has all."""

BASE_BYTES = 1_600_000
"""What the packs of up to ``BASE_ROWS`` rows may take, so that the page stays below 2 MB."""

BASE_ROWS = 2_000
MORE_BYTES = 400
"""What each answer of each further row may take."""

ABSENT, COMPLETED, FAILED, SCORES_ONLY = range(4)
"""How an answer is, as a number."""


@dataclass(frozen=True)
class Packs:
    """The packed rows. ``limit`` is the number of characters kept of a text, ``shortened`` how many texts are cut."""

    facts: str
    texts: tuple[str, ...]
    rows: int
    limit: int
    shortened: int

    @property
    def size(self) -> int:
        """Bytes in the page."""
        return len(self.facts) + sum(map(len, self.texts))


@dataclass
class _Names:
    """Numbers for names that come again and again."""

    numbers: dict[str, int] = field(default_factory=dict)

    def of(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


def budget(rows: int, sides: int) -> int:
    """Bytes that the packs of so many rows, each with so many answers, may take."""
    return BASE_BYTES + MORE_BYTES * sides * max(0, rows - BASE_ROWS)


def pack_rows(rows: Iterable[Group], sides: int, allowed: int) -> Packs:
    """Pack the rows with the highest limit that keeps them within ``allowed`` bytes (or with the lowest there is).

    ``rows`` is read once for each limit that is tried; it must be something that can be read again.
    """
    limit = _likely_limit(rows, allowed)
    while True:
        packs = _pack(rows, sides, limit, allowed)
        if packs is not None:
            return packs
        limit = LIMITS[LIMITS.index(limit) + 1]


def _likely_limit(rows: Iterable[Group], allowed: int) -> int:
    """Where to begin: texts shrink to about a third, and base64 makes four bytes of three."""
    totals = dict.fromkeys(LIMITS, 0)
    for group in rows:
        for text in _texts(group):
            for limit in LIMITS:
                totals[limit] += min(limit, len(text))
    return next((limit for limit in LIMITS if totals[limit] * 0.3 <= allowed), LIMITS[-1])


def _texts(group: Group) -> Iterable[str]:
    yield from map(value_text, group.inputs.values())
    for answer in group.answers:
        if answer is not None and answer.row is not None:
            yield from map(value_text, (answer.row.outputs or {}).values())
            yield from map(value_text, answer.remarks.values())


def _pack(rows: Iterable[Group], sides: int, limit: int, allowed: int) -> Packs | None:
    """``None`` as soon as it grows over what is allowed, unless no lower limit is left."""
    names, shortener = _Names(), _Shortener(limit)
    facts = _Facts(sides)
    texts: list[str] = []
    piece: list[Any] = []
    size = 0
    for group in rows:
        facts.add(group)
        piece.append(_row_texts(group, names, shortener))
        if len(piece) == PIECE:
            texts.append(deflated(piece))
            size += len(texts[-1])
            piece = []
        if size > allowed and limit != LIMITS[-1]:
            return None
    if piece:
        texts.append(deflated(piece))
    packed = deflated(facts.document(list(names.numbers)))
    packs = Packs(packed, tuple(texts), facts.rows, limit, shortener.shortened)
    return packs if packs.size <= allowed or limit == LIMITS[-1] else None


@dataclass
class _Shortener:
    limit: int
    shortened: int = 0

    def cut(self, text: str) -> tuple[str, ...] | tuple[str, int]:
        """The text; where it is cut, also its full length."""
        clean = text.encode("utf-8", "replace").decode("utf-8")
        if len(clean) <= self.limit:
            return (clean,)
        self.shortened += 1
        return clean[: self.limit], len(clean)


def _row_texts(group: Group, names: _Names, shortener: _Shortener) -> list[Any]:
    """``[key, inputs, [answer of each side]]``; an answer is 0 or ``[outputs, error, remarks]``."""
    answers: list[Any] = []
    for answer in group.answers:
        if answer is None or answer.row is None:
            answers.append(0)
            continue
        outputs = _fields(answer.row.outputs or {}, names, shortener)
        remarks = _fields(answer.remarks, names, shortener)
        answers.append([outputs, shortener.cut(_error(answer.row)), remarks])
    return [group.key, _fields(group.inputs, names, shortener), answers]


def _fields(values: Mapping[str, Any], names: _Names, shortener: _Shortener) -> list[Any]:
    """``[[number of the name, text, full length where it is cut], …]``."""
    shown = list(values.items())[:FIELDS]
    return [[names.of(shortener.cut(name)[0]), *shortener.cut(value_text(value))] for name, value in shown]


def _error(row: RowDocument) -> str:
    if row.error is None:
        return ""
    node = f" in node {row.error.node}" if row.error.node else ""
    return f"{row.error.type}{node}: {row.error.message}"


class _Facts:
    """The numbers of all rows, column by column."""

    def __init__(self, sides: int) -> None:
        self.rows = 0
        self._datasets = _Names()
        self._dataset: list[int] = []
        self._line: list[int] = []
        self._repeat: list[int] = []
        self._sides = [_SideFacts() for _ in range(sides)]

    def add(self, group: Group) -> None:
        self.rows += 1
        self._dataset.append(self._datasets.of(group.dataset))
        self._line.append(group.line + 1)
        self._repeat.append(group.repeat + 1)
        seen: list[object] = []
        for side, answer in zip(self._sides, group.answers, strict=True):
            side.add(answer, seen, self.rows)

    def document(self, names: Sequence[str]) -> dict[str, Any]:
        return {
            "names": names,
            "datasets": list(self._datasets.numbers),
            "dataset": self._dataset,
            "line": self._line,
            "repeat": self._repeat if max(self._repeat, default=1) > 1 else [],
            "sides": [side.document(self.rows) for side in self._sides],
        }


class _SideFacts:
    """The numbers of one side. Equal ``answer`` numbers in a row are equal answers; ``-1`` is none."""

    def __init__(self) -> None:
        self.columns: dict[str, list[Any]] = {
            name: [] for name in ("status", "answer", "tokens", "cost", "milliseconds")
        }
        self.scores: dict[str, list[Any]] = {}

    def add(self, answer: Answer | None, seen: list[object], rows: int) -> None:
        row = answer.row if answer is not None else None
        status = ABSENT if answer is None else SCORES_ONLY if row is None else FAILED if answer.failed else COMPLETED
        values: list[Any] = [status, -1, None, None, None]
        if row is not None:
            values[1] = _number_of(row.outputs, seen) if row.status == "completed" else -1
            values[2] = sum(each.prompt_tokens + each.completion_tokens for each in row.usage.values())
            values[3] = row.cost
            values[4] = round(row.duration * 1000)
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)
        for name, score in (answer.scores if answer is not None else {}).items():
            column = self.scores.setdefault(name, [])
            column.extend([None] * (rows - 1 - len(column)))
            column.append(score)

    def document(self, rows: int) -> dict[str, Any]:
        for column in self.scores.values():
            column.extend([None] * (rows - len(column)))
        return {**self.columns, "scores": self.scores}


def _number_of(outputs: object, seen: list[object]) -> int:
    if outputs not in seen:
        seen.append(outputs)
    return seen.index(outputs)


def deflated(value: object) -> str:
    """A value as JSON, raw deflate, base64."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    compressor = zlib.compressobj(level=6, wbits=-15)
    data = compressor.compress(text.encode("utf-8", "replace")) + compressor.flush()
    return base64.b64encode(data).decode("ascii")
