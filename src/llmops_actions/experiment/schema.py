"""Exports the JSON schema of the experiment file, for editors: ``python -m llmops_actions.experiment.schema``."""

from __future__ import annotations

import json
import sys
from typing import Any

from llmops_actions.experiment.model import ExperimentFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"
IDENTIFIER = "experiment.schema.json"


def experiment_schema() -> dict[str, Any]:
    """The schema of base files and overlays (draft 2020-12); whatever the model takes, it takes as well."""
    return {"$schema": DIALECT, "$id": IDENTIFIER, **ExperimentFile.model_json_schema(by_alias=True)}


def schema_text() -> str:
    """The schema as it stands in ``schemas/experiment.schema.json``."""
    return json.dumps(experiment_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
