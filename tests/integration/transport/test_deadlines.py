"""Nothing that a server, a proxy or a name server leaves undone is waited for without a limit."""

from __future__ import annotations

import asyncio
import ssl
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
from tests.faults.host import turns
from tests.faults.trial import PATIENCE
from tests.integration.transport.server import Connection, Handler, Security, Server, forever

ONCE = RetryPolicy(attempts=1)
SOON = 0.05
NEVER = PATIENCE * 100

Ask = Callable[[AsyncPackageX, str], Awaitable[object]]


async def retrieve(px: AsyncPackageX, _: str) -> object:
    return await px.exports.retrieve("exp_1")


async def stream(px: AsyncPackageX, url: str) -> object:
    async with px.exports.stream(Export(id="exp_1", csv_url=f"{url}/a"), "csv") as body:
        return b"".join([block async for block in body])


async def drip(connection: Connection, text: bytes) -> None:
    """Send a byte at a time, for ever, so that no wait for a single byte is long."""
    while True:
        for place in range(len(text)):
            await connection.send(text[place : place + 1])
            await turns()


async def flood(connection: Connection, text: bytes) -> None:
    """Send as fast as it is read, for ever."""
    while True:
        await connection.send(text * 1000)


async def nothing(connection: Connection) -> None:
    await forever()


