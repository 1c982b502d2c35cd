"""Use cases for tests: folders written from a table of paths and texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from llmops_actions.errors import ExperimentError
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.loading import load_experiment

DAG = """
inputs:
  question:
    type: string
outputs:
  answer:
    type: string
    reference: ${reply.output}
nodes:
- name: reply
  type: python
  source: {type: code, path: reply.py}
  inputs:
    question: ${inputs.question}
"""

REPLY = """
from promptflow.core import tool


@tool
def reply(question: str, tone: str = "plain") -> str:
    return question
"""

EXPERIMENT = """
name: support
flow: flows/answer
datasets:
- name: train
  source: data/train.jsonl
  mappings:
    question: "${data.question}"
evaluators:
- name: grade
  datasets:
  - name: train
    mappings:
      answer: "${run.outputs.answer}"
"""

USE_CASE = {
    "experiment.yaml": EXPERIMENT,
    "flows/answer/flow.dag.yaml": DAG,
    "flows/answer/reply.py": REPLY,
    "flows/grade/flow.dag.yaml": DAG,
    "data/train.jsonl": '{"question": "Why?"}\n',
}


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write each file below ``folder``, its folders included; returns ``folder``."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def use_case(repository: Path, files: Mapping[str, str | bytes] | None = None) -> Path:
    """A small use case that loads, with ``files`` over or beside its own, in a git repository."""
    (repository / ".git").mkdir(parents=True, exist_ok=True)
    return write(repository / "support", {**USE_CASE, **(files or {})})


def load(tmp_path: Path, experiment: str = EXPERIMENT, **overlays: str) -> Experiment:
    """The small use case with another experiment file, loaded with the first of the overlays."""
    files = {f"experiment.{name}.yaml": text for name, text in overlays.items()}
    folder = use_case(tmp_path, {"experiment.yaml": experiment, **files})
    return load_experiment(folder, next(iter(overlays), None))


def refused(tmp_path: Path, experiment: str = EXPERIMENT, **overlays: str) -> str:
    """Why it does not load, with places seen from the use case; there must be a line and a column."""
    with pytest.raises(ExperimentError) as raised:
        load(tmp_path, experiment, **overlays)
    assert raised.value.location is not None
    assert raised.value.location.line is not None
    assert raised.value.location.column is not None
    return str(raised.value).replace(f"{(tmp_path / 'support').resolve()}/", "")
