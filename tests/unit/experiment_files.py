"""Use cases for tests: folders written from a table of paths and texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

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
