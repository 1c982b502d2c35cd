"""How many rows may be in flight, and when the next one starts."""

from __future__ import annotations

import math

import pytest

from llmops_actions.platforms.local.host_limits import HostLimits, host_of
from llmops_actions.platforms.local.throttle import Throttle
from llmops_actions.platforms.ports import BulkRun, Connection, Program


def fill(throttle: Throttle, now: float) -> int:
    """Start rows until it says no."""
    started = 0
    while throttle.wait(now) == 0 and started < 1000:
        throttle.started(now)
        started += 1
    return started


def test_everything_may_run_while_nothing_is_wrong() -> None:
    throttle = Throttle(64)
    assert fill(throttle, 0.0) == 64
    assert throttle.wait(0.0) == math.inf
    throttle.ended(1, 10)
    assert throttle.wait(0.0) == 0


def test_a_429_halves_once_per_window_and_holds_starts_back() -> None:
    throttle = Throttle(64)
    fill(throttle, 0.0)
    assert throttle.throttled(0.0, 2.0)
    assert throttle.window == 32
    assert not throttle.throttled(1.0, 2.0), "the same burst"
    assert throttle.window == 32
    for _ in range(64):
        throttle.ended(1, 0)
    assert throttle.wait(1.5) == pytest.approx(1.5), "until the last pause that was asked for is over"
    assert fill(throttle, 3.0) >= 32
    assert throttle.throttled(4.0, 2.0)
    assert throttle.window == 16


def test_it_halves_what_is_in_flight_not_what_might_be() -> None:
    throttle = Throttle(64)
    for _ in range(8):
        throttle.started(0.0)
    throttle.throttled(0.0, 1.0)
    assert throttle.window == 4


def test_it_never_stops_altogether() -> None:
    throttle = Throttle(4)
    for second in range(0, 40, 2):
        throttle.throttled(float(second), 1.0)
    assert throttle.window == 1
    assert throttle.wait(100.0) == 0


def test_success_grows_it_by_one_row_for_each_window() -> None:
    throttle = Throttle(64)
    fill(throttle, 0.0)
    throttle.throttled(0.0, 1.0)
    for _ in range(33):
        throttle.ended(1, 0)
    assert throttle.window == 33
    for _ in range(31):
        throttle.ended(1, 0)
    for _ in range(5000):
        throttle.started(50.0)
        throttle.ended(1, 0)
    assert throttle.window == 64


def test_requests_per_minute_space_the_starts() -> None:
    throttle = Throttle(64, requests_per_minute=60)
    assert fill(throttle, 0.0) == 1
    assert throttle.wait(0.0) == pytest.approx(1.0)
    assert throttle.wait(0.75) == pytest.approx(0.25)
    throttle.started(1.0)
    for _ in range(2):
        throttle.ended(3, 0)
    throttle.started(2.0)
    assert throttle.wait(2.0) == pytest.approx(3.0), "each row turned out to make three calls"


def test_tokens_per_minute_space_the_starts_once_they_are_known() -> None:
    throttle = Throttle(64, tokens_per_minute=6000)
    assert fill(throttle, 0.0) == 4, "a few rows show what a row costs"
    throttle.ended(1, 1000)
    throttle.started(5.0)
    assert throttle.wait(5.0) == pytest.approx(10.0)


def test_rows_that_make_no_call_teach_nothing() -> None:
    throttle = Throttle(64, requests_per_minute=60)
    throttle.started(0.0)
    throttle.ended(0, 0)
    throttle.started(1.0)
    assert throttle.wait(1.0) == pytest.approx(1.0)


def a_run(name: str, tmp_path: object, *connections: Connection) -> BulkRun:
    program = Program("function", folder=__import__("pathlib").Path(str(tmp_path)), file="")
    by_name = {connection.name: connection for connection in connections}
    return BulkRun(name, program, [], 0, program.folder, "", by_name)


def test_the_tightest_limit_of_a_host_counts_for_all_its_runs(tmp_path: object) -> None:
    loose = Connection("loose", "AzureOpenAIConnection", {"api_base": "https://one.example/"}, requests_per_minute=600)
    tight = Connection("tight", "AzureOpenAIConnection", {"api_base": "https://one.example/x"}, requests_per_minute=60)
    other = Connection("other", "OpenAIConnection", {}, tokens_per_minute=10)
    free = Connection("free", "OpenAIConnection", {"base_url": "https://two.example"})
    limits = HostLimits([a_run("a", tmp_path, loose, tight), a_run("b", tmp_path, loose, free)], 8)
    [throttle] = limits.of("a")
    assert limits.of("b") == (throttle,)
    assert (throttle.requests_per_minute, throttle.tokens_per_minute) == (60, None)
    assert host_of(other) == "api.openai.com"
    assert limits.used(throttle, {"one.example": (3, 4), "two.example": (5, 6)}) == (3, 4)
    assert limits.used(throttle, {}) == (0, 0)
    limits.get("two.example")
    assert limits.of("b") == (throttle,)
    limits.saw("b", ["two.example"])
    assert len(limits.of("b")) == 2
    assert limits.calls("b", "two.example")
    assert not limits.calls("a", "two.example")
