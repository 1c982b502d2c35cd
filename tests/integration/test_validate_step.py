"""The validate step as a whole: everything that is wrong comes back at once, and what is right passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import NoReturn

import pytest
from tests.unit.validation.use_cases import changed, write_use_case

from llmops_actions.errors import UsageError
from llmops_actions.github.presenter import summary_of
from llmops_actions.outcome import Finding, Outcome
from llmops_actions.platforms.local.checks import loading
from llmops_actions.progress import LineProgress, SilentProgress
from llmops_actions.reporting.terminal import outcome_as_text
from llmops_actions.steps.execution import execute
from llmops_actions.steps.services import Services
from llmops_actions.steps.validate import MOST_FINDINGS_SHOWN, STEP, ValidateInputs, ValidateOutputs, run

EVERYTHING_BROKEN = {
    "experiment.yaml": """\
        name: greetings
        flow: flows/greet
        connections:
        - name: aoi
          connection_type: AzureOpenAIConnection
          api_base: ${ENDPOINT}
          api_key: ${api_key}
        - name: shop
          connection_type: CustomConnection
          secrets: {token: "${SHOP_TOKEN}"}
        datasets:
        - name: people
          source: people.jsonl
          mappings:
            nme: "${data.name}"
            count: "${data.cont}"
        - name: broken
          source: broken.csv
          mappings:
            name: "${data.name}"
        evaluators:
        - name: polite
          flow: flows/polite
          datasets:
          - name: people
            mappings:
              answer: "${run.outputs.anser}"
          - name: short
            source: short.jsonl
            reference: people
            mappings:
              answer: "${run.outputs.answer}"
              truth: "${data.truth}"
        hyperparameters:
          aks: {temperature: [0, 1]}
        """,
    "data/people.jsonl": '{"name": "Ada", "count": 1, "age": 36}\n{"name": "Bo", "count": 2, "age": 3}\n',
    "data/broken.csv": "name\nAda\nBo,3\n",
    "data/short.jsonl": '{"truth": "x"}\n',
    "flows/greet/flow.dag.yaml": """\
        inputs:
          name: {type: string}
          count: {type: int}
        outputs:
          answer:
            type: string
            reference: ${asks.output}
        nodes:
        - name: tidy
          type: python
          source: {type: code, path: tidy.py}
          inputs:
            text: ${inputs.nam}
        - name: a
          type: prompt
          source: {type: code, path: a.jinja2}
          inputs:
            b: ${b.output}
        - name: b
          type: prompt
          source: {type: code, path: gone.jinja2}
          inputs:
            a: ${a.output}
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
                  inputs: {deployment_name: gpt, name: "${tidy.output}"}
                  connection: aoai
                  api: chat
              long:
                node:
                  type: llm
                  source: {type: code, path: ask_long.jinja2}
                  inputs: {name: "${tidy.output}"}
                  connection: aoai
        """,
    "flows/greet/requirements.txt": "no-such-package==1\nopenai<2\n",
    "flows/greet/tidy.py": "import no_such_module_at_all\n\n@no_such_module_at_all.tool\ndef tidy(text): ...\n",
    "flows/greet/a.jinja2": "{{b}} {{c}}",
    "flows/greet/ask.jinja2": "user:\n{% if name %}",
    "flows/polite/flow.dag.yaml": """\
        inputs:
          answer: {type: string}
          truth: {type: string}
        nodes:
        - name: compare
          type: python
          source: {type: code, path: compare.py}
          inputs: {answer: "${inputs.answer}"}
        """,
    "flows/polite/compare.py": "from promptflow.core import tool\n\n@tool\ndef compare(answer, truth): ...\n",
    "tests/test_greetings.py": "def test_wrong():\n    print('::error::from a test')\n    assert 'a' == 'b'\n",
}

GOLDEN = [
    "error greetings/data/broken.csv:3 The row has 2 fields, the header has 1.",
    "error greetings/experiment.yaml:4 The connection `aoi` asks for `AOI_API_KEY`, which is not set. Set it in the",
    "error greetings/experiment.yaml:4 The connection `aoi` asks for `ENDPOINT`, which is not set. Set it in the",
    "error greetings/experiment.yaml:8 The connection `shop` asks for `SHOP_TOKEN`, which is not set. Set it",
    "error greetings/experiment.yaml:15 The flow has no input `nme`. Did you mean `name`?",
    "error greetings/experiment.yaml:16 The dataset `people` has no column `cont`. Did you mean `count`?",
    "error greetings/experiment.yaml:26 The input `truth` of the evaluator `polite` has no default, is not mapped",
    "error greetings/experiment.yaml:27 The flow has no output `anser`. Did you mean `answer`?",
    "error greetings/experiment.yaml:34 `hyperparameters` names `aks`, which the flow does not have.",
    "error greetings/flows/greet/ask.jinja2:2 Not a valid Jinja template: Unexpected end of template.",
    "error greetings/flows/greet/flow.dag.yaml:7 Output `answer`: There is no node `asks`. Did you mean `ask`?",
    "error greetings/flows/greet/flow.dag.yaml:13 Node `tidy`: The flow has no input `nam`. Did you mean `name`?",
    "error greetings/flows/greet/flow.dag.yaml:14 The nodes wait for each other: a -> b -> a. Remove one of these",
    "error greetings/flows/greet/flow.dag.yaml:21 The source `gone.jinja2` of node `b` does not exist.",
    "error greetings/flows/greet/flow.dag.yaml:35 The node `ask` uses the connection `aoai`, which is not defined.",
    "error greetings/flows/greet/flow.dag.yaml:38 Node `ask`, variant `long` needs `api`: `chat`, `completion`, not",
    "error greetings/flows/greet/flow.dag.yaml:41 Node `ask`, variant `long` names no model: give it the input",
    "error greetings/flows/greet/requirements.txt:1 `no-such-package==1` is not installed. Install it: ",
    "error greetings/flows/greet/requirements.txt:2 `openai<2` cannot stand beside llmops-actions, which is locked",
    "error greetings/flows/greet/tidy.py:1 No module named 'no_such_module_at_all'. Is `no_such_module_at_all` in",
    "error greetings/flows/polite/flow.dag.yaml:8 Node `compare` does not give `truth`, which `compare` needs",
    "error greetings/tests/test_greetings.py:3 tests/test_greetings.py::test_wrong fails: AssertionError: assert",
    "warning greetings/experiment.yaml:28 1 of 2 rows has no row in short.jsonl and is not scored.",
    "warning greetings/flows/greet/a.jinja2:1 The template uses `c`, which node `a` does not give: rendered as empty",
    "notice greetings/data/people.jsonl No mapping uses `count`, `age`.",
]


def _unused(*_: object) -> NoReturn:
    raise AssertionError("validate runs nothing")


def services(directory: Path, environ: dict[str, str] | None = None) -> Services:
    return Services(
        environ={"PATH": os.environ["PATH"], **(environ or {})},
        progress=SilentProgress(),
        runner=_unused,
        offline_model=_unused,
        directory=directory,
        now=lambda: datetime(2026, 11, 22, tzinfo=timezone.utc),
    )


def validate(folder: Path, **inputs: object) -> Outcome[ValidateOutputs]:
    use_case = Path(str(inputs.pop("use_case", "greetings")))
    return run(ValidateInputs.model_validate({"use_case": use_case, **inputs}), services(folder))


def shown(findings: tuple[Finding, ...]) -> list[str]:
    lines = []
    for finding in findings:
        assert finding.location is not None
        line = f":{finding.location.line}" if finding.location.line else ""
        lines.append(f"{finding.level} {finding.location.file.as_posix()}{line} {finding.message}")
    return lines


def test_everything_that_is_broken_comes_back_at_once(tmp_path: Path) -> None:
    write_use_case(tmp_path, EVERYTHING_BROKEN)
    outcome = validate(tmp_path)
    lines = shown(outcome.findings)
    pairs = list(zip(lines, GOLDEN, strict=False))
    assert [line[: len(golden)] for line, golden in pairs] == GOLDEN
    assert len(lines) == len(GOLDEN)
    assert outcome.verdict == "failed"
    assert outcome.exit_code == 1
    assert (outcome.outputs.errors, outcome.outputs.warnings) == (22, 2)
    assert all("\n" not in line for line in lines)
    assert "\n::" not in outcome.summary + outcome.details


def test_a_use_case_without_a_fault_passes(tmp_path: Path) -> None:
    write_use_case(
        tmp_path, {"tests/test_a.py": "import os\ndef test_a(): assert os.environ['LLMOPS_OFFLINE'] == '1'\n"}
    )
    outcome = validate(tmp_path, offline=True)
    assert shown(outcome.findings) == []
    assert outcome.verdict == "passed"
    assert outcome.outputs == ValidateOutputs(
        use_case="greetings", flow_kind="dag", datasets=1, rows=2, evaluators=1, variations=2, tests_passed=1
    )
    assert "| tests | 1 passed, 0 failed, 0 skipped |" in outcome.summary


def test_without_tests_and_with_secrets_in_the_environment(tmp_path: Path) -> None:
    write_use_case(tmp_path, {"tests/test_a.py": "def test_a(): raise SystemExit\n"})
    given = services(tmp_path, {"ENDPOINT": "https://secret.example", "AOAI_API_KEY": "a-secret"})
    outcome = run(ValidateInputs(use_case=Path("greetings"), tests=False), given)
    assert outcome.verdict == "passed"
    assert "| tests | not run |" in outcome.summary
    assert "secret" not in repr(outcome)


def test_the_overlay_is_what_is_checked(tmp_path: Path) -> None:
    datasets = "- name: other\n  source: people.jsonl\n  mappings: {name: '${data.nam}'}\n"
    overlay = f"name: greetings\ndatasets:\n{datasets}evaluators:\n"
    write_use_case(tmp_path, {"experiment.pr.yaml": overlay})
    outcome = validate(tmp_path, env="pr", offline=True, tests=False)
    assert shown(outcome.findings)[0] == (
        "error greetings/experiment.pr.yaml:5 The dataset `other` has no column `nam`. Did you mean `name`?"
    )
    assert outcome.outputs.evaluators == 0


def test_an_environment_without_an_overlay(tmp_path: Path) -> None:
    write_use_case(tmp_path)
    outcome = validate(tmp_path, env="dev", offline=True, tests=False)
    (found,) = shown(outcome.findings)
    assert found.startswith("notice greetings/experiment.yaml:1 There is no experiment.dev.yaml beside it")
    assert outcome.verdict == "passed"
    with pytest.raises(UsageError):
        validate(tmp_path, env="base")


def test_an_experiment_that_does_not_load_gives_each_of_its_faults(tmp_path: Path) -> None:
    text = "name: greetings\nflw: x\ndatasets:\n- name: a b\n  source: x\n  mapings: {}\n"
    write_use_case(tmp_path, {"experiment.yaml": text})
    outcome = validate(tmp_path)
    assert outcome.verdict == "failed"
    places = [line.split(" ")[1] for line in shown(outcome.findings)]
    assert list(dict.fromkeys(places)) == [f"greetings/experiment.yaml:{line}" for line in (2, 4, 6)]
    assert outcome.outputs.errors == len(places)


def test_no_use_case_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        validate(tmp_path)
    assert execute(STEP, {"use-case": "nowhere"}, services(tmp_path)).exit_code == 2


def test_a_flow_that_cannot_be_read_leaves_the_rest_checked(tmp_path: Path) -> None:
    files = {
        "flows/greet/flow.dag.yaml": "nodes: [\n",
        **changed("flows/polite/compare.py", "return float(answer == truth)", "return no_such_name_at_all("),
    }
    write_use_case(tmp_path, files)
    outcome = validate(tmp_path, offline=True, tests=False)
    assert {line.split(" ")[1].partition(":")[0] for line in shown(outcome.findings)} == {
        "greetings/flows/greet/flow.dag.yaml",
        "greetings/flows/polite/compare.py",
    }
    assert outcome.outputs.flow_kind == ""
    assert "| flow | unreadable |" in outcome.summary


def test_only_the_first_findings_are_in_the_summary(tmp_path: Path) -> None:
    inputs = "".join(f"    x{number}: '${{inputs.gone}}'\n" for number in range(MOST_FINDINGS_SHOWN + 5))
    flow = changed("flows/greet/flow.dag.yaml", "    text: ${inputs.name}\n", "    text: ${inputs.name}\n" + inputs)
    write_use_case(tmp_path, flow)
    outcome = validate(tmp_path, offline=True, tests=False)
    assert outcome.outputs.errors == 2 * (MOST_FINDINGS_SHOWN + 5)
    assert outcome.details.count("| error |") == MOST_FINDINGS_SHOWN
    assert f"And {MOST_FINDINGS_SHOWN + 10} more." in outcome.details


def test_what_user_code_says_cannot_become_a_command_or_markup(tmp_path: Path) -> None:
    code = "raise ValueError('x\\n::error::gotcha\\n| a | <b>\\x1b[31m')\n"
    write_use_case(tmp_path, {"flows/greet/tidy.py": code})
    outcome = validate(tmp_path, offline=True, tests=False)
    (finding,) = outcome.findings
    assert finding.message.startswith("ValueError: x ::error::gotcha | a | <b>\N{REPLACEMENT CHARACTER}")
    assert "<b>" not in outcome.details
    assert "\\| a \\|" in outcome.details


def test_a_terminal_shows_each_finding_once(tmp_path: Path) -> None:
    write_use_case(tmp_path, {"flows/greet/tidy.py": "raise ValueError('once')\n"})
    outcome = validate(tmp_path, offline=True, tests=False)
    assert outcome_as_text("validate", outcome).count("once") == 1
    assert "1 error, 0 warnings." in outcome.summary
    assert "once" in summary_of(outcome)


def test_progress_tells_what_is_checked(tmp_path: Path) -> None:
    import io

    write_use_case(tmp_path)
    stream = io.StringIO()
    given = services(tmp_path)
    with_progress = Services(
        given.environ, LineProgress(stream), given.runner, given.offline_model, given.directory, given.now
    )
    run(ValidateInputs(use_case=Path("greetings"), offline=True, tests=False), with_progress)
    assert stream.getvalue().splitlines() == [
        "==> Checking greetings",
        "    greetings: dag flow, 2 variations, 1 dataset with 2 rows, 1 evaluator",
        "==> Loading the flows",
    ]


def test_a_failure_of_our_own_ends_the_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_use_case(tmp_path, {"tests/test_a.py": "def test_a():\n    while True: pass\n"})
    monkeypatch.setattr(loading, "_read_report", _unused)
    outcome = execute(STEP, {"use-case": "greetings", "offline": "true"}, services(tmp_path))
    assert outcome.verdict == "error"
    assert "validate runs nothing" in outcome.findings[0].message


@pytest.mark.parametrize(("faulty", "code"), [(False, 0), (True, 1)])
def test_from_the_command_line(tmp_path: Path, faulty: bool, code: int) -> None:
    use_case = write_use_case(tmp_path, {"data/people.jsonl": "nothing\n"} if faulty else {})
    command = [sys.executable, "-m", "llmops_actions.cli", "validate", str(use_case), "--offline", "--format", "json"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    document = json.loads(ended.stdout)
    assert document["step"] == "validate"
    assert document["outputs"]["errors"] == code
