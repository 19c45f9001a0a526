"""Streams hold connections while their consumers do something else: nothing may wait for them for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from packagex_async import AsyncPackageX, ConnectionFailedError, Export, RetryPolicy, StorageUnreachableError
from packagex_async.testing import Emulator
from tests.faults.trial import PATIENCE
from tests.integration.transport.server import Connection, Server, export, id_of
from tests.support import AT_ONCE

MANY = 100
"""Connections that aiohttp's connectors have."""

SOON = 0.05
BLOCKED = "open streams that nobody reads"
ONCE = RetryPolicy(attempts=1)
PATIENT = RetryPolicy(wait_initial=1000, wait_max=1000)
SIZE = 4_000_000


@asynccontextmanager
async def opened(
    px: AsyncPackageX, server: Emulator, count: int
) -> AsyncIterator[list[AsyncIterator[bytes]]]:
    """Open streams of which a block was read, and no more: each holds a connection."""
    stored = server.add_export(content={"csv": bytes(SIZE)})
    linked = Export(id=stored.id, csv_url=server.url_for(stored.id, "csv"))
    async with AsyncExitStack() as stack:
        bodies = [await stack.enter_async_context(px.exports.stream(linked, "csv")) for _ in range(count)]
        for body in bodies:
            assert await anext(body)
        yield bodies


async def test_the_api_answers_while_streams_hold_all_connections(server: Emulator) -> None:
    """It has connections of its own."""
    async with asyncio.timeout(PATIENCE), server.client(retry=ONCE) as px:
        async with opened(px, server, MANY):
            exports = await asyncio.gather(*(px.exports.retrieve(server.exports[0].id) for _ in range(MANY)))
            assert len(exports) == MANY
            assert [found async for found in px.exports.list()]


@pytest.mark.parametrize("per_host", [False, True], ids=["in all", "for each host"])
async def test_a_connector_of_the_callers_that_streams_hold_is_named(
    server: Emulator, per_host: bool
) -> None:
    """What waits for a connection ends, says why, and is not tried again."""
    limits: dict[str, Any] = {"limit_per_host": 2} if per_host else {"limit": 2}
    async with asyncio.timeout(PATIENCE), aiohttp.TCPConnector(**limits) as connector:
        async with server.client(connector=connector, timeout=SOON, retry=PATIENT) as px:
            async with opened(px, server, 2) as bodies:
                linked = Export(id="exp_1", csv_url=server.url_for(server.exports[0].id, "csv"))
                with pytest.raises(StorageUnreachableError, match=BLOCKED):
                    async with px.exports.stream(linked, "csv"):
                        pytest.fail("there is no connection")
                if not per_host:
                    with pytest.raises(
                        ConnectionFailedError, match="open streams that nobody reads"
                    ) as caught:
                        await px.exports.retrieve(server.exports[0].id)
                    assert not caught.value.retryable
                # What is read to its end gives its connection back.
                assert len(b"".join([block async for block in bodies[0]])) < SIZE
                assert (await px.exports.retrieve(server.exports[0].id)).id


async def test_a_download_does_not_wait_for_streams_that_nobody_reads(
    server: Emulator, tmp_path: Path
) -> None:
    """Its artifact fails, with the reason."""
    async with asyncio.timeout(PATIENCE), aiohttp.TCPConnector(limit=1) as connector:
        async with server.client(connector=connector, timeout=SOON, retry=ONCE) as px:
            async with opened(px, server, 1):
                stored = server.add_export(rows=1)
                linked = Export(id=stored.id, csv_url=server.url_for(stored.id, "csv"))
                with pytest.raises(ExceptionGroup) as caught:
                    await px.exports.download(linked, tmp_path, artifacts="csv")
    (error,) = caught.value.exceptions
    assert BLOCKED in str(error)


async def test_a_connector_that_was_closed_is_named(server: Emulator, tmp_path: Path) -> None:
    """The caller has closed it; another attempt would not help."""
    connector = aiohttp.TCPConnector()
    async with asyncio.timeout(PATIENCE), server.client(connector=connector, retry=AT_ONCE) as px:
        stored = server.add_export(content={"csv": bytes(SIZE)})
        linked = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
        async with px.exports.stream(linked, "csv") as body:
            assert await anext(body)
            await connector.close()
            with pytest.raises(StorageUnreachableError, match="the connector was closed"):
                [block async for block in body]
        with pytest.raises(ConnectionFailedError, match="the connector was closed"):
            await px.exports.retrieve(stored.id)
        with pytest.raises(ExceptionGroup) as caught:
            await px.exports.download(linked, tmp_path)
    assert {type(error) for error in caught.value.exceptions} == {StorageUnreachableError}


async def test_a_connector_that_is_closed_while_it_is_waited_for_is_named(server: Emulator) -> None:
    """aiohttp cancels those who wait; here it is an error, for nobody has cancelled the task."""
    connector = aiohttp.TCPConnector(limit=1)
    async with asyncio.timeout(PATIENCE), server.client(connector=connector, retry=PATIENT) as px:
        async with opened(px, server, 1):
            waiting = asyncio.create_task(px.exports.retrieve(server.exports[0].id))
            await asyncio.sleep(SOON)
            await connector.close()
            with pytest.raises(ConnectionFailedError, match="the connector was closed"):
                await waiting


async def test_a_request_that_waits_for_a_connection_can_be_cancelled(server: Emulator) -> None:
    """That is the caller's own cancellation."""
    async with asyncio.timeout(PATIENCE), aiohttp.TCPConnector(limit=1) as connector:
        async with server.client(connector=connector, retry=PATIENT) as px:
            async with opened(px, server, 1):
                waiting = asyncio.create_task(px.exports.retrieve(server.exports[0].id))
                await asyncio.sleep(SOON)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting


def test_a_connector_of_another_loop_is_named(packagex_emulator: Emulator) -> None:
    """It was made where another loop ran."""

    async def make() -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector()

    async def use(connector: aiohttp.BaseConnector) -> None:
        async with packagex_emulator.client(connector=connector, retry=PATIENT) as px:
            with pytest.raises(ConnectionFailedError, match="the connector belongs to another event loop"):
                await px.exports.retrieve("exp_1")

    asyncio.run(use(asyncio.run(make())))


async def test_a_server_that_closes_each_connection_is_connected_to_anew() -> None:
    """Nothing was sent over the connection that the pool has found closed."""

    closed = asyncio.Semaphore(0)

    async def handler(connection: Connection) -> None:
        await connection.send(export(id_of(await connection.request())))
        connection.end()
        closed.release()

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE) as px:
            for number in range(3):
                assert (await px.exports.retrieve(f"exp_{number}")).id == f"exp_{number}"
                await closed.acquire()
        assert server.connections == 3
