"""Puts beside each other what several variations, and the baseline, made of the same row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llmops_actions.evaluation.scores import Score
from llmops_actions.evaluation.series import RunScores
from llmops_actions.reporting.results import Answer, Results
from llmops_actions.verdict_documents import VerdictDocument
from llmops_actions.work_folder import RunDocument

Standing = Literal["regressed", "failed", "wrong", "improved", "changed", "same", "completed"]

STANDINGS: tuple[Standing, ...] = ("regressed", "failed", "wrong", "improved", "changed", "same", "completed")
"""How a row can stand, the worst first."""

BASELINE = "baseline"

Baseline = Results | Mapping[str, RunScores]
"""A work folder, or by dataset the scores that a digest kept."""


@dataclass(frozen=True)
class Side:
    """A column of answers: a variation (``label`` is its name), or the baseline."""

    label: str
    is_baseline: bool = False


@dataclass(frozen=True)
class Group:
    """One row of a dataset (or one repeat of it) with the answer of each side; ``None`` where a side has none."""

    dataset: str
    line: int
    repeat: int
    key: str
    inputs: Mapping[str, Any]
    answers: tuple[Answer | None, ...]


@dataclass(frozen=True)
class Pairing:
    """All sides, and which two are compared at first: indexes into ``sides``; no reference where there is one side."""

    sides: tuple[Side, ...]
    candidate: int
    reference: int | None
    watched: tuple[str, ...]
    """The scores of which a fall is a regression."""


def make_pairing(results: Results, baseline: Baseline | None, score_kinds: Mapping[str, str]) -> Pairing:
    """Who is compared with whom: the gated variation with the baseline, else the best (or first) with the default.

    ``score_kinds`` has ``boolean`` or ``numeric`` for each score. Boolean scores are watched, and those that a gate
    or the comparison names; where there is none of these, all.
    """
    names = [each.name for each in results.variations]
    has_baseline = baseline is not None or (results.verdict is not None and results.verdict.baseline is not None)
    sides = [Side(name) for name in names] + ([Side(BASELINE, is_baseline=True)] if has_baseline else [])
    candidate = names.index(_candidate(results, names, has_baseline=has_baseline))
    reference = len(names) if has_baseline else 0 if candidate else None
    return Pairing(tuple(sides), candidate, reference, _watched(results, score_kinds))


def _candidate(results: Results, names: Sequence[str], *, has_baseline: bool) -> str:
    """The variation to look at first; without a baseline another one than the default, if there is one."""
    wanted = [results.verdict.variation] if results.verdict else []
    if not has_baseline:
        wanted += [results.comparison.best_variation] if results.comparison else []
        wanted = [name for name in (*wanted, *names) if name != names[0]]
    return next((name for name in wanted if name in names), names[0])


def _watched(results: Results, score_kinds: Mapping[str, str]) -> tuple[str, ...]:
    named = {gate.metric for gate in results.verdict.gates if gate.metric} if results.verdict else set()
    if results.comparison:
        named.add(results.comparison.metric)
    watched = [
        score
        for score, kind in score_kinds.items()
        if kind == "boolean" or any(score == name or score.endswith(f".{name}") for name in named)
    ]
    return tuple(watched or score_kinds)


def groups(results: Results, baseline: Baseline | None, pairing: Pairing) -> Iterator[Group]:
    """Every row of every dataset, in order. Streams the variations; the baseline is paired by the row's key."""
    names = [side.label for side in pairing.sides if not side.is_baseline]
    for dataset in results.datasets:
        partners = _Partners(results, baseline, dataset)
        runs = [results.run_of(name, dataset) for name in names]
        for answers in _by_line([results.answers(run) if run else iter(()) for run in runs]):
            first = next(answer for answer in answers if answer is not None)
            assert first.row is not None  # noqa: S101 - answers of runs have a row
            key, inputs = first.row.key, first.row.inputs
            with_baseline = (*answers, partners.of(key)) if pairing.sides[-1].is_baseline else answers
            yield Group(dataset, first.line, first.repeat, key, inputs, with_baseline)


