"""How many rows may be in flight towards one host, and when the next may start.

The window of rows halves on a 429 and grows by one row for each window of rows that ended without one (additive
increase, multiplicative decrease: Chiu and Jain 1989). Known limits per minute space the starts by what rows have used
so far. Pure: the time is an argument, in seconds on any steady clock.
"""

from __future__ import annotations

_MINUTE = 60.0
_SHORTEST_WINDOW = 1.0
_ROWS_BEFORE_TOKENS_ARE_KNOWN = 4


class Throttle:
    """The limits of one host. ``most``: rows in flight when nothing is wrong."""

    def __init__(self, most: int, requests_per_minute: int | None = None, tokens_per_minute: int | None = None) -> None:
        self.most = most
        self.requests_per_minute = requests_per_minute
        self.tokens_per_minute = tokens_per_minute
        self.in_flight = 0
        self._window = float(most)
        self._halved_until = float("-inf")
        self._closed_until = float("-inf")
        self._next_start = float("-inf")
        self._rows = 0
        self._calls = 0
        self._tokens = 0
        self._started = 0

    @property
    def window(self) -> int:
        """Rows allowed in flight."""
        return max(1, int(self._window))

    def wait(self, now: float) -> float:
        """Seconds until another row may start: 0 now, infinity while one must end first."""
        if self.in_flight >= self.window:
            return float("inf")
        if self.tokens_per_minute and not self._rows and self._started >= _ROWS_BEFORE_TOKENS_ARE_KNOWN:
            return float("inf") if self.in_flight else 0.0
        return max(0.0, self._closed_until - now, self._next_start - now)

    def started(self, now: float) -> None:
        """A row starts."""
        self.in_flight += 1
        self._started += 1
        self._next_start = max(now, self._next_start) + self._spacing()

    def ended(self, calls: int, tokens: int) -> None:
        """A row ended after ``calls`` calls with ``tokens`` tokens to this host."""
        self.in_flight -= 1
        if calls:
            self._rows += 1
            self._calls += calls
            self._tokens += tokens
        self._window = min(float(self.most), self._window + 1.0 / self._window)

    def throttled(self, now: float, seconds: float) -> bool:
        """The host answered 429 and asks for a pause of ``seconds``; whether the window became smaller by it."""
        self._closed_until = max(self._closed_until, now + seconds)
        if now < self._halved_until:
            return False
        self._halved_until = now + max(_SHORTEST_WINDOW, seconds)
        before = self.window
        self._window = max(1.0, min(self._window, float(max(1, self.in_flight))) / 2.0)
        return self.window < before

    def _spacing(self) -> float:
        """Seconds between two starts that keep the known limits, at what a row has used on average."""
        calls = self._calls / self._rows if self._rows else 1.0
        tokens = self._tokens / self._rows if self._rows else 0.0
        by_requests = calls * _MINUTE / self.requests_per_minute if self.requests_per_minute else 0.0
        by_tokens = tokens * _MINUTE / self.tokens_per_minute if self.tokens_per_minute else 0.0
        return max(by_requests, by_tokens)
