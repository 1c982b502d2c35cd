"""Where a repository begins: the folder that what a user writes may not point out of."""

from __future__ import annotations

from pathlib import Path


def git_root(folder: Path) -> Path | None:
    """The nearest folder with ``.git``, from ``folder`` upwards; ``None`` outside of a repository."""
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            return candidate
    return None
