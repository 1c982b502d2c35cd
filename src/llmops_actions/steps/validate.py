"""``validate``: everything that can be said about a use case before anything runs, all at once."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from pydantic import Field

from llmops_actions.errors import ExperimentError, Location, UsageError
from llmops_actions.experiment.environment import experiment_variables
from llmops_actions.experiment.experiment import Experiment
from llmops_actions.experiment.loading import load_experiment
from llmops_actions.experiment.offline import offline_environment
from llmops_actions.experiment.validation.findings import from_error
from llmops_actions.experiment.validation.use_case import Examination, ExaminedFlow, Setting, examine
from llmops_actions.outcome import Finding, Outcome, Outputs, Verdict
from llmops_actions.platforms.local.checks.loading import NOWHERE, FlowToLoad, load_flow_in_child
from llmops_actions.platforms.local.checks.packages import this_python
from llmops_actions.platforms.local.checks.processes import ChildProcesses
from llmops_actions.platforms.local.checks.use_case_tests import TestResults, run_tests
from llmops_actions.platforms.local.user_environment import child_environment
from llmops_actions.reporting.text import counted, markdown, one_line, table
from llmops_actions.steps.declaration import Step
from llmops_actions.steps.inputs import OfflineInputs, UseCaseInputs
from llmops_actions.steps.services import Services
from llmops_actions.work_folder import NO_ENVIRONMENT

CHILDREN_AT_ONCE = 2
MOST_FINDINGS_SHOWN = 50
MOST_MESSAGE = 1_000
_LEVELS = {"error": 0, "warning": 1, "notice": 2}


class ValidateInputs(UseCaseInputs, OfflineInputs):
    """What ``validate`` takes."""

    tests: bool = Field(True, description="Run the use case's own tests/ with pytest.")
    timeout: float = Field(
        300.0, gt=0, description="Seconds after which the tests, or the loading of one flow, are given up."
    )


class ValidateOutputs(Outputs):
    """What ``validate`` found, in numbers."""

    use_case: str = Field("", description="Name of the experiment.")
    flow_kind: str = Field("", description="Kind of the flow: dag, flex or prompty.")
    datasets: int = Field(0, description="Number of datasets that the flow is run over.")
    rows: int = Field(0, description="Number of rows in these datasets.")
    evaluators: int = Field(0, description="Number of evaluators.")
    variations: int = Field(0, description="Number of variations in the sweep.")
    tests_passed: int = Field(0, description="Number of the use case's own tests that passed.")
    errors: int = Field(0, description="Number of findings that keep the use case from running.")
    warnings: int = Field(0, description="Number of findings that are probably not as they were meant.")


def run(inputs: ValidateInputs, services: Services) -> Outcome[ValidateOutputs]:
    """Check a use case; ``failed`` if there is a finding of level error.

    Raises:
        UsageError: there is no such use case.
        InterruptedRunError: someone stopped it.
    """
    if inputs.env == NO_ENVIRONMENT:
        raise UsageError(f"`{NO_ENVIRONMENT}` stands for no environment at all. Leave it out, or take another name.")
    services.progress.phase(f"Checking {one_line(inputs.use_case)}")
    try:
        experiment = load_experiment(services.directory / inputs.use_case, inputs.env)
    except ExperimentError as problem:
        findings = _presentable(from_error(problem), services.directory)
        return _outcome(findings, ValidateOutputs(), None)
    environ = {**services.environ, **(offline_environment(NOWHERE) if inputs.offline else {})}
    setting = Setting(
        variables=experiment_variables(experiment, environ),
        packages=this_python(),
        offline=inputs.offline,
        shown=lambda file: shlex.quote(str(_relative(file, services.directory))),
    )
    examination = examine(experiment, setting)
    services.progress.note(_described(experiment, examination))
    environment = child_environment({**environ, **examination.environment.variables})
    services.progress.phase("Loading the flows" + (" and running the tests" if inputs.tests else ""))
    loaded, tests = _run_code(inputs, experiment, examination, environment)
    findings = _presentable((*examination.findings, *loaded, *tests.findings), services.directory)
    return _outcome(findings, _outputs(experiment, examination, tests), tests if inputs.tests else None)


STEP = Step("validate", ValidateInputs, ValidateOutputs, run)


def _described(experiment: Experiment, examination: Examination) -> str:
    kind = examination.flow.flow.kind if examination.flow.flow else "unreadable"
    return (
        f"{one_line(experiment.name)}: {kind} flow, {counted(examination.flow.variations, 'variation')}, "
        f"{counted(len(experiment.datasets), 'dataset')} with {counted(examination.rows, 'row')}, "
        f"{counted(len(experiment.evaluators), 'evaluator')}"
    )


def _run_code(
    inputs: ValidateInputs, experiment: Experiment, examination: Examination, environment: dict[str, str]
) -> tuple[list[Finding], TestResults]:
    """Load every flow, each in a child of its own, and run the tests in another; two children at once."""
    targets = _flows_to_load(examination, environment)
    with ThreadPoolExecutor(CHILDREN_AT_ONCE) as pool, ChildProcesses() as children:
        tests: Future[TestResults] | None = None
        if inputs.tests:
            tests = pool.submit(run_tests, experiment.folder, environment, children, inputs.timeout)
        loads = [pool.submit(load_flow_in_child, target, children, inputs.timeout) for target in targets]
        findings = [finding for load in loads for finding in load.result()]
        return findings, tests.result() if tests else TestResults()


def _flows_to_load(examination: Examination, environment: dict[str, str]) -> list[FlowToLoad]:
    """The flows that can be read, each once; one whose connections are not all there is not loaded as a whole."""
    connections = examination.environment.connections
    targets: dict[Path, FlowToLoad] = {}
    for examined in (examination.flow, *examination.evaluators):
        if examined.flow is None or examined.flow.file in targets:
            continue
        targets[examined.flow.file] = FlowToLoad(
            label=examined.label,
            flow=examined.flow,
            programs=examined.programs,
            connections=connections,
            environment=environment,
            sound=examined.sound and all(used.name in connections for used in examined.used),
        )
    return list(targets.values())


def _outputs(experiment: Experiment, examination: Examination, tests: TestResults) -> ValidateOutputs:
    flow: ExaminedFlow = examination.flow
    return ValidateOutputs(
        use_case=experiment.name,
        flow_kind=flow.flow.kind if flow.flow else "",
        datasets=len(experiment.datasets),
        rows=examination.rows,
        evaluators=len(experiment.evaluators),
        variations=flow.variations,
        tests_passed=tests.passed,
    )


def _presentable(findings: Iterable[Finding], directory: Path) -> tuple[Finding, ...]:
    """Findings in order: errors first, then by file and line; each once, on one line, with paths as a user types them.

    User code had a say in some of these texts: on one line none can pass for a command of the runner.
    """
    shown = {
        Finding(
            finding.level,
            one_line(finding.message, MOST_MESSAGE),
            _shown_place(finding.location, directory) if finding.location else None,
        )
        for finding in findings
    }
    return tuple(sorted(shown, key=_order))


def _order(finding: Finding) -> tuple[int, str, int, str]:
    place = finding.location
    return (_LEVELS[finding.level], str(place.file) if place else "", (place and place.line) or 0, finding.message)


def _shown_place(place: Location, directory: Path) -> Location:
    return Location(Path(one_line(_relative(place.file, directory), MOST_MESSAGE)), place.line, place.column)


def _relative(file: Path, directory: Path) -> Path:
    root = directory.resolve()
    return file.relative_to(root) if file.is_relative_to(root) else file


def _outcome(
    findings: tuple[Finding, ...], outputs: ValidateOutputs, tests: TestResults | None
) -> Outcome[ValidateOutputs]:
    errors = sum(finding.level == "error" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    with_counts = outputs.model_copy(update={"errors": errors, "warnings": warnings})
    verdict: Verdict = "failed" if errors else "passed"
    return Outcome(verdict, with_counts, _summary(verdict, with_counts, tests), findings, _details(findings))


def _summary(verdict: Verdict, outputs: ValidateOutputs, tests: TestResults | None) -> str:
    name = f" {markdown(outputs.use_case)}" if outputs.use_case else ""
    parts = [f"## validate{name}: {verdict}"]
    if outputs.use_case:
        parts.append(_checked(outputs, tests))
    parts.append(f"{counted(outputs.errors, 'error')}, {counted(outputs.warnings, 'warning')}.")
    return "\n\n".join(parts) + "\n"


def _details(findings: tuple[Finding, ...]) -> str:
    serious = [finding for finding in findings if finding.level != "notice"]
    if not serious:
        return ""
    rows = [[each.level, _place(each), markdown(each.message, 300)] for each in serious[:MOST_FINDINGS_SHOWN]]
    parts = [table(["level", "where", "finding"], rows)]
    if len(serious) > MOST_FINDINGS_SHOWN:
        parts.append(f"And {len(serious) - MOST_FINDINGS_SHOWN} more.")
    return "\n\n".join(parts) + "\n"


def _place(finding: Finding) -> str:
    place = finding.location
    if place is None:
        return "-"
    return markdown(f"{place.file}:{place.line}" if place.line else place.file)


def _checked(outputs: ValidateOutputs, tests: TestResults | None) -> str:
    ran = "not run" if tests is None else f"{tests.passed} passed, {tests.failed} failed, {tests.skipped} skipped"
    counts = [
        ["flow", outputs.flow_kind or "unreadable"],
        ["variations", str(outputs.variations)],
        ["datasets", f"{outputs.datasets} with {counted(outputs.rows, 'row')}"],
        ["evaluators", str(outputs.evaluators)],
        ["tests", ran],
    ]
    return table(["checked", ""], counts)
