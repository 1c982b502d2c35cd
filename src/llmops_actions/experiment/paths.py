"""Where a repository begins: the folder that what a user writes may not point out of."""

from __future__ import annotations

from pathlib import Path

from llmops_actions.errors import ExperimentError, Location, shortened


def find_repository(folder: Path) -> Path:
    """The folder that no path may leave: the nearest one above with ``.git``, else the parent of ``folder``."""
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return folder.parent


def resolve_inside(path: Path, written: str, repository: Path, what: str, place: Location) -> Path:
    """``path`` with links followed. ``what`` and ``written`` name it in a message, ``place`` is where it is written.

    Raises:
        ExperimentError: it leaves the repository, or no file can have that name.
    """
    try:
        resolved = path.resolve()
        root = repository.resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise ExperimentError(f"The {what} `{shortened(written)}` is no usable path: {error}.", place) from error
    if not resolved.is_relative_to(root):
        message = f"The {what} `{written}` leaves the repository ({repository}). Move what it names inside."
        raise ExperimentError(message, place)
    return resolved
