"""The stand-in as a process: how it starts, says so, refuses, and ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import OpenAI, RateLimitError

from llmops_actions.errors import PlatformError, UsageError
from llmops_actions.platforms.local.offline_model import process
from llmops_actions.platforms.local.offline_model.process import MODULE, start
from llmops_actions.platforms.local.offline_model.settings import Settings

COMMAND = [sys.executable, "-m", MODULE]
PARENT = f"""
import sys
from {MODULE}.process import start
from {MODULE}.settings import Settings
with start(Settings()) as model:
    print(model.url, flush=True)
    sys.stdin.read()
"""


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=20)


def has_ended(connection: socket.socket) -> bool:
    """Wait for the other end to close: a process that ends closes all it holds."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@contextmanager
def listening(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [*COMMAND, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stdout is not None
            announcement = json.loads(child.stdout.readline())
            assert (announcement["pid"], announcement["stand_in"]) == (child.pid, True)
            yield child, announcement["url"]
        finally:
            child.kill()


def test_it_starts_answers_counts_and_ends() -> None:
    faults = {"429": 0.0, "slow": 0.0}
    with start(Settings(latency=0.001, jitter=0.5, faults=faults, seed=7, retry_after=0.25)) as model:
        assert model.pid != os.getpid()
        assert urlsplit(model.url).hostname == "127.0.0.1"
        with OpenAI(base_url=f"{model.url}/v1", api_key="any", max_retries=0) as client:
            completion = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "What is the capital of France?"}]
            )
        assert completion.choices[0].message.content
        assert model.stats().by_status == {200: 1}
        connection = connect(model.url)
    with connection:
        assert has_ended(connection)
    model.stop()
    with pytest.raises(PlatformError, match="does not answer"):
        model.stats()


def test_every_setting_reaches_the_process() -> None:
    with start(Settings(faults={"429": 1.0}, retry_after=0.25)) as model:
        client = OpenAI(base_url=model.url, api_key="any", max_retries=0)
        with client, pytest.raises(RateLimitError, match=r"retry after 0\.25 seconds"):
            client.embeddings.create(model="m", input="Hello")
        assert model.stats().by_fault == {"429": 1}


def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    with start(Settings()) as model:
        port = urlsplit(model.url).port
        assert port is not None
        with pytest.raises(PlatformError, match=f"cannot listen on 127.0.0.1:{port}"):
            start(Settings(port=port))


def test_a_process_that_is_too_slow_to_start_is_ended() -> None:
    with pytest.raises(PlatformError, match="did not listen within 0 s"):
        start(Settings(), deadline=0)


def test_a_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "STOP_SECONDS", 0.1)
    with start(Settings()) as model, connect(model.url) as connection:
        os.kill(model.pid, signal.SIGSTOP)
        model.stop()
        assert has_ended(connection)


def test_a_start_that_is_interrupted_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    def interrupt(child: subprocess.Popen[str], deadline: float) -> str:
        started.append(child)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_first_line", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(Settings())
    assert [child.returncode for child in started] == [0]


def test_nothing_in_the_working_directory_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "aiohttp", "llmops_actions"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working directory')\n")
    monkeypatch.chdir(tmp_path)
    with start(Settings()) as model:
        assert model.stats().requests == 0


def test_it_ends_when_its_parent_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        with connect(parent.stdout.readline().strip()) as connection:
            parent.kill()
            assert has_ended(connection)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(number: signal.Signals) -> None:
    with listening() as (child, url):
        with connect(url) as connection:
            child.send_signal(number)
            assert has_ended(connection)
        _, said = child.communicate(timeout=20)
    assert child.returncode == 0
    assert "a rule-based stand-in, not a language model" in said
    assert "Traceback" not in said


def test_it_ends_with_its_standard_input_if_told_to() -> None:
    with listening("--until-stdin-closes") as (child, url), connect(url) as connection:
        assert child.stdin is not None
        child.stdin.close()
        assert has_ended(connection)
        assert child.wait(20) == 0


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--fault", "boom=0.1"], 2, "unknown fault 'boom'"),
        (["--latency", "-1"], 2, "latency"),
        (["--latency", "long"], 2, "invalid float value"),
    ],
)
def test_wrong_words_are_refused_without_a_traceback(options: list[str], code: int, complaint: str) -> None:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == code
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_settings_are_checked_before_a_process_is_started() -> None:
    with pytest.raises(UsageError):
        start(Settings(faults={"boom": 0.1}))


def test_the_parent_imports_no_server() -> None:
    check = f"import sys, {MODULE}.process; print([name for name in ('aiohttp', 'openai') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
