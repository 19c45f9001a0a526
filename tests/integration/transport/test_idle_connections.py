"""A connection that received bytes outside a response is closed, and never used again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from packagex_async import AsyncPackageX, ConnectionFailedError, Export, RetryPolicy
from tests.faults.host import turns
from tests.faults.trial import PATIENCE
from tests.integration.transport.server import Connection, Security, Server, export, id_of, response

AT_ONCE = RetryPolicy(wait_initial=0)
ONCE = RetryPolicy(attempts=1)

WHOLE = export("exp_other")
UNASKED = {
    "a response": WHOLE,
    "two responses": WHOLE + WHOLE,
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "one byte": b"H",
    "half a head that is refused": b"HTTP/1.1 200 OK\r\nSec-WebSocket-Key1: x\r\nX-More",
    "half a body": WHOLE[:-9],
    "an interim response": b"HTTP/1.1 100 Continue\r\n\r\n",
    "a timeout of the server": response(b"", status="408 Request Timeout", headers="Connection: close\r\n"),
    "no HTTP": b"\0\1\2 no HTTP",
}


class Interrupting:
    """Answers requests, and sends bytes that nobody asked for behind its first response.

    Args:
        unasked: What it sends.
        closes: Whether it closes the connection afterwards.
        late: Whether the client's loop has no time to read them before `sent` is set.

    Attributes:
        sent: Is set when the bytes have left.
        used: The connection and the request, for each request.
    """

    def __init__(self, unasked: bytes, *, closes: bool = False, late: bool = False) -> None:
        self.sent = asyncio.Event()
        self.used: list[tuple[int, str]] = []
        self._unasked = unasked
        self._closes = closes
        self._late = late

    async def __call__(self, connection: Connection) -> None:
        while True:
            request = await connection.request()
            self.used.append((connection.number, request))
            await connection.send(_answer(request))
            if len(self.used) == 1:
                await turns()
                connection.write(self._unasked)
                if self._closes:
                    connection.end()
                if not self._late:
                    await turns()
                self.sent.set()


def _answer(request: str) -> bytes:
    if request.startswith("POST"):
        return export("exp_created")
    return export(id_of(request)) if "/v1/" in request else response(request.encode())


@asynccontextmanager
async def client_of(url: str, security: Security, pool: str) -> AsyncIterator[AsyncPackageX]:
    """A client with connectors of its own, or with a connector of the caller's."""
    options: dict[str, Any] = {"base_url": url, "retry": ONCE, "ssl": security.client}
    if pool == "own":
        async with AsyncPackageX("key", **options) as px:
            yield px
    else:
        async with aiohttp.TCPConnector() as connector:
            async with AsyncPackageX("key", connector=connector, **options) as px:
                yield px


@pytest.mark.parametrize("pool", ["own", "caller's"])
@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_arrives_on_an_idle_connection_answers_no_request(
    security: Security, unasked: bytes, pool: str
) -> None:
    """The next request goes over a new connection, and gets its own response. EVIDENCE A7."""
    handler = Interrupting(unasked)
    async with Server(handler, security.server) as server, client_of(server.url, security, pool) as px:
        assert (await px.exports.retrieve("exp_1")).id == "exp_1"
        await handler.sent.wait()
        assert (await px.exports.retrieve("exp_2")).id == "exp_2"
        assert [number for number, _ in handler.used] == [1, 2]


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_the_loop_has_not_read_yet_answers_no_request(security: Security, unasked: bytes) -> None:
    """The bytes wait in the socket when the next request begins: it goes over a new connection."""
    handler = Interrupting(unasked, late=True)
    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        await px.exports.retrieve("exp_1")
        await handler.sent.wait()
        assert (await px.exports.retrieve("exp_2")).id == "exp_2"
    assert [number for number, _ in handler.used] == [1, 2]


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_follows_a_response_in_its_packet_answers_no_request(
    security: Security, unasked: bytes
) -> None:
    """Each request gets its own response, and the connection is used once."""
    used: list[int] = []

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.request()
            used.append(connection.number)
            await connection.send(_answer(request) + (unasked if len(used) == 1 else b""))

    async with Server(handler, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=security.client, retry=AT_ONCE) as px:
            for number in range(3):
                assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
    assert used.count(1) == 1


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_follows_a_body_answers_no_request(security: Security, unasked: bytes) -> None:
    """The bytes come with the end of the body, whose head came before."""
    used: list[int] = []

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.request()
            used.append(connection.number)
            head, _, body = _answer(request).partition(b"\r\n\r\n")
            await connection.send(head + b"\r\n\r\n")
            await turns()
            await connection.send(body + (unasked if len(used) == 1 else b""))

    async with Server(handler, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=security.client, retry=AT_ONCE) as px:
            for number in range(3):
                assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
    assert used.count(1) == 1


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_what_arrives_on_an_idle_connection_is_no_artifact(security: Security, unasked: bytes) -> None:
    """The next artifact comes over a new connection, and is what the host has."""
    handler = Interrupting(unasked)
    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        for name in ("a", "b"):
            async with px.exports.stream(Export(id="exp_1", csv_url=f"{server.url}/{name}"), "csv") as body:
                assert b"".join([block async for block in body]) == f"GET /{name}".encode()
            await handler.sent.wait()
        assert [number for number, _ in handler.used] == [1, 2]


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("unasked", [UNASKED["a timeout of the server"], b""], ids=["408", "nothing"])
async def test_an_export_is_created_after_the_server_has_closed_an_idle_connection(
    security: Security, unasked: bytes, late: bool
) -> None:
    """Nothing was sent over the closed connection, so the request goes over a new one and is not in doubt."""
    handler = Interrupting(unasked, closes=True, late=late)
    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        await px.exports.retrieve("exp_1")
        await handler.sent.wait()
        assert (await px.exports.create("contact")).id == "exp_created"
        assert [request for _, request in handler.used if "POST" in request] == ["POST /v1/exports"]


