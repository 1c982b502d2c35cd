"""Makes the private environment of the actions, or finds it made. Standard library only; any Python 3 can start it.

Below one folder (in the runner's tool cache, else in its temporary folder) there are

- ``uv-<key>``: uv, by hash;
- ``locked-<key>``: the locked requirements, by hash, with byte-code;
- ``llmops-<key>``: a thin environment over it with our own package and, where a flow asks, its requirements. Its
  interpreter is what the actions run.

Each key is a digest of everything that went in, so that a folder never changes once it is complete (it then holds
``.complete``). One process at a time builds.
"""

# ruff: noqa: INP001 - a script, not a module of a package

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src" / "llmops_actions"
LOCK = REPOSITORY / "requirements" / "runtime.txt"
UV_LOCK = REPOSITORY / "requirements" / "uv.txt"
COMPLETE = ".complete"
SUPPORTED = ((3, 10), (3, 11), (3, 12))
IDENTIFY = (
    "import json, platform, sys;"
    "print(json.dumps([list(sys.version_info[:2]), sys.version, sys.base_prefix, platform.machine(), sys.executable]))"
)
# What the consumer's job may have set for its own Python, pip and uv, and would lead ours astray.
FOREIGN = re.compile(
    r"PYTHON|VIRTUAL_ENV$|CONDA_PREFIX$|PIP_(TARGET|PREFIX|USER|ROOT|REQUIRE_VIRTUALENV|CONSTRAINT|PYTHON|REQUIREMENT)$"
    r"|UV_(PYTHON|PROJECT|SYSTEM|TARGET|PREFIX|CONSTRAINT|OVERRIDE|BUILD_CONSTRAINT|NO_|REQUIRE|OFFLINE_|EXTRA$|GROUP)"
)


class SetupError(Exception):
    """The environment cannot be made; the message says why, and what to do."""


def main() -> int:
    """Make or find the environment, and tell the runner where its Python is; returns the exit code."""
    try:
        if os.name == "nt":
            raise SetupError("These actions run on Linux and macOS. Choose such a runner.")
        interpreter = environment(os.environ)
    except (SetupError, OSError) as error:
        text = str(error).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        say(f"::error title=llmops setup::{text}")
        return 3
    write_output("interpreter", interpreter)
    return 0


def environment(environ: Mapping[str, str]) -> str:
    """The path of the environment's Python, made if need be."""
    python, identity = choose_python(environ)
    home = find_home(environ)
    requirements = find_requirements(environ)
    locked = home / f"locked-{digest(identity, UV_LOCK.read_bytes(), LOCK.read_bytes())}"
    ours = home / f"llmops-{digest(locked.name, package_digest(), *requirement_contents(requirements))}"
    if not (ours / COMPLETE).exists():
        with alone(home / ".lock"):
            if not (ours / COMPLETE).exists():
                uv = make_uv(home / f"uv-{digest(identity, UV_LOCK.read_bytes())}", python)
                make_locked(locked, python, uv)
                make_ours(ours, locked, python, uv, requirements)
    return str(ours / "bin" / "python")


def choose_python(environ: Mapping[str, str]) -> tuple[str, str]:
    """The Python to use, and all that tells it from another one."""
    asked = environ.get("INPUT_PYTHON", "").strip()
    found = []
    for candidate in [asked] if asked else candidates(environ):
        identity = identify(candidate)
        if identity is None:
            continue
        version, *about, executable = identity
        if tuple(version) in SUPPORTED:
            return executable, json.dumps(about)
        found.append("{} is {}.{}".format(candidate, *version))
    seen = "; ".join(found) or (f"`{asked}` does not run" if asked else "none runs")
    raise SetupError(
        f"Python 3.10, 3.11 or 3.12 is needed: {seen}. Put actions/setup-python before this action, or name one with "
        "the input `python`."
    )


def candidates(environ: Mapping[str, str]) -> list[str]:
    """Where a Python may be: the one in use, others on the PATH, then the runner's tool cache."""
    names = ["python3", *("python{}.{}".format(*version) for version in reversed(SUPPORTED))]
    on_path = [path for path in map(shutil.which, names) if path]
    cache = Path(environ.get("RUNNER_TOOL_CACHE") or os.devnull) / "Python"
    cached = [sorted(cache.glob("{}.{}.*/*/bin/python3".format(*version))) for version in reversed(SUPPORTED)]
    return [*on_path, *(str(paths[-1]) for paths in cached if paths)]


