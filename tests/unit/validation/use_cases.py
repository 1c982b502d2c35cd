"""Writes small use cases for the tests of `validate`, and reads findings back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent

from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.validation.requirements import InstalledPackage, Packages
from llmops_actions.experiment.validation.use_case import Examination, Setting, examine
from llmops_actions.experiment.variables import Variables
from llmops_actions.outcome import Finding

NO_PACKAGES = Packages(lambda name: None, {}, "Install {}".format)

EXPERIMENT = """\
    name: greetings
    flow: flows/greet
    connections:
    - name: aoai
      connection_type: AzureOpenAIConnection
      api_base: ${ENDPOINT}
      api_key: ${api_key}
    datasets:
    - name: people
      source: people.jsonl
      mappings:
        name: "${data.name}"
    evaluators:
    - name: polite
      flow: flows/polite
      datasets:
      - name: people
        mappings:
          answer: "${run.outputs.answer}"
          truth: "${data.truth}"
    """

GREET = """\
    inputs:
      name:
        type: string
    outputs:
      answer:
        type: string
        reference: ${ask.output}
    nodes:
    - name: tidy
      type: python
      source: {type: code, path: tidy.py}
      inputs:
        text: ${inputs.name}
    - name: ask
      use_variants: true
    node_variants:
      ask:
        default_variant_id: short
        variants:
          short:
            node:
              type: llm
              source: {type: code, path: ask.jinja2}
              inputs:
                deployment_name: gpt
                name: ${tidy.output}
              connection: aoai
              api: chat
          long:
            node:
              type: llm
              source: {type: code, path: ask_long.jinja2}
              inputs:
                deployment_name: gpt
                name: ${tidy.output}
              connection: aoai
              api: chat
    """

POLITE = """\
    inputs:
      answer: {type: string}
      truth: {type: string}
    outputs:
      score:
        type: double
        reference: ${compare.output}
    nodes:
    - name: compare
      type: python
      source: {type: code, path: compare.py}
      inputs:
        answer: ${inputs.answer}
        truth: ${inputs.truth}
    - name: mean
      type: python
      source: {type: code, path: mean.py}
      inputs:
        scores: ${compare.output}
      aggregation: true
    """

FILES: Mapping[str, str] = {
    "experiment.yaml": EXPERIMENT,
    "data/people.jsonl": '{"name": "Ada", "truth": "Hello Ada"}\n{"name": "Bo", "truth": "Hello Bo"}\n',
    "flows/greet/flow.dag.yaml": GREET,
    "flows/greet/tidy.py": """\
        from promptflow.core import tool


        @tool
        def tidy(text: str) -> str:
            return text.strip()
        """,
    "flows/greet/ask.jinja2": "user:\nGreet {{name}}.\n",
    "flows/greet/ask_long.jinja2": "user:\nGreet {{name}} at length.\n",
    "flows/polite/flow.dag.yaml": POLITE,
    "flows/polite/compare.py": """\
        from promptflow.core import tool


        @tool
        def compare(answer: str, truth: str) -> float:
            return float(answer == truth)
        """,
    "flows/polite/mean.py": """\
        from promptflow.core import log_metric, tool


        @tool
        def mean(scores: list) -> float:
            log_metric("mean", sum(scores) / len(scores))
            return sum(scores) / len(scores)
        """,
}
"""A use case without a fault."""


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write `files` (texts are dedented) below `folder`."""
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    return folder


def write_use_case(folder: Path, changed: Mapping[str, str] | None = None) -> Path:
    """The use case without a fault, with some files `changed`, below a repository of its own."""
    (folder / ".git").mkdir(parents=True, exist_ok=True)
    return write(folder / "greetings", {**FILES, **(changed or {})})


def changed(file: str, old: str, new: str) -> dict[str, str]:
    """One file of the use case without a fault, with `old` replaced by `new`."""
    text = dedent(FILES[file])
    assert old in text, f"{old!r} is not in {file}"
    return {file: text.replace(old, new, 1)}


def examine_use_case(
    use_case: Path,
    environ: Mapping[str, str] | None = None,
    *,
    offline: bool = True,
    environment: str | None = None,
) -> Examination:
    setting = Setting(Variables(environ or {}), NO_PACKAGES, offline)
    return examine(load_experiment(use_case, environment), setting)


def findings_of(folder: Path, changes: Mapping[str, str]) -> list[str]:
    """Everything but notices that is found, offline, in the use case without a fault after `changes`."""
    return shown(examine_use_case(write_use_case(folder, changes)).findings)


def shown(findings: Iterable[Finding], *, notices: bool = False) -> list[str]:
    """`level file:line message`, with the name of the file only."""
    lines = []
    for finding in findings:
        place = finding.location
        where = f"{place.file.name}:{place.line}" if place and place.line else place.file.name if place else "-"
        if notices or finding.level != "notice":
            lines.append(f"{finding.level} {where} {finding.message}")
    return lines


def packages_with(installed: Mapping[str, InstalledPackage], locked: Mapping[str, str] | None = None) -> Packages:
    return Packages(installed.get, locked or {}, "Install {}".format)
