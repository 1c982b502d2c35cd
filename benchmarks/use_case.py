"""Writes the use case that every benchmark runs: the flow beside this file, and made-up pages as its data."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

FLOWS = Path(__file__).parent / "flow"
CONNECTION = "aoai"
CONNECTION_KEY = "not-a-key"
MAPPINGS = {"url": "${data.url}", "text": "${data.text}"}
EVALUATOR_MAPPINGS = {
    "accuracy": {"truth": "${data.category}", "prediction": "${run.outputs.category}"},
    "evidence": {"truth": "${data.evidence}", "prediction": "${run.outputs.evidence}"},
}
VARIED_NODE = "classify"
DEFAULT_VARIANT = "with_examples"
OTHER_VARIANT = "without_examples"

_WORDS = {
    "App": "install download app android stars update version device permissions free",
    "Academic": "abstract hypothesis journal citation methods doi preprint sample volunteers results",
    "Video": "video watch channel subscribe episode views playlist stream likes trailer",
    "News": "reported officials yesterday minister correspondent breaking statement police election editor",
    "Shopping": "order delivery price basket stock warranty returns discount shipping buy",
    "None": "garden rope window cloud bread stairs lantern pebble corner river",
}
_FILLER = "the a of in with for one two some this that and then more than before after under over each"


@dataclass(frozen=True)
class UseCase:
    """A use case on disk. ``datasets`` names JSONL files under ``data/``; ``variants`` are those of the varied node."""

    folder: Path
    datasets: tuple[str, ...]
    rows: int
    variants: tuple[str, ...]
    evaluators: tuple[str, ...]

    @property
    def flow(self) -> Path:
        """The folder of the flow under test."""
        return self.folder / "flows" / "classify"

    def evaluator(self, name: str) -> Path:
        """The folder of an evaluation flow."""
        return self.folder / "flows" / name

    def dataset(self, name: str) -> Path:
        """The file of a dataset."""
        return self.folder / "data" / f"{name}.jsonl"


def write_use_case(
    folder: Path,
    rows: int,
    datasets: tuple[str, ...] = ("pages",),
    evaluators: tuple[str, ...] = ("accuracy",),
    sweep: bool = False,
) -> UseCase:
    """Write a use case with ``rows`` rows in each dataset; ``sweep`` runs both variants."""
    shutil.copytree(FLOWS, folder / "flows", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "data").mkdir(parents=True)
    for number, name in enumerate(datasets):
        _write_pages(folder / "data" / f"{name}.jsonl", rows, number)
    # JSON is YAML too.
    (folder / "experiment.yaml").write_text(json.dumps(_experiment(datasets, evaluators, sweep), indent=2) + "\n")
    variants = (DEFAULT_VARIANT, OTHER_VARIANT) if sweep else (DEFAULT_VARIANT,)
    return UseCase(folder, datasets, rows, variants, evaluators)


def _experiment(datasets: tuple[str, ...], evaluators: tuple[str, ...], sweep: bool) -> dict[str, object]:
    return {
        "name": "benchmark",
        "flow": "flows/classify",
        "connections": [
            {
                "name": CONNECTION,
                "connection_type": "AzureOpenAIConnection",
                "api_base": "${AZURE_OPENAI_ENDPOINT}",
                "api_version": "2024-02-01",
                "api_type": "azure",
                "api_key": "${api_key}",
            }
        ],
        "datasets": [
            {"name": name, "source": f"data/{name}.jsonl", "description": "Made-up pages.", "mappings": MAPPINGS}
            for name in datasets
        ],
        "evaluators": [
            {
                "name": evaluator,
                "flow": f"flows/{evaluator}",
                "datasets": [{"name": name, "mappings": EVALUATOR_MAPPINGS[evaluator]} for name in datasets],
            }
            for evaluator in evaluators
        ],
        "variants": "all" if sweep else "defaults",
    }


def _write_pages(file: Path, rows: int, seed: int) -> None:
    chance = random.Random(seed)
    categories = list(_WORDS)
    with file.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            category = chance.choice(categories)
            words = chance.choices(_WORDS[category].split(), k=12) + chance.choices(_FILLER.split(), k=48)
            chance.shuffle(words)
            page = {
                "url": f"https://site-{seed}.example/{number:06d}",
                "text": f"Page {number}. {' '.join(words)}.",
                "category": category,
                "evidence": chance.choice(["Url", "Text content", "Both"]),
            }
            stream.write(json.dumps(page) + "\n")
