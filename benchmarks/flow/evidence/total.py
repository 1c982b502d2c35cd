"""Logs how good the evidence of a run is."""

from promptflow.core import log_metric, tool


@tool
def total(scores: list) -> float:
    """The mean of the grades, logged as `evidence`."""
    value = sum(scores) / len(scores) if scores else 0.0
    log_metric("evidence", value)
    return value
