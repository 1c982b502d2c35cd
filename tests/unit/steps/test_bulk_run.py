"""``bulk-run``: what it writes, what it says, and its verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.experiment_files import DAG, use_case, write
from tests.unit.steps.fakes import FakeRunner, House, NodeError, lines, messages

from llmops_actions.errors import InterruptedRunError, PlatformError
from llmops_actions.platforms.ports import BulkRun, Row, RunResult
from llmops_actions.work_folder import PlanDocument, RunDocument, read_document

RUN = ".llmops/support/base/runs/train.default"


def how_fails(run: BulkRun, row: Row) -> Mapping[str, Any]:
    if row.inputs["question"] == "How?":
        raise NodeError("no\nidea \x1b[31m", "reply")
    return {"answer": "because"}


def test_documents_of_a_run(house: House) -> None:
    write(house.directory, {"prices.yaml": "gpt: {prompt: 1000000, completion: 2000000}\n"})
    outcome = house.run("bulk-run")
    assert (outcome.verdict, outcome.exit_code, outcome.findings) == ("passed", 0, ())
    document = read_document(house.directory / RUN / "run.json", RunDocument)
    assert (document.name, document.status, document.flow, document.flow_kind) == (
        "train.default",
        "completed",
        "support/flows/answer",
        "dag",
    )
    assert (document.rows, document.completed, document.failed, document.attempts) == (3, 3, 0, 3)
    assert document.started_at == "2026-01-02T03:04:05+00:00"
    assert document.duration == 1.5
    assert document.cost == 30 + 2 * 3
    assert document.usage["gpt"].prompt_tokens == 30
    assert document.dataset.source == "data/train.jsonl"
    assert document.variation.is_default
    assert {"python", "promptflow", "llmops-actions"} <= document.versions.keys()
    assert document.engine == "threads"
    assert house.engines == ["threads"]
    plan = read_document(house.directory / ".llmops/support/base/plan.json", PlanDocument)
    assert [run.name for run in plan.runs] == ["train.default"]
    assert [row["line"] for row in lines(house.directory / RUN / "rows.jsonl")] == [0, 1, 2]
    assert house.progress.phases == [
        "bulk-run: 1 variation x 1 dataset = 1 run, 3 rows, 0 model calls, estimated cost $0.0000"
    ]


def test_outputs_sum_up_all_runs(house: House) -> None:
    outcome = house.run("bulk-run")
    assert outcome.outputs.model_dump() == {
        "runs": ("train.default",),
        "rows": 3,
        "completed": 3,
        "failed": 0,
        "tokens": 33,
        "cost": None,
        "work_folder": str(house.directory / ".llmops/support/base"),
    }
    assert "unknown" in outcome.summary
    assert outcome.summary.startswith("## bulk-run support: passed")


def test_settings_reach_the_runner(house: House) -> None:
    outcome = house.run(
        "bulk-run",
        engine="promptflow",
        concurrency="3",
        processes="2",
        line_timeout="4.5",
        call_timeout="1.5",
        run_timeout="60",
        attempts="9",
        resume="true",
        retry_failed="yes",
    )
    [settings] = house.runner.settings
    assert (settings.concurrency, settings.processes, settings.line_timeout, settings.run_timeout) == (3, 2, 4.5, 60)
    assert (settings.attempts, settings.resume, settings.retry_failed) == (9, True, True)
    assert settings.call_timeout == 1.5
    assert house.engines == ["promptflow"]
    assert outcome.outputs.tokens is None, "that engine counts none"


def test_failed_rows_fail_the_step_and_say_why_and_where(house: House) -> None:
    house.runner.behaviour = how_fails
    outcome = house.run("bulk-run")
    assert (outcome.verdict, outcome.exit_code) == ("failed", 1)
    rows = house.directory / ".llmops/support/base/runs/train.default/rows.jsonl"
    assert rows.is_file()
    assert messages(outcome) == (
        "error: train.default: 1 of 3 rows failed: 1 x NodeError in node reply: no idea \ufffd[31m (row 2). "
        f"Rows count from 1; all of them: {rows}. --max-failed-rows 1 allows that."
    )
    assert (outcome.outputs.completed, outcome.outputs.failed) == (2, 1)
    assert "| completed | 2/3 | 1 |" in outcome.summary


def test_some_rows_may_fail(house: House) -> None:
    house.runner.behaviour = how_fails
    outcome = house.run("bulk-run", max_failed_rows="1")
    assert outcome.verdict == "passed"
    assert messages(outcome).startswith("warning: train.default: 1 row failed (1 may): 1 x NodeError")


def test_a_row_that_lacks_a_column_is_a_failed_row(house: House) -> None:
    write(house.directory, {"support/data/train.jsonl": '{"question": "Why?"}\n{"q": 1}\n'})
    outcome = house.run("bulk-run")
    assert outcome.verdict == "failed"
    assert "1 of 2 rows failed: 1 x InputMissing: ${data.question} has no value in this row" in messages(outcome)


def test_many_reasons_are_counted_and_the_first_are_shown(house: House) -> None:
    write(house.directory, {"support/data/train.jsonl": "".join(f'{{"question": "{n}"}}\n' for n in range(130))})

    def each_its_own(run: BulkRun, row: Row) -> Mapping[str, Any]:
        raise NodeError("same" if row.line % 2 else f"reason {row.line}")

    house.runner.behaviour = each_its_own
    [finding] = house.run("bulk-run").findings
    assert (
        "130 of 130 rows failed: 65 x NodeError: same (rows 2, 4, 6, 8, 10, …); 1 x NodeError: reason 0 (row 1);"
        in (finding.message)
    )
    assert "; 63 other reasons. Rows count from 1" in finding.message


def test_beyond_a_hundred_reasons_the_others_share_one(house: House) -> None:
    write(house.directory, {"support/data/train.jsonl": "".join(f'{{"question": "{n}"}}\n' for n in range(130))})

    def each_its_own(run: BulkRun, row: Row) -> Mapping[str, Any]:
        raise NodeError(f"reason {row.line}")

    house.runner.behaviour = each_its_own
    [finding] = house.run("bulk-run").findings
    assert "130 of 130 rows failed: 30 x other reasons (rows 101, 102, 103, 104, 105, …)" in finding.message


@pytest.mark.parametrize(
    ("changes", "verdict", "exit_code", "text"),
    [
        ({"status": "timed-out", "error": "The run took longer than 5 seconds."}, "error", 3, "longer than 5 seconds"),
        ({"status": "timed-out"}, "error", 3, "time is up"),
        ({"status": "failed", "error": "It does not load."}, "failed", 1, "It does not load."),
    ],
)
def test_a_run_that_ended_as_a_whole(
    house: House, changes: dict[str, Any], verdict: str, exit_code: int, text: str
) -> None:
    house.runner.change = lambda result: replace(result, **changes)
    outcome = house.run("bulk-run", max_failed_rows="3")
    assert (outcome.verdict, outcome.exit_code) == (verdict, exit_code)
    assert text in messages(outcome)
    assert read_document(house.directory / RUN / "run.json", RunDocument).status == changes["status"]


def test_the_worst_run_decides(house: House) -> None:
    write(house.directory, {"support/experiment.yaml": two_datasets()})

    def change(result: RunResult) -> RunResult:
        return replace(result, status="timed-out") if result.name.startswith("train") else result

    house.runner = FakeRunner(how_fails, change)
    outcome = house.run("bulk-run")
    assert outcome.verdict == "error"
    assert [finding.message.split(":")[0] for finding in outcome.findings] == ["train.default", "test.default"]


def two_datasets() -> str:
    return """
