"""A connection whose body is read with a reader of large bodies, from a server that a test controls."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import pytest

from packagex_async._bodies.body_reader import ResponseBody
from packagex_async._bodies.buffer_reader import BufferReader
from packagex_async._bodies.pipe import PipedChunk
from packagex_async._bodies.pipe_reader import PipeReader, open_pipe_reader
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._utils.byte_ranges import Chunk
from tests.integration.transport.server import Security

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]

BUFFER_SIZE = TransferTuning().pipe_size
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
class Kind:
    """A reader and the connections that it supports."""

    security: Security
    is_piped: bool = False

    def open(self, body: ResponseBody) -> BufferReader | PipeReader:
        """Return a reader of `body`."""
        reader = open_pipe_reader(body, BUFFER_SIZE) if self.is_piped else BufferReader(body, BUFFER_SIZE)
        assert reader is not None
        return reader


@attrs.frozen
class Transfer:
    """A connection, and the reader of its body."""

    reader: BufferReader | PipeReader
    transport: asyncio.Transport
    original_protocol: OriginalProtocol


@asynccontextmanager
async def transfer(
    handler: Handler,
    kind: Kind,
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
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=kind.security.server)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, original_protocol = await loop.create_connection(
            OriginalProtocol, "127.0.0.1", port, ssl=kind.security.client
        )
        transport.pause_reading()
        try:
            yield Transfer(
                kind.open(ResponseBody(transport, first, length - len(first), stall_timeout, fill_timeout)),
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


def content(block: Chunk | PipedChunk) -> bytes:
    """Return the bytes of a block. Those in a pipe are read."""
    return block.take_pipe().read(len(block)) if isinstance(block, PipedChunk) else bytes(block)
