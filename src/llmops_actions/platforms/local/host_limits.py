"""Which run calls which hosts, and how many rows each host bears."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from llmops_actions.platforms.local.throttle import Throttle
from llmops_actions.platforms.ports import BulkRun, Connection

_DEFAULT_HOST = "api.openai.com"


class HostLimits:
    """The throttles of all hosts. A run's hosts are those of its limited connections, and those it was seen calling."""

    def __init__(self, runs: Iterable[BulkRun], concurrency: int) -> None:
        self._concurrency = concurrency
        self._throttles: dict[str, Throttle] = {}
        self._hosts: dict[str, set[str]] = {}
        for run in runs:
            self._hosts[run.name] = set()
            for connection in run.connections.values():
                if connection.requests_per_minute or connection.tokens_per_minute:
                    self._limit(run.name, connection)

    def of(self, run: str) -> tuple[Throttle, ...]:
        """The throttles that hold for a row of ``run``."""
        hosts = self._hosts[run]
        return tuple(throttle for host, throttle in self._throttles.items() if host in hosts)

    def get(self, host: str) -> Throttle:
        """The throttle of ``host``; from now on it has one."""
        return self._throttles.setdefault(host, Throttle(self._concurrency))

    def saw(self, run: str, hosts: Iterable[str]) -> None:
        """``run`` called ``hosts``."""
        self._hosts[run].update(hosts)

    def calls(self, run: str, host: str) -> bool:
        """Whether ``run`` is known to call ``host``."""
        return host in self._hosts[run]

    def used(self, throttle: Throttle, hosts: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
        """What a row used of ``throttle``'s host: calls and tokens."""
        for host, used in hosts.items():
            if self._throttles.get(host) is throttle:
                return used
        return 0, 0

    def _limit(self, run: str, connection: Connection) -> None:
        host = host_of(connection)
        self._hosts[run].add(host)
        throttle = self.get(host)
        throttle.requests_per_minute = _tighter(throttle.requests_per_minute, connection.requests_per_minute)
        throttle.tokens_per_minute = _tighter(throttle.tokens_per_minute, connection.tokens_per_minute)


def host_of(connection: Connection) -> str:
    """The host that calls through ``connection`` go to."""
    address = connection.configs.get("api_base") or connection.configs.get("base_url") or ""
    return urlsplit(address).hostname or _DEFAULT_HOST


def _tighter(one: int | None, other: int | None) -> int | None:
    limits = [limit for limit in (one, other) if limit]
    return min(limits, default=None)
