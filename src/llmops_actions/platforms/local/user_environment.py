"""The environment in which a use case's code runs."""

from __future__ import annotations

from collections.abc import Mapping

_OURS = ("ACTIONS_", "GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY", "INPUT_")
_PYTEST = ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_", "PYTEST_VERSION")


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for a use case's code: without the files and tokens by which a runner takes commands."""
    return {name: value for name, value in environ.items() if not name.startswith((*_OURS, *_PYTEST))}
