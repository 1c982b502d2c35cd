"""Cuts a page to what fits into a prompt."""

from promptflow.core import tool

MOST_WORDS = 60


@tool
def shorten(text: str) -> str:
    """The first words of the page, on one line."""
    return " ".join(text.split()[:MOST_WORDS])
