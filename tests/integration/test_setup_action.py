"""The set-up of the actions: what it makes, what it leaves alone, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType

import pytest
from tests.unit.github.runner import read_log, read_outputs

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "actions" / "setup" / "setup.py"


def load() -> ModuleType:
    specification = importlib.util.spec_from_file_location("setup_action", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Runner:
    """A runner's folders, and the set-up started in them as the action does."""

    def __init__(self, folder: Path) -> None:
        self.tool_cache = folder / "tool-cache"
        self.temporary = folder / "temporary"
        self.workspace = folder / "workspace"
        self.output = folder / "output"
        for path in (self.tool_cache, self.temporary, self.workspace):
            path.mkdir()

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        environ = {
            **os.environ,
            "RUNNER_TOOL_CACHE": str(self.tool_cache),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(self.output),
            "INPUT_PYTHON": "",
            "INPUT_REQUIREMENTS": "",
            **environment,
        }
        self.output.unlink(missing_ok=True)
        return subprocess.run(
            [sys.executable, "-I", "-S", str(SCRIPT)],
            env=environ,
            cwd=self.workspace,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def interpreter(self) -> Path:
        return Path(read_outputs(self.output)["interpreter"])


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def error_of(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 3
    assert result.stderr == ""
    [annotation] = read_log(result.stdout).annotations
    assert annotation.properties["title"] == "llmops setup"
    return annotation.message


@pytest.mark.slow
def test_two_jobs_at_once_make_one_environment(runner: Runner) -> None:
    results: list[subprocess.CompletedProcess[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(runner.run(PYTHONDONTWRITEBYTECODE="1"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in results] == [0, 0], results
    home = runner.tool_cache / "llmops-actions"
    kinds = sorted(path.name.partition("-")[0] for path in home.iterdir() if path.is_dir())
    assert kinds == ["llmops", "locked", "uv"]
    assert runner.run().returncode == 0
    interpreter = runner.interpreter
    assert interpreter.is_relative_to(home)

    # With byte-code although the job asked for none, and quick to start.
    for package in ("llmops_actions", "pydantic"):
        assert list(home.glob(f"l*/lib/python*/site-packages/{package}/__pycache__/__init__.*.pyc"))
    shown = subprocess.run(
        [interpreter, "-c", "import llmops_actions, promptflow, sys; print(llmops_actions.__file__, sys.prefix)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=runner.workspace,
    ).stdout
    assert str(home) in shown.split()[0]
    assert list(runner.workspace.iterdir()) == []
    assert list(runner.temporary.iterdir()) == []

    # A flow's requirements go on top, held to our versions.
    (runner.workspace / "requirements.txt").write_text("tabulate\n", encoding="utf-8")
    assert runner.run(INPUT_REQUIREMENTS="requirements.txt").returncode == 0
    assert runner.interpreter != interpreter
    subprocess.run([runner.interpreter, "-c", "import tabulate, llmops_actions, promptflow"], check=True)
    (runner.workspace / "requirements.txt").write_text("pydantic<2\n", encoding="utf-8")
    message = error_of(runner.run(INPUT_REQUIREMENTS="requirements.txt"))
    assert message.startswith("The flow's requirements, beside ours, could not be made:")
    assert "pydantic" in message


def test_a_python_that_is_too_old_or_too_new_is_refused(runner: Runner) -> None:
    python = runner.workspace / "python3.13"
    python.write_text('#!/bin/sh\necho \'[[3, 13], "3.13.0", "/usr", "x86_64", "/usr/bin/python3.13"]\'\n')
    python.chmod(stat.S_IRWXU)
    message = error_of(runner.run(INPUT_PYTHON=str(python)))
    assert f"{python} is 3.13" in message
    assert "actions/setup-python" in message


def test_a_python_that_does_not_run_is_named(runner: Runner) -> None:
    message = error_of(runner.run(INPUT_PYTHON="no-such-python\n::error::forged"))
    assert "`no-such-python\n::error::forged` does not run" in message


def test_requirements_that_do_not_exist_are_named(runner: Runner) -> None:
    assert "`nowhere.txt` does not exist" in error_of(runner.run(INPUT_REQUIREMENTS="nowhere.txt"))


def test_a_runner_without_folders_is_refused(runner: Runner) -> None:
    assert "Neither RUNNER_TOOL_CACHE nor RUNNER_TEMP" in error_of(runner.run(RUNNER_TOOL_CACHE="", RUNNER_TEMP=""))


def test_the_temporary_folder_stands_in_for_the_tool_cache(runner: Runner, tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.touch()
    home = load().find_home({"RUNNER_TOOL_CACHE": str(blocked), "RUNNER_TEMP": str(runner.temporary)})
    assert home == runner.temporary / "llmops-actions"


def test_a_python_of_the_tool_cache_is_a_candidate(tmp_path: Path) -> None:
    for version in ("3.11.2", "3.11.9", "3.13.0"):
        python = tmp_path / "Python" / version / "x64" / "bin" / "python3"
        python.parent.mkdir(parents=True)
        python.touch()
    found = load().candidates({"RUNNER_TOOL_CACHE": str(tmp_path)})
    assert [path for path in found if path.startswith(str(tmp_path))] == [
        str(tmp_path / "Python" / "3.11.9" / "x64" / "bin" / "python3")
    ]


def test_requirements_count_with_those_that_they_name(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    (tmp_path / "more.txt").write_text("b\n-r requirements.txt\n", encoding="utf-8")
    file.write_text("-r more.txt\na\n", encoding="utf-8")
    module = load()
    before = module.requirement_contents(file)
    assert len(before) == 2
    (tmp_path / "more.txt").write_text("c\n", encoding="utf-8")
    assert module.digest(*before) != module.digest(*module.requirement_contents(file))


def test_settings_of_the_job_stay_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    foreign = ["PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "PIP_TARGET", "PIP_USER", "UV_PYTHON"]
    kept = ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_CACHE_DIR", "HTTPS_PROXY", "SSL_CERT_FILE"]
    for name in [*foreign, *kept]:
        monkeypatch.setenv(name, "x")
    shown = tmp_path / "shown"
    load().run("It", "sh", "-c", 'env >"$0"', shown)
    names = {line.partition("=")[0] for line in shown.read_text().splitlines()}
    assert not names & set(foreign)
    assert set(kept) <= names


def test_an_interrupted_build_starts_anew(tmp_path: Path) -> None:
    module = load()
    folder = tmp_path / "environment"

    def interrupted() -> None:
        with module.building(folder):
            (folder / "half").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not (folder / module.COMPLETE).exists()
    with module.building(folder):
        (folder / "whole").touch()
    assert sorted(path.name for path in folder.iterdir()) == [module.COMPLETE, "whole"]
