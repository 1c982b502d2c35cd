"""Logs the accuracy of a run."""

from promptflow.core import log_metric, tool


@tool
def total(scores: list) -> float:
    """The mean of the grades, logged as `accuracy`."""
    value = sum(scores) / len(scores) if scores else 0.0
    log_metric("accuracy", value)
    return value