def _by_line(streams: list[Iterator[Answer]]) -> Iterator[tuple[Answer | None, ...]]:
    heads = [next(stream, None) for stream in streams]
    while places := [(head.line, head.repeat) for head in heads if head is not None]:
        taken = [head if head is not None and (head.line, head.repeat) == min(places) else None for head in heads]
        yield tuple(taken)
        heads = [
            head if mine is None else next(stream, None)
            for stream, mine, head in zip(streams, taken, heads, strict=True)
        ]


class _Partners:
    """The baseline's answers for one dataset, by key; those of equal keys, and the repeats of a row, in their order."""

    def __init__(self, results: Results, baseline: Baseline | None, dataset: str) -> None:
        self._answers: dict[str, list[Answer]] = {}
        self._key_digits: int | None = None
        if isinstance(baseline, Results):
            for run in baseline.runs:
                if run.dataset.name == dataset:
                    self._read(baseline, run)
        elif baseline is not None:
            if dataset in baseline:
                self._take(baseline[dataset])
        elif results.verdict is not None:
            self._take_regressed(results, results.verdict, dataset)

    def _read(self, baseline: Results, run: RunDocument) -> None:
        for answer in baseline.answers(run):
            assert answer.row is not None  # noqa: S101 - answers of runs have a row
            self._answers.setdefault(answer.row.key, []).append(answer)

    def _take(self, kept: RunScores) -> None:
        """A digest has no answers, but all scores, and the first digits of the keys."""
        self._key_digits = kept.key_digits
        scores: dict[tuple[int, int, str], dict[str, Score]] = {}
        for series in kept.series:
            for row in series.rows:
                for repeat, value in enumerate(row.values):
                    found = scores.setdefault((row.line, repeat, row.key), {})
                    if value is not None:
                        found[series.metric] = value
        for (_, _, key), found in sorted(scores.items()):
            self._answers.setdefault(key, []).append(Answer(None, found, {}))

    def _take_regressed(self, results: Results, verdict: VerdictDocument, dataset: str) -> None:
        """Where the baseline is not here, the verdict still says what the regressed rows had scored."""
        scores: dict[str, dict[str, Score]] = {}
        for gate in verdict.gates:
            for row in gate.regressed:
                if gate.dataset in ("", dataset) and row.baseline is not None:
                    scores.setdefault(row.key, {})[self._full_name(results, row.score)] = row.baseline
        self._answers = {key: [Answer(None, each, {})] for key, each in scores.items()}

    @staticmethod
    def _full_name(results: Results, score: str) -> str:
        labels = (f"{results.label(each)}.{metric.name}" for each in results.evaluations for metric in each.metrics)
        return next((label for label in labels if label == score or label.endswith(f".{score}")), score)

    def of(self, key: str) -> Answer | None:
        found = self._answers.get(key[: self._key_digits])
        if not found:
            return None
        return found.pop(0) if len(found) > 1 else found[0]


def standing(candidate: Answer | None, reference: Answer | None, watched: tuple[str, ...]) -> Standing | None:
    """How a row stands; ``None`` where the candidate has no such row.

    Beside a reference: *regressed* when it failed only now or a watched score fell, *improved* when one rose or it
    failed before, *changed* when only the answer differs
    (a baseline that kept no answers never says so). Alone: *wrong* when a watched boolean score is false.
    """
    if candidate is None:
        return None
    if reference is None:
        return "failed" if candidate.failed else "wrong" if _is_wrong(candidate, watched) else "completed"
    if candidate.failed or reference.failed:
        return "improved" if not candidate.failed else "failed" if reference.failed else "regressed"
    shared = [name for name in watched if name in candidate.scores and name in reference.scores]
    changes = [float(candidate.scores[name]) - float(reference.scores[name]) for name in shared]
    if any(changes):
        return "regressed" if min(changes) < 0 else "improved"
    return "same" if reference.row is None or outputs(candidate) == outputs(reference) else "changed"


def _is_wrong(answer: Answer, watched: tuple[str, ...]) -> bool:
    return any(answer.scores.get(name) is False for name in watched)


def outputs(answer: Answer) -> Mapping[str, Any] | None:
    """What the flow returned for a row, if it returned."""
    return answer.row.outputs if answer.row is not None else None
