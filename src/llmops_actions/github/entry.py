"""The entry of an action: inputs from the environment, the step, then everything that is reported."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Run the step that ``arguments`` name; returns the exit code of its verdict."""
    raise SystemExit(f"not wired yet: {arguments}")
