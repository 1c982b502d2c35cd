"""Runs workflows for real, with act in host mode: a consumer's repository that uses these actions from ``@v1``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
REPOSITORY = "your-org/llmops-actions"
REFERENCE = "v1"

# Kept between runs, so that the locked packages are installed once. Not in this repository: the workspaces of the jobs
# are in there as well, and what they run looks for settings in the folders above.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llmops-actions-tests"

# How this machine reaches its package index.
PASSED_ON = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class Annotation:
    """An error, warning or notice that the runner took from the log."""

    level: str
    message: str
    properties: Mapping[str, str]


class ActLog:
    """The JSON log of act."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.entries: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    @property
    def job_results(self) -> dict[str, str]:
        return {entry["jobID"]: entry["jobResult"] for entry in self.entries if "jobResult" in entry}

    @property
    def summaries(self) -> list[str]:
        # act reads the file once more at the end of the composite around the step.
        return [
            entry["content"]
            for entry in self.entries
            if entry.get("command") == "summary" and entry["stepID"][-1] == "step"
        ]

    @property
    def annotations(self) -> list[Annotation]:
        return [
            Annotation(entry["command"], entry["arg"], entry.get("kvPairs") or {})
            for entry in self.entries
            if entry.get("command") in ("error", "warning", "notice")
        ]

    def failures(self) -> str:
        """What went wrong, for the message of an assertion."""
        errors = [str(annotation) for annotation in self.annotations if annotation.level == "error"]
        return "\n".join([str(self.job_results), *errors, self.text[-3000:]])

    def commands(self) -> list[dict[str, Any]]:
        """Every command that took effect, but for the tokens that let commands work again."""
        effective = [entry for entry in self.entries if entry.get("command") not in (None, "ignored")]
        tokens = {entry["arg"] for entry in effective if entry["command"] == "stop-commands"}
        return [entry for entry in effective if entry["command"] not in tokens]

    def seen(self) -> str:
        """What a reader of the log sees: all lines, without act's own record of the masks that were asked for."""
        return "\n".join(
            json.dumps(entry, ensure_ascii=False) for entry in self.entries if entry.get("command") != "add-mask"
        )


def export_actions(target: Path) -> Path:
    """This repository as a consumer gets it. act knows no ``$/`` yet, so that is written out as owner, name and ref."""
    target.mkdir(parents=True)
    for name in ("actions", "src", "requirements"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "action.yml", target)
    for file in (target / "action.yml", *target.glob("actions/*/action.yml")):
        text = file.read_text(encoding="utf-8")
        named = "\n".join(
            f"{line.replace('$/', f'{REPOSITORY}/')}@{REFERENCE}" if "uses: $/" in line else line
            for line in text.splitlines()
        )
        file.write_text(f"{named}\n", encoding="utf-8")
    return target


def make_repository(folder: Path) -> Path:
    """Make ``folder`` a git repository with one commit of all its files."""
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(folder)]
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "All"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    return folder


def run_act(
    consumer: Path,
    workflow: str,
    actions: Path,
    *,
    event: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> ActLog:
    """Run a workflow of ``consumer`` as ``workflow_dispatch``; whether its jobs succeeded is in the log."""
    scratch = actions.parent
    event_file = scratch / "event.json"
    event_file.write_text(json.dumps(event or {}), encoding="utf-8")
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    environ = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    environ |= {
        "PATH": os.pathsep.join([str(Path(sys.base_prefix) / "bin"), os.environ["PATH"]]),
        "HOME": str(home),
        "XDG_CACHE_HOME": str(CACHE),
        "LANG": "C.UTF-8",
    }
    result = subprocess.run(
        [
            *("act", "workflow_dispatch", "--json", "-W", f".github/workflows/{workflow}"),
            *("-P", "ubuntu-latest=-self-hosted", "--eventpath", str(event_file)),
            # The runner's tool cache is in there too.
            *("--action-offline-mode", "--action-cache-path", str(CACHE / "actions"), "--no-cache-server"),
            *("--local-repository", f"{REPOSITORY}@{REFERENCE}={actions}"),
            *(word for name, value in (environment or {}).items() for word in ("--env", f"{name}={value}")),
        ],
        cwd=consumer,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    log = ActLog(result.stdout)
    assert log.job_results, result.stdout[-4000:] + result.stderr[-4000:]
    return log
