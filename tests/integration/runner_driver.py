"""Runs one bulk run in a process of its own, for tests that kill it: ``python runner_driver.py folder rows url …``.

It imports nothing of the tests: it is a program like any other that uses the runner.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from llmops_actions.errors import InterruptedRunError
from llmops_actions.platforms.local.promptflow_pool import PromptFlowPoolRunner
from llmops_actions.platforms.local.runner import LocalRunner
from llmops_actions.platforms.ports import BulkRun, Connection, Program, Row, RunProgress, RunSettings


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(folder: str, count: str, url: str, *options: str) -> int:
    """Run; print each progress, and the result as ``status completed failed reused metrics``."""
    work, rows = Path(folder), int(count)
    definition = yaml.safe_load((work / "flow" / "flow.dag.yaml").read_text(encoding="utf-8"))
    program = Program("dag", work / "flow", "flow.dag.yaml", definition=definition, aggregates="aggregates" in options)
    run = BulkRun(
        name="run",
        program=program,
        rows=[Row(line, f"key-{line}", {"number": line, "text": f"text {line}"}) for line in range(rows)],
        row_count=rows,
        folder=work / "run",
        fingerprint="fingerprint",
        connections={"model": Connection("model", "OpenAIConnection", {"base_url": f"{url}/v1"}, {"api_key": "none"})},
    )

    def hear(progress: RunProgress) -> None:
        say(f"ended {progress.ended}")

    settings = RunSettings(concurrency=16, processes=2, line_timeout=60, resume="resume" in options)
    try:
        runner = PromptFlowPoolRunner() if "pool" in options else LocalRunner()
        [result] = runner.run([run], settings, hear)
    except InterruptedRunError as error:
        say(f"interrupted {error}")
        return 3
    metrics = dict(result.metrics)
    say(f"result {result.status} {result.completed} {result.failed} {result.reused} {metrics}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
