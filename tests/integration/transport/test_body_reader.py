"""Reading of large bodies from the socket: complete, or an error after the bytes that have arrived."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import attrs
import pytest

from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._transport import body_reader
from packagex_async._transport.body_reader import BUFFER_COUNT, BodyReader
from packagex_async.testing import Emulator
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.server import Security
from tests.support import NO_BACKOFF
from tests.time_limits import LIMIT, TimeLimits
from tests.transfer_modes import use_transfer_mode

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]

BUFFER_SIZE = TransferTuning().buffer_size
BODY = random.Random("body reader").randbytes(3 * BUFFER_SIZE + 7)
TIMEOUT = 120.0


class OriginalProtocol(asyncio.Protocol):
    """The protocol before the reader. It must learn of the end of the connection, but receive no data."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        pytest.fail("the original protocol received data")


@attrs.frozen
class Transfer:
    """A connection, and the reader of its body."""

    reader: BodyReader
    transport: asyncio.Transport
    original_protocol: OriginalProtocol


@asynccontextmanager
async def transfer(
    handler: Handler,
    security: Security,
    *,
    length: int = len(BODY),
    first: bytes = b"",
    stall_timeout: float = TIMEOUT,
    fill_timeout: float = 0.05,
) -> AsyncIterator[Transfer]:
    """Read a body of `length` bytes from a server that runs `handler`. `first` was read before."""
    tasks: list[asyncio.Task[None]] = []

    async def serve(writer: asyncio.StreamWriter) -> None:
        try:
            await handler(writer)
        except OSError:
            pass  # The client has closed the connection.
        finally:
            writer.transport.abort()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(serve(writer)))

    async with asyncio.timeout(TIMEOUT):
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=security.server)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, original_protocol = await loop.create_connection(
            OriginalProtocol, "127.0.0.1", port, ssl=security.client
        )
        transport.pause_reading()
        try:
            yield Transfer(
                BodyReader(
                    transport,
                    first,
                    length - len(first),
                    stall_timeout,
                    size=BUFFER_SIZE,
                    fill_timeout=fill_timeout,
                ),
                transport,
                original_protocol,
            )
        finally:
            transport.close()
            await original_protocol.lost.wait()
            server.close()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await server.wait_closed()


def sending(body: bytes) -> Handler:
    """Return a handler that sends `body` and keeps the connection open."""

    async def handler(writer: asyncio.StreamWriter) -> None:
        await send(writer, body)
        await forever()

    return handler


