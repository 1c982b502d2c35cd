"""What is slow to import is imported where it is used: help and light steps stay quick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.experiment_files import use_case

SLOW = ["aiohttp", "azure", "flask", "jinja2", "numpy", "openai", "pandas", "promptflow", "requests", "sqlalchemy"]

PROBE = """
import json, sys
from llmops_actions.cli import main
try:
    code = main(sys.argv[1:])
except SystemExit as ended:
    code = ended.code
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def imported_by(folder: Path, *words: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", PROBE, *words], cwd=folder, capture_output=True, text=True, check=True)
    code, names = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stdout
    return set(names)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["plan", "--help"],
        ["bulk-run", "--help"],
        ["lifecycle", "--help"],
        ["offline-model", "--help"],
        ["plan", "support"],
        ["list", "."],
    ],
    ids=" ".join,
)
def test_light_steps_import_nothing_slow(tmp_path: Path, words: list[str]) -> None:
    use_case(tmp_path)
    assert imported_by(tmp_path, *words) & set(SLOW) == set()


@pytest.mark.parametrize("words", [[], ["--help"]], ids=["alone", "help"])
def test_help_needs_not_even_pydantic(tmp_path: Path, words: list[str]) -> None:
    assert imported_by(tmp_path, *words) & {"pydantic", "yaml", *SLOW} == set()


def test_the_parts_of_a_bulk_run_in_this_process_import_nothing_slow(tmp_path: Path) -> None:
    """Prompt flow and its like are for the children alone."""
    use_case(tmp_path)
    assert imported_by(tmp_path, "bulk-run", "support", "--quiet") & set(SLOW) == set()
