"""A use case that ran and was evaluated, with answers as a test wants them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.unit.experiment_files import DAG, use_case, write
from tests.unit.steps.fakes import House, NodeError

from llmops_actions.platforms.ports import BulkRun, Row

RUDE = "reply.tone=rude"
EXPERIMENT = """
name: support
flow: flows/answer
datasets:
- name: train
  source: data/train.jsonl
  mappings: {{question: "${{data.question}}"}}
{more_datasets}
evaluators:
- name: grade
  datasets:
  - name: train
    mappings: {{question: "${{run.outputs.answer}}"}}
{more_evaluators}
{sweep}
{gates}
"""
SWEEP = "hyperparameters:\n  reply: {tone: [plain, rude]}"
MORE_DATASETS = """- name: test
  source: data/test.jsonl
  mappings: {question: "${data.question}"}"""
MORE_EVALUATORS = """  - name: test
    mappings: {question: "${run.outputs.answer}"}"""

Grading = Callable[[str, int], Mapping[str, Any]]
"""From the name of a bulk run and the number of a row to its scores. Raises ``NodeError`` for one that fails."""


def right(run: str, number: int) -> Mapping[str, Any]:
    return {"correct": True}


def wrong_from(first: Mapping[str, int]) -> Grading:
    """Rows of a run that are wrong from that number on; a run that is not named is right."""
    return lambda run, number: {"correct": number < first.get(run, 10**9)}


def failing(*numbers: int) -> Grading:
    def grade(run: str, number: int) -> Mapping[str, Any]:
        if number in numbers:
            raise NodeError("no answer")
        return {"correct": True}

    return grade


def house_of(
    folder: Path,
    gates: str = "",
    *,
    rows: int = 60,
    sweep: bool = False,
    second: bool = False,
    files: Mapping[str, str] | None = None,
) -> House:
    """A use case with ``gates``, of ``rows`` rows ``q0``, ``q1``, …; ``second`` gives it another dataset ``test``."""
    text = EXPERIMENT.format(
        more_datasets=MORE_DATASETS if second else "",
        more_evaluators=MORE_EVALUATORS if second else "",
        sweep=SWEEP if sweep else "",
        gates=f"gates:\n{gates}" if gates else "",
    )
    use_case(
        folder,
        {
            "experiment.yaml": text,
            "flows/answer/flow.dag.yaml": DAG + ("    tone: plain\n" if sweep else ""),
            "data/train.jsonl": questions(rows),
            "data/test.jsonl": questions(rows, "t"),
            **(files or {}),
        },
    )
    return House(folder)


def questions(rows: int, letter: str = "q") -> str:
    return "".join(json.dumps({"question": f"{letter}{number}"}) + "\n" for number in range(rows))


def evaluated(house: House, grading: Grading = right, **words: str) -> House:
    """Run and evaluate, with these scores."""

    def work(run: BulkRun, row: Row) -> Mapping[str, Any]:
        if "/" not in run.name:
            return {"answer": row.inputs["question"]}
        return grading(run.name.partition("/")[2], int(row.inputs["question"][1:]))

    house.runner.behaviour = work
    for step in ("bulk-run", "evaluate"):
        house.run(step, max_failed_rows="1000", **words)
    return house


def rewrite(house: House, old: str, new: str) -> None:
    """Change the experiment file."""
    file = house.directory / "support/experiment.yaml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    write(house.directory, {"support/experiment.yaml": text.replace(old, new)})
