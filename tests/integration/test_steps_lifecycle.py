"""Whole lifecycles with the real engine and the stand-in model: the sample, and a use case as templates write it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.integration.runner_programs import write as write_programs
from tests.integration.steps_command import ROOT, Llmops, llmops_json, read_json, rows_of, write
from tests.integration.test_runner_local_chaos import RECORD_CONNECTIONS

from llmops_actions.steps.lifecycle import PARTS
from llmops_actions.work_folder import EvaluationRecord, MetricsDocument, read_document

DEFAULT = "default"
BETTER_SUMMARY = "summarize_text_content.variant_1"
WORSE_PROMPT = "classify_with_llm.variant_1"


def sample(folder: Path, name: str) -> Path:
    """A repository with one of the samples."""
    (folder / ".git").mkdir(parents=True)
    shutil.copytree(ROOT / "flows" / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return folder


def metric(records: tuple[EvaluationRecord, ...], variation: str, dataset: str, evaluator: str, name: str) -> float:
    [record] = [
        each
        for each in records
        if (each.variation, each.dataset) == (variation, dataset) and each.evaluator == evaluator
    ]
    values = {each.name: each.value for each in record.metrics}
    value = values[name]
    assert value is not None
    return value


def test_web_classification_from_validation_to_metrics(tmp_path: Path) -> None:
    repository = sample(tmp_path / "repository", "web_classification")
    write_programs(tmp_path / "first", {"sitecustomize.py": RECORD_CONNECTIONS})
    seen = tmp_path / "connections.txt"
    outcome = llmops_json(
        repository,
        "lifecycle",
        "web_classification",
        "--offline",
        CONNECTIONS_FILE=str(seen),
        first_on_path=str(tmp_path / "first"),
    )
    assert outcome["verdict"] == "passed", outcome["findings"]
    steps = {each["step"]: each for each in outcome["outputs"]["steps"]}
    assert list(steps) == list(PARTS)
    assert steps["compare"]["outputs"]["best_variation"] == "summarize_text_content.variant_1"
    assert steps["gate"]["outputs"]["decision"] == "passed"
    said = outcome["summary"].count("A stand-in answered instead of a language model.")
    assert said == 5, "bulk-run, evaluate, compare, gate and report each say what answered"
    assert (steps["bulk-run"]["outputs"]["rows"], steps["bulk-run"]["outputs"]["completed"]) == (384, 384)
    assert (steps["evaluate"]["outputs"]["evaluations"], steps["evaluate"]["outputs"]["rows"]) == (16, 768)
    assert steps["evaluate"]["outputs"]["failed"] == 0

    root = repository / ".llmops/web_classification/base"
    records = read_document(root / "metrics.json", MetricsDocument).evaluations
    for dataset, rows in (("web_pages", 64), ("web_pages_hard", 32)):
        of_dataset = [each for each in records if each.dataset == dataset]
        assert {each.rows for each in of_dataset} == {rows}
        assert {each.completed for each in of_dataset} == {rows}

        def accuracy(variation: str, dataset: str = dataset) -> float:
            return metric(records, variation, dataset, "classification_accuracy", "accuracy")

        assert accuracy(BETTER_SUMMARY) > accuracy(DEFAULT) > accuracy(WORSE_PROMPT)
        assert metric(records, DEFAULT, dataset, "classification_accuracy", "correct") == pytest.approx(
            accuracy(DEFAULT), abs=1e-3
        )
    assert metric(records, BETTER_SUMMARY, "web_pages", "classification_accuracy", "accuracy") > 0.8
    for record in records:
        lines = list(rows_of(root / record.scores))
        assert [line["line"] for line in lines] == list(range(record.rows))

    targets = set(seen.read_text(encoding="utf-8").splitlines())
    assert targets, "the hook saw nothing: it was not installed"
    assert all(target.startswith("('127.0.0.1'") for target in targets), targets


def test_the_same_again_gives_the_same_metrics(tmp_path: Path) -> None:
    repository = sample(tmp_path, "web_classification")
    found: list[Any] = []
    for work_dir in ("first", "second"):
        for step in ("bulk-run", "evaluate"):
            outcome = llmops_json(
                repository, step, "web_classification", "--env", "pr", "--offline", "--work-dir", work_dir
            )
            assert outcome["verdict"] == "passed", outcome["findings"]
        metrics = read_json(repository / work_dir / "web_classification/pr/metrics.json")
        found.append([(each["variation"], each["metrics"]) for each in metrics["evaluations"]])
        runs = {
            file.parent.name: read_json(file)["fingerprint"]
            for file in (repository / work_dir / "web_classification/pr/runs").glob("*/run.json")
        }
        found.append(runs)
    assert found[0] == found[2]
    assert found[1] == found[3]


TEMPLATE = {
    "chat/experiment.yaml": """
name: chat
flow: flows/chat
runtime: automatic

connections:
- name: aoai
  connection_type: AzureOpenAIConnection
  api_base: ${AZURE_OPENAI_ENDPOINT}
  api_key: ${api_key}
  api_type: azure
  api_version: 2024-02-01

