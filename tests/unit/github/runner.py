"""What GitHub's runner makes of a log: a second, independent reading of workflow commands for the tests.

After ``ActionCommand`` and ``ActionCommandManager`` of the public runner: `::` at the start of a line, `##[` anywhere
in it, a stop token, and the order in which the escapes are undone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

KNOWN = {"add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "internal-set-repo-path"}
KNOWN |= {"notice", "remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"}
DATA = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
PROPERTY = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


@dataclass(frozen=True)
class Issued:
    name: str
    message: str
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class Read:
    """The commands that took effect, and the lines that stayed text."""

    commands: list[Issued] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def named(self, *names: str) -> list[Issued]:
        return [command for command in self.commands if command.name in names]

    @property
    def annotations(self) -> list[Issued]:
        return self.named("error", "warning", "notice")


def read_log(log: str) -> Read:
    read = Read()
    known, token = set(KNOWN), None
    for line in re.split(r"\r\n|\r|\n", log):
        command = _parse(line, known)
        if token is not None:
            if command is not None and command.name == token:
                token = None
            else:
                read.text.append(line)
        elif command is None:
            read.text.append(line)
        elif command.name == "stop-commands":
            token = command.message
            known.add(token)
        else:
            read.commands.append(command)
    assert token is None, "commands are still stopped at the end"
    return read


def _parse(line: str, known: set[str]) -> Issued | None:
    stripped = line.lstrip()
    second = stripped.find("::", 2)
    if stripped.startswith("::") and second > 0:
        return _issued(stripped[2:second], ",", stripped[second + 2 :], known)
    start = line.find("##[")
    end = line.find("]", start)
    if start >= 0 and end >= 0:
        return _issued(line[start + 3 : end], ";", line[end + 1 :], known)
    return None


def _issued(head: str, separator: str, data: str, known: set[str]) -> Issued | None:
    name, _, rest = head.partition(" ")
    if name.lower() not in known:
        return None
    pairs = [part.split("=", 1) for part in rest.strip().split(separator) if "=" in part]
    properties = {key: _unescape(value, PROPERTY) for key, value in pairs if value}
    return Issued(name.lower(), _unescape(data, DATA), properties)


def _unescape(text: str, escapes: tuple[tuple[str, str], ...]) -> str:
    for escape, character in escapes:
        text = text.replace(escape, character)
    return text


def read_outputs(file: Path) -> dict[str, str]:
    """The outputs in a file, as the runner reads it."""
    outputs = {}
    lines = iter(file.read_bytes().decode("utf-8").split("\n"))
    for line in lines:
        if not line:
            continue
        name, delimiter = line.split("<<", 1)
        value = []
        for part in lines:
            if part == delimiter:
                break
            value.append(part)
        else:
            raise AssertionError(f"{name} has no end")
        assert name not in outputs
        outputs[name] = "\n".join(value)
    return outputs
