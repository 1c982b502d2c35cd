"""Logs precision, recall and F1 over all entities of a run."""

from promptflow.core import log_metric, tool


@tool
def totals(matches: list) -> dict:
    """The metrics over all entities together (micro average), 0 to 1, and the share of rows that match exactly.

    Logged as `entity_precision`, `entity_recall`, `entity_f1` and `exact_share`.
    """
    hits = sum(match["hits"] for match in matches)
    found = sum(match["found"] for match in matches)
    true = sum(match["true"] for match in matches)
    metrics = {
        "entity_precision": hits / found if found else 0.0,
        "entity_recall": hits / true if true else 0.0,
        "entity_f1": 2 * hits / (found + true) if found + true else 0.0,
        "exact_share": sum(match["exact"] for match in matches) / len(matches) if matches else 0.0,
    }
    for name, value in metrics.items():
        log_metric(name, round(value, 4))
    return metrics
