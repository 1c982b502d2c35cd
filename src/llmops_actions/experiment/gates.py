"""The gates of an experiment file: rules that decide whether results are good enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

DEFAULT_CONFIDENCE = 0.95

Policy = Literal["pass", "fail"]
Text = Annotated[str, StringConstraints(min_length=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AtLeast(_Block):
    """A lower limit of a share."""

    at_least: float = Field(ge=0, le=1, description="The lowest share that passes: 0.98 is 98 %.")


class AtMost(_Block):
    """An upper limit."""

    at_most: Number = Field(ge=0, description="The highest value that passes.")


class EachRow(_Block):
    """A rule for every single row."""

    score: Text = Field(description="Score that is looked at: <score> or <evaluator>.<score>.")
    never: Literal["regressed", "failed"] = Field(
        description="regressed: no row may be worse than in the baseline; failed: no row may be false or without score."
    )
    rows: Text | None = Field(None, description="File with the rows that the rule holds for; every row by default.")
    lower_is_better: bool = Field(False, description="Whether a row is worse when its score is higher.")


SUBJECTS = ("metric", "coverage", "each_row", "tokens_per_row", "cost", "latency_p95")
LIMITS = ("at_least", "at_most")
MARGINS = ("max_drop", "max_rise")


class GateBlock(_Block):
    """One gate: exactly one of metric, coverage, each_row, tokens_per_row, cost and latency_p95."""

    metric: Text | None = Field(None, description="Score that is judged: <score> or <evaluator>.<score>.")
    at_least: Number | None = Field(None, description="With metric: the interval must lie above this.")
    at_most: Number | None = Field(None, description="With metric: the interval must lie below this.")
    against: Literal["baseline"] | None = Field(None, description="With metric: compare row by row with the baseline.")
    max_drop: Number | None = Field(
        None, ge=0, description="Against the baseline: how much lower the mean may be (non-inferiority margin)."
    )
    max_rise: Number | None = Field(
        None, ge=0, description="Against the baseline, where lower is better: how much higher the mean may be."
    )
    confidence: float = Field(DEFAULT_CONFIDENCE, ge=0.5, lt=1, description="Level of the confidence interval.")
    coverage: AtLeast | None = Field(None, description="Share of the rows that ran and were scored.")
    each_row: EachRow | None = Field(None, description="A rule for every single row.")
    tokens_per_row: AtMost | None = Field(None, description="Mean number of tokens of a row.")
    cost: AtMost | None = Field(None, description="Cost of all runs of the variation, in USD.")
    latency_p95: AtMost | None = Field(None, description="95th percentile of the seconds that a row takes.")
    dataset: Text | None = Field(None, description="Hold the gate on this dataset only; on every one by default.")
    advisory: bool = Field(False, description="Show the gate, but let it not decide.")
    on_inconclusive: Policy | None = Field(None, description="What an inconclusive gate counts as.")
    without_baseline: Literal["pass", "fail", "inconclusive"] = Field(
        "inconclusive", description="What a gate against the baseline counts as when there is none."
    )
    failed_rows: Literal["worst", "exclude"] = Field(
        "exclude",
        description="For numeric scores: count a row without score as `worst`, or leave it out and say how many.",
    )
    worst: Number | None = Field(None, description="The worst score of the scale, for failed_rows: worst.")

    @model_validator(mode="after")
    def _is_one_gate(self) -> GateBlock:
        subjects = self._given(SUBJECTS)
        if len(subjects) != 1:
            found = " and ".join(subjects) or "none"
            raise ValueError(f"a gate has exactly one of {', '.join(SUBJECTS)}; this one has {found}")
        problem = self._problem_of_metric() if self.metric else self._problem_of_other(subjects[0])
        if problem:
            raise ValueError(problem)
        return self

    def _given(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]

    def _problem_of_metric(self) -> str | None:
        limits, margins = self._given(LIMITS), self._given(MARGINS)
        if self.against and (limits or len(margins) != 1):
            return "a gate against the baseline takes one of max_drop and max_rise, and no limit"
        if not self.against and margins:
            return f"`{margins[0]}` needs `against: baseline`"
        if not self.against and len(limits) != 1:
            return "a gate on a metric takes one of at_least and at_most, or against: baseline"
        if "without_baseline" in self.model_fields_set and not self.against:
            return "`without_baseline` belongs to a gate against the baseline"
        if (self.failed_rows == "worst") != (self.worst is not None):
            return "`failed_rows: worst` and `worst`, the worst score of the scale, belong together"
        return None

    def _problem_of_other(self, subject: str) -> str | None:
        """What only a gate on a metric has would be passed over in silence."""
        extra = self._given((*LIMITS, *MARGINS, "against", "worst"))
        extra += [name for name in ("confidence", "failed_rows") if name in self.model_fields_set]
        if extra:
            inside = subject != "each_row" and extra[0] in LIMITS
            return f"`{extra[0]}` belongs {f'inside `{subject}`, or ' if inside else ''}to a gate on a metric"
        if "without_baseline" in self.model_fields_set and not self.needs_baseline:
            return "`without_baseline` belongs to a gate against the baseline"
        return None

    @property
    def needs_baseline(self) -> bool:
        """Whether there is nothing to judge without a baseline."""
        return self.against is not None or (self.each_row is not None and self.each_row.never == "regressed")

    @property
    def lower_is_better(self) -> bool:
        """Whether a lower score is a better one."""
        if self.each_row:
            return self.each_row.lower_is_better
        return self.at_most is not None or self.max_rise is not None

    @property
    def rule(self) -> str:
        """The gate as a reader would say it."""
        if self.each_row:
            rows = f" of {self.each_row.rows}" if self.each_row.rows else ""
            return f"{self.each_row.score}: no row{rows} {self.each_row.never}"
        for name in ("coverage", "tokens_per_row", "cost", "latency_p95"):
            limit = getattr(self, name)
            if limit is not None:
                return f"{name.replace('_', ' ')} {_limit(limit.model_dump())}"
        if self.max_drop is not None:
            return f"{self.metric} at most {_number(self.max_drop)} below the baseline"
        if self.max_rise is not None:
            return f"{self.metric} at most {_number(self.max_rise)} above the baseline"
        return f"{self.metric} {_limit({'at_least': self.at_least, 'at_most': self.at_most})}"


def _limit(limits: Mapping[str, float | None]) -> str:
    [(name, value)] = [(name, value) for name, value in limits.items() if value is not None]
    return f"{name.replace('_', ' ')} {_number(value)}"


def _number(value: float) -> str:
    return f"{value:.12g}"