async def send(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Send a body in pieces."""
    for start in range(0, len(body), 100_000):
        writer.write(body[start : start + 100_000])
        await writer.drain()


async def forever() -> None:
    """Keep the connection open until the end of the test."""
    await asyncio.Event().wait()


async def read_all(reader: BodyReader) -> bytes:
    """Read the body. Each block is copied only after the server had time to send more."""
    body = b""
    while block := await reader.read():
        assert len(block) <= BUFFER_SIZE
        await yield_to_event_loop()
        body += block
    return body


async def read_until_error(reader: BodyReader) -> bytes:
    """Return the bytes before the error, which each further read raises again."""
    body = b""
    while True:
        try:
            body += await reader.read()
        except OSError as error:
            with pytest.raises(type(error)) as again:
                await reader.read()
            assert again.value is error
            return body


@pytest.mark.parametrize(
    "size", [1, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1, 2 * BUFFER_SIZE, len(BODY)]
)
async def test_body_of_any_length_is_complete(security: Security, size: int) -> None:
    """Afterwards, each read returns an empty block."""
    async with transfer(sending(BODY[:size]), security, length=size) as connection:
        assert await read_all(connection.reader) == BODY[:size]
        assert len(await connection.reader.read()) == 0


@pytest.mark.parametrize("ahead", [1, 300_000, BUFFER_SIZE])
async def test_bytes_that_were_read_before_come_first(security: Security, ahead: int) -> None:
    """They arrived together with the head of the response."""
    async with transfer(sending(BODY[ahead:]), security, first=BODY[:ahead]) as connection:
        assert await read_all(connection.reader) == BODY


@pytest.mark.parametrize("after", [0, 10, BUFFER_SIZE, BUFFER_SIZE + 10, len(BODY) - 1])
async def test_closed_connection_is_an_error(security: Security, after: int) -> None:
    """All bytes that have arrived are returned before the error."""

    async def cut(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:after])
        writer.close()
        await writer.wait_closed()

    async with transfer(cut, security) as connection:
        assert await read_until_error(connection.reader) == BODY[:after]


@pytest.mark.parametrize("after", [0, BUFFER_SIZE + 10])
async def test_reset_connection_is_an_error(security: Security, after: int) -> None:
    """The bytes before the error are the beginning of the body."""

    async def reset(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:after])
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async with transfer(reset, security) as connection:
        assert BODY.startswith(await read_until_error(connection.reader))


async def test_stall_is_a_timeout_after_which_reading_continues(
    security: Security, limits: TimeLimits
) -> None:
    """The bytes that have arrived are returned before the error."""
    resume = asyncio.Event()

    async def pause(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:10])
        await resume.wait()
        await sending(BODY[10:])(writer)

    async with transfer(pause, security, stall_timeout=LIMIT) as connection:
        assert await connection.reader.read() == BODY[:10]
        with pytest.raises(TimeoutError):
            await asyncio.gather(connection.reader.read(), limits.end_when_running())
        resume.set()
        assert await read_all(connection.reader) == BODY[10:]


async def test_slow_bytes_are_returned_before_a_buffer_is_full(security: Security) -> None:
    """Otherwise, the stall detector could not measure the rate. Each byte is returned once."""
    received_event = asyncio.Semaphore(0)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        for byte in range(50):
            writer.write(BODY[byte : byte + 1])
            await received_event.acquire()
        await sending(BODY[50:])(writer)

    async with transfer(trickle, security, fill_timeout=0.001) as connection:
        for byte in range(50):
            assert await connection.reader.read() == BODY[byte : byte + 1]
            received_event.release()
        assert await read_all(connection.reader) == BODY[50:]


def low_water_mark(connection: Transfer) -> int:
    """Return the SO_RCVLOWAT of the connection."""
    sock: socket.socket = connection.transport.get_extra_info("socket")
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


async def test_low_water_mark_rises_for_a_fast_transfer(security: Security) -> None:
    """As long as enough bytes remain."""
    body = BODY * 3
    async with transfer(sending(body), security, length=len(body), fill_timeout=TIMEOUT) as connection:
        assert low_water_mark(connection) == 1
        first = bytes(await connection.reader.read())
        assert len(first) == BUFFER_SIZE
        assert low_water_mark(connection) == BUFFER_SIZE // 4
        assert first + await read_all(connection.reader) == body
        assert low_water_mark(connection) == 1


async def test_low_water_mark_is_not_used_on_other_systems(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer could stall until the reader times out."""
    monkeypatch.setattr(body_reader, "_HAS_LOW_WATER_MARK", False)
    body = BODY * 3
    async with transfer(sending(body), security, length=len(body), fill_timeout=TIMEOUT) as connection:
        first = bytes(await connection.reader.read())
        assert low_water_mark(connection) == 1
        assert first + await read_all(connection.reader) == body


async def test_low_water_mark_falls_for_a_slow_transfer(security: Security) -> None:
    """So that the first bytes are read without delay."""
    received_event = asyncio.Event()
    body, first_part = BODY * 3, 3 * BUFFER_SIZE + 1000

    async def slow_down(writer: asyncio.StreamWriter) -> None:
        await send(writer, body[:first_part])
        await received_event.wait()
        await sending(body[first_part:])(writer)

    async with transfer(slow_down, security, length=len(body), fill_timeout=TIMEOUT) as connection:
        received = b"".join([bytes(await connection.reader.read()) for _ in range(2)])
        assert len(received) == 2 * BUFFER_SIZE
        assert low_water_mark(connection) > 1
        connection.reader.fill_timeout = 0.001
        while len(received) < first_part:
            received += await connection.reader.read()
        received_event.set()
        assert received + await read_all(connection.reader) == body


async def test_reading_is_paused_while_all_buffers_are_full(security: Security) -> None:
    """No further buffer is allocated."""
    body = BODY * 5
    async with transfer(sending(body), security, length=len(body)) as connection:
        while connection.transport.is_reading():
            await asyncio.sleep(0)
        tracemalloc.start()
        received = 0
        while block := await connection.reader.read():
            assert block == body[received : received + len(block)]
            received += len(block)
            await yield_to_event_loop()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert received == len(body)
    # A copy of a block for the comparison, and the buffers of the server and the event loop.
    assert peak < 2 * BUFFER_SIZE


async def test_memory_is_limited_to_the_buffers(security: Security) -> None:
    """Independent of the length of the body."""
    async with transfer(sending(BODY[:10]), security, length=10) as connection:
        assert await read_all(connection.reader) == BODY[:10]
        tracemalloc.start()
        BodyReader(connection.transport, b"", 10**12, TIMEOUT, size=BUFFER_SIZE, fill_timeout=TIMEOUT)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert held < BUFFER_COUNT * BUFFER_SIZE + 100_000


async def test_bytes_after_the_body_are_ignored(security: Security) -> None:
    """The body ends after its declared length."""
    async with transfer(sending(BODY + b"surplus" * 100_000), security) as connection:
        assert await read_all(connection.reader) == BODY
        await yield_to_event_loop()
        assert len(await connection.reader.read()) == 0


async def test_cancelled_read_loses_no_bytes(security: Security) -> None:
    """The next read returns them."""
    requested = asyncio.Event()

    async def send_late(writer: asyncio.StreamWriter) -> None:
        await requested.wait()
        await sending(BODY)(writer)

    async with transfer(send_late, security) as connection:
        task = asyncio.create_task(asyncio.wait_for(connection.reader.read(), None))
        await yield_to_event_loop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        requested.set()
        assert await read_all(connection.reader) == BODY


async def test_closing_the_connection_ends_a_read(security: Security) -> None:
    """For example, when the client is closed. The original protocol is notified."""
    async with transfer(sending(BODY[:10]), security) as connection:
        assert await connection.reader.read() == BODY[:10]
        task = asyncio.create_task(connection.reader.read())
        await yield_to_event_loop()
        connection.transport.close()
        with pytest.raises(OSError, match="closed within the body"):
            await task
        await connection.original_protocol.lost.wait()


@pytest.mark.parametrize("limit", [1, 0])
async def test_connector_is_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    """The connection is closed after the body, and its place in the pool is free again."""
    use_transfer_mode("body_reader", monkeypatch)
    readers: list[object] = []
    original_init = BodyReader.__init__

    def count(reader: BodyReader, *args: object, **options: object) -> None:
        readers.append(reader)
        original_init(reader, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BodyReader, "__init__", count)
    async with asyncio.timeout(TIMEOUT), Emulator(populate=False) as server:
        content = {"csv": BODY, "json": BODY[::-1]}
        export = server.add_export(content=content)
        async with aiohttp.TCPConnector(limit=limit) as connector:
            async with server.client(retry=NO_BACKOFF, connector=connector) as px:
                report = await px.exports.download(export.id, tmp_path)
            await connector.close()
    assert len(readers) == 2
    assert {file.artifact: file.path.read_bytes() for file in report.files} == content


async def test_body_is_complete_if_reading_is_resumed_from_outside(security: Security) -> None:
    """aiohttp resumes reading when the end of the previous response is read late."""
    body = BODY * 3
    async with transfer(sending(body + b"surplus" * 1000), security, length=len(body)) as connection:
        received = bytearray()
        while block := await connection.reader.read():
            received += block
            for _ in range(20):
                connection.transport.resume_reading()
                await asyncio.sleep(0)
        connection.transport.resume_reading()
        await yield_to_event_loop()
    assert received == body
