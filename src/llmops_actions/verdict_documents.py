"""What ``gate`` and ``compare`` write into the work folder, and what ``report`` reads from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops_actions.work_folder import Document

GateVerdict = Literal["passed", "failed", "inconclusive", "error"]

GateKind = Literal["absolute", "baseline", "coverage", "each-row", "tokens-per-row", "cost", "latency"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class IntervalRecord(_Record):
    """A confidence interval; ``confidence`` as a fraction. One without ends (of a single row) is not recorded."""

    low: float
    high: float
    confidence: float


class RegressedRow(_Record):
    """A row that the baseline had right (or better) and the candidate has not.

    Of a rule that no row may fail: a row that failed, without what it had in the baseline.
    """

    key: str
    line: int
    score: str
    baseline: float | bool | None
    candidate: float | bool | None


class GateRecord(_Record):
    """One gate on one run, and why it ended as it did.

    ``rule`` is the gate as a reader would say it (``accuracy at least 0.80``). ``value``, ``baseline`` and
    ``difference`` (candidate minus baseline) are in the units of the metric; ``interval`` is of ``difference`` for a
    gate against the baseline, of ``value`` otherwise; ``test`` names its method, and the test of any shift beside it,
    whose p-value is ``shift_p_value``. ``n`` rows took part, ``pairs`` of them with a partner;
    ``failed`` rows count as ``policy`` says. ``detectable`` is the smallest effect that this many rows could have
    seen with 80 % power, ``rows_needed`` how many rows would settle an inconclusive gate. ``adjusted_p_value`` is
    Holm's over all gates that a test could fail. ``on_inconclusive`` is what an inconclusive gate counts as;
    ``without_baseline``: there was nothing to compare with, and the gate's own ``without_baseline`` decided.
    ``reason`` is in sentences.
    """

    rule: str
    kind: GateKind
    verdict: GateVerdict
    reason: str
    on_inconclusive: Literal["pass", "fail"] | None = None
    advisory: bool = False
    without_baseline: bool = False
    metric: str = ""
    run: str = ""
    dataset: str = ""
    threshold: float | None = None
    value: float | None = None
    baseline: float | None = None
    difference: float | None = None
    interval: IntervalRecord | None = None
    test: str = ""
    p_value: float | None = None
    adjusted_p_value: float | None = None
    shift_p_value: float | None = None
    n: int = 0
    pairs: int = 0
    failed: int = 0
    only_candidate: int = 0
    only_baseline: int = 0
    policy: str = ""
    identical: bool = False
    detectable: float | None = None
    rows_needed: int | None = None
    regressed: tuple[RegressedRow, ...] = ()


class BaselineRecord(_Record):
    """Where the baseline came from."""

    source: str
    experiment: str
    environment: str | None
    variation: str
    created_at: str
    lineage: Mapping[str, str] = Field(default_factory=dict)


class VerdictDocument(Document):
    """``verdict.json``: the decision on one variation, and the gates that it is made of.

    ``advisory``: the decision was asked for, but is not to hold anything up.
    """

    experiment: str
    environment: str | None
    variation: str
    verdict: GateVerdict
    reason: str
    advisory: bool = False
    baseline: BaselineRecord | None = None
    gates: tuple[GateRecord, ...] = ()
    created_at: str = ""


class VariationComparison(_Record):
    """One variation against the default on one metric of one dataset; ``interval`` is of ``difference``.

    In a sweep without a default, ``default`` is the variation of the highest mean. ``failed`` rows have no score.
    """

    variation: str
    dataset: str
    metric: str
    value: float | None
    default: float | None
    difference: float | None
    interval: IntervalRecord | None
    test: str
    adjusted_p_value: float | None
    significant: bool
    n: int
    failed: int


class VariationTotals(_Record):
    """What a variation cost, all its runs together; ``cost`` in USD, ``latency_p95`` in seconds a row.

    ``tokens`` and ``cost`` are ``None`` where they are not known.
    """

    variation: str
    is_default: bool
    rows: int
    failed: int
    tokens: int | None
    cost: float | None
    latency_p95: float | None


class ComparisonDocument(Document):
    """``comparison.json``: all variations of the sweep against the default, and the winner.

    ``default`` is empty in a sweep without one.
    """

    experiment: str
    environment: str | None
    metric: str
    default: str
    best_variation: str
    reason: str
    variations: tuple[VariationTotals, ...]
    comparisons: tuple[VariationComparison, ...]
    created_at: str = ""
