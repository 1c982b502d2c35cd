"""Grades one category."""

from promptflow.core import tool


@tool
def grade(truth: str, prediction: str) -> float:
    """1 where the category is the true one, else 0."""
    return float(truth.strip().lower() == prediction.strip().lower())
