"""Grades the evidence that was given for a category."""

from promptflow.core import tool


@tool
def grade(truth: str, prediction: str) -> float:
    """1 for the true evidence, 0.5 where one of the two is "Both", else 0."""
    if truth == prediction:
        return 1.0
    return 0.5 if "Both" in (truth, prediction) else 0.0
