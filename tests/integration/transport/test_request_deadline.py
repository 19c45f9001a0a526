"""Time limits for servers, proxies and name servers that do not respond, or respond too slowly."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from packagex_async import (
    AsyncPackageX,
    ConnectionFailedError,
    Export,
    PackageXError,
    RequestTimeoutError,
    RetryPolicy,
    StalledError,
    StorageUnreachableError,
)
from packagex_async.retry import SystemClock
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.server import Connection, Handler, Security, Server, forever
from tests.time_limits import LIMITED, TimeLimits

ONCE = RetryPolicy(attempts=1)
SHORT = 0.05
LONGER = SHORT * 5
VERY_LONG = TIMEOUT_SECONDS * 100

FIRST_RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"data":{"id":"exp_1"}}'

Ask = Callable[[AsyncPackageX, str], Awaitable[object]]


async def retrieve(px: AsyncPackageX, _: str) -> object:
    return await px.exports.retrieve("exp_1")


async def stream(px: AsyncPackageX, url: str) -> object:
    async with px.exports.stream(Export(id="exp_1", csv_url=f"{url}/a"), "csv") as body:
        return b"".join([block async for block in body])


async def send_slowly(connection: Connection, text: bytes) -> None:
    """Send one byte at a time without end, so that each single wait is short."""
    while True:
        for place in range(len(text)):
            await connection.send(text[place : place + 1])
            await yield_to_event_loop()


async def send_endlessly(connection: Connection, text: bytes) -> None:
    """Send without end, as fast as possible."""
    while True:
        await connection.send(text * 1000)


async def wait_forever(connection: Connection) -> None:
    await forever()


async def slow_head(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await connection.send(b"x")
        await asyncio.sleep(SHORT / 5)


async def slow_interim_responses(connection: Connection) -> None:
    await send_slowly(connection, b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")


async def endless_interim_responses(connection: Connection) -> None:
    await send_endlessly(connection, b"HTTP/1.1 100 Continue\r\n\r\n")


HEADS = [wait_forever, slow_head, slow_interim_responses, endless_interim_responses]


@pytest.mark.parametrize("head", HEADS)
async def test_head_of_a_storage_host_is_limited_by_stall_timeout(security: Security, head: Handler) -> None:
    """Even if bytes keep arriving."""
    async with _client(head, security, timeout=VERY_LONG, stall_timeout=SHORT) as (px, url):
        with pytest.raises(StalledError, match=f"no response within {SHORT:g} seconds"):
            await stream(px, url)


@pytest.mark.parametrize("head", HEADS)
async def test_response_of_the_api_is_limited_by_timeout(security: Security, head: Handler) -> None:
    """The complete response."""
    async with _connected_client(head, security, timeout=SHORT, stall_timeout=VERY_LONG) as (px, url):
        with pytest.raises(RequestTimeoutError, match="no response within"):
            await retrieve(px, url)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def slow_extension(connection: Connection) -> None:
    await connection.send(CHUNKED, b"5;name=")
    await send_slowly(connection, b"x")


async def endless_extension(connection: Connection) -> None:
    await connection.send(CHUNKED, b"5;name=")
    await send_endlessly(connection, b"x")


async def slow_trailer(connection: Connection) -> None:
    await connection.send(CHUNKED, b"0\r\nX-Trailer: ")
    while True:
        await connection.send(b"x")
        await asyncio.sleep(SHORT / 5)


async def silence_before_the_last_chunk(connection: Connection) -> None:
    await connection.send(CHUNKED)
    await forever()


async def silence_within_a_body(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello")
    await forever()


BODIES = [
    slow_extension,
    endless_extension,
    slow_trailer,
    silence_before_the_last_chunk,
    silence_within_a_body,
]


@pytest.mark.parametrize("body", BODIES)
async def test_framing_of_a_body_is_not_progress(
    security: Security, limits: TimeLimits, body: Handler
) -> None:
    """`stall_timeout` applies if only framing arrives."""
    async with _client(body, security, **LIMITED) as (px, url):
        async with px.exports.stream(Export(id="exp_1", csv_url=f"{url}/a"), "csv") as content:
            ending = asyncio.create_task(_end_after_some_framing(limits))
            with pytest.raises(StalledError, match="the body stalled"):
                [block async for block in content]
            await ending


@pytest.mark.parametrize("body", BODIES)
async def test_framing_of_a_body_of_the_api_is_limited_by_timeout(security: Security, body: Handler) -> None:
    """It is not a response."""
    async with _connected_client(body, security, timeout=SHORT, stall_timeout=VERY_LONG) as (px, url):
        with pytest.raises(RequestTimeoutError, match="no response within"):
            await retrieve(px, url)


async def test_endless_trailers_are_an_error(security: Security) -> None:
    """They are not collected in memory."""

    async def trailers(connection: Connection) -> None:
        await connection.send(CHUNKED, b"0\r\n")
        await send_endlessly(connection, b"X-Trailer: x\r\n")

    async with _client(trailers, security, timeout=VERY_LONG, stall_timeout=VERY_LONG) as (px, url):
        with pytest.raises(PackageXError):
            await stream(px, url)


async def test_slow_error_response_is_limited_by_stall_timeout(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error contains the status. Each wait takes five seconds on the clock of the client."""
    times = itertools.count(step=5)
    monkeypatch.setattr(SystemClock, "monotonic", lambda _: next(times))

    async def refusal(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\n")
        await send_slowly(connection, b"x")

    async with _client(refusal, security, timeout=VERY_LONG, stall_timeout=20) as (px, url):
        with pytest.raises(PackageXError, match="answered 403"):
            await stream(px, url)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_silent_proxy_is_a_timeout(ask: Ask) -> None:
    """It accepts the connection, but does not respond."""
    async with Server(wait_forever) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "timeout": SHORT, "retry": ONCE}
        await _expect_connect_timeout(ask, "https://storage.example", **options)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_slow_proxy_is_a_timeout(ask: Ask) -> None:
    """The head of its response does not end."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await slow_head(connection)

    async with Server(handler) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "timeout": SHORT, "retry": ONCE}
        await _expect_connect_timeout(ask, "https://storage.example", **options)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_silent_tunnel_is_a_timeout(ask: Ask) -> None:
    """The proxy has opened it, but the host does not respond to the TLS handshake."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await forever()

    async with Server(handler) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "timeout": SHORT, "retry": ONCE}
        await _expect_connect_timeout(ask, "https://storage.example", **options)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_silent_tls_handshake_is_a_timeout(ask: Ask) -> None:
    """The server accepts the connection, but does not respond."""
    async with Server(wait_forever) as server:
        url = server.url.replace("http:", "https:")
        await _expect_connect_timeout(ask, url, base_url=url, timeout=SHORT, retry=ONCE)


