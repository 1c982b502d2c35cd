"""Grades one prediction."""

from promptflow.core import tool


@tool
def grade(groundtruth: str, prediction: str) -> dict:
    """Whether the predicted category is the true one; upper and lower case count as the same."""
    correct = groundtruth.strip().lower() == prediction.strip().lower()
    return {"grade": "Correct" if correct else "Incorrect", "correct": correct}