name: support
flow: flows/answer
datasets:
- name: train
  source: data/train.jsonl
  mappings: {question: "${data.question}"}
- name: test
  source: data/train.jsonl
  mappings: {question: "${data.question}"}
"""


@pytest.mark.parametrize("error", [InterruptedRunError("Stopped by SIGINT."), PlatformError("No processes left.")])
def test_a_run_that_was_stopped_is_known_as_one(house: House, error: Exception) -> None:
    def stop(run: BulkRun, row: Row) -> Mapping[str, Any]:
        raise error

    house.runner.behaviour = stop
    outcome = house.run("bulk-run")
    assert (outcome.verdict, outcome.exit_code) == ("error", 3)
    assert messages(outcome) == f"error: {error}"
    assert read_document(house.directory / RUN / "run.json", RunDocument).status == "running"


def test_two_at_once_in_one_work_folder(house: House) -> None:
    inner: list[Any] = []

    def again(run: BulkRun, row: Row) -> Mapping[str, Any]:
        if not inner:
            inner.append(House(house.directory).run("bulk-run"))
        return {"answer": "x"}

    house.runner.behaviour = again
    assert house.run("bulk-run").verdict == "passed"
    assert inner[0].verdict == "usage"
    assert "Another llmops works in" in messages(inner[0])


def test_offline_starts_one_stand_in_and_says_so(house: House) -> None:
    outcome = house.run("bulk-run", offline="true")
    assert (house.models.started, house.models.stopped) == (1, 1)
    assert "A stand-in answered instead of a language model." in outcome.summary
    assert house.progress.notes == ["A stand-in answers instead of a language model, at http://127.0.0.1:1."]
    assert house.runner.runs[0].environment["OPENAI_BASE_URL"] == "http://127.0.0.1:1/v1"
    assert read_document(house.directory / RUN / "run.json", RunDocument).offline


def test_offline_takes_a_stand_in_that_is_there(house: House) -> None:
    house.environ["LLMOPS_OFFLINE_MODEL_URL"] = "http://127.0.0.1:8321/"
    house.run("bulk-run", offline="true")
    assert house.models.started == 0
    assert house.runner.runs[0].environment["OPENAI_BASE_URL"] == "http://127.0.0.1:8321/v1"


@pytest.mark.parametrize(
    "address",
    [
        *("8321", "http://", "ftp://127.0.0.1", "http://[::1", "http://example.com", "http://0.0.0.0:8321"),
        *("http://127.0.0.1.example.com:8321", "http://127.0.0.1@example.com", "http://localhost.example.com"),
    ],
)
def test_offline_takes_no_address_but_this_machines(house: House, address: str) -> None:
    house.environ["LLMOPS_OFFLINE_MODEL_URL"] = address
    for step in ("bulk-run", "lifecycle"):
        outcome = house.run(step, offline="true")
        assert outcome.verdict == "usage"
        assert "must be an address of this machine, such as http://127.0.0.1:8321" in messages(outcome)
    assert house.runner.runs == []


@pytest.mark.parametrize("address", ["http://localhost:8321", "https://127.8.0.1:8321", "http://[::1]:8321"])
def test_addresses_of_this_machine(house: House, address: str) -> None:
    house.environ["LLMOPS_OFFLINE_MODEL_URL"] = address
    assert house.run("bulk-run", offline="true").verdict == "passed"
    assert house.runner.runs[0].environment["OPENAI_BASE_URL"] == f"{address}/v1"


def test_an_environment_is_named_as_its_overlay_is(house: House) -> None:
    write(house.directory, {"support/experiment.prod.eu.yaml": ""})
    assert house.run("bulk-run", env="prod.eu").verdict == "passed"
    assert (house.directory / ".llmops/support/prod.eu/runs").is_dir()
    for step in ("bulk-run", "validate", "evaluate"):
        outcome = house.run(step, env="prod eu")
        assert outcome.verdict == "usage"
        assert "`prod eu` cannot name an environment: it has at most 64 letters, digits" in messages(outcome)


def test_the_work_folder_may_not_lie_inside_a_flow(house: House) -> None:
    for folder in ("support/flows/answer/results", "support/flows/grade"):
        outcome = house.run("bulk-run", work_dir=folder)
        assert outcome.verdict == "usage"
        assert "lies inside the flow" in messages(outcome)
    assert house.run("bulk-run", work_dir="support/flows/answer/.llmops").verdict == "passed"


def test_environments(house: House) -> None:
    assert house.run("bulk-run", env="base").verdict == "usage"
    assert house.run("bulk-run", env="../x").verdict == "usage"
    assert house.run("bulk-run", env="prd").verdict == "passed"
    assert "There is no experiment.prd.yaml: the experiment is taken as it is." in house.progress.notes
    assert (house.directory / ".llmops/support/prd/plan.json").is_file()


def test_a_price_table_that_is_not_there(house: House) -> None:
    outcome = house.run("bulk-run", prices="nothing.yaml")
    assert outcome.verdict == "usage"
    assert "The price table `nothing.yaml` does not exist." in messages(outcome)


def test_a_price_table_of_the_user(house: House, tmp_path: Path) -> None:
    write(house.directory, {"mine.yaml": "gpt: {prompt: 1}\n"})
    assert house.run("bulk-run", prices="mine.yaml").outputs.cost == pytest.approx(30 / 1e6)


def test_a_sweep_that_is_too_large_points_at_it(house: House) -> None:
    text = (house.directory / "support/experiment.yaml").read_text(encoding="utf-8")
    write(
        house.directory,
        {"support/experiment.yaml": text + "hyperparameters:\n  reply: {tone: [a, b, c]}\nmax_variations: 2\n"},
    )
    outcome = house.run("bulk-run")
    assert outcome.verdict == "usage"
    assert "The sweep has 3 variations" in messages(outcome)
    assert "support/experiment.yaml:" in messages(outcome)


OUTSIDE = "../../../../outside.py"


@pytest.mark.parametrize("step", ["plan", "bulk-run", "validate"])
@pytest.mark.parametrize(
    ("written", "line"),
    [
        (f"additional_includes: [{OUTSIDE}]\n", "additional_includes"),
        (f"environment: {{python_requirements_txt: {OUTSIDE}}}\n", "environment"),
        (
            (
                "node_variants:\n  reply:\n    default_variant_id: a\n    variants:\n"
                f"      a: {{node: {{type: python, source: {{type: code, path: {OUTSIDE}}}}}}}\n"
            ),
            "a: {",
        ),
    ],
)
def test_nothing_that_a_flow_names_leaves_the_repository(tmp_path: Path, step: str, written: str, line: str) -> None:
    """Also without `.git`: then the use case's parent is the repository."""
    (tmp_path / "outside.py").write_text("secret == 1\n")
    use_case(tmp_path / "repository", {"flows/answer/flow.dag.yaml": DAG + written})
    (tmp_path / "repository/.git").rmdir()
    house = House(tmp_path / "repository")
    outcome = house.run(step) if step != "validate" else house.run(step, tests="false")
    assert outcome.exit_code != 0
    [finding] = [each for each in outcome.findings if "leaves the repository" in each.message]
    text = (DAG + written).splitlines()
    assert finding.location is not None
    assert line in text[(finding.location.line or 0) - 1]
    assert "secret" not in messages(outcome)
    assert house.engines in ([], ["threads"])
    assert not (tmp_path / "repository/.llmops/support/base/runs").exists()


def test_no_node_leaves_the_repository(tmp_path: Path) -> None:
    (tmp_path / "outside.py").write_text("")
    use_case(tmp_path / "repository", {"flows/grade/flow.dag.yaml": DAG.replace("reply.py", OUTSIDE)})
    house = House(tmp_path / "repository")
    assert house.run("bulk-run").verdict == "passed"
    outcome = house.run("evaluate")
    assert outcome.exit_code == 2
    assert f"The source `{OUTSIDE}` leaves the repository" in messages(outcome)
