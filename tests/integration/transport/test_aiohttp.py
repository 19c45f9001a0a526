"""What the transport relies on of aiohttp beyond its documentation: a new version that changes it fails here.

When a test here fails, read `_connector.py` and `_http.py`, and adapt them to what aiohttp does now.
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

from tests.faults.host import turns
from tests.integration.transport.server import Connection, Server, response

CHANGED = "aiohttp has changed an internal that this package relies on: "


@asynccontextmanager
async def exchange(
    behind: bytes = b"",
) -> AsyncIterator[tuple[aiohttp.BaseConnector, aiohttp.ClientResponse]]:
    """A response, and `behind` in the packet with the end of its body."""

    async def handler(connection: Connection) -> None:
        while True:
            await connection.request()
            head, _, body = response(b"hello").partition(b"\r\n\r\n")
            await connection.send(head + b"\r\n\r\n")
            await turns()
            await connection.send(body + behind)

    async with Server(handler) as server, aiohttp.TCPConnector() as connector:
        async with aiohttp.ClientSession(connector=connector, connector_owner=False) as session:
            yield connector, await session.get(server.url)


def handler_of(answer: aiohttp.ClientResponse) -> ResponseHandler:
    """What reads the connection of a response."""
    assert answer.connection is not None, f"{CHANGED}ClientResponse.connection of a body under way"
    assert answer.connection.protocol is not None, f"{CHANGED}Connection.protocol"
    return answer.connection.protocol


async def test_a_handler_has_a_parser_and_knows_its_connection() -> None:
    """`_parser`, `connected`, `closed`, `should_close` and `transport`."""
    assert ResponseHandler(aiohttp.BaseConnector()._loop)._parser is None, f"{CHANGED}a new handler's parser"
    async with exchange() as (_, answer):
        handler = handler_of(answer)
        assert handler._parser is not None, f"{CHANGED}ResponseHandler._parser"
        assert handler.connected, f"{CHANGED}BaseProtocol.connected"
        assert handler.closed is not None, f"{CHANGED}ResponseHandler.closed"
        assert handler.transport is not None, f"{CHANGED}ResponseHandler.transport"
        assert handler.transport.get_protocol() is handler, f"{CHANGED}the transport's protocol"
        assert await answer.read() == b"hello"
        assert not handler.should_close, f"{CHANGED}ResponseHandler.should_close of a clean connection"
        assert handler._parser.feed_eof() is None, f"{CHANGED}feed_eof() of a parser between two responses"


@pytest.mark.parametrize(
    ("behind", "holds"), [(b"H", "head"), (b"HTTP/1.1 200", "head"), (response(b""), "message")]
)
async def test_what_follows_a_response_is_seen(behind: bytes, holds: str) -> None:
    """Half a head stays in the parser; a whole response stays in the queue, and `should_close` is set."""
    async with exchange(behind) as (_, answer):
        handler = handler_of(answer)
        assert await answer.read() == b"hello"
        if holds == "message":
            assert handler.should_close, f"{CHANGED}ResponseHandler.should_close"
        else:
            assert handler._parser is not None
            assert handler._parser.feed_eof() is not None, f"{CHANGED}feed_eof() of half a head"


async def test_a_connection_tells_when_it_is_released() -> None:
    """`add_callback` is called before the pool has the connection again."""
    pooled: list[bool] = []
    async with exchange() as (connector, answer):
        assert answer.connection
        answer.connection.add_callback(lambda: pooled.append(bool(connector._conns)))
        await answer.read()
    assert pooled == [False], f"{CHANGED}Connection.add_callback"


async def test_the_pool_is_asked_with_a_request_traces_and_a_timeout() -> None:
    """`BaseConnector.connect`, which is wrapped."""
    parameters = list(inspect.signature(aiohttp.BaseConnector.connect).parameters)
    assert parameters == ["self", "req", "traces", "timeout"], f"{CHANGED}BaseConnector.connect"
    for name in ("send_connection_queued_start", "send_connection_queued_end"):
        assert list(inspect.signature(getattr(Trace, name)).parameters) == ["self"], f"{CHANGED}Trace.{name}"
    async with aiohttp.TCPConnector() as connector:
        for name in ("_loop", "_closed"):
            assert hasattr(connector, name), f"{CHANGED}BaseConnector.{name}"
    for name in ("protocol", "transport", "close", "add_callback"):
        assert hasattr(AiohttpConnection, name), f"{CHANGED}Connection.{name}"


async def test_a_body_can_be_read_without_a_wait_and_can_be_failed() -> None:
    """`read_nowait`, `at_eof`, `is_eof`, `exception` and `set_exception` of a body."""
    async with exchange() as (_, answer):
        content = answer.content
        assert content.read_nowait(-1) == b"", f"{CHANGED}StreamReader.read_nowait"
        assert not content.at_eof(), f"{CHANGED}StreamReader.at_eof"
        assert not content.is_eof(), f"{CHANGED}StreamReader.is_eof"
        content.set_exception(LookupError())
        assert isinstance(content.exception(), LookupError), f"{CHANGED}StreamReader.set_exception"
        answer.close()


def test_the_errors_of_aiohttp_are_told_apart_by_these() -> None:
    """What the classifier looks at."""
    kinds: dict[str, list[Any]] = {
        "os_error": [aiohttp.ClientConnectorError],
        "certificate_error": [aiohttp.ClientConnectorCertificateError],
    }
    for name, errors in kinds.items():
        for error in errors:
            assert isinstance(getattr(error, name, None), property), f"{CHANGED}{error.__name__}.{name}"
