"""Blocks in memory: their number is limited."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from packagex_async._bodies.body_reader import BUFFER_COUNT, ResponseBody
from packagex_async._bodies.buffer_reader import BufferReader
from tests.faults.storage_server import yield_to_event_loop
from tests.integration.transport.body_transfer import (
    BODY,
    BUFFER_SIZE,
    TIMEOUT,
    Kind,
    content,
    sending,
    transfer,
)
from tests.integration.transport.server import Security


async def test_reading_is_paused_while_all_buffers_are_full(security: Security) -> None:
    """No further buffer is allocated."""
    body = BODY * 5
    async with transfer(sending(body), Kind(security), length=len(body)) as connection:
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


async def test_closed_connection_with_full_buffers_returns_all_of_them() -> None:
    """And the bytes that were read before. Nothing resumes or pauses a connection that is closed."""
    body = BODY * 5
    async with transfer(
        sending(body[10:]), Kind(Security.none()), length=len(body), first=body[:10]
    ) as connection:
        while connection.transport.is_reading():
            await asyncio.sleep(0)
        connection.transport.close()
        received = b""
        with pytest.raises(OSError, match="closed within the body"):
            while True:
                received += content(await connection.reader.read())
    assert received == body[: 10 + BUFFER_COUNT * BUFFER_SIZE]


async def test_memory_is_limited_to_the_buffers(security: Security) -> None:
    """Independent of the length of the body."""
    async with transfer(sending(BODY[:10]), Kind(security), length=10) as connection:
        assert await connection.reader.read() == BODY[:10]
        tracemalloc.start()
        BufferReader(ResponseBody(connection.transport, b"", 10**12, TIMEOUT, TIMEOUT), BUFFER_SIZE)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert held < BUFFER_COUNT * BUFFER_SIZE + 100_000
