"""The stand-in below the level of any client: addresses, keys, broken connections, many connections."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from tests.integration.offline_model_server import running, statistics_of, wait_for

from llmops_actions.platforms.local.offline_model import server
from llmops_actions.platforms.local.offline_model.settings import Settings

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello"}]})
KEY = {"Authorization": "Bearer any"}
CHAT = "/v1/chat/completions"
AZURE_CHAT = "/openai/deployments/gpt-4o/chat/completions"


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def error(self) -> dict[str, object]:
        parsed: dict[str, dict[str, object]] = json.loads(self.text)
        return parsed["error"]


def send(url: str, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None) -> Reply:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode())
    finally:
        connection.close()


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=20)


def raw_request(body: str = BODY) -> bytes:
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer any\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body.encode()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.mark.parametrize("headers", [KEY, {"api-key": "any"}])
def test_any_key_opens_the_door(url: str, headers: dict[str, str]) -> None:
    assert send(url, "POST", CHAT, BODY, headers).status == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"api-key": ""}])
def test_without_a_key_the_door_stays_shut(url: str, headers: dict[str, str]) -> None:
    plain = send(url, "POST", CHAT, BODY, headers)
    azure = send(url, "POST", f"{AZURE_CHAT}?api-version=1", BODY, headers)
    assert (plain.status, plain.error["type"]) == (401, "invalid_request_error")
    assert (azure.status, azure.error["code"]) == (401, "401")


def test_an_unknown_address_is_refused_in_the_form_of_its_service(url: str) -> None:
    plain = send(url, "POST", "/v1/responses", BODY, KEY)
    azure = send(url, "POST", "/openai/deployments/gpt-4o/responses?api-version=1", BODY, KEY)
    assert (plain.status, plain.error["type"]) == (404, "invalid_request_error")
    assert (azure.status, azure.error["code"]) == (404, "404")
    assert "stand-in" in str(plain.error["message"])


def test_azure_needs_an_api_version(url: str) -> None:
    assert send(url, "POST", AZURE_CHAT, BODY, KEY).status == 404
    assert send(url, "POST", f"{AZURE_CHAT}?api-version=2024-10-21", BODY, KEY).status == 200


def test_a_chat_cannot_be_fetched(url: str) -> None:
    reply = send(url, "GET", CHAT, headers=KEY)
    assert (reply.status, reply.error["code"]) == (405, "method_not_supported")


def test_a_body_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "LARGEST_BODY", 100)
    with running() as url:
        reply = send(url, "POST", CHAT, json.dumps({"x": "x" * 200}), KEY)
    assert (reply.status, reply.error["code"]) == (413, "request_too_large")


def test_a_person_is_told_what_this_is(url: str) -> None:
    page = send(url, "GET", "/")
    assert "a stand-in, not a language model" in page.text
    assert page.headers["x-llmops-stand-in"] == "offline-model"
    assert json.loads(send(url, "GET", "/health").text) == {"status": "ok", "stand_in": True}


def test_its_own_pages_are_not_counted() -> None:
    with running() as url:
        for path in ("/", "/health", "/stats"):
            assert send(url, "GET", path).status == 200
        assert statistics_of(url).requests == 0
        assert send(url, "POST", "/", BODY).status == 404
        assert statistics_of(url).requests == 1


def test_an_answer_takes_the_latency() -> None:
    with running(Settings(latency=0.1)) as url:
        begin = time.monotonic()
        assert send(url, "POST", CHAT, BODY, KEY).status == 200
        assert time.monotonic() - begin >= 0.1


def test_a_reset_is_a_reset_and_not_an_orderly_end() -> None:
    with running(Settings(faults={"reset": 1.0})) as url:
        with connect(url) as connection:
            connection.sendall(raw_request())
            with pytest.raises(ConnectionResetError):
                connection.recv(1)
        counted = wait_for(url, lambda now: now.in_flight == 0)
    assert (counted.by_fault, counted.by_status) == ({"reset": 1}, {})


def test_a_hanging_request_ends_when_its_client_loses_patience() -> None:
    with running(Settings(faults={"hang": 1.0})) as url:
        client = OpenAI(base_url=url, api_key="any", max_retries=0, timeout=0.2)
        with client, pytest.raises(openai.APITimeoutError):
            client.completions.create(model="m", prompt="Hello")
        counted = wait_for(url, lambda now: now.requests == 1 and now.in_flight == 0)
    assert (counted.requests, counted.by_fault, counted.by_status) == (1, {"hang": 1}, {})


def test_many_hanging_requests_are_counted_as_in_flight_and_do_not_delay_the_end() -> None:
    async def hang(url: str) -> None:
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            tasks = [
                asyncio.create_task(client.embeddings.create(model="m", input=str(number))) for number in range(300)
            ]
            await asyncio.to_thread(wait_for, url, lambda now: now.in_flight == 300)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    with running(Settings(faults={"hang": 1.0})) as url:
        asyncio.run(hang(url))
        assert wait_for(url, lambda now: now.in_flight == 0).max_in_flight == 300
        left_behind = connect(url)
        left_behind.sendall(raw_request())
        wait_for(url, lambda now: now.in_flight == 1)
    with left_behind:
        assert left_behind.recv(1) == b""


def test_five_hundred_and_twelve_connections_are_held_and_kept_alive() -> None:
    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(raw_request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        return head[9:12]

    async def ask_all(port: int) -> list[bytes]:
        connections = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(512)))
        rounds = [await asyncio.gather(*(ask(*connection) for connection in connections)) for _ in range(3)]
        for _, writer in connections:
            writer.close()
        return [status for answered in rounds for status in answered]

    with running() as url:
        assert asyncio.run(ask_all(urlsplit(url).port or 0)) == [b"200"] * 512 * 3
