"""Reading of large bodies from the socket: complete, or an error after the bytes that have arrived."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable
from pathlib import Path

import aiohttp
import pytest
import trustme

from packagex_async._bodies import body_reader
from packagex_async._bodies.buffer_reader import BufferReader
from packagex_async._bodies.pipe_reader import PipeReader
from packagex_async.testing import Emulator
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.body_transfer import (
    BODY,
    BUFFER_SIZE,
    TIMEOUT,
    Kind,
    Transfer,
    content,
    send,
    sending,
    transfer,
)
from tests.integration.transport.server import Security
from tests.support import NO_BACKOFF
from tests.time_limits import LIMIT, TimeLimits
from tests.transfer_modes import use_transfer_mode


@pytest.fixture(
    params=["buffers, http", "buffers, https", pytest.param("pipes", marks=pytest.mark.selector_loop)]
)
def kind(request: pytest.FixtureRequest, authority: trustme.CA) -> Kind:
    """Each reader, with the connections that it supports."""
    is_encrypted = request.param == "buffers, https"
    security = Security.issued_by(authority, "127.0.0.1") if is_encrypted else Security.none()
    return Kind(security, is_piped=request.param == "pipes")


async def read_all(reader: BufferReader | PipeReader) -> bytes:
    """Read the body. Each block is copied only after the server had time to send more."""
    body = b""
    while block := await reader.read():
        assert len(block) <= BUFFER_SIZE
        await yield_to_event_loop()
        body += content(block)
    return body


async def read_until_error(reader: BufferReader | PipeReader) -> bytes:
    """Return the bytes before the error, which each further read raises again."""
    body = b""
    while True:
        try:
            body += content(await reader.read())
        except OSError as error:
            with pytest.raises(type(error)) as again:
                await reader.read()
            assert again.value.args == error.args
            return body


@pytest.mark.parametrize(
    "size", [1, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1, 2 * BUFFER_SIZE, len(BODY)]
)
async def test_body_of_any_length_is_complete(kind: Kind, size: int) -> None:
    """Afterwards, each read returns an empty block."""
    async with transfer(sending(BODY[:size]), kind, length=size) as connection:
        assert await read_all(connection.reader) == BODY[:size]
        assert len(await connection.reader.read()) == 0


@pytest.mark.parametrize("ahead", [1, 300_000, BUFFER_SIZE])
async def test_bytes_that_were_read_before_come_first(kind: Kind, ahead: int) -> None:
    """They arrived together with the head of the response."""
    async with transfer(sending(BODY[ahead:]), kind, first=BODY[:ahead]) as connection:
        assert await read_all(connection.reader) == BODY


@pytest.mark.parametrize("after", [0, 10, BUFFER_SIZE, BUFFER_SIZE + 10, len(BODY) - 1])
async def test_closed_connection_is_an_error(kind: Kind, after: int) -> None:
    """All bytes that have arrived are returned before the error."""

    async def cut(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:after])
        writer.close()
        await writer.wait_closed()

    async with transfer(cut, kind) as connection:
        assert await read_until_error(connection.reader) == BODY[:after]


@pytest.mark.parametrize("after", [0, BUFFER_SIZE + 10])
async def test_reset_connection_is_an_error(kind: Kind, after: int) -> None:
    """The bytes before the error are the beginning of the body."""

    async def reset(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:after])
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async with transfer(reset, kind) as connection:
        assert BODY.startswith(await read_until_error(connection.reader))


async def test_stall_is_a_timeout_after_which_reading_continues(kind: Kind, limits: TimeLimits) -> None:
    """The bytes that have arrived are returned before the error."""
    resume = asyncio.Event()

    async def pause(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:10])
        await resume.wait()
        await sending(BODY[10:])(writer)

    async with transfer(pause, kind, stall_timeout=LIMIT) as connection:
        assert content(await connection.reader.read()) == BODY[:10]
        with pytest.raises(TimeoutError):
            await asyncio.gather(connection.reader.read(), limits.end_when_running())
        resume.set()
        assert await read_all(connection.reader) == BODY[10:]


async def test_slow_bytes_are_returned_before_a_buffer_is_full(kind: Kind) -> None:
    """Otherwise, the stall detector could not measure the rate. Each byte is returned once."""
    received_event = asyncio.Semaphore(0)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        for byte in range(50):
            writer.write(BODY[byte : byte + 1])
            await received_event.acquire()
        await sending(BODY[50:])(writer)

    async with transfer(trickle, kind, fill_timeout=0.001) as connection:
        for byte in range(50):
            assert content(await connection.reader.read()) == BODY[byte : byte + 1]
            received_event.release()
        assert await read_all(connection.reader) == BODY[50:]


def low_water_mark(connection: Transfer) -> int:
    """Return the SO_RCVLOWAT of the connection."""
    sock: socket.socket = connection.transport.get_extra_info("socket")
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


async def test_low_water_mark_rises_for_a_fast_transfer(kind: Kind) -> None:
    """As long as enough bytes remain."""
    body = BODY * 3
    async with transfer(sending(body), kind, length=len(body), fill_timeout=TIMEOUT) as connection:
        assert low_water_mark(connection) == 1
        first = content(await connection.reader.read())
        # A pipe is full before it contains as many bytes.
        assert BUFFER_SIZE // 2 < len(first) <= BUFFER_SIZE
        assert low_water_mark(connection) == BUFFER_SIZE // 4
        assert first + await read_all(connection.reader) == body
        assert low_water_mark(connection) == 1


async def test_low_water_mark_is_not_used_on_other_systems(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer could stall until the reader times out."""
    monkeypatch.setattr(body_reader, "_HAS_LOW_WATER_MARK", False)
    body = BODY * 3
    async with transfer(sending(body), kind, length=len(body), fill_timeout=TIMEOUT) as connection:
        first = content(await connection.reader.read())
        assert low_water_mark(connection) == 1
        assert first + await read_all(connection.reader) == body


