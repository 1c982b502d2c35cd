"""The HTTP edge of the stand-in: takes requests, waits, shows faults, sends what the pure modules say."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import socket
import struct
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from llmops_actions.errors import PlatformError
from llmops_actions.platforms.local.offline_model import api_errors, bodies, statistics
from llmops_actions.platforms.local.offline_model.api_errors import ApiError
from llmops_actions.platforms.local.offline_model.bounded import LeastRecentlyUsed
from llmops_actions.platforms.local.offline_model.completions import (
    Completion,
    complete,
    cut_short,
    embedding_usage,
)
from llmops_actions.platforms.local.offline_model.faults import Fate, Fates
from llmops_actions.platforms.local.offline_model.parsing import parse_chat, parse_completion, parse_embedding
from llmops_actions.platforms.local.offline_model.routes import Operation, Route, find_route
from llmops_actions.platforms.local.offline_model.settings import STATUS_FAULTS, Settings
from llmops_actions.platforms.local.offline_model.types import Answer

STAND_IN_HEADERS = {"x-llmops-stand-in": "offline-model"}
WELCOME = """\
This is the offline model of llmops-actions: a stand-in, not a language model.
It answers OpenAI's and Azure OpenAI's chat, completion and embedding requests by fixed rules.
Numbers measured with it say nothing about a real model.
"""
GARBAGE = "<html><body><h1>It works!</h1><p>(Injected by llmops offline-model, a stand-in.)</p></body></html>"
LARGEST_BODY = 64 * 1024 * 1024
REMEMBERED_ANSWERS = 1024
LARGEST_REMEMBERED = 32 * 1024
"""A request body of more bytes is answered anew each time, which bounds the memory for remembered answers."""
IDLE_SECONDS = 3600.0
"""An idle connection stays open this long: a client must not meet a closed one that no fault has closed."""
SHUTDOWN_SECONDS = 0.1

_log = logging.getLogger(__name__)


def make_app(answer: Answer, settings: Settings) -> web.Application:
    """The server as an application; with `handler_cancellation` a request ends when its client goes."""
    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", _Service(answer, settings).handle)
    return app


async def serve(answer: Answer, settings: Settings, announce: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `announce` gets the address. Raises `PlatformError` if it cannot listen."""
    runner = web.AppRunner(
        make_app(answer, settings),
        handler_cancellation=True,
        access_log=None,
        keepalive_timeout=IDLE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise PlatformError(
                f"offline model: cannot listen on {where}: {error.strerror}; choose another port"
            ) from None
        host, port = runner.addresses[0][:2]
        announce(f"http://{host}:{port}")
        await stop.wait()
    finally:
        await runner.cleanup()


class _Service:
    def __init__(self, answer: Answer, settings: Settings) -> None:
        self._answer = answer
        self._retry_after = settings.retry_after
        self._fates = Fates(settings)
        self._counters = statistics.Counters()
        self._remembered: LeastRecentlyUsed[bytes, Completion] = LeastRecentlyUsed(REMEMBERED_ANSWERS)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        page = self._own_page(request)
        if page is not None:
            return page
        self._counters.arrived()
        try:
            response = await self._serve(request)
        except ApiError as error:
            response = self._failure(error, _is_azure(request))
        finally:
            self._counters.left()
        if response is None:
            return web.Response()  # nobody reads it: the connection is gone
        self._counters.by_status[response.status] += 1
        return response

    def _own_page(self, request: web.Request) -> web.Response | None:
        if request.method != "GET":
            return None
        if request.path == "/":
            return _respond(WELCOME.encode(), content_type="text/plain")
        if request.path == "/health":
            return _respond(b'{"status": "ok", "stand_in": true}')
        if request.path == "/stats":
            return _respond(statistics.to_json(self._counters.snapshot()).encode())
        return None

    async def _serve(self, request: web.Request) -> web.StreamResponse | None:
        """The response, or None if the connection was reset instead."""
        arrival = asyncio.get_running_loop().time()
        body = await _read(request)
        route = _route(request)
        if route.operation is Operation.MODELS:
            return _respond(bodies.models_body(route.model))
        digest = hashlib.blake2b(request.path.encode() + b"\0" + body, digest_size=16).digest()
        fate = self._fates.draw(digest)
        if fate.fault is not None:
            self._counters.by_fault[fate.fault] += 1
        if fate.fault in (None, "slow", "truncate"):
            stamp = bodies.Stamp(digest.hex(), int(time.time()))
            if route.operation is Operation.EMBEDDING:
                return await self._embed(request, route, body, fate, arrival)
            return await self._complete(request, route, body, fate, arrival, stamp)
        if fate.fault == "hang":
            await asyncio.Event().wait()
        await _until(arrival + fate.delay)
        if fate.fault == "reset":
            _reset(request)
            return None
        if fate.fault in STATUS_FAULTS:
            raise api_errors.injected(int(fate.fault), route.azure, self._retry_after)
        return _respond(GARBAGE.encode(), content_type="text/html")

    async def _complete(
        self, request: web.Request, route: Route, body: bytes, fate: Fate, arrival: float, stamp: bodies.Stamp
    ) -> web.StreamResponse:
        completion = self._completion(route, body, stamp)
        if fate.fault == "truncate":
            completion = cut_short(completion)
        await _until(arrival + fate.delay)
        self._counters.prompt_tokens += completion.usage.prompt_tokens
        self._counters.completion_tokens += completion.usage.completion_tokens
        if not completion.request.stream:
            return _respond(bodies.completion_body(completion, stamp))
        response = web.StreamResponse(headers={**STAND_IN_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in bodies.completion_events(completion, stamp):
            await response.write(event)
        await response.write_eof()
        return response

    def _completion(self, route: Route, body: bytes, stamp: bodies.Stamp) -> Completion:
        """The answer, remembered from an identical request if there was one."""
        key = bytes.fromhex(stamp.identity)
        completion = self._remembered.get(key)
        if completion is not None:
            return completion
        parse = parse_chat if route.operation is Operation.CHAT else parse_completion
        parsed = parse(body, route.deployment)
        try:
            completion = complete(parsed, self._answer)
        except Exception as error:
            raise _rule_failed(error) from error
        if len(body) <= LARGEST_REMEMBERED:
            self._remembered.put(key, completion)
        return completion

    async def _embed(
        self, request: web.Request, route: Route, body: bytes, fate: Fate, arrival: float
    ) -> web.StreamResponse:
        parsed = parse_embedding(body, route.deployment)
        usage = embedding_usage(parsed)
        content = bodies.embedding_body(parsed, usage)
        await _until(arrival + fate.delay)
        if fate.fault == "truncate":
            return await _break_off(request, content)
        self._counters.prompt_tokens += usage.prompt_tokens
        return _respond(content)

    def _failure(self, error: ApiError, azure: bool) -> web.Response:
        headers = api_errors.retry_headers(self._retry_after) if error.status == 429 else {}
        return _respond(error.body(azure).encode(), error.status, headers=headers)


def _respond(
    body: bytes,
    status: int = 200,
    content_type: str = "application/json",
    headers: dict[str, str] | None = None,
) -> web.Response:
    return web.Response(
        body=body,
        status=status,
        headers={**STAND_IN_HEADERS, "Content-Type": content_type, **(headers or {})},
    )


def _rule_failed(error: Exception) -> ApiError:
    """A 500 for the client, and for whoever maintains the rules the line that failed."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"
    _log.error("offline model: a rule failed: %s: %s", what, error)
    return ApiError(500, f"The rules of the offline model, a stand-in, failed: {what}.", "server_error")


def _is_azure(request: web.Request) -> bool:
    return request.path.startswith("/openai/")


def _route(request: web.Request) -> Route:
    """Where the request goes. Raises `ApiError` where a real service would show the door."""
    route = find_route(request.path)
    if route is None or (route.needs_api_version and not request.query.get("api-version")):
        raise api_errors.unknown_address(request.method, request.path)
    if request.method != route.operation.method:
        raise api_errors.wrong_method(route.operation.method)
    bearer = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
    if not bearer and not request.headers.get("api-key"):
        raise api_errors.missing_key(route.azure)
    return route


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        message = f"The request is larger than {LARGEST_BODY} bytes."
        raise ApiError(413, message, code="request_too_large") from None


async def _until(moment: float) -> None:
    """Wait until the event loop's clock shows this moment; not at all if it is past."""
    remaining = moment - asyncio.get_running_loop().time()
    if remaining > 0:
        await asyncio.sleep(remaining)


def _reset(request: web.Request) -> None:
    """Break the connection so that the client sees a reset, not an orderly end."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _break_off(request: web.Request, content: bytes) -> web.StreamResponse:
    """Promise the whole body, send half of it, and close the connection."""
    response = web.StreamResponse(headers={**STAND_IN_HEADERS, "Content-Type": "application/json"})
    response.content_length = len(content)
    response.force_close()
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    return response
