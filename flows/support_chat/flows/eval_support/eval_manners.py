"""Scores whether the answer is polite and short."""

import re

POLITE = re.compile(r"\b(?:thank you|thanks|please|sorry|glad|welcome|happy to)\b", re.IGNORECASE)
RUDE = re.compile(r"\b(?:stupid|idiot|your fault|obviously|shut up)\b", re.IGNORECASE)
MOST_WORDS = 40


def eval_politeness(answer: str) -> bool:
    """Whether the answer has a word of courtesy and none of contempt."""
    return bool(POLITE.search(answer)) and not RUDE.search(answer)


def eval_length(answer: str) -> dict:
    """The number of words, and whether there are at most 40 of them."""
    words = len(answer.split())
    return {"words": words, "concise": words <= MOST_WORDS}