def identify(python: str) -> list[Any] | None:
    """Version, build, prefix, machine and path of ``python``; ``None`` if it does not run."""
    try:
        output = subprocess.run([python, "-I", "-S", "-c", IDENTIFY], check=True, capture_output=True, text=True).stdout
        return list(json.loads(output))
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def find_home(environ: Mapping[str, str]) -> Path:
    """The folder for everything that is made: the tool cache, which outlives a job, else the temporary folder."""
    for name in ("RUNNER_TOOL_CACHE", "RUNNER_TEMP"):
        if environ.get(name):
            home = Path(environ[name]).absolute() / "llmops-actions"
            with contextlib.suppress(OSError):
                home.mkdir(parents=True, exist_ok=True)
                if os.access(home, os.W_OK):
                    return home
    raise SetupError("Neither RUNNER_TOOL_CACHE nor RUNNER_TEMP is a folder that can be written to.")


def find_requirements(environ: Mapping[str, str]) -> Path | None:
    """The file that the input ``requirements`` names, from the workspace."""
    asked = environ.get("INPUT_REQUIREMENTS", "").strip()
    if not asked:
        return None
    file = Path(environ.get("GITHUB_WORKSPACE") or os.curdir, asked).absolute()
    if not file.is_file():
        raise SetupError(f"The requirements file `{asked}` does not exist in the workspace.")
    return file


def requirement_contents(file: Path | None) -> list[bytes]:
    """The content of a requirements file and of those that it names."""
    contents: list[bytes] = []
    waiting = [file] if file else []
    seen: set[Path] = set()
    while waiting:
        current = waiting.pop()
        if current in seen or not current.is_file():
            continue
        seen.add(current)
        contents.append(current.read_bytes())
        nested = re.findall(rb"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", contents[-1], re.MULTILINE)
        waiting.extend(current.parent / os.fsdecode(name) for name in nested)
    return contents


def package_digest() -> str:
    """A digest of our own package: names and contents of its files."""
    files = sorted(path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    parts = [part for file in files for part in (str(file.relative_to(PACKAGE)), file.read_bytes())]
    return digest(*parts)


def digest(*parts: str | bytes) -> str:
    """A short digest; where one part ends and the next begins counts too."""
    total = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        total.update(f"{len(content)}:".encode() + content)
    return total.hexdigest()[:16]


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold ``lock``; it falls with the process, however that ends."""
    import fcntl

    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another job on this machine makes an environment; waiting for it.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def building(folder: Path) -> Iterator[None]:
    """An empty ``folder`` to fill; it is complete when the block ends without an exception."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield
    (folder / COMPLETE).touch()


def make_uv(folder: Path, python: str) -> str:
    """uv, from PyPI by hash."""
    uv = folder / "bin" / "uv"
    if not (folder / COMPLETE).exists():
        with building(folder):
            run(
                "A virtual environment (on Debian and Ubuntu: apt-get install python3-venv)",
                python,
                "-m",
                "venv",
                folder,
            )
            pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-input", "--no-compile"]
            run("uv", *pip, "--disable-pip-version-check", "--require-hashes", "-r", UV_LOCK)
    return str(uv)


def make_locked(folder: Path, python: str, uv: str) -> None:
    """The locked requirements, with byte-code: without it every import takes three times as long."""
    if (folder / COMPLETE).exists():
        return
    with building(folder):
        run("The environment", uv, "venv", "--quiet", "--no-project", "--allow-existing", "--python", python, folder)
        install = [uv, "pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", folder]
        run("The locked packages", *install, LOCK)


def make_ours(folder: Path, locked: Path, python: str, uv: str, requirements: Path | None) -> None:
    """Our package, and what a flow asks for, over the locked packages."""
    with building(folder):
        run("The environment", uv, "venv", "--quiet", "--no-project", "--allow-existing", "--python", python, folder)
        packages = site_packages(folder)
        (packages / "locked.pth").write_text(f"{site_packages(locked)}\n", encoding="utf-8")
        shutil.copytree(PACKAGE, packages / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
        interpreter = folder / "bin" / "python"
        run("The byte-code", interpreter, "-m", "compileall", "-q", packages / PACKAGE.name)
        if requirements:
            install = [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", interpreter]
            run("The flow's requirements, beside ours,", *install, "--constraint", LOCK, "-r", requirements)


def site_packages(folder: Path) -> Path:
    """Where an environment has its packages."""
    return next((folder / "lib").glob("python3.*")) / "site-packages"


def run(what: str, *command: object) -> None:
    """Run a command away from the workspace, so that none of its settings apply."""
    environ = {name: value for name, value in os.environ.items() if not FOREIGN.match(name)}
    words = [str(word) for word in command]
    result = subprocess.run(
        words,
        env=environ,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise SetupError(f"{what} could not be made:\n{(result.stderr or result.stdout).strip()[-3000:]}")


def say(line: str) -> None:
    """Write a line to the log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def write_output(name: str, value: str) -> None:
    """Set an output, between delimiters that nobody knows beforehand."""
    delimiter = uuid.uuid4().hex
    file = os.environ.get("GITHUB_OUTPUT")
    if file:
        with Path(file).open("a", encoding="utf-8") as output:
            output.write(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    say(f"{name}: {value}")


if __name__ == "__main__":
    sys.exit(main())
