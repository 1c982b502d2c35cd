"""The lower bound: ``FlowExecutor.exec_line`` in threads of one process, and nothing around it.

No run store, no resume, no time limits, no back-off, no token counts; the outputs stay in memory until the end.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from promptflow.contracts.run_info import Status
from promptflow.executor.flow_executor import FlowExecutor

from benchmarks.reference.jobs import Jobs, Results
from benchmarks.use_case import CONNECTION


def main() -> None:
    """Do the one run of the file given as the one argument."""
    jobs = Jobs.model_validate_json(Path(sys.argv[1]).read_text())
    job = jobs.runs[0]
    columns = {name: value.removeprefix("${data.").removesuffix("}") for name, value in job.mappings.items()}
    executor = FlowExecutor.create(job.flow / "flow.dag.yaml", {CONNECTION: _connection()}, working_dir=job.flow)

    def run(numbered: tuple[int, str]) -> dict[str, Any]:
        number, text = numbered
        row = json.loads(text)
        result = executor.exec_line({name: row[column] for name, column in columns.items()}, index=number)
        if result.run_info.status != Status.Completed:
            raise SystemExit(f"row {number}: {result.run_info.error}")
        outputs: dict[str, Any] = result.output
        return {name: value for name, value in outputs.items() if name != "line_number"}

    with job.data.open(encoding="utf-8") as lines, ThreadPoolExecutor(jobs.threads) as pool:
        outputs = list(pool.map(run, enumerate(lines)))
    jobs.results.write_text(Results(outputs={job.name: outputs}, metrics={}).model_dump_json())


def _connection() -> dict[str, Any]:
    value = {
        "api_base": os.environ["AZURE_OPENAI_ENDPOINT"],
        "api_key": os.environ[f"{CONNECTION.upper()}_API_KEY"],
        "api_type": "azure",
        "api_version": "2024-02-01",
    }
    return {
        "type": "AzureOpenAIConnection",
        "module": "promptflow.connections",
        "value": value,
        "secret_keys": ["api_key"],
    }


if __name__ == "__main__":
    main()
