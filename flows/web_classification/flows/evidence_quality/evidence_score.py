"""Scores what the model says its decision rests on."""

from promptflow.core import tool

PARTS = {
    "url": frozenset({"url"}),
    "text content": frozenset({"text"}),
    "both": frozenset({"url", "text"}),
}


@tool
def evidence_score(groundtruth: str, prediction: str) -> float:
    """The overlap of the two kinds of evidence, 0 to 1: intersection over union of address and text (Jaccard index).

    "Both" against "Url" is 0.5. A prediction that is none of the three scores 0. Raises ValueError when the ground
    truth is none of the three: then the dataset is wrong.
    """
    truth = PARTS.get(groundtruth.strip().lower())
    if truth is None:
        raise ValueError(f"the ground truth {groundtruth!r} is not one of: {', '.join(PARTS)}")
    said = PARTS.get(prediction.strip().lower(), frozenset())
    return len(truth & said) / len(truth | said)
