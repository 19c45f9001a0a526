"""The undocumented internals of aiohttp that this package relies on.

When a new version of aiohttp fails here, adapt `_transport/` to it.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection as AiohttpConnection
from aiohttp.tracing import Trace

from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.server import Connection, Server, response

CHANGED = "aiohttp has changed an internal that this package relies on: "


@asynccontextmanager
async def exchange(
    after: bytes = b"",
) -> AsyncIterator[tuple[aiohttp.BaseConnector, aiohttp.ClientResponse]]:
    """Yield a connector and a response, with `after` in the packet with the end of its body."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.request()
            head, _, body = response(b"hello").partition(b"\r\n\r\n")
            await connection.send(head + b"\r\n\r\n")
            await yield_to_event_loop()
            await connection.send(body + after)

    async with Server(handler) as server, aiohttp.TCPConnector() as connector:
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            yield connector, await session.get(server.url)


def handler_of(client_response: aiohttp.ClientResponse) -> ResponseHandler:
    """Return the protocol that reads the connection of a response."""
    assert client_response.connection is not None, f"{CHANGED}ClientResponse.connection of a body under way"
    assert client_response.connection.protocol is not None, f"{CHANGED}Connection.protocol"
    return client_response.connection.protocol


async def test_handler_has_a_parser_and_a_transport() -> None:
    """`_parser`, `connected`, `closed`, `should_close` and `transport`."""
    assert ResponseHandler(aiohttp.BaseConnector()._loop)._parser is None, f"{CHANGED}a new handler's parser"
    async with exchange() as (_, client_response):
        handler = handler_of(client_response)
        assert handler._parser is not None, f"{CHANGED}ResponseHandler._parser"
        assert handler.connected, f"{CHANGED}BaseProtocol.connected"
        assert handler.closed is not None, f"{CHANGED}ResponseHandler.closed"
        assert handler.transport is not None, f"{CHANGED}ResponseHandler.transport"
        assert handler.transport.get_protocol() is handler, f"{CHANGED}the transport's protocol"
        assert await client_response.read() == b"hello"
        assert not handler.should_close, f"{CHANGED}ResponseHandler.should_close of a clean connection"
        assert handler._parser.feed_eof() is None, f"{CHANGED}feed_eof() of a parser between two responses"


@pytest.mark.parametrize(
    ("after", "holds"), [(b"H", "head"), (b"HTTP/1.1 200", "head"), (response(b""), "message")]
)
async def test_bytes_after_a_response_are_detected(after: bytes, holds: str) -> None:
    """Half a head stays in the parser; a whole response stays in the queue, and `should_close` is set."""
    async with exchange(after) as (_, client_response):
        handler = handler_of(client_response)
        assert await client_response.read() == b"hello"
        if holds == "message":
            assert handler.should_close, f"{CHANGED}ResponseHandler.should_close"
        else:
            assert handler._parser is not None
            assert handler._parser.feed_eof() is not None, f"{CHANGED}feed_eof() of half a head"


async def test_connection_has_a_release_callback() -> None:
    """`add_callback` is called before the connection returns to the pool."""
    pooled: list[bool] = []
    async with exchange() as (connector, client_response):
        assert client_response.connection
        client_response.connection.add_callback(lambda: pooled.append(bool(connector._conns)))
        await client_response.read()
    assert pooled == [False], f"{CHANGED}Connection.add_callback"


async def test_connector_has_the_expected_signatures() -> None:
    """`BaseConnector.connect`, which is wrapped, and the trace methods."""
    parameters = list(inspect.signature(aiohttp.BaseConnector.connect).parameters)
    assert parameters == ["self", "req", "traces", "timeout"], f"{CHANGED}BaseConnector.connect"
    for name in ("send_connection_queued_start", "send_connection_queued_end"):
        assert list(inspect.signature(getattr(Trace, name)).parameters) == ["self"], f"{CHANGED}Trace.{name}"
    async with aiohttp.TCPConnector() as connector:
        for name in ("_loop", "_closed"):
            assert hasattr(connector, name), f"{CHANGED}BaseConnector.{name}"
    for name in ("protocol", "transport", "close", "add_callback"):
        assert hasattr(AiohttpConnection, name), f"{CHANGED}Connection.{name}"


async def test_body_has_the_expected_methods() -> None:
    """`read_nowait`, `at_eof`, `is_eof`, `exception` and `set_exception`."""
    async with exchange() as (_, client_response):
        content = client_response.content
        assert content.read_nowait(-1) == b"", f"{CHANGED}StreamReader.read_nowait"
        assert not content.at_eof(), f"{CHANGED}StreamReader.at_eof"
        assert not content.is_eof(), f"{CHANGED}StreamReader.is_eof"
        content.set_exception(LookupError())
        assert isinstance(content.exception(), LookupError), f"{CHANGED}StreamReader.set_exception"
        client_response.close()


def test_errors_have_the_expected_attributes() -> None:
    """The attributes that are used to classify errors."""
    kinds: dict[str, list[Any]] = {
        "os_error": [aiohttp.ClientConnectorError],
        "certificate_error": [aiohttp.ClientConnectorCertificateError],
    }
    for name, errors in kinds.items():
        for error in errors:
            assert isinstance(getattr(error, name, None), property), f"{CHANGED}{error.__name__}.{name}"


async def test_reader_keeps_bytes_after_a_failure() -> None:
    """`StreamReader._read_nowait` returns them."""
    async with exchange() as (_, client_response):
        content = client_response.content
        assert await content.read(1) == b"h"
        content.set_exception(ConnectionResetError())
        assert content._read_nowait(2) == b"el", f"{CHANGED}StreamReader._read_nowait"
        assert content._read_nowait(-1) == b"lo", f"{CHANGED}StreamReader._read_nowait"
