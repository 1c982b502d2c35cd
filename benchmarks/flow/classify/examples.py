"""Gives the examples that the prompt shows."""

from promptflow.core import tool


@tool
def examples() -> list:
    """Three pages with their answers."""
    return [
        {
            "url": "https://apps.example/details/pocket-ledger",
            "text": "Install Pocket Ledger on your phone. Free download, 4.6 stars, updated this week.",
            "category": "App",
            "evidence": "Both",
        },
        {
            "url": "https://watchtube.example/watch?v=kT2",
            "text": "Episode nine of the repair series. Subscribe to the channel and like the video.",
            "category": "Video",
            "evidence": "Both",
        },
        {
            "url": "https://uni.example/a/31",
            "text": "Abstract. We study tidal sediment in a field experiment. Cite as: Journal of Coasts 12.",
            "category": "Academic",
            "evidence": "Text content",
        },
    ]
