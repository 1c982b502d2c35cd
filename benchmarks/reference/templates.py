"""Runs and evaluates as the prompt-flow templates do: ``PFClient.run``, one run after another, in one process.

Default workers, details read after each run, metrics after each evaluation. Left out, in favour of the templates: their
``time.sleep(15)`` after each run, and their reports.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from promptflow.client import PFClient

from benchmarks.reference.jobs import Jobs, Results


def main() -> None:
    """Do the jobs of the file given as the one argument."""
    jobs = Jobs.model_validate_json(Path(sys.argv[1]).read_text())
    client = PFClient()
    runs: dict[str, Any] = {}
    outputs: dict[str, list[dict[str, Any]]] = {}
    metrics: dict[str, dict[str, float]] = {}
    for job in jobs.runs:
        run = client.run(
            flow=str(job.flow),
            data=str(job.data),
            column_mapping=job.mappings,
            variant=job.variant,
            name=job.name,
            display_name=job.name,
        )
        runs[job.name] = run
        outputs[job.name] = _outputs(client, run)
    for evaluation in jobs.evaluations:
        run = client.run(
            flow=str(evaluation.flow),
            data=str(evaluation.data),
            run=runs[evaluation.run],
            column_mapping=evaluation.mappings,
            name=evaluation.name,
            display_name=evaluation.name,
        )
        _outputs(client, run)
        metrics[evaluation.name] = client.get_metrics(run)
    jobs.results.write_text(Results(outputs=outputs, metrics=metrics).model_dump_json())


def _outputs(client: Any, run: Any) -> list[dict[str, Any]]:
    if run.status != "Completed":
        raise SystemExit(f"{run.name}: {run.status}")
    details = client.get_details(run, all_results=True).sort_values("inputs.line_number")
    names = [column for column in details.columns if column.startswith("outputs.")]
    return [
        {name.removeprefix("outputs."): value for name, value in row.items()}
        for row in details[names].to_dict("records")
    ]


if __name__ == "__main__":
    main()
