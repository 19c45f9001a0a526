"""The responses of storage hosts, read through `StorageClient` from real servers."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from packagex_async import Artifact, ConnectionFailedError, RequestTimeoutError, RetryPolicy
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._transport.sessions import Sessions, TransportSettings
from packagex_async._transport.storage_client import StorageClient
from packagex_async._transport.storage_response import StorageResponse
from packagex_async._utils.redaction import Secret
from packagex_async.retry import SystemClock
from packagex_async.testing import Emulator
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.server import Connection, Server, forever, response
from tests.support import NO_BACKOFF
from tests.time_limits import LIMIT, TimeLimits
from tests.transfer_modes import tune

BODY = random.Random("storage response").randbytes(50_000)


@asynccontextmanager
async def responding(
    head: bytes,
    *pieces: bytes,
    stall_timeout: float = TIMEOUT_SECONDS,
    reset: asyncio.Event | None = None,
) -> AsyncIterator[StorageResponse]:
    """Yield the response of a server that sends `head` and `pieces`, and then waits.

    Args:
        head: The head.
        pieces: The pieces of the body.
        stall_timeout: The `stall_timeout` of the client.
        reset: The server resets the connection when this is set.
    """

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)
        for piece in pieces:
            await yield_to_event_loop()
            await connection.send(piece)
        await (reset.wait() if reset else forever())
        connection.reset()

    async with asyncio.timeout(TIMEOUT_SECONDS), Server(handler) as server:
        settings = TransportSettings(
            base_url=server.url,
            key=Secret("px_key"),
            policy=RetryPolicy(),
            timeout=TIMEOUT_SECONDS,
            stall_timeout=stall_timeout,
            tuning=TransferTuning(),
        )
        client_sessions = Sessions(settings)
        client = StorageClient(client_sessions, settings, SystemClock())
        try:
            url = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url=f"{server.url}/a?sig=x")
            yield await client.get(url)
        finally:
            client.close()
            await client_sessions.aclose()


async def test_bytes_before_a_failure_are_read() -> None:
    """They have arrived before the connection failed, and must not be requested again."""
    head, _, body = response(BODY).partition(b"\r\n\r\n")
    reset = asyncio.Event()
    async with responding(head + b"\r\n\r\n", body[:30_000], reset=reset) as storage:
        content = storage._response.content
        while content.total_bytes < 30_000:
            await yield_to_event_loop()
        reset.set()
        while content.exception() is None:
            await yield_to_event_loop()
        assert await storage.read() == BODY[:30_000]
        with pytest.raises(ConnectionFailedError):
            await storage.read()


async def test_body_is_read_in_blocks() -> None:
    """At its end, each read returns an empty block."""
    head, _, body = response(BODY).partition(b"\r\n\r\n")
    async with responding(head + b"\r\n\r\n", body[:100], body[100:]) as storage:
        assert (storage.status, storage.headers["content-length"]) == (200, str(len(BODY)))
        received = b""
        while block := await storage.read():
            received += bytes(block)
        assert received == BODY
        assert len(await storage.read()) == 0


async def test_start_of_a_body_is_limited() -> None:
    """For the body of an error response, which may be of any size."""
    async with responding(response(BODY)) as storage:
        assert await storage.read_start(100) == BODY[:100]


async def test_start_of_a_body_ends_where_the_connection_fails() -> None:
    """It is not an error."""
    async with responding(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n", b"zz\r\n"
    ) as storage:
        assert await storage.read_start(100) == b"abc"


async def test_stalled_body_is_a_timeout(limits: TimeLimits) -> None:
    """The bytes before it are returned first."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhello"
    async with responding(head, stall_timeout=LIMIT) as storage:
        assert bytes(await storage.read()) == b"hello"
        with pytest.raises(RequestTimeoutError, match="no or too few bytes within 3 seconds"):
            await asyncio.gather(storage.read(), limits.end_when_running())


async def test_connection_that_is_lost_between_two_reads(caplog: pytest.LogCaptureFixture) -> None:
    """The next read fails, and asyncio logs no exception that was never retrieved."""
    reset = asyncio.Event()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with responding(head, b"3\r\nabc\r\n", reset=reset) as storage:
        assert bytes(await storage.read()) == b"abc"
        reset.set()
        for _ in range(3):
            await yield_to_event_loop()
        with pytest.raises(ConnectionFailedError):
            await storage.read()
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_closed_response_cannot_be_read() -> None:
    """Its connection was closed."""
    async with responding(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", b"hello") as storage:
        storage.close()
        with pytest.raises(ConnectionFailedError, match="the storage host: the connection was closed"):
            await storage.read()


async def test_only_a_redirect_has_a_redirect_url() -> None:
    """It is resolved against the requested URL, and keeps export and artifact."""
    url = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://storage.example/a?sig=x")
    async with responding(response(b"", headers="Location: /b\r\n")) as storage:
        assert storage.redirect_url(url) is None


async def test_body_that_aiohttp_has_buffered_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and the connection is not read without aiohttp."""
    tune(monkeypatch, direct_read_min_size=1, read_size=1_000)
    async with asyncio.timeout(TIMEOUT_SECONDS), Emulator(populate=False) as server:
        export = server.add_export(content={"csv": BODY})
        async with server.client(retry=NO_BACKOFF) as px:
            report = await px.exports.download(export.id, tmp_path)
    file = report.files["csv"]
    assert (file.path.read_bytes(), file.attempts) == (BODY, 1)