async def test_low_water_mark_falls_for_a_slow_transfer(kind: Kind) -> None:
    """So that the first bytes are read without delay."""
    received_event = asyncio.Event()
    body, first_part = BODY * 3, 3 * BUFFER_SIZE + 1000

    async def slow_down(writer: asyncio.StreamWriter) -> None:
        await send(writer, body[:first_part])
        await received_event.wait()
        await sending(body[first_part:])(writer)

    async with transfer(slow_down, kind, length=len(body), fill_timeout=TIMEOUT) as connection:
        received = b"".join([content(await connection.reader.read()) for _ in range(2)])
        assert BUFFER_SIZE < len(received) <= 2 * BUFFER_SIZE
        assert low_water_mark(connection) > 1
        connection.reader.fill_timeout = 0.001
        while len(received) < first_part:
            received += content(await connection.reader.read())
        received_event.set()
        assert received + await read_all(connection.reader) == body


async def test_bytes_after_the_body_are_ignored(kind: Kind) -> None:
    """The body ends after its declared length."""
    async with transfer(sending(BODY + b"surplus" * 100_000), kind) as connection:
        assert await read_all(connection.reader) == BODY
        await yield_to_event_loop()
        assert len(await connection.reader.read()) == 0


async def test_cancelled_read_loses_no_bytes(kind: Kind) -> None:
    """The next read returns them."""
    requested = asyncio.Event()

    async def send_late(writer: asyncio.StreamWriter) -> None:
        await requested.wait()
        await sending(BODY)(writer)

    async with transfer(send_late, kind) as connection:
        task = asyncio.create_task(asyncio.wait_for(connection.reader.read(), None))
        await yield_to_event_loop()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        requested.set()
        assert await read_all(connection.reader) == BODY


async def test_closing_the_connection_ends_a_read(kind: Kind) -> None:
    """For example, when the client is closed. The original protocol is notified."""
    async with transfer(sending(BODY[:10]), kind) as connection:
        assert content(await connection.reader.read()) == BODY[:10]
        task = asyncio.create_task(connection.reader.read())
        await yield_to_event_loop()
        connection.transport.close()
        with pytest.raises(OSError, match="closed within the body"):
            await task
        await connection.original_protocol.lost.wait()


@pytest.mark.parametrize("limit", [1, 0])
@pytest.mark.parametrize(
    ("transfer_mode", "reader_class"),
    [
        ("buffer_reader", BufferReader),
        pytest.param("pipe_reader", PipeReader, marks=pytest.mark.selector_loop),
    ],
)
async def test_connector_is_released(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    transfer_mode: str,
    reader_class: type[BufferReader | PipeReader],
    limit: int,
) -> None:
    """The connection is closed after the body, and its place in the pool is free again."""
    use_transfer_mode(transfer_mode, monkeypatch)
    readers: list[object] = []
    original_read = reader_class.read

    def count(reader: BufferReader | PipeReader) -> Awaitable[object]:
        if reader not in readers:
            readers.append(reader)
        return original_read(reader)  # type: ignore[arg-type]

    monkeypatch.setattr(reader_class, "read", count)
    async with asyncio.timeout(TIMEOUT), Emulator(populate=False) as server:
        bodies = {"csv": BODY, "json": BODY[::-1]}
        export = server.add_export(content=bodies)
        async with aiohttp.TCPConnector(limit=limit) as connector:
            async with server.client(retry=NO_BACKOFF, connector=connector) as px:
                report = await px.exports.download(export.id, tmp_path)
            await connector.close()
    assert len(readers) == 2
    assert {file.artifact: file.path.read_bytes() for file in report.files} == bodies


async def test_body_is_complete_if_reading_is_resumed_from_outside(kind: Kind) -> None:
    """aiohttp resumes reading when the end of the previous response is read late."""
    body = BODY * 3
    async with transfer(sending(body + b"surplus" * 1000), kind, length=len(body)) as connection:
        received = bytearray()
        while block := await connection.reader.read():
            received += content(block)
            for _ in range(20):
                connection.transport.resume_reading()
                await asyncio.sleep(0)
        connection.transport.resume_reading()
        await yield_to_event_loop()
    assert received == body
