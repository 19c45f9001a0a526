"""Connections with unexpected bytes are closed and never reused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from packagex_async import AsyncPackageX, ConnectionFailedError, Export, RetryPolicy
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.server import Connection, Security, Server, export, id_of, response

AT_ONCE = RetryPolicy(wait_initial=0)
ONCE = RetryPolicy(attempts=1)

RESPONSE = export("exp_other")
UNEXPECTED = {
    "a response": RESPONSE,
    "two responses": RESPONSE + RESPONSE,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "one byte": b"H",
    "half a head that is refused": b"HTTP/1.1 200 OK\r\nSec-WebSocket-Key1: x\r\nX-More",
    "half a body": RESPONSE[:-9],
    "an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a timeout of the server": response(b"", status="408 Request Timeout", headers="Connection: close\r\n"),
    "no HTTP": b"\0\1\2 no HTTP",
}


class UnexpectedBytes:
    """Answers requests, and sends unexpected bytes after its first response.

    Args:
        unexpected: The bytes.
        closes: Whether it closes the connection afterwards.
        unread: Whether `sent` is set before the event loop of the client can read the bytes.

    Attributes:
        sent: Set after the bytes were sent.
        used: The connection and the request, for each request.
    """

    def __init__(self, unexpected: bytes, *, closes: bool = False, unread: bool = False) -> None:
        self.sent = asyncio.Event()
        self.used: list[tuple[int, str]] = []
        self._unexpected = unexpected
        self._closes = closes
        self._unread = unread

    async def __call__(self, connection: Connection) -> None:
        while True:
            request = await connection.request()
            self.used.append((connection.number, request))
            await connection.send(_response(request))
            if len(self.used) == 1:
                await yield_to_event_loop()
                connection.write(self._unexpected)
                if self._closes:
                    connection.end()
                if not self._unread:
                    await yield_to_event_loop()
                self.sent.set()


def _response(request: str) -> bytes:
    if request.startswith("POST"):
        return export("exp_created")
    return export(id_of(request)) if "/v1/" in request else response(request.encode())


@asynccontextmanager
async def client_of(url: str, security: Security, pool: str) -> AsyncIterator[AsyncPackageX]:
    """Yield a client with its own connectors, or with a connector of the caller."""
    options: dict[str, Any] = {"base_url": url, "retry": ONCE, "ssl": security.client}
    if pool == "own":
        async with AsyncPackageX("key", **options) as px:
            yield px
    else:
        async with aiohttp.TCPConnector() as connector:
            async with AsyncPackageX("key", connector=connector, **options) as px:
                yield px


@pytest.mark.parametrize("pool", ["own", "caller's"])
@pytest.mark.parametrize("unexpected", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_bytes_on_an_idle_connection_are_not_a_response(
    security: Security, unexpected: bytes, pool: str
) -> None:
    """The next request uses a new connection."""
    handler = UnexpectedBytes(unexpected)
    async with Server(handler, security.server) as server, client_of(server.url, security, pool) as px:
        assert (await px.exports.retrieve("exp_1")).id == "exp_1"
        await handler.sent.wait()
        assert (await px.exports.retrieve("exp_2")).id == "exp_2"
        assert [number for number, _ in handler.used] == [1, 2]


@pytest.mark.parametrize("unexpected", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_unread_bytes_in_the_socket_are_not_a_response(security: Security, unexpected: bytes) -> None:
    """The next request uses a new connection."""
    handler = UnexpectedBytes(unexpected, unread=True)
    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        await px.exports.retrieve("exp_1")
        await handler.sent.wait()
        assert (await px.exports.retrieve("exp_2")).id == "exp_2"
    assert [number for number, _ in handler.used] == [1, 2]


@pytest.mark.parametrize("unexpected", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_bytes_in_the_packet_of_a_response_are_not_the_next_response(
    security: Security, unexpected: bytes
) -> None:
    """The connection is used once."""
    used: list[int] = []

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.request()
            used.append(connection.number)
            await connection.send(_response(request) + (unexpected if len(used) == 1 else b""))

    async with Server(handler, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=security.client, retry=AT_ONCE) as px:
            for number in range(3):
                assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
    assert used.count(1) == 1


@pytest.mark.parametrize("unexpected", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_bytes_after_a_body_are_not_the_next_response(security: Security, unexpected: bytes) -> None:
    """They arrive together with the end of the body, after its head."""
    used: list[int] = []

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.request()
            used.append(connection.number)
            head, _, body = _response(request).partition(b"\r\n\r\n")
            await connection.send(head + b"\r\n\r\n")
            await yield_to_event_loop()
            await connection.send(body + (unexpected if len(used) == 1 else b""))

    async with Server(handler, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=security.client, retry=AT_ONCE) as px:
            for number in range(3):
                assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
    assert used.count(1) == 1


@pytest.mark.parametrize("unexpected", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_bytes_on_an_idle_connection_are_not_an_artifact(security: Security, unexpected: bytes) -> None:
    """The next artifact uses a new connection."""
    handler = UnexpectedBytes(unexpected)
    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        for name in ("a", "b"):
            async with px.exports.stream(Export(id="exp_1", csv_url=f"{server.url}/{name}"), "csv") as body:
                assert b"".join([block async for block in body]) == f"GET /{name}".encode()
            await handler.sent.wait()
        assert [number for number, _ in handler.used] == [1, 2]


@pytest.mark.parametrize("unread", [True, False])
@pytest.mark.parametrize("unexpected", [UNEXPECTED["a timeout of the server"], b""], ids=["408", "nothing"])
async def test_creation_after_a_closed_idle_connection_is_not_unconfirmed(
    security: Security, unexpected: bytes, unread: bool
) -> None:
    """The request uses a new connection, so it was certainly not sent before."""
    handler = UnexpectedBytes(unexpected, closes=True, unread=unread)
    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        await px.exports.retrieve("exp_1")
        await handler.sent.wait()
        assert (await px.exports.create("contact")).id == "exp_created"
        assert [request for _, request in handler.used if "POST" in request] == ["POST /v1/exports"]


async def test_idle_connection_is_closed_when_bytes_arrive(security: Security) -> None:
    """Immediately, so that no bytes are collected."""
    closed = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await connection.send(_response(await connection.request()))
        await yield_to_event_loop()
        await connection.send(RESPONSE)
        await connection.closed()
        closed.set()

    options: dict[str, Any] = {"retry": ONCE, "ssl": security.client}
    async with Server(handler, security.server) as server, asyncio.timeout(TIMEOUT_SECONDS):
        async with aiohttp.TCPConnector(keepalive_timeout=None) as connector:
            async with AsyncPackageX("key", connector=connector, base_url=server.url, **options) as px:
                await px.exports.retrieve("exp_1")
                await closed.wait()


async def test_connection_without_unexpected_bytes_is_reused(security: Security) -> None:
    """One connection serves all requests."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.send(_response(await connection.request()))

    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        for number in range(5):
            assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
        assert server.connections == 1


