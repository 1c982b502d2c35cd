"""Keeps secrets out of what a run writes: errors, the log, and outputs.

The child knows its secrets: those of its connections, and environment variables that are named like one. A model's
answer or a traceback may carry one, and the files of a run are uploaded. Inputs stay as they are: the user wrote them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from llmops_actions.experiment.secret_names import secret_values
from llmops_actions.platforms.ports import Connection

HIDDEN = "***"
"""What stands in the place of a secret."""

_SHORTEST = 6
_SHORTEST_IN_OUTPUTS = 8
_LONG = 16
_VERY_LONG = 64
_NO_SECRETS = frozenset({"offline"})
"""What the stand-in model takes for a key."""


class Redactor:
    """Replaces ``secrets``. In outputs only those that no plain word could be: data must not change by chance."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {secret for secret in secrets if len(secret) >= _SHORTEST and secret not in _NO_SECRETS}
        self._texts = _longest_first({form for secret in known for form in (secret, _escaped(secret))})
        self._in_outputs = _longest_first({secret for secret in known if _cannot_be_a_word(secret)})
        self._needles = [_escaped(secret).encode("ascii") for secret in self._in_outputs]
        self.log_forms = [text.encode("utf-8", "surrogateescape") for text in self._texts]

    def text(self, text: str) -> str:
        """``text`` without any secret."""
        for secret in self._texts:
            text = text.replace(secret, HIDDEN)
        return text

    def is_in(self, encoded: bytes) -> bool:
        """Whether a secret may be in the JSON ``encoded``."""
        return any(needle in encoded for needle in self._needles)

    def value(self, value: Any) -> Any:
        """``value``, made of JSON's types, without secrets in its texts and names."""
        if isinstance(value, str):
            for secret in self._in_outputs:
                value = value.replace(secret, HIDDEN)
            return value
        if isinstance(value, Mapping):
            return {self.value(name): self.value(item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value

    def stream(self) -> RedactedStream:
        """For bytes that come in pieces."""
        return RedactedStream(self.log_forms)


class RedactedStream:
    """Replaces secrets in a stream of bytes, those included that two pieces share."""

    def __init__(self, secrets: list[bytes]) -> None:
        self._secrets = secrets
        self._held = b""
        self._have_line_feeds = any(b"\n" in secret for secret in secrets)

    def feed(self, data: bytes) -> bytes:
        """What can be written now; the start of what may become a secret is held back until the next piece."""
        data = self._held + data
        for secret in self._secrets:
            data = data.replace(secret, HIDDEN.encode("ascii"))
        size = self._possible_start(data)
        self._held = data[len(data) - size :]
        return data[: len(data) - size]

    def _possible_start(self, data: bytes) -> int:
        """The length of the longest end of ``data`` that a secret starts with."""
        if data.endswith(b"\n") and not self._have_line_feeds:
            return 0
        longest = 0
        for secret in self._secrets:
            for size in range(min(len(secret) - 1, len(data)), longest, -1):
                if data.endswith(secret[:size]):
                    longest = size
                    break
        return longest


def redactor_of(connections: Mapping[str, Connection], environment: Mapping[str, str]) -> Redactor:
    """Knows the secrets of ``connections`` and of ``environment``."""
    of_connections = (secret for connection in connections.values() for secret in connection.secrets.values())
    return Redactor([*of_connections, *secret_values(environment)])


def _escaped(secret: str) -> str:
    """As it stands within JSON text."""
    return json.dumps(secret)[1:-1]


def _longest_first(secrets: set[str]) -> list[str]:
    return sorted(secrets, key=lambda secret: (-len(secret), secret))


def _cannot_be_a_word(secret: str) -> bool:
    if len(secret) >= _VERY_LONG:
        return True
    if len(secret) < _SHORTEST_IN_OUTPUTS or "://" in secret or any(character.isspace() for character in secret):
        return False
    is_mixed = any(character.isdigit() for character in secret) and any(character.isalpha() for character in secret)
    return is_mixed or len(secret) >= _LONG