async def dripping_head(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        await connection.send(b"x")
        await asyncio.sleep(SOON / 5)


async def interim_responses(connection: Connection) -> None:
    await drip(connection, b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n")


async def flood_of_interim_responses(connection: Connection) -> None:
    await flood(connection, b"HTTP/1.1 100 Continue\r\n\r\n")


HEADS = [nothing, dripping_head, interim_responses, flood_of_interim_responses]


@pytest.mark.parametrize("head", HEADS)
async def test_the_head_of_a_storage_host_has_its_time(security: Security, head: Handler) -> None:
    """`stall_timeout` holds for all of it, whatever keeps coming."""
    async with _client(head, security, timeout=NEVER, stall_timeout=SOON) as (px, url):
        with pytest.raises(StalledError, match=f"no answer in time \\(within {SOON:g} seconds\\)"):
            await stream(px, url)


@pytest.mark.parametrize("head", HEADS)
async def test_a_response_of_the_api_has_its_time(security: Security, head: Handler) -> None:
    """`timeout` holds for all of it."""
    async with _client(head, security, timeout=SOON * 4, stall_timeout=NEVER) as (px, url):
        with pytest.raises(RequestTimeoutError, match="no answer in time"):
            await retrieve(px, url)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def dripping_extension(connection: Connection) -> None:
    await connection.send(CHUNKED, b"5;name=")
    await drip(connection, b"x")


async def flood_of_extension(connection: Connection) -> None:
    await connection.send(CHUNKED, b"5;name=")
    await flood(connection, b"x")


async def dripping_trailer(connection: Connection) -> None:
    await connection.send(CHUNKED, b"0\r\nX-Trailer: ")
    while True:
        await connection.send(b"x")
        await asyncio.sleep(SOON / 5)


async def silence_before_the_last_chunk(connection: Connection) -> None:
    await connection.send(CHUNKED)
    await forever()


async def silence_within_a_body(connection: Connection) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello")
    await forever()


BODIES = [
    dripping_extension,
    flood_of_extension,
    dripping_trailer,
    silence_before_the_last_chunk,
    silence_within_a_body,
]


@pytest.mark.parametrize("body", BODIES)
async def test_what_frames_a_body_is_no_progress(security: Security, body: Handler) -> None:
    """`stall_timeout` ends a body of which nothing comes but framing."""
    async with _client(body, security, timeout=NEVER, stall_timeout=SOON) as (px, url):
        with pytest.raises(StalledError, match="no more bytes came in time"):
            await stream(px, url)


@pytest.mark.parametrize("body", BODIES)
async def test_what_frames_a_body_of_the_api_is_no_response(security: Security, body: Handler) -> None:
    """`timeout` ends it."""
    async with _client(body, security, timeout=SOON * 4, stall_timeout=NEVER) as (px, url):
        with pytest.raises(RequestTimeoutError, match="no answer in time"):
            await retrieve(px, url)


async def test_trailers_without_an_end_are_refused(security: Security) -> None:
    """They are not gathered in memory."""

    async def trailers(connection: Connection) -> None:
        await connection.send(CHUNKED, b"0\r\n")
        await flood(connection, b"X-Trailer: x\r\n")

    async with _client(trailers, security, timeout=NEVER, stall_timeout=NEVER) as (px, url):
        with pytest.raises(PackageXError):
            await stream(px, url)


async def test_a_refusal_that_drips_has_its_time(security: Security) -> None:
    """Of the page that comes with a 403, no more is read than comes in time."""

    async def refusal(connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\n")
        while True:
            await connection.send(b"x")
            await asyncio.sleep(SOON / 5)

    async with _client(refusal, security, timeout=NEVER, stall_timeout=SOON) as (px, url):
        with pytest.raises(PackageXError, match="answered 403"):
            await stream(px, url)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_a_silent_proxy_has_its_time(ask: Ask) -> None:
    """It takes the connection, is asked for a tunnel, and says nothing."""
    async with Server(nothing) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "timeout": SOON, "retry": ONCE}
        await _connects_in_vain(ask, "https://storage.example", **options)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_a_dripping_proxy_has_its_time(ask: Ask) -> None:
    """The head of its response does not end."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await dripping_head(connection)

    async with Server(handler) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "timeout": SOON, "retry": ONCE}
        await _connects_in_vain(ask, "https://storage.example", **options)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_a_silent_tunnel_has_its_time(ask: Ask) -> None:
    """The proxy has opened it, and nothing speaks TLS at its end."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await forever()

    async with Server(handler) as proxy:
        options: dict[str, Any] = {"proxy": proxy.url, "timeout": SOON, "retry": ONCE}
        await _connects_in_vain(ask, "https://storage.example", **options)


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_a_silent_tls_handshake_has_its_time(ask: Ask) -> None:
    """The server takes the connection, and says nothing."""
    async with Server(nothing) as server:
        url = server.url.replace("http:", "https:")
        await _connects_in_vain(ask, url, base_url=url, timeout=SOON, retry=ONCE)


class Silent(AbstractResolver):
    """A name server that does not answer."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        await forever()
        raise AssertionError

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("ask", [retrieve, stream])
async def test_a_silent_name_server_has_its_time(ask: Ask) -> None:
    """No address is known, so nothing is sent."""
    async with aiohttp.TCPConnector(resolver=Silent()) as connector:
        options: dict[str, Any] = {"connector": connector, "timeout": SOON, "retry": ONCE}
        await _connects_in_vain(ask, "https://storage.example", **options)


@asynccontextmanager
async def _client(
    handler: Handler, security: Security, **options: Any
) -> AsyncIterator[tuple[AsyncPackageX, str]]:
    """A client of a server that does something after each request, and the server's URL."""

    async def handle(connection: Connection) -> None:
        await connection.request()
        await handler(connection)

    context: ssl.SSLContext | None = security.client
    async with asyncio.timeout(PATIENCE), Server(handle, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=context, retry=ONCE, **options) as px:
            yield px, server.url


async def _connects_in_vain(ask: Ask, url: str, **options: Any) -> None:
    """Ask for something; the time for a connection is over before there is one."""
    async with asyncio.timeout(PATIENCE), AsyncPackageX("key", **options) as px:
        with pytest.raises(ConnectionFailedError, match=f"no connection within {SOON:g} seconds") as caught:
            await ask(px, url)
    assert isinstance(caught.value, RequestTimeoutError if ask is retrieve else StorageUnreachableError)
