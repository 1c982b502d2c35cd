"""The README's commands, run as a reader would run them: on a clean clone, one after another."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """The commands of the shell blocks; of the two at the top `make demo` (`make test` is what runs this test)."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_two_commands_stand_first() -> None:
    head = README.split("\n\n")[1]
    assert [line.split("#")[0].strip() for line in head.splitlines()] == ["make demo", "make test"]


def test_the_links_of_the_documentation_lead_somewhere() -> None:
    documents = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    documents += sorted(ROOT.glob("docs/*.md")) + sorted(ROOT.glob("actions/*/README.md"))
    documents += sorted(ROOT.glob("flows/*/README.md")) + sorted(ROOT.glob("benchmarks/*.md"))
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert not broken


@pytest.mark.slow
@pytest.mark.needs("git")
def test_every_command_works_on_a_clean_clone(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "LLMOPS", "PYTEST", "VIRTUAL_ENV")) and name != "MAKEFLAGS"
    }
    bash = shutil.which("bash") or "/bin/bash"
    for command in commands():
        ended = subprocess.run(
            [bash, "-c", command], cwd=clone, env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
        assert "Traceback" not in ended.stderr + ended.stdout, command
    assert (clone / ".llmops" / "web_classification" / "base" / "metrics.json").is_file()
