"""Where results come from: commit, branch, run, who asked for it."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

_GITHUB = {"commit": "GITHUB_SHA", "branch": "GITHUB_REF_NAME", "repository": "GITHUB_REPOSITORY"}


def lineage(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Commit, branch, repository and run address: from GitHub's environment, elsewhere from git if it is there."""
    found = {name: environ[variable] for name, variable in _GITHUB.items() if environ.get(variable)}
    if environ.get("GITHUB_RUN_ID") and "repository" in found:
        server = environ.get("GITHUB_SERVER_URL", "https://github.com")
        found["run"] = f"{server}/{found['repository']}/actions/runs/{environ['GITHUB_RUN_ID']}"
    if "commit" not in found:
        found |= {
            name: text
            for name, words in (("commit", ("rev-parse", "HEAD")), ("branch", ("rev-parse", "--abbrev-ref", "HEAD")))
            if (text := _git(folder, *words))
        }
        if found.get("commit") and _git(folder, "status", "--porcelain", "--", "."):
            found["changed"] = "yes"
    return found


def _git(folder: Path, *words: str) -> str:
    try:
        ended = subprocess.run(
            ["git", *words],  # noqa: S607 - the git that the user has
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""