async def test_an_idle_connection_is_closed_when_it_receives_bytes(security: Security) -> None:
    """At once, so that no number of bytes is gathered."""
    closed = asyncio.Event()

    async def handler(connection: Connection) -> None:
        await connection.send(_answer(await connection.request()))
        await turns()
        await connection.send(WHOLE)
        await connection.closed()
        closed.set()

    options: dict[str, Any] = {"retry": ONCE, "ssl": security.client}
    async with Server(handler, security.server) as server, asyncio.timeout(PATIENCE):
        async with aiohttp.TCPConnector(keepalive_timeout=None) as connector:
            async with AsyncPackageX("key", connector=connector, base_url=server.url, **options) as px:
                await px.exports.retrieve("exp_1")
                await closed.wait()


async def test_a_clean_connection_is_used_again(security: Security) -> None:
    """One connection serves one request after another."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.send(_answer(await connection.request()))

    async with Server(handler, security.server) as server, client_of(server.url, security, "own") as px:
        for number in range(5):
            assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
        assert server.connections == 1


@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
async def test_a_connection_of_another_session_is_checked_too(security: Security, unasked: bytes) -> None:
    """The caller's session has left a connection in their connector, and bytes have come since."""
    handler = Interrupting(unasked)
    async with Server(handler, security.server) as server, aiohttp.TCPConnector() as connector:
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            async with session.get(f"{server.url}/v1/exports/exp_1", ssl=security.client or True) as answer:
                await answer.read()
        await handler.sent.wait()
        options: dict[str, Any] = {"base_url": server.url, "retry": ONCE, "ssl": security.client}
        async with AsyncPackageX("key", connector=connector, **options) as px:
            assert (await px.exports.retrieve("exp_2")).id == "exp_2"
        assert [number for number, _ in handler.used] == [1, 2]


def narrow(info: Any) -> socket.socket:
    """A socket that takes few bytes at a time, so that a large request waits to be sent."""
    made = socket.socket(*info[:3])
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    return made


async def test_another_session_can_use_a_connection_of_the_client(security: Security) -> None:
    """The guard of an idle connection does not stand in the way of the caller's own session."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.send(_answer(await connection.request()))

    options: dict[str, Any] = {"retry": ONCE, "ssl": security.client}
    connector = aiohttp.TCPConnector(socket_factory=narrow)
    async with Server(handler, security.server) as server, connector:
        async with AsyncPackageX("key", connector=connector, base_url=server.url, **options) as px:
            async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
                for number in range(3):
                    await px.exports.retrieve("exp_1")
                    url = f"{server.url}/v1/exports/{number}"
                    async with session.put(url, data=bytes(900_000), ssl=security.client or True) as answer:
                        assert (await answer.json())["id"] == str(number)
        assert server.connections == 1


async def test_a_connection_that_is_closed_at_once_carries_no_request() -> None:
    """The server hangs up before anything was sent, so that no export can have been created."""
    hung_up = asyncio.Event()

    async def handler(connection: Connection) -> None:
        connection.end()
        hung_up.set()

    async def wait(*_: object) -> None:
        await hung_up.wait()
        await turns()

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(wait)
    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=AT_ONCE, trace_configs=[trace]) as px:
            with pytest.raises(ConnectionFailedError, match="closed the connection before the response"):
                await px.exports.create("contact")
        assert server.connections == 5


async def test_a_connection_goes_on_whose_request_is_still_being_sent(security: Security) -> None:
    """The server answers before it has read the request: the next one is sent when that has left."""

    async def handler(connection: Connection) -> None:
        while True:
            request, size = await connection.head()
            await connection.send(_answer(request))
            await turns()
            await connection.body(size)

    options: dict[str, Any] = {"retry": ONCE, "ssl": security.client}
    async with Server(handler, security.server) as server, asyncio.timeout(PATIENCE):
        async with aiohttp.TCPConnector(socket_factory=narrow) as connector:
            async with AsyncPackageX("key", connector=connector, base_url=server.url, **options) as px:
                await px.exports.create("contact", options={"ids": "x" * 900_000})
                for number in range(3):
                    assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
