"""How the rows stand, all together, and which of them fell the most."""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops_actions.evaluation.scores import Score
from llmops_actions.reporting.pairing import STANDINGS, Baseline, Group, Pairing, Standing, groups, standing
from llmops_actions.reporting.results import Answer, Results


@dataclass(frozen=True)
class ScoreChange:
    """What a score was with the reference, and is with the candidate."""

    score: str
    before: Score
    after: Score


@dataclass(frozen=True)
class RegressedCase:
    """A regressed row as a summary shows it. ``line`` counts from one; texts are the model's, unescaped."""

    dataset: str
    line: int
    key: str
    question: str
    before: str
    after: str
    changes: tuple[ScoreChange, ...]


@dataclass(frozen=True)
class Overview:
    """Rows by how they stand, and the ``worst`` regressed ones, those first that failed or fell the most."""

    counts: Mapping[Standing, int]
    worst: tuple[RegressedCase, ...]

    @property
    def regressed(self) -> int:
        """How many rows regressed."""
        return self.counts.get("regressed", 0)


def overview(results: Results, baseline: Baseline | None, pairing: Pairing, top: int) -> Overview:
    """Read every row once; keeps ``top`` rows."""
    counts: Counter[Standing] = Counter()

    def regressed() -> Iterator[tuple[float, int, Group]]:
        for number, group in enumerate(groups(results, baseline, pairing)):
            stands, fall = _fall(group, pairing)
            if stands:
                counts[stands] += 1
            if stands == "regressed":
                yield fall, -number, group

    worst = heapq.nlargest(max(1, top), regressed(), key=lambda each: each[:2])[:top]
    return Overview(
        counts={name: counts[name] for name in STANDINGS if counts[name]},
        worst=tuple(_case(group, pairing) for _, _, group in worst),
    )


def _pair(group: Group, pairing: Pairing) -> tuple[Answer | None, Answer | None]:
    reference = group.answers[pairing.reference] if pairing.reference is not None else None
    return group.answers[pairing.candidate], reference


def _fall(group: Group, pairing: Pairing) -> tuple[Standing | None, float]:
    """How the row stands, and by how much its worst score fell; a row that fails fell the most."""
    candidate, reference = _pair(group, pairing)
    stands = standing(candidate, reference, pairing.watched)
    if candidate is not None and candidate.failed:
        return stands, float("inf")
    changes = _changes(candidate, reference, pairing)
    return stands, max((float(each.before) - float(each.after) for each in changes), default=0.0)


def _changes(candidate: Answer | None, reference: Answer | None, pairing: Pairing) -> tuple[ScoreChange, ...]:
    now = candidate.scores if candidate is not None else {}
    then = reference.scores if reference is not None else {}
    return tuple(
        ScoreChange(name, then[name], now[name])
        for name in pairing.watched
        if name in now and name in then and now[name] != then[name]
    )


def _case(group: Group, pairing: Pairing) -> RegressedCase:
    candidate, reference = _pair(group, pairing)
    return RegressedCase(
        dataset=group.dataset,
        line=group.line + 1,
        key=group.key,
        question=fields_text(group.inputs),
        before=answer_text(reference),
        after=answer_text(candidate),
        changes=_changes(candidate, reference, pairing),
    )


def answer_text(answer: Answer | None) -> str:
    """An answer in one text: the outputs, or why there are none."""
    if answer is None or answer.row is None:
        return "(not kept)"
    if answer.row.error:
        return f"(failed) {answer.row.error.type}: {answer.row.error.message}"
    return fields_text(answer.row.outputs or {})


def fields_text(values: Mapping[str, Any]) -> str:
    """Named values in one text; a single one without its name."""
    if len(values) == 1:
        return value_text(next(iter(values.values())))
    return "; ".join(f"{name}: {value_text(value)}" for name, value in values.items())


def value_text(value: Any) -> str:
    """A value as text: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
