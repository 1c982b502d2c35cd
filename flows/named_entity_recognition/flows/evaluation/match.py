"""Compares the entities that were found in one text with the true ones."""

from promptflow.core import tool


@tool
def match(ground_truth: str, entities: list) -> dict:
    """Precision, recall and F1 of one row, 0 to 1, with the counts behind them.

    `ground_truth` is a comma separated list, "None" for no entity. Upper and lower case count as the same. Where there
    is nothing to find, finding nothing scores 1 and anything else 0.
    """
    truth = {part.strip().lower() for part in ground_truth.split(",")} - {"", "none"}
    found = {str(entity).strip().lower() for entity in entities} - {"", "none"}
    hits = len(truth & found)
    nothing = float(truth == found)
    precision = hits / len(found) if found else nothing
    recall = hits / len(truth) if truth else nothing
    both = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / both if both else 0.0,
        "exact": truth == found,
        "hits": hits,
        "found": len(found),
        "true": len(truth),
    }