@pytest.mark.parametrize("unexpected", UNEXPECTED.values(), ids=UNEXPECTED)
async def test_connection_of_another_session_is_checked(security: Security, unexpected: bytes) -> None:
    """A session of the caller uses the same connector, and has left a connection in it."""
    handler = UnexpectedBytes(unexpected)
    async with Server(handler, security.server) as server, aiohttp.TCPConnector() as connector:
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            async with session.get(f"{server.url}/v1/exports/exp_1", ssl=security.client or True) as answer:
                await answer.read()
        await handler.sent.wait()
        options: dict[str, Any] = {"base_url": server.url, "retry": ONCE, "ssl": security.client}
        async with AsyncPackageX("key", connector=connector, **options) as px:
            assert (await px.exports.retrieve("exp_2")).id == "exp_2"
        assert [number for number, _ in handler.used] == [1, 2]


def small_send_buffer(info: Any) -> socket.socket:
    """Create a socket with a small send buffer, so that a large request is sent in steps."""
    sock = socket.socket(*info[:3])
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    return sock


async def test_another_session_can_use_a_connection_of_the_client(security: Security) -> None:
    """The guard of an idle connection returns it to the handler of aiohttp."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.send(_response(await connection.request()))

    options: dict[str, Any] = {"retry": ONCE, "ssl": security.client}
    connector = aiohttp.TCPConnector(socket_factory=small_send_buffer)
    async with Server(handler, security.server) as server, connector:
        async with AsyncPackageX("key", connector=connector, base_url=server.url, **options) as px:
            async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
                for number in range(3):
                    await px.exports.retrieve("exp_1")
                    url = f"{server.url}/v1/exports/{number}"
                    async with session.put(url, data=bytes(900_000), ssl=security.client or True) as answer:
                        assert (await answer.json())["id"] == str(number)
        assert server.connections == 1


async def test_request_is_not_sent_over_a_closed_new_connection() -> None:
    """The server closes it before the request, so the creation is not unconfirmed."""
    closed = asyncio.Event()

    async def handler(connection: Connection) -> None:
        connection.end()
        closed.set()

    async def wait(*_: object) -> None:
        await closed.wait()
        await yield_to_event_loop()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(wait)
    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=AT_ONCE, trace_configs=[trace]) as px:
            with pytest.raises(ConnectionFailedError, match="closed the connection before the response"):
                await px.exports.create("contact")
        assert server.connections == 5


async def test_connection_is_reused_after_an_early_response(security: Security) -> None:
    """The server responds before it has read the request. The next request is sent after it."""

    async def handler(connection: Connection) -> None:
        while True:
            request, size = await connection.head()
            await connection.send(_response(request))
            await yield_to_event_loop()
            await connection.body(size)

    options: dict[str, Any] = {"retry": ONCE, "ssl": security.client}
    async with Server(handler, security.server) as server, asyncio.timeout(TIMEOUT_SECONDS):
        async with aiohttp.TCPConnector(socket_factory=small_send_buffer) as connector:
            async with AsyncPackageX("key", connector=connector, base_url=server.url, **options) as px:
                await px.exports.create("contact", options={"ids": "x" * 900_000})
                for number in range(3):
                    assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"


async def test_connection_with_unread_bytes_can_be_closed(security: Security) -> None:
    """A consumer may stop within a body that arrives faster than it is read."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(response(bytes(4 * 1024 * 1024)))
        await connection.closed()

    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        for _ in range(3):
            async with px.exports.stream(Export(id="exp_1", csv_url=f"{server.url}/a"), "csv") as body:
                # Reading is paused while nothing is read, and resumed by the second read.
                blocks = aiter(body)
                await anext(blocks)
                await yield_to_event_loop()
                assert await anext(blocks)
        assert server.connections == 3
