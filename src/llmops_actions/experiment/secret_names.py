"""Which values are secrets, as their names tell: they never count in a fingerprint and never reach a file."""

from __future__ import annotations

import re
from collections.abc import Mapping

_SECRET = re.compile(
    r"(key|token|secret|password|passwd|passphrase|credentials?|connection_?string|[_-]pwd|[_-]sas|[_-]pat)$",
    re.IGNORECASE,
)


def is_secret(name: str, value: object) -> bool:
    """Whether ``name`` is that of a secret and ``value`` can be one: text, and no number (``max_token: 256``)."""
    return isinstance(value, str) and bool(_SECRET.search(name)) and not value.isdigit()


def secret_values(variables: Mapping[str, str]) -> list[str]:
    """The values that are secrets, the longest first, so that none is replaced in part. Too short ones are left out."""
    found = {value for name, value in variables.items() if is_secret(name, value) and len(value) > 5}
    return sorted(found, key=len, reverse=True)
