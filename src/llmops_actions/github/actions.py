"""The steps that are actions, and how each looks in GitHub's lists."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Branding:
    """An icon of Feather (https://feathericons.com) and a colour, as GitHub's metadata syntax allows them."""

    icon: str
    color: str


ACTIONS: dict[str, Branding] = {
    "plan": Branding("list", "blue"),
    "validate": Branding("check-circle", "blue"),
    "bulk-run": Branding("play", "blue"),
    "evaluate": Branding("bar-chart-2", "blue"),
    "compare": Branding("award", "blue"),
    "gate": Branding("shield", "blue"),
    "report": Branding("file-text", "blue"),
    "lifecycle": Branding("refresh-cw", "blue"),
}
"""Every step with an action of its own, in the order of the lifecycle."""

DEFAULT_STEP = "lifecycle"
"""What the root action runs when nothing is asked for."""
