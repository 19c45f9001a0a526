"""The common part of the readers of large bodies: which buffers are filled, ready or in use, and the waits.

aiohttp creates an object for each piece of a body, and copies it again. A `BodyReader` replaces the protocol
of the connection after the head of the response. One buffer is filled while others are written to disk.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from abc import abstractmethod
from collections import deque
from contextlib import suppress
from copy import copy
from typing import Generic, TypeVar

import attrs

BufferType = TypeVar("BufferType")
BlockType = TypeVar("BlockType")

BUFFER_COUNT = 3
"""Buffers per body: one is being filled, one is waiting, and one is being written to disk."""

_HAS_LOW_WATER_MARK = sys.platform == "linux"
"""Whether SO_RCVLOWAT may be used. On other systems, a connection may stall below the low-water mark."""


@attrs.frozen(eq=False, repr=False)
class ResponseBody:
    """The body of a response whose head was read.

    Attributes:
        transport: The connection. It cannot be used for another response, and must be closed after use.
        first: The bytes of the body that were read before.
        length: The number of bytes that follow `first`.
        stall_timeout: Seconds without any bytes before a read fails.
        fill_timeout: Seconds to wait for a full buffer before a read returns the bytes that have arrived.
    """

    transport: asyncio.Transport
    first: bytes
    length: int
    stall_timeout: float
    fill_timeout: float


class BodyReader(asyncio.BufferedProtocol, Generic[BufferType, BlockType]):
    """Reads a body of known length in blocks.

    A block is valid until the block after the next one is requested.

    Args:
        body: The body.
        buffers: `BUFFER_COUNT` empty buffers.
        size: Bytes of a buffer.
    """

    def __init__(self, body: ResponseBody, buffers: list[BufferType], size: int) -> None:
        self._transport = transport = body.transport
        self._original_protocol = transport.get_protocol()
        self._socket: socket.socket | None = (
            transport.get_extra_info("socket") if _HAS_LOW_WATER_MARK else None
        )
        self._remaining = body.length
        self._stall_timeout = body.stall_timeout
        self.fill_timeout = body.fill_timeout
        self._error: Exception | None = None
        self._ready: deque[tuple[BlockType | bytes, BufferType | None]] = deque(
            [(body.first, None)] if body.first else []
        )
        self._size = size
        self._surplus_buffer = memoryview(bytearray(1))
        self._buffer: BufferType | None
        self._buffer, *self._free = buffers
        self._filled = self._taken = 0
        self._in_use: deque[BufferType | None] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._needs_full_buffer = False
        self._low_water_mark = 1
        transport.set_protocol(self)
        self._resume()

    @abstractmethod
    def _block(self, buffer: BufferType, start: int, end: int) -> BlockType:
        """Return the bytes of `buffer` from `start` up to `end`."""

    @abstractmethod
    def _take_part(self, buffer: BufferType) -> None:
        """Add the bytes of the current buffer that were not returned yet to the ready blocks."""

    @abstractmethod
    def _pause(self) -> None:
        """Stop filling buffers, unless the connection is closing."""

    @abstractmethod
    def _resume(self) -> None:
        """Fill the current buffer, unless the connection is closing."""

    async def read(self) -> BlockType | bytes:
        """Return the next block, or an empty block at the end of the body.

        Raises:
            TimeoutError: No bytes arrived for `stall_timeout` seconds. `read` may be called again.
            OSError: The connection was closed before the end of the body.
        """
        self._reclaim_buffer()
        if not self._ready and not self._is_finished:
            await self._wait_for_block()
        if not self._ready and self._buffer is not None and self._filled > self._taken:
            self._take_part(self._buffer)
        if self._ready:
            block, buffer = self._ready.popleft()
            self._in_use.append(buffer)
            return block
        if self._remaining and self._error:
            # The traceback of a raised error refers to this reader, which would keep its buffers.
            raise copy(self._error)
        return b""

    def eof_received(self) -> None:
        self._fail(ConnectionResetError("the connection was closed within the body"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the connection was closed within the body"))
        # Otherwise, the connector of aiohttp would wait for the connection to close.
        self._original_protocol.connection_lost(exc)

    @property
    def _is_finished(self) -> bool:
        return not self._remaining or self._error is not None

    def _advance(self, buffer: BufferType, size: int, *, is_full: bool) -> None:
        """Record that `buffer`, the current buffer, has received `size` bytes."""
        self._filled += size
        self._remaining -= size
        self._set_low_water_mark(self._size // 4 if is_full and not self._taken else self._low_water_mark)
        if is_full or not self._remaining:
            self._finish_buffer(buffer)
        self._wake()

    def _finish_buffer(self, buffer: BufferType) -> None:
        """Make the rest of `buffer`, the current buffer, a block that is ready, and use the next buffer."""
        self._ready.append((self._block(buffer, self._taken, self._filled), buffer))
        self._next_buffer()

    def _next_buffer(self) -> None:
        self._filled = self._taken = 0
        self._buffer = self._free.pop() if self._free and self._remaining else None
        if self._buffer is None:
            self._pause()

    def _reclaim_buffer(self) -> None:
        # The latest block may still be in use.
        if len(self._in_use) < BUFFER_COUNT - 1:
            return
        if (buffer := self._in_use.popleft()) is not None:
            self._free.append(buffer)
        if self._buffer is None:
            self._next_buffer()
        if self._buffer is not None:
            self._resume()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error.with_traceback(None)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if self._ready or self._is_finished or not self._needs_full_buffer:
            self._waiter.set_result(None)

    def _set_low_water_mark(self, size: int) -> None:
        """Set SO_RCVLOWAT if enough bytes remain, so that a fast transfer wakes the event loop less often."""
        if self._remaining < 2 * size:
            size = 1
        if self._socket is not None and size != self._low_water_mark:
            self._low_water_mark = size
            # The socket may be closed.
            with suppress(OSError, ValueError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    async def _wait_for_block(self) -> None:
        """Wait until a buffer is full, or contains bytes after `fill_timeout`."""
        try:
            await self._wait(self.fill_timeout, full=True)
        except TimeoutError:
            self._set_low_water_mark(1)
            if self._filled == self._taken:
                await self._wait(self._stall_timeout, full=False)

    async def _wait(self, seconds: float, *, full: bool) -> None:
        """Wait until a buffer is full (or contains bytes, unless `full`), or the body has ended."""
        if self._ready or self._is_finished:
            return
        self._needs_full_buffer = full
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiter
        finally:
            self._waiter = None
