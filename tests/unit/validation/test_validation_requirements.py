"""A flow's requirements.txt: against what is installed, and against the lock."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.unit.validation.use_cases import packages_with, shown

from llmops_actions.experiment.validation.requirements import InstalledPackage, check
from llmops_actions.platforms.local.checks.packages import install_advice, locked_versions, this_python

PACKAGES = packages_with(
    {
        "openai": InstalledPackage("3.54.0", ("httpx>=1; extra == 'fast'", "anyio>=1", "socks>=9; extra == 'proxy'")),
        "httpx": InstalledPackage("0.9"),
        "socks": InstalledPackage("9.1"),
        "my-package": InstalledPackage("1.0"),
        "pandas": InstalledPackage("2.2"),
        "promptflow": InstalledPackage("1.18.5"),
    },
    {"openai": "3.54.0", "pandas": "2.3.3", "marshmallow": "3.26.2"},
)
ADVICE = "Install flows/requirements.txt"


def found(folder: Path, text: str) -> list[str]:
    file = folder / "requirements.txt"
    file.write_text(text, encoding="utf-8")
    return shown(check(file, PACKAGES, "flows/requirements.txt"), notices=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("openai\ngone>=1\n", f"error requirements.txt:2 `gone>=1` is not installed. {ADVICE}"),
        ("My_Package>2\n", f"error requirements.txt:1 `My_Package>2` is asked for, but 1.0 is installed. {ADVICE}"),
        (
            "openai<2\n",
            (
                "error requirements.txt:1 `openai<2` cannot stand beside llmops-actions, which is locked to "
                "openai==3.54.0. Allow that version: `openai==3.54.0`."
            ),
        ),
        (
            "pandas<2.3\n",
            (
                "warning requirements.txt:1 `pandas<2.3` cannot stand beside llmops-actions, which is locked to "
                "pandas==2.3.3. Here 2.2 is installed; allow 2.3.3 as well."
            ),
        ),
        (
            "openai[fast]\n",
            f"error requirements.txt:1 `openai[fast]` needs `httpx>=1`, which is not installed. {ADVICE}",
        ),
        ("-r other.txt\n", "notice requirements.txt:1 `-r other.txt` is not checked: only named requirements are."),
        (
            "\ngit+https://x.example/y\n",
            "notice requirements.txt:2 `git+https://x.example/y` is not checked: only named",
        ),
        (
            "promptflow-sdk[builtins]==0.0.101312\n",
            "notice requirements.txt:1 `promptflow-sdk[builtins]==0.0.101312` is known as `promptflow` now",
        ),
        ("./here\n", "notice requirements.txt:1 `./here` is not checked: only named requirements are."),
        ("not a name\n", "error requirements.txt:1 `not a name` is no requirement: "),
        ("openai \\\n  >=3\ngone\n", "error requirements.txt:3 `gone` is not installed."),
    ],
)
def test_what_is_wrong_with_a_requirement(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = found(tmp_path, text)
    assert line.startswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n\nopenai  # another\n",
        "openai[proxy]>=3\n",
        "gone; python_version < '3'\n",
        "openai==3.54.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:01\n",
        "my.package @ https://x.example/my.whl\n",
    ],
)
def test_what_is_fine(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes(b"openai\n\xff\n")
    assert shown(check(file, PACKAGES, "x"))[0].startswith("error requirements.txt:2 The file is not UTF-8")


def test_the_packages_of_this_python() -> None:
    packages = this_python()
    installed = packages.installed("promptflow")
    assert installed is not None
    assert packages.locked["promptflow"] == installed.version == "1.18.5"
    assert packages.installed("no-such-package-at-all") is None
    assert packages.advice("x.txt") == install_advice("x.txt")


def advised(monkeypatch: pytest.MonkeyPatch, *, pip: bool, uv: str | None) -> str:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if pip else None)
    monkeypatch.setattr("shutil.which", lambda name, path=None: uv if path is None else None)
    return install_advice("some/requirements.txt")


def test_the_command_keeps_what_is_locked_where_the_lock_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Path(__file__).parents[3] / "requirements/runtime.txt"
    uv = f"Install it: uv pip install --python {sys.executable} -c {lock} -r some/requirements.txt"
    assert advised(monkeypatch, pip=True, uv="/bin/uv") == uv
    assert advised(monkeypatch, pip=False, uv=None) == uv
    assert advised(monkeypatch, pip=True, uv=None) == (
        f"Install it: {sys.executable} -m pip install -r some/requirements.txt"
    )


def test_the_command_without_a_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("llmops_actions.platforms.local.checks.packages._LOCK", tmp_path / "none.txt")
    pip = f"Install it: {sys.executable} -m pip install -r some/requirements.txt"
    assert advised(monkeypatch, pip=True, uv="/bin/uv") == pip
    assert advised(monkeypatch, pip=False, uv="/bin/uv") == (
        f"Install it: uv pip install --python {sys.executable} -r some/requirements.txt"
    )


def test_in_the_private_environment_the_action_has_an_input_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    private = tmp_path / "llmops-0123456789abcdef"
    private.mkdir()
    (private / ".complete").touch()
    monkeypatch.setattr(sys, "prefix", str(private))
    assert install_advice("some/requirements.txt") == (
        "Give the action the input `requirements: some/requirements.txt`."
    )


def test_locked_versions_keep_the_pin_for_this_python(tmp_path: Path) -> None:
    lock = tmp_path / "runtime.txt"
    lock.write_text(
        "one==1 ; python_version < '3' \\\n    --hash=sha256:0\none==2 ; python_version >= '3' \\\n"
        "    --hash=sha256:0\nTwo_Three==3 \\\n    # via one\n",
        encoding="utf-8",
    )
    assert locked_versions(lock) == {"one": "2", "two-three": "3"}


def test_without_a_lock_the_packages_own_pins_count(tmp_path: Path) -> None:
    assert locked_versions(tmp_path / "none.txt")["promptflow"] == "1.18.5"
