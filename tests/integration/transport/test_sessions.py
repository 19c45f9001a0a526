"""The sessions of a client: headers, connection pools, and streams that occupy connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from packagex_async import (
    ArtifactStream,
    AsyncPackageX,
    ConnectionFailedError,
    Export,
    RetryPolicy,
    StalledError,
    StorageUnreachableError,
)
from packagex_async.testing import Emulator, Stall
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.integration.transport.server import Connection, Server, export, id_of, response
from tests.support import NO_BACKOFF
from tests.time_limits import LIMITED, TimeLimits

DEFAULT_POOL_SIZE = 100
"""The default limit of connections in aiohttp."""

BLOCKED = "open streams that are not read"
ONCE = RetryPolicy(attempts=1)
NO_RETRY_IN_TIME = RetryPolicy(wait_initial=1000, wait_max=1000)
SIZE = 4_000_000


@asynccontextmanager
async def opened(px: AsyncPackageX, server: Emulator, count: int) -> AsyncIterator[list[ArtifactStream]]:
    """Open streams and read one block of each, so that each one occupies a connection."""
    stored = server.add_export(content={"csv": bytes(SIZE)})
    linked = Export(id=stored.id, csv_url=server.url_for(stored.id, "csv"))
    async with AsyncExitStack() as stack:
        bodies = [await stack.enter_async_context(px.exports.stream(linked, "csv")) for _ in range(count)]
        for body in bodies:
            assert await anext(body)
        yield bodies


async def test_api_has_its_own_pool(server: Emulator) -> None:
    """Streams do not delay API requests."""
    async with asyncio.timeout(TIMEOUT_SECONDS), server.client(retry=ONCE) as px:
        async with opened(px, server, DEFAULT_POOL_SIZE):
            exports = await asyncio.gather(
                *(px.exports.retrieve(server.exports[0].id) for _ in range(DEFAULT_POOL_SIZE))
            )
            assert len(exports) == DEFAULT_POOL_SIZE
            assert [found async for found in px.exports.list()]


@pytest.mark.parametrize("per_host", [False, True], ids=["in all", "for each host"])
async def test_pool_blocked_by_streams_is_an_error(
    server: Emulator, limits: TimeLimits, per_host: bool
) -> None:
    """For a connector of the caller. The request is not retried."""
    sizes: dict[str, Any] = {"limit_per_host": 2} if per_host else {"limit": 2}
    async with asyncio.timeout(TIMEOUT_SECONDS), aiohttp.TCPConnector(**sizes) as connector:
        async with server.client(connector=connector, retry=NO_RETRY_IN_TIME, **LIMITED) as px:
            async with opened(px, server, 2) as bodies:
                linked = Export(id="exp_1", csv_url=server.url_for(server.exports[0].id, "csv"))
                ending = asyncio.create_task(limits.end_when_running())
                with pytest.raises(StorageUnreachableError, match=BLOCKED):
                    async with px.exports.stream(linked, "csv"):
                        pytest.fail("there is no connection")
                await ending
                if not per_host:
                    ending = asyncio.create_task(limits.end_when_running())
                    with pytest.raises(ConnectionFailedError, match=BLOCKED) as caught:
                        await px.exports.retrieve(server.exports[0].id)
                    await ending
                    assert not caught.value.retryable
                # A stream that was read to its end releases its connection.
                assert len(b"".join([block async for block in bodies[0]])) < SIZE
                assert (await px.exports.retrieve(server.exports[0].id)).id


async def test_download_fails_if_streams_block_the_pool(
    server: Emulator, limits: TimeLimits, tmp_path: Path
) -> None:
    """The error of its artifact contains the reason."""
    async with asyncio.timeout(TIMEOUT_SECONDS), aiohttp.TCPConnector(limit=1) as connector:
        async with server.client(connector=connector, retry=ONCE, **LIMITED) as px:
            async with opened(px, server, 1):
                stored = server.add_export(rows=1)
                linked = Export(id=stored.id, csv_url=server.url_for(stored.id, "csv"))
                ending = asyncio.create_task(limits.end_when_running())
                with pytest.raises(ExceptionGroup) as caught:
                    await px.exports.download(linked, tmp_path, artifacts="csv")
                await ending
    (error,) = caught.value.exceptions
    assert BLOCKED in str(error)


async def test_closed_connector_is_an_error(server: Emulator, tmp_path: Path) -> None:
    """The request is not retried."""
    connector = aiohttp.TCPConnector()
    async with asyncio.timeout(TIMEOUT_SECONDS), server.client(connector=connector, retry=NO_BACKOFF) as px:
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


async def test_connector_that_is_closed_during_a_request_is_an_error(
    server: Emulator, limits: TimeLimits
) -> None:
    """aiohttp cancels the waiting tasks. That is not a cancellation by the caller."""
    connector = aiohttp.TCPConnector(limit=1)
    async with (
        asyncio.timeout(TIMEOUT_SECONDS),
        server.client(connector=connector, retry=NO_RETRY_IN_TIME, **LIMITED) as px,
    ):
        async with opened(px, server, 1):
            waiting = asyncio.create_task(px.exports.retrieve(server.exports[0].id))
            await limits.wait_until_running()
            await connector.close()
            with pytest.raises(ConnectionFailedError, match="the connector was closed"):
                await waiting


async def test_request_that_waits_for_a_connection_can_be_cancelled(
    server: Emulator, limits: TimeLimits
) -> None:
    """By the caller."""
    async with asyncio.timeout(TIMEOUT_SECONDS), aiohttp.TCPConnector(limit=1) as connector:
        async with server.client(connector=connector, retry=NO_RETRY_IN_TIME, **LIMITED) as px:
            async with opened(px, server, 1):
                waiting = asyncio.create_task(px.exports.retrieve(server.exports[0].id))
                await limits.wait_until_running()
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting


def test_connector_of_another_event_loop_is_an_error(packagex_emulator: Emulator) -> None:
    """It was created while the other loop was running."""

    async def make() -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector()

    async def use(connector: aiohttp.BaseConnector) -> None:
        async with packagex_emulator.client(connector=connector, retry=NO_RETRY_IN_TIME) as px:
            with pytest.raises(ConnectionFailedError, match="the connector belongs to another event loop"):
                await px.exports.retrieve("exp_1")

    asyncio.run(use(asyncio.run(make())))


async def test_closed_idle_connection_is_replaced() -> None:
    """No request is sent over it."""

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


async def test_waiting_for_a_connection_is_not_limited_by_the_timeout(
    server: Emulator, limits: TimeLimits
) -> None:
    """A download occupies the only connection for longer than `timeout`."""
    export = server.add_export(rows=100)
    server.inject(Stall(10))
    linked = Export(id=export.id, csv_url=server.url_for(export.id, "csv"))
    async with aiohttp.TCPConnector(limit=1) as connector:
        async with server.client(connector=connector, retry=ONCE, **LIMITED) as px:
            async with px.exports.stream(linked, "csv") as body:
                waiting = asyncio.create_task(px.exports.retrieve(export.id))
                ending = asyncio.create_task(limits.end_when_running(2))
                with pytest.raises(StalledError):
                    [block async for block in body]
                await ending
                assert not waiting.done()
            assert (await waiting).id == export.id


async def test_trap_08_key_is_sent_only_to_the_api(server: Emulator, px: AsyncPackageX) -> None:
    """A storage host gets no key and no cookie."""
    export = server.add_export(rows=3)
    async with px.exports.stream(export.id, "csv") as body:
        [block async for block in body]
    to_api, to_storage = server.requests
    assert to_api.headers["PX-API-KEY"] == server.api_key
    assert to_storage.host == "storage"
    assert server.api_key not in str(dict(to_storage.headers))
    assert {name.lower() for name in to_storage.headers} == {
        "host",
        "accept",
        "accept-encoding",
        "user-agent",
    }
    assert to_storage.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(("count", "size"), [(1, 10_000), (1, 60_000), (250, 100)])
async def test_large_headers_are_accepted(count: int, size: int) -> None:
    """Up to 64 KiB each, and up to 256 headers, in both sessions."""
    large: dict[str, Any] = {"headers": f"X-Policy: {'x' * size}\r\n" * count}

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.request()
            body = json.dumps({"id": "exp_1", "status": "completed", "_csv_url": f"{server.url}/a"})
            await connection.send(response(body.encode() if "/v1/" in request else b"a,b\n", **large))

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE) as px:
            async with px.exports.stream("exp_1", "csv") as content:
                assert [block async for block in content] == [b"a,b\n"]
