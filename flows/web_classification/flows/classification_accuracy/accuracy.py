"""Logs the accuracy of a whole run."""

from promptflow.core import log_metric, tool


@tool
def accuracy(grades: list) -> float:
    """The share of rows that are correct, 0 to 1; logged as `accuracy`. No rows give 0."""
    correct = sum(grade["correct"] for grade in grades)
    value = round(correct / len(grades), 4) if grades else 0.0
    log_metric("accuracy", value)
    return value
