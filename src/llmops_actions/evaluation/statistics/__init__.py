"""The statistics behind the gates: pure functions from scores to intervals, tests and outcomes.

``comparison`` answers for a whole score; the other modules hold one method each. docs/statistics.md says which method
is used where, and why.
"""

from llmops_actions.evaluation.statistics.comparison import (
    Comparison,
    Measurement,
    Outlook,
    compare,
    measure,
    measurement_outlook,
    outlook,
)
from llmops_actions.evaluation.statistics.decisions import Outcome, at_least, at_most, holm, noninferiority
from llmops_actions.evaluation.statistics.interval import Evidence, Interval
from llmops_actions.evaluation.statistics.pairing import (
    FailedPolicy,
    Paired,
    ScoreType,
    Value,
    aggregate_repeats,
    failed_as,
    pair,
    score_type,
)

__all__ = [
    "Comparison",
    "Evidence",
    "FailedPolicy",
    "Interval",
    "Measurement",
    "Outcome",
    "Outlook",
    "Paired",
    "ScoreType",
    "Value",
    "aggregate_repeats",
    "at_least",
    "at_most",
    "compare",
    "failed_as",
    "holm",
    "measure",
    "measurement_outlook",
    "noninferiority",
    "outlook",
    "pair",
    "score_type",
]
