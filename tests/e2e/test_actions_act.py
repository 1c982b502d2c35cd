"""The actions as a consumer uses them, in real workflow runs: offline, on this machine, with act."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.e2e.act import REFERENCE, REPOSITORY, ROOT, ActLog, export_actions, make_repository, run_act
from tests.unit.github.corpus import CORPUS

pytestmark = [pytest.mark.needs("act", "git"), pytest.mark.slow]

CONSUMER = ROOT / "tests" / "data" / "consumer"
SECRET = "not-for-anyones-eyes"


@dataclass(frozen=True)
class Consumer:
    """A team's own repository, and a folder where its workflows leave what they got."""

    folder: Path
    results: Path
    actions: Path

    def run(self, workflow: str, event: dict[str, Any] | None = None) -> ActLog:
        make_repository(self.folder)
        return run_act(self.folder, workflow, self.actions, event=event, environment={"RESULTS": str(self.results)})

    def steps(self) -> dict[str, Any]:
        steps: dict[str, Any] = json.loads((self.results / "steps.json").read_text(encoding="utf-8"))
        return steps


def make_consumer(tmp_path: Path) -> Consumer:
    folder = tmp_path / "consumer"
    shutil.copytree(CONSUMER, folder)
    shutil.copytree(ROOT / "flows" / "web_classification", folder / "apps" / "pages")
    results = tmp_path / "results"
    results.mkdir()
    return Consumer(folder, results, export_actions(tmp_path / "repository"))


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return make_consumer(tmp_path)


@pytest.fixture(scope="module")
def quality(tmp_path_factory: pytest.TempPathFactory) -> tuple[Consumer, ActLog]:
    consumer = make_consumer(tmp_path_factory.mktemp("quality"))
    return consumer, consumer.run("quality.yml")


def test_a_consumer_validates_runs_and_evaluates(quality: tuple[Consumer, ActLog]) -> None:
    consumer, log = quality
    assert log.job_results == {"quality": "success", "next": "success"}, log.failures()
    steps = consumer.steps()
    assert [steps[name]["outputs"]["verdict"] for name in ("validate", "bulk-run", "evaluate")] == ["passed"] * 3
    ran = steps["bulk-run"]["outputs"]
    assert (ran["rows"], ran["completed"], ran["failed"]) == ("20", "20", "0")
    assert int(ran["tokens"]) > 0
    assert json.loads(ran["runs"]) == ["web_pages_pr.default", "web_pages_pr.classify_with_llm.variant_1"]
    assert steps["evaluate"]["outputs"]["failed"] == "0"
    assert json.loads((consumer.results / "outputs.json").read_text())["verdict"] == "passed"
    assert (consumer.results / "runs").read_text() == "web_pages_pr.default+web_pages_pr.classify_with_llm.variant_1"


def test_a_consumer_sees_summaries_and_no_secret(quality: tuple[Consumer, ActLog]) -> None:
    _, log = quality
    summaries = log.summaries
    assert len(summaries) == 3
    assert "| variation | dataset | status |" in summaries[1]
    assert "A stand-in answered instead of a language model." in summaries[1]
    assert [annotation for annotation in log.annotations if annotation.level == "error"] == []
    assert [entry["arg"] for entry in log.commands() if entry["command"] == "add-mask"].count(SECRET) == 3
    assert SECRET not in log.seen()
    assert SECRET not in "".join(summaries)
    # Each action has found the environment that the first one made or found.
    assert len({entry["arg"] for entry in log.entries if entry.get("name") == "interpreter"}) <= 1


def test_the_root_action_runs_any_step(consumer: Consumer) -> None:
    log = consumer.run("root.yml")
    assert log.job_results == {"root": "success"}, log.failures()
    steps = consumer.steps()
    assert steps["plan"]["outputs"]["runs"] == "4"
    assert json.loads(steps["plan"]["outputs"]["matrix"])["include"][0] == {"variation": "default"}
    assert steps["lifecycle"]["outputs"]["verdict"] == "passed"
    assert steps["refused"]["outcome"] == "failure"
    [error] = [annotation for annotation in log.annotations if annotation.level == "error"]
    assert error.message == "The step `plan` takes no input `concurrency`; `bulk-run` does."


