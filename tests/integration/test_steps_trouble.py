"""Steps in trouble, with the real engine: stopped, killed, failing rows, missing variables, faults; and secrets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.steps_command import (
    ROOT,
    Llmops,
    llmops,
    llmops_json,
    read_json,
    rows_of,
    whole_rows,
    write,
)

from llmops_actions.platforms.local.offline_model.process import OfflineModel, start
from llmops_actions.platforms.local.offline_model.settings import Settings

ROWS = 60
SENTINEL = "sentinel-7c1f0e5a-secret"
SENTINEL_IN_FILE = "sentinel-93b2d844-in-a-file"

USE_CASE = {
    "ask/experiment.yaml": """
name: ask
flow: flows/ask
connections:
- name: aoai
  connection_type: AzureOpenAIConnection
  api_base: ${AZURE_OPENAI_ENDPOINT}
  api_key: ${api_key}
- name: shop
  connection_type: CustomConnection
  configs: {address: "http://127.0.0.1:9"}
  secrets: {password: "${SHOP_PASSWORD}"}
datasets:
- name: questions
  source: questions.jsonl
  mappings: {question: "${data.question}"}
evaluators:
- name: length
  datasets:
  - name: questions
    mappings: {answer: "${run.outputs.answer}"}
""",
    "ask/data/questions.jsonl": "".join(json.dumps({"question": f"Question {n}?"}) + "\n" for n in range(ROWS)),
    "ask/flows/ask/flow.dag.yaml": """
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${check.output}"}
nodes:
- name: reply
  type: llm
  source: {type: code, path: reply.jinja2}
  inputs: {deployment_name: gpt, question: "${inputs.question}"}
  connection: aoai
  api: chat
- name: check
  type: python
  source: {type: code, path: check.py}
  inputs: {question: "${inputs.question}", reply: "${reply.output}", shop: shop}
""",
    "ask/flows/ask/reply.jinja2": "user:\n{{question}}\n",
    "ask/flows/ask/check.py": """
from promptflow.connections import CustomConnection
from promptflow.core import tool


@tool
def check(question: str, reply: str, shop: CustomConnection) -> str:
    number = int(question.split()[1].strip("?"))
    if number % 20 == 7:
        raise ValueError("seven is not welcome")
    assert shop.password, "the secret is not there"
    return reply
""",
    "ask/flows/length/eval_length.py": "def eval_length(answer: str) -> int:\n    return len(answer)\n",
    "ask/.env": f"SHOP_PASSWORD={SENTINEL_IN_FILE}\n",
}
KEYS = {"AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:9", "AOAI_API_KEY": SENTINEL}
FAILING = [7, 27, 47]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / ".git").mkdir(parents=True)
    return write(folder, USE_CASE)


@pytest.fixture(scope="module")
def slow_model() -> Any:
    with start(Settings(latency=0.1)) as model:
        yield model


def bulk_run_words(*more: str) -> tuple[str, ...]:
    return ("bulk-run", "ask", "--offline", "--concurrency", "4", "--format", "json", *more)


def stop(number: int) -> Callable[[Llmops], None]:
    def send(running: Llmops) -> None:
        if number == signal.SIGKILL:
            os.killpg(running.process.pid, number)
        else:
            running.process.send_signal(number)

    return send


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
@pytest.mark.parametrize("moment", [1, 25])
def test_a_stopped_bulk_run_goes_on_where_it_was(
    repository: Path, slow_model: OfflineModel, number: signal.Signals, moment: int
) -> None:
    rows_file = repository / ".llmops/ask/base/runs/questions.default/rows.jsonl"
    with Llmops(repository, *bulk_run_words(), LLMOPS_OFFLINE_MODEL_URL=slow_model.url, **KEYS) as running:
        running.until(lambda: rows_file.is_file() and rows_file.read_bytes().count(b"\n") >= moment)
        stop(number)(running)
        code, output, errors = running.end()
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        document = json.loads(output)
        assert (code, document["verdict"]) == (3, "error"), errors
        assert f"Stopped by {number.name}." in document["findings"][0]["message"]
        assert "--resume" in document["findings"][0]["message"]
    kept = list(rows_of(rows_file))
    assert moment <= len(kept) < ROWS
    assert len({row["line"] for row in kept}) == len(kept)
    assert read_json(rows_file.with_name("run.json"))["status"] == "running"

    early = llmops_json(repository, "evaluate", "ask", "--offline", LLMOPS_OFFLINE_MODEL_URL=slow_model.url, **KEYS)
    assert early["verdict"] == "failed"
    assert "did not end. Go on with bulk-run --resume." in early["findings"][0]["message"]

    code, output, errors = llmops(
        repository,
        *bulk_run_words("--resume", "--max-failed-rows", "3"),
        LLMOPS_OFFLINE_MODEL_URL=slow_model.url,
        **KEYS,
    )
    assert code == 0, output + errors
    run = read_json(rows_file.with_name("run.json"))
    assert (run["status"], run["completed"], run["failed"], run["reused"]) == ("completed", 57, 3, len(kept))
    ended = list(rows_of(rows_file))
    assert [row["line"] for row in ended] == list(range(ROWS))
    by_line = {row["line"]: row for row in ended}
    assert all(by_line[row["line"]] == row for row in kept)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_a_lifecycle_that_is_stopped_while_it_validates_leaves_nothing(
    repository: Path, number: signal.Signals
) -> None:
    started = repository / "started"
    never_ends = f"""
