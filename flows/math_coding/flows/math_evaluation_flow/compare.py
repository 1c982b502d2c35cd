"""Compares the number that a program printed with the true one."""

import math
import re

from promptflow.core import tool

RELATIVE_TOLERANCE = 1e-4
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@tool
def compare(groundtruth: str, prediction: str) -> dict:
    """Whether the last number of the output is the true one, up to one part in ten thousand, and whether there is none.

    Raises ValueError when the ground truth is no number: then the dataset is wrong.
    """
    truth = float(groundtruth)
    numbers = [] if prediction.startswith("Error:") else NUMBER.findall(prediction[:4000])
    if not numbers:
        return {"correct": False, "failed": True}
    correct = math.isclose(float(numbers[-1]), truth, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-9)
    return {"correct": correct, "failed": False}
