"""Sums up results for tables and charts: metrics with intervals, distributions, latency, tokens, cost."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from llmops_actions.evaluation.scores import Score
from llmops_actions.evaluation.series import ALIAS_TOLERANCE
from llmops_actions.evaluation.statistics.means import one_mean
from llmops_actions.evaluation.statistics.proportions import wilson
from llmops_actions.reporting.results import Answer, Results
from llmops_actions.verdict_documents import IntervalRecord
from llmops_actions.work_folder import EvaluationRecord, MetricRecord, RunDocument, UsageRecord

CONFIDENCE = 0.95
"""Of the intervals that no gate asked for."""


@dataclass
class Distribution:
    """The values of one score over one run. Sixteen bytes a row."""

    boolean: bool = True
    values: array[float] = field(default_factory=lambda: array("d"))
    _lines: array[int] = field(default_factory=lambda: array("q"))

    def add(self, value: Score, line: int) -> None:
        """Take in the value of a row, or of one of its repeats."""
        self.boolean = self.boolean and isinstance(value, bool)
        self.values.append(float(value))
        self._lines.append(line)

    def means(self) -> list[float]:
        """The mean of each row's repeats."""
        found = []
        for _, each in groupby(zip(self._lines, self.values, strict=True), key=lambda pair: pair[0]):
            row = [value for _, value in each]
            found.append(math.fsum(row) / len(row))
        return found


@dataclass
class RunFacts:
    """One run, row by row: ``durations`` in seconds of the rows that completed, and the scores."""

    run: RunDocument
    rows: int = 0
    failed: int = 0
    durations: array[float] = field(default_factory=lambda: array("d"))
    scores: dict[str, Distribution] = field(default_factory=dict)

    def add(self, answer: Answer) -> None:
        """Take in a row."""
        self.rows += 1
        self.failed += answer.failed
        if answer.row is not None and not answer.failed:
            self.durations.append(answer.row.duration)
        for name, value in answer.scores.items():
            self.scores.setdefault(name, Distribution()).add(value, answer.line)

    def latency(self, share: float) -> float | None:
        """The quantile of the seconds a row took (nearest rank); ``None`` where no row completed."""
        return quantile(sorted(self.durations), share)

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens of all models."""
        return tokens_of(self.run.usage)


@dataclass(frozen=True)
class MetricFacts:
    """One metric of one run with its interval, and where it comes from. ``evaluator`` is empty for the flow's own."""

    run: RunDocument
    evaluation: EvaluationRecord | None
    evaluator: str
    metric: MetricRecord
    interval: IntervalRecord | None
    distribution: Distribution | None

    @property
    def name(self) -> str:
        """``<evaluator>.<metric>``."""
        return f"{self.evaluator}.{self.metric.name}" if self.evaluator else self.metric.name


@dataclass(frozen=True)
class Facts:
    """What a report says beside the rows themselves."""

    runs: tuple[RunFacts, ...]
    metrics: tuple[MetricFacts, ...]

    @property
    def score_kinds(self) -> dict[str, str]:
        """``boolean`` or ``numeric`` for each score, by name."""
        kinds: dict[str, str] = {}
        for run in self.runs:
            for name, each in run.scores.items():
                kinds[name] = "boolean" if each.boolean and kinds.get(name, "boolean") == "boolean" else "numeric"
        return kinds


def gather(results: Results) -> Facts:
    """Read every row once."""
    runs = []
    for run in results.runs:
        facts = RunFacts(run)
        for answer in results.answers(run):
            facts.add(answer)
        runs.append(facts)
    return Facts(tuple(runs), tuple(_metrics(results, runs)))


def _metrics(results: Results, runs: Sequence[RunFacts]) -> Iterable[MetricFacts]:
    for facts in runs:
        run = facts.run
        for name, value in run.metrics.items():
            metric = MetricRecord(
                name=name, value=value, source="logged", kind="logged", n=run.completed, failed=run.failed
            )
            yield MetricFacts(run, None, "", metric, None, None)
        for evaluation in results.evaluations:
            if evaluation.run != run.name:
                continue
            label = results.label(evaluation)
            for metric in evaluation.metrics:
                scores = facts.scores.get(f"{label}.{metric.name}") if metric.source == "mean" else None
                interval = _gate_interval(results, evaluation, metric.name) or _interval(metric, scores, run.repeats)
                yield MetricFacts(run, evaluation, label, metric, interval, scores)


def _gate_interval(results: Results, evaluation: EvaluationRecord, metric: str) -> IntervalRecord | None:
    """The interval of a gate on this very metric, where there is such a gate."""
    if results.verdict is None or results.verdict.variation != evaluation.variation:
        return None
    for gate in results.verdict.gates:
        same_metric = gate.metric in (metric, f"{evaluation.evaluator}.{metric}")
        if gate.kind == "absolute" and same_metric and evaluation.run == gate.run:
            return gate.interval
    return None


def _interval(metric: MetricRecord, scores: Distribution | None, repeats: int) -> IntervalRecord | None:
    """Wilson's interval of a share, failed rows counting as false; t or bootstrap of a mean.

    The row is the unit: repeats are averaged first. A share of repeated rows has no interval where repeats failed.
    """
    if scores is None or not scores.values or (metric.kind == "boolean" and repeats > 1 and metric.failed):
        return None
    if metric.kind == "boolean" and repeats == 1:
        found = wilson(round(sum(scores.values)), metric.n + metric.failed, CONFIDENCE)
    else:
        found = one_mean(scores.means(), CONFIDENCE).interval
    if not (math.isfinite(found.low) and math.isfinite(found.high)):
        return None
    return IntervalRecord(low=found.low, high=found.high, confidence=found.confidence)


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The quantile by nearest rank (Hyndman and Fan 1996, type 1); ``None`` of nothing."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def tokens_of(usage: Mapping[str, UsageRecord]) -> int:
    """Prompt and completion tokens of all models."""
    return sum(each.prompt_tokens + each.completion_tokens for each in usage.values())


def aliases(metrics: Sequence[MetricFacts]) -> dict[str, str]:
    """Logged metrics that in every run are, but for rounding, the mean of one score of the same evaluator.

    The name of each, and that of the score.
    """
    means: dict[tuple[str, str], dict[str, float | None]] = {}
    for each in metrics:
        if each.metric.source == "mean":
            means.setdefault((each.run.name, each.evaluator), {})[each.name] = each.metric.value
    found: dict[str, set[str]] = {}
    for each in metrics:
        if each.metric.source == "logged":
            same = {
                name
                for name, value in means.get((each.run.name, each.evaluator), {}).items()
                if value is not None
                and each.metric.value is not None
                and abs(value - each.metric.value) <= ALIAS_TOLERANCE
            }
            found[each.name] = found.get(each.name, same) & same
    return {name: min(same) for name, same in found.items() if len(same) == 1}
