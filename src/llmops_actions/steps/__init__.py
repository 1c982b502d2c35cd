"""The steps of the lifecycle, one module each; this table is all that ``llmops --help`` needs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmops_actions.steps.declaration import Step

STEPS: dict[str, str] = {
    "list": "Show the use cases of a repository.",
    "plan": "Show what a sweep will run, how many model calls that is and what it costs, before anything runs.",
    "validate": "Check a use case before anything runs: schema, flows, mappings, datasets, connections, tests.",
    "bulk-run": "Run every variation of the flow over its datasets.",
    "evaluate": "Score the bulk runs with the evaluators.",
    "compare": "Compare all variations with the default, and choose the best.",
    "gate": "Decide whether the results are good enough, by the experiment's gates and a baseline.",
    "report": "Write the results as a page, as tables, and as a summary for a comment.",
    "lifecycle": "Run the steps one after another, and stop where a verdict says so.",
    "offline-model": "Serve a stand-in for a language model on this machine.",
}
"""Every step by name, with its one-sentence summary, in the order of the lifecycle."""


def load_step(name: str) -> Step[Any, Any]:
    """The step called ``name`` (imports its module, and nothing of the others)."""
    module = importlib.import_module(f"llmops_actions.steps.{name.replace('-', '_')}")
    step: Step[Any, Any] = module.STEP
    return step
