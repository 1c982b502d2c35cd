"""Workflow commands: ours work, and nothing else in the log can pass for one."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TextIO

from actions_toolkit.command import Command

from llmops_actions.github.masking import Secrets
from llmops_actions.reporting.text import plain


class WorkflowLog:
    """The log of an action.

    From ``stop`` to ``resume`` the runner takes no line for a command (GitHub Docs: *Stopping and starting workflow
    commands*), whoever writes it: this process, a child of it, or a model whose answer one of them prints. Our own
    commands lift that for themselves alone. The token that does it is new each time and goes into nothing else.
    """

    def __init__(self, stream: TextIO, new_token: Callable[[], str] = lambda: secrets.token_hex(16)) -> None:
        self.stream = stream
        self._new_token = new_token
        self._token: str | None = None
        self._secrets = Secrets()
        self._grouped = False

    def mask(self, found: Secrets) -> None:
        """Have the runner mask ``found`` in all that follows, whoever writes it; and leave it out ourselves."""
        self._secrets = found
        for value in found.lines():
            self._emit(_command("add-mask", value))

    def redact(self, text: str) -> str:
        """``text`` without the secrets."""
        return self._secrets.redact(text)

    def stop(self) -> None:
        """Let the runner take no line for a command, until ``resume``."""
        self._token = self._new_token()
        self._emit(_command("stop-commands", self._token))

    def resume(self) -> None:
        """Let the runner take commands again."""
        if self._token is not None:
            self._emit(f"::{self._token}::\n")
            self._token = None

    def line(self, text: str) -> None:
        """Write text. Before ``stop`` only what cannot be taken for a command may be written: ours alone."""
        self._emit(f"{self._clean(text)}\n")

    def command(self, name: str, message: str = "", **properties: str) -> None:
        """Issue a command; ``message`` and ``properties`` may hold anything."""
        cleaned = {key: self._clean(value) for key, value in properties.items()}
        text = _command(name, self._clean(message), **cleaned)
        if self._token is None:
            self._emit(text)
            return
        old, self._token = self._token, self._new_token()
        # In one write, so that no line of a child comes between.
        self._emit(f"::{old}::\n{text}{_command('stop-commands', self._token)}")

    def group(self, title: str) -> None:
        """Start a group of lines that folds; ends the one before."""
        self.end_group()
        self.command("group", title)
        self._grouped = True

    def end_group(self) -> None:
        """End the group, if one is open."""
        if self._grouped:
            self.command("endgroup")
            self._grouped = False

    def _clean(self, text: str) -> str:
        # The runner finds `##[` in the middle of a line too, and the log's page paints what follows it.
        return self.redact(plain(text)).replace("##[", "#\N{ZERO WIDTH SPACE}#[")

    def _emit(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def _command(name: str, message: str, **properties: str) -> str:
    return f"{Command(name, properties, message)}\n"
