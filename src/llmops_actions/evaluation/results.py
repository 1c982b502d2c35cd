"""How a gate ended: the values from which the verdict, its document and its report are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmops_actions.evaluation.paired import Regression
from llmops_actions.evaluation.series import RunScores
from llmops_actions.evaluation.statistics import Interval
from llmops_actions.experiment.gates import GateBlock

GateVerdict = Literal["passed", "failed", "inconclusive", "error"]
GateKind = Literal["absolute", "baseline", "coverage", "each-row", "tokens-per-row", "cost", "latency"]

POINT = "what was measured"
"""Named as the test where the whole population was counted: nothing is inferred, so there is no interval."""


@dataclass(frozen=True)
class GateResult:
    """How one gate ended on one run (see ``verdict_documents.GateRecord``, which has the same fields).

    Beside those: ``index`` of the gate in the experiment file; ``can_fail``, whether its test may fail it at all.
    """

    rule: str
    kind: GateKind
    verdict: GateVerdict
    reason: str
    index: int = 0
    can_fail: bool = False
    advisory: bool = False
    on_inconclusive: Literal["pass", "fail"] | None = None
    without_baseline: bool = False
    metric: str = ""
    run: str = ""
    dataset: str = ""
    threshold: float | None = None
    value: float | None = None
    baseline: float | None = None
    difference: float | None = None
    interval: Interval | None = None
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
    regressed: tuple[Regression, ...] = ()

    @property
    def counts_as(self) -> GateVerdict:
        """The verdict after ``on_inconclusive``."""
        if self.verdict == "inconclusive" and self.on_inconclusive:
            return "passed" if self.on_inconclusive == "pass" else "failed"
        return self.verdict

    @property
    def decides(self) -> bool:
        """Whether the verdict depends on it. What could not be judged is never left to advice."""
        return not self.advisory or self.verdict == "error"


def start(gate: GateBlock, index: int, kind: GateKind, run: RunScores) -> GateResult:
    """What a gate's result has before anything is judged."""
    return GateResult(
        rule=gate.rule,
        kind=kind,
        verdict="inconclusive",
        reason="",
        index=index,
        advisory=gate.advisory,
        on_inconclusive=gate.on_inconclusive,
        run=run.run,
        dataset=run.dataset,
        n=run.rows,
        failed=run.failed,
    )