datasets:
- name: questions
  source: questions.csv
  description: "Questions with their answers."
  mappings:
    question: "${data.question}"

evaluators:
- name: functions
  flow: flows/functions
  datasets:
  - name: questions
    mappings:
      answer: "${run.outputs.answer}"
      truth: "${data.truth}"
- name: judge
  flow: flows/judge.prompty
  datasets:
  - name: questions_judged
    reference: questions
    source: data/judged.tsv
    mappings:
      question: "${data.question}"
      answer: "${run.outputs.answer}"
""",
    "chat/data/questions.csv": 'question,truth\n"What, exactly?",WHAT\nWhy?,WHY\nHow many?,SEVEN\n',
    "chat/data/judged.tsv": "question\nWhat, exactly?\nWhy?\nHow many?\n",
    "chat/environment/env.yaml": "GREETING: hello\n",
    "chat/flows/chat/flow.flex.yaml": "entry: chat:Chat\n",
    "chat/flows/chat/init.json": """{"model_config": {"azure_endpoint": "${AZURE_OPENAI_ENDPOINT}",
        "api_key": "${AZURE_OPENAI_API_KEY}", "azure_deployment": "gpt", "api_version": "2024-02-01"}, "loud": true}""",
    "chat/flows/chat/chat.py": """
import os
from typing import TypedDict

from promptflow.core import AzureOpenAIModelConfiguration


class Answer(TypedDict):
    answer: str
    greeting: str


class Chat:
    def __init__(self, model_config: AzureOpenAIModelConfiguration, loud: bool = False) -> None:
        self.model_config = model_config
        self.loud = loud

    def __call__(self, question: str) -> Answer:
        word = question.split()[0].strip("?,")
        return {"answer": word.upper() if self.loud else word, "greeting": os.environ["GREETING"]}
""",
    "chat/flows/functions/eval_rows.py": """
def eval_match(answer: str, truth: str) -> dict:
    return {"match": answer == truth, "length": len(answer)}
""",
    "chat/flows/functions/eval_whole.py": """
import json


def eval_whole(run_name, data_id, column_mapping, output_path):
    with open(data_id) as file:
        rows = [json.loads(line) for line in file]
    assert set(column_mapping) == {"answer", "truth"}
    return {"metrics": {"share": sum(row["answer"] == row["truth"] for row in rows) / len(rows), "rows": len(rows)}}
""",
    "chat/flows/judge.prompty": """---
name: judge
model:
  api: chat
  configuration:
    type: azure_openai
    connection: aoai
    azure_deployment: gpt
inputs:
  question: {type: string}
  answer: {type: string}
---
system:
You grade answers with a number from 1 to 5.

user:
Question: {{question}}
Answer: {{answer}}
""",
}


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("templates")
    (folder / ".git").mkdir()
    return write(folder, TEMPLATE)


def test_a_use_case_as_the_established_templates_write_it(templates: Path) -> None:
    outcome = llmops_json(templates, "lifecycle", "chat", "--offline")
    assert outcome["verdict"] == "passed", outcome["findings"]
    root = templates / ".llmops/chat/base"
    rows = list(rows_of(root / "runs/questions.default/rows.jsonl"))
    assert [row["outputs"] for row in rows] == [
        {"answer": answer, "greeting": "hello"} for answer in ("WHAT", "WHY", "HOW")
    ]
    records = {each.evaluator: each for each in read_document(root / "metrics.json", MetricsDocument).evaluations}
    functions: dict[str, Any] = {
        each.name: (each.value, each.n, each.failed, each.source) for each in records["functions"].metrics
    }
    assert functions["match"] == (pytest.approx(2 / 3), 3, 0, "mean")
    assert functions["length"] == (pytest.approx(10 / 3), 3, 0, "mean")
    assert functions["share"] == (pytest.approx(2 / 3), 3, 0, "logged")
    assert functions["rows"] == (3.0, 3, 0, "logged")
    judge = records["judge"]
    assert (judge.rows, judge.completed, judge.evaluation_dataset) == (3, 3, "questions_judged")
    assert sum(each.calls for each in judge.usage.values()) == 3


def test_the_plan_of_the_sample_needs_no_model_and_no_key(tmp_path: Path) -> None:
    repository = sample(tmp_path, "web_classification")
    outcome = llmops_json(repository, "plan", "web_classification")
    assert outcome["outputs"]["runs"] == 8
    assert outcome["outputs"]["rows"] == 384
    assert len(outcome["outputs"]["matrix"]["include"]) == 4


def test_offline_model_serves_until_it_is_stopped(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with Llmops(tmp_path, "offline-model", "--latency", "0.01", "--format", "json") as running:
            assert running.process.stderr is not None
            line = running.process.stderr.readline()
            assert "it is no language model" in line
            running.process.send_signal(number)
            code, output, _ = running.end()
        assert code == 0
        assert '"url": "http://127.0.0.1:' in output


def test_offline_model_refuses_nonsense(tmp_path: Path) -> None:
    outcome = llmops_json(tmp_path, "offline-model", "--fault", "431=0.1")
    assert outcome["verdict"] == "usage"
    assert "unknown fault '431'" in outcome["findings"][0]["message"]