from pathlib import Path
from threading import Event


def test_never_ends():
    Path({str(started)!r}).touch()
    Event().wait()
"""
    write(repository, {"ask/tests/test_never_ends.py": never_ends})
    with Llmops(repository, "lifecycle", "ask", "--offline", "--format", "json", **KEYS) as running:
        running.until(started.exists)
        assert len(running.processes()) >= 2
        running.process.send_signal(number)
        code, output, errors = running.end()
    assert code == 3, errors
    document = json.loads(output)
    assert document["verdict"] == "error"
    assert "Traceback" not in output + errors
    assert not (repository / ".llmops/error.log").exists()


def test_an_evaluation_that_is_stopped_goes_on(repository: Path, slow_model: OfflineModel) -> None:
    slow = "    Event().wait(0.05)\n    return 1\n"
    evaluator = f"from threading import Event\n\n\ndef eval_length(answer: str) -> int:\n{slow}"
    write(repository, {"ask/flows/length/eval_length.py": evaluator})
    words = ("--offline", "--concurrency", "2", "--max-failed-rows", "3")
    environment = {"LLMOPS_OFFLINE_MODEL_URL": slow_model.url, **KEYS}
    assert llmops(repository, "bulk-run", "ask", "--offline", "--max-failed-rows", "3", **environment)[0] == 0
    root = repository / ".llmops/ask/base"
    rows_file = root / "scores/length/questions.default.run/rows.jsonl"
    with Llmops(repository, "evaluate", "ask", *words, **environment) as running:
        running.until(lambda: rows_file.is_file() and rows_file.read_bytes().count(b"\n") >= 10)
        os.killpg(running.process.pid, signal.SIGKILL)
        running.end()
    assert not (root / "metrics.json").exists()
    assert not (root / "scores/length/questions.default.jsonl").exists()
    kept = {row["line"]: row for row in rows_of(rows_file)}
    code, output, errors = llmops(repository, "evaluate", "ask", "--resume", *words, **environment)
    assert code == 0, output + errors
    ended = list(rows_of(rows_file))
    assert [row["line"] for row in ended] == list(range(ROWS))
    assert all(ended[line] == row for line, row in kept.items())
    [record] = read_json(root / "metrics.json")["evaluations"]
    assert (record["rows"], record["completed"], record["failed"]) == (ROWS, 57, 3)


def test_failing_rows_fail_the_step_with_counts_and_reasons_by_node(repository: Path) -> None:
    outcome = llmops_json(repository, "bulk-run", "ask", "--offline", **KEYS)
    assert (outcome["verdict"], outcome["exit_code"]) == ("failed", 1)
    [finding] = outcome["findings"]
    assert f"questions.default: 3 of {ROWS} rows failed: 3 x " in finding["message"]
    assert "in node check" in finding["message"]
    assert "seven is not welcome" in finding["message"]
    assert "(rows 8, 28, 48)" in finding["message"]
    failed = [row["line"] for row in whole_rows(repository) if row["status"] == "failed"]
    assert failed == FAILING

    evaluated = llmops_json(repository, "evaluate", "ask", "--offline", **KEYS)
    assert evaluated["verdict"] == "passed"
    assert evaluated["outputs"]["failed"] == 3
    [record] = read_json(repository / ".llmops/ask/base/metrics.json")["evaluations"]
    assert (record["rows"], record["completed"], record["failed"]) == (ROWS, 57, 3)
    assert [(each["name"], each["n"], each["failed"]) for each in record["metrics"]] == [("length", 57, 3)]

    whole = llmops_json(repository, "lifecycle", "ask", "--offline", "--skip", "validate", **KEYS)
    assert (whole["verdict"], whole["outputs"]["stopped_at"]) == ("failed", "bulk-run")


def test_missing_variables_are_named_with_who_asks_and_never_a_value(repository: Path) -> None:
    (repository / "ask/.env").unlink()
    code, output, errors = llmops(repository, "bulk-run", "ask", AOAI_API_KEY=SENTINEL)
    assert code == 2
    assert "AZURE_OPENAI_ENDPOINT (asked for by experiment.yaml:5)" in output
    assert "SHOP_PASSWORD (asked for by experiment.yaml:9)" in output
    assert "API_KEY (" not in output
    assert SENTINEL not in output + errors
    assert not list((repository / ".llmops").rglob("*.json"))


@pytest.mark.parametrize("steps", [("bulk-run", "evaluate"), ("lifecycle",)])
def test_secrets_reach_the_flow_and_nothing_else(
    repository: Path, slow_model: OfflineModel, steps: tuple[str, ...]
) -> None:
    said = ""
    rows_file = repository / ".llmops/ask/base/runs/questions.default/rows.jsonl"
    for step in steps:
        words: tuple[str, ...] = (step, "ask", "--offline", "--max-failed-rows", "3", "-v")
        if step == "lifecycle":
            words = (*words, "--skip", "validate")
        with Llmops(repository, *words, LLMOPS_OFFLINE_MODEL_URL=slow_model.url, **KEYS) as running:
            if step != "evaluate":
                running.until(lambda: rows_file.is_file() and rows_file.stat().st_size > 0)
                words_of = [command_line(process) for process in running.processes()]
                assert len([line for line in words_of if line]) >= 2
                assert not [line for line in words_of if SENTINEL in line or SENTINEL_IN_FILE in line]
            code, output, errors = running.end()
        assert code == 0, output + errors
        said += output + errors
    files = [file for file in (repository / ".llmops").rglob("*") if file.is_file()]
    assert {"plan.json", "run.json", "rows.jsonl", "metrics.json"} <= {file.name for file in files}
    for secret in (SENTINEL, SENTINEL_IN_FILE):
        assert secret not in said
        assert [file for file in files if secret.encode() in file.read_bytes()] == []


def command_line(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def pr_sample(folder: Path) -> Path:
    (folder / ".git").mkdir()
    shutil.copytree(
        ROOT / "flows/named_entity_recognition",
        folder / "named_entity_recognition",
        ignore=shutil.ignore_patterns("__pycache__", ".*"),
    )
    return folder


def test_faults_of_the_model_are_tried_again(tmp_path: Path) -> None:
    repository = pr_sample(tmp_path)
    with start(Settings(faults={"429": 0.15, "500": 0.1}, retry_after=0.05, seed=5)) as model:
        outcome = llmops_json(
            repository,
            "bulk-run",
            "named_entity_recognition",
            "--env",
            "pr",
            "--offline",
            "--attempts",
            "12",
            LLMOPS_OFFLINE_MODEL_URL=model.url,
        )
        counted = model.stats()
    assert outcome["verdict"] == "passed", outcome["findings"]
    assert outcome["outputs"]["completed"] == outcome["outputs"]["rows"] > 0
    rows = whole_rows(repository)
    calls = sum(usage["calls"] for row in rows for usage in row["usage"].values())
    attempts = sum(row["attempts"] for row in rows)
    assert attempts > calls >= len(rows)
    assert counted is not None


def test_a_model_that_never_answers_well_fails_every_row(tmp_path: Path) -> None:
    repository = pr_sample(tmp_path)
    with start(Settings(faults={"500": 1.0}, retry_after=0.01)) as model:
        outcome = llmops_json(
            repository,
            "bulk-run",
            "named_entity_recognition",
            "--env",
            "pr",
            "--offline",
            "--variations",
            "default",
            "--attempts",
            "2",
            LLMOPS_OFFLINE_MODEL_URL=model.url,
        )
    assert (outcome["verdict"], outcome["exit_code"]) == ("failed", 1)
    assert outcome["outputs"]["completed"] == 0
    assert outcome["outputs"]["failed"] == outcome["outputs"]["rows"] == 10
    assert "10 of 10 rows failed" in outcome["findings"][0]["message"]
    assert "in node find_entities" in outcome["findings"][0]["message"]


@pytest.mark.parametrize("words", [("bulk-run", "--help"), ("plan", "ask"), ("plan", "ask", "--format", "json")])
def test_a_reader_that_has_enough(repository: Path, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "llmops_actions.cli", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=repository,
        check=False,
    )
    os.close(writer)
    assert done.stderr == b""
    assert done.returncode in (0, 1)


def test_a_terminal_of_another_encoding(repository: Path) -> None:
    text = (repository / "ask/experiment.yaml").read_text(encoding="utf-8")
    write(repository, {"ask/experiment.yaml": text.replace("name: ask", "name: frage_ü", 1)})
    code, output, errors = llmops(repository, "plan", "ask", PYTHONIOENCODING="ascii:strict")
    assert code == 0, errors
    assert "frage_" in output
    assert (repository / ".llmops").is_dir()


def test_the_prompt_flow_engine_gives_the_same_answers(tmp_path: Path) -> None:
    repository = pr_sample(tmp_path)
    found: list[Any] = []
    for engine in ("threads", "promptflow"):
        outcome = llmops_json(
            repository,
            "bulk-run",
            "named_entity_recognition",
            "--env",
            "pr",
            "--offline",
            "--variations",
            "default",
            "--engine",
            engine,
            "--work-dir",
            engine,
        )
        assert outcome["verdict"] == "passed", outcome["findings"]
        found.append([(row["line"], row["key"], row["outputs"]) for row in whole_rows(repository / engine)])
    assert found[0] == found[1]