def test_a_mistake_fails_the_job_and_is_shown_at_its_line(consumer: Consumer) -> None:
    log = consumer.run("broken.yml")
    assert log.job_results == {"broken": "failure"}
    step = consumer.steps()["validate"]
    assert (step["outcome"], step["outputs"]["verdict"]) == ("failure", "failed")
    assert not (consumer.results / "reached").exists()
    line = (consumer.folder / "apps/broken/experiment.yaml").read_text().splitlines().index('    text: "${data.txet}"')
    places = [
        (annotation.level, annotation.properties.get("file"), annotation.properties.get("line"))
        for annotation in log.annotations
        if "txet" in annotation.message
    ]
    assert places == [("error", "apps/broken/experiment.yaml", str(line + 1))]
    assert "txet" in log.summaries[0]


def test_hostile_rows_stay_rows(consumer: Consumer) -> None:
    rows = consumer.folder / "apps" / "hostile" / "data" / "rows.jsonl"
    rows.parent.mkdir()
    texts = [text for name, text in CORPUS.items() if name != "surrogate"]
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    log = consumer.run("hostile-rows.yml")
    assert log.job_results == {"hostile": "success"}, log.failures()
    outputs = consumer.steps()["bulk-run"]["outputs"]
    failed = sum(len(text) % 2 for text in texts)
    assert (outputs["verdict"], outputs["rows"], outputs["failed"]) == ("failed", str(len(texts)), str(failed))
    assert_nothing_was_forged(log)
    assert SECRET not in log.seen()


def test_hostile_inputs_stay_text(consumer: Consumer) -> None:
    texts = {f"text{number}": text for number, (name, text) in enumerate(CORPUS.items()) if name not in BY_NO_INPUT}
    workflow = hostile_inputs(list(texts))
    (consumer.folder / ".github" / "workflows" / "hostile-inputs.yml").write_text(workflow, encoding="utf-8")
    log = consumer.run("hostile-inputs.yml", event={"inputs": texts})
    assert log.job_results == {"hostile": "success"}, log.failures()
    steps = consumer.steps()
    for name in texts:
        assert steps[f"plan-{name}"]["outputs"]["verdict"] == "usage"
        assert (steps[f"plan-{name}"]["outcome"], steps[f"setup-{name}"]["outcome"]) == ("failure", "failure")
    assert_nothing_was_forged(log)
    errors = [entry["raw"] for entry in log.commands() if entry["command"] == "error"]
    for action in ("plan", "setup"):
        assert len([raw for raw in errors if raw.startswith(f"::error title=llmops {action}")]) == len(texts)


BY_NO_INPUT = {"surrogate", "null"}
"""No input can hold these: a workflow is UTF-8 text, and an environment variable ends at a null."""


def hostile_inputs(names: list[str]) -> str:
    """A workflow with a step for each text, in every input that takes text."""
    steps: list[dict[str, Any]] = [{"uses": "actions/checkout@v7"}]
    for name in names:
        text = f"${{{{ github.event.inputs.{name} }}}}"
        plan = {"use-case": text, "env": text, "variations": text, "work-dir": text, "prices": text}
        for action, inputs in (("plan", plan), ("setup", {"python": text, "requirements": text})):
            uses = f"{REPOSITORY}/actions/{action}@{REFERENCE}"
            steps.append({"id": f"{action}-{name}", "continue-on-error": True, "uses": uses, "with": inputs})
    keep = """printf '%s' "$STEPS" >"$RESULTS/steps.json\""""
    steps.append({"if": "always()", "env": {"STEPS": "${{ toJSON(steps) }}"}, "run": keep})
    return yaml.safe_dump(
        {"on": {"workflow_dispatch": {}}, "jobs": {"hostile": {"runs-on": "ubuntu-latest", "steps": steps}}}
    )


def assert_nothing_was_forged(log: ActLog) -> None:
    """Only our own commands took effect, each with what we put into it, and nothing ran."""
    names = {entry["command"] for entry in log.commands()}
    assert names <= OURS, names - OURS
    for entry in log.commands():
        if entry["command"] == "set-output":
            assert entry["name"] in KNOWN_OUTPUTS or entry["name"] == "interpreter", entry
        if entry["command"] in ("error", "warning"):
            # act takes the last `::` of a line for the end of the properties, the runner the first.
            assert entry["raw"].startswith(f"::{entry['command']} title=llmops"), entry
    assert not Path("/tmp/llmops-was-here").exists()  # noqa: S108 - what the corpus would make


OURS = {"add-mask", "stop-commands", "group", "endgroup", "error", "warning", "notice", "set-output", "summary"}
KNOWN_OUTPUTS = {
    *("verdict", "runs", "rows", "completed", "failed", "tokens", "cost", "work-folder"),
    *("model-calls", "matrix", "plan"),
}
