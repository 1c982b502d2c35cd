"""What went wrong in user code, in the words that its author needs."""

from __future__ import annotations

from pathlib import Path

from llmops_actions.platforms.local import user_frames


def innermost(error: BaseException) -> BaseException:
    """What really went wrong, below prompt flow's wrappers."""
    while type(error).__module__.startswith("promptflow.") and error.__cause__ is not None:
        error = error.__cause__
    return error


def describe(error: BaseException, folder: Path) -> str:
    """The message of ``error``, and the line below ``folder`` that raised it."""
    text = str(error) or type(error).__name__
    where = user_frames.where_raised(error, folder)
    return f"{text} ({where})" if where else text
