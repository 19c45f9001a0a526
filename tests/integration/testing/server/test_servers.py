"""Starting and stopping the servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

import aiohttp
import pytest
from yarl import URL

from packagex_async.testing import Emulator, Fault, Stall, Trickle
from tests.integration.testing.client import BODY, Clock, api_request, raw_request


@pytest.mark.parametrize("fault", [Stall(after=10), Trickle(block=10, delay=3600)])
async def test_closing_does_not_wait_for_stalled_connections(clock: Clock, fault: Fault) -> None:
    """The emulator closes at once. Closing it again does nothing."""
    async with asyncio.timeout(60), Emulator(populate=False, now=clock) as server:
        export = server.add_export(content={"csv": BODY})
        server.inject(fault)
        async with aiohttp.ClientSession() as session:
            async with session.get(URL(server.url_for(export.id, "csv"), encoded=True)) as response:
                assert await response.content.readexactly(10) == BODY[:10]
                await server.aclose()
                await server.aclose()
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(server.base_url)


async def is_closed(client: socket.socket) -> bool:
    """Wait until the server closes the connection."""
    with contextlib.suppress(ConnectionResetError):
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    return True


@pytest.mark.parametrize("iterations", range(6))
async def test_closing_closes_new_connections(iterations: int) -> None:
    """Both servers close a connection in every state of its creation."""
    async with Emulator(populate=False) as server, contextlib.AsyncExitStack() as clients:
        export = server.add_export(content={"csv": BODY})
        origins = [URL(url) for url in (server.base_url, server.url_for(export.id, "csv"))]
        opened = [
            clients.enter_context(socket.create_connection((str(origin.host), origin.port or 0)))
            for origin in origins
        ]
        for client in opened:
            client.setblocking(False)
        for _ in range(iterations):
            await asyncio.sleep(0)
        await server.aclose()
        async with asyncio.timeout(60):
            assert [await is_closed(client) for client in opened] == [True, True]


async def test_client_that_disconnects_is_not_an_error(
    server: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged as an error."""
    export = server.add_export(content={"csv": bytes(32 << 20)})
    await raw_request(server.url_for(export.id, "csv"), limit=100)
    assert (await api_request(server)).status == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_address_needs_a_start() -> None:
    """The error says how to start the emulator."""
    server = Emulator(populate=False, api_key="chosen")
    assert repr(server) == "<Emulator: 0 exports, not started>"
    with pytest.raises(RuntimeError, match="async with"):
        _ = server.base_url
