"""A keyring in a file, for machines without one: prompt flow keeps the key of its connection store in a keyring."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend

FILE_VARIABLE = "BENCHMARK_KEYRING_FILE"


class FileKeyring(KeyringBackend):
    """Keeps passwords readable in the file that ``BENCHMARK_KEYRING_FILE`` names: for keys that protect nothing."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write({**self._read(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        self._write({name: value for name, value in self._read().items() if name != f"{service}/{username}"})

    def _read(self) -> dict[str, str]:
        file = Path(os.environ[FILE_VARIABLE])
        if not file.exists():
            return {}
        passwords: dict[str, str] = json.loads(file.read_text())
        return passwords

    def _write(self, passwords: dict[str, str]) -> None:
        Path(os.environ[FILE_VARIABLE]).write_text(json.dumps(passwords))