class SilentResolver(AbstractResolver):
    """A resolver that does not respond."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        await forever()
        raise AssertionError

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_silent_name_server_is_a_timeout(ask: Ask) -> None:
    """No request is sent."""
    async with aiohttp.TCPConnector(resolver=SilentResolver()) as connector:
        options: dict[str, Any] = {"connector": connector, "timeout": SHORT, "retry": ONCE}
        await _expect_connect_timeout(ask, "https://storage.example", **options)


@asynccontextmanager
async def _client(
    handler: Handler, security: Security, **options: Any
) -> AsyncIterator[tuple[AsyncPackageX, str]]:
    """Yield a client of a server that runs `handler` after each request, and the URL of the server."""

    async def handle(connection: Connection) -> None:
        await connection.request()
        await handler(connection)

    async with asyncio.timeout(TIMEOUT_SECONDS), Server(handle, security.server) as server:
        async with AsyncPackageX("key", **_options(server, security), **options) as px:
            yield px, server.url


@asynccontextmanager
async def _connected_client(
    handler: Handler, security: Security, **options: Any
) -> AsyncIterator[tuple[AsyncPackageX, str]]:
    """Yield a client with an open connection, so that the next time limit is not the limit for connecting."""

    async def handle(connection: Connection) -> None:
        await connection.request()
        await connection.send(FIRST_RESPONSE)
        await connection.request()
        await handler(connection)

    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        Server(handle, security.server) as server,
        aiohttp.TCPConnector() as connector,
    ):
        shared: dict[str, Any] = {**_options(server, security), "connector": connector}
        async with AsyncPackageX("key", timeout=VERY_LONG, **shared) as px:
            await retrieve(px, server.url)
        async with AsyncPackageX("key", **shared, **options) as px:
            yield px, server.url
        assert server.connections == 1


def _options(server: Server, security: Security) -> dict[str, Any]:
    return {"base_url": server.url, "ssl": security.client, "retry": ONCE}


async def _end_after_some_framing(limits: TimeLimits) -> None:
    await limits.wait_until_running()
    for _ in range(10):
        await yield_to_event_loop()
    await limits.end_when_running()


async def _expect_connect_timeout(ask: Ask, url: str, **options: Any) -> None:
    """Send a request; check that the time limit for the connection applies."""
    async with asyncio.timeout(TIMEOUT_SECONDS), AsyncPackageX("key", **options) as px:
        with pytest.raises(ConnectionFailedError, match=f"no connection within {SHORT:g} seconds") as caught:
            await ask(px, url)
    assert isinstance(caught.value, RequestTimeoutError if ask is retrieve else StorageUnreachableError)
