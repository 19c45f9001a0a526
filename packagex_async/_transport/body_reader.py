"""Reads large response bodies from the socket into reused buffers, without the copies of aiohttp.

aiohttp creates an object for each piece of a body, and copies it again. `BodyReader` replaces the protocol of
the connection after the head of the response. The socket fills one buffer while others are written to disk.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from contextlib import suppress

BUFFER_COUNT = 3
"""Buffers per body: one is being filled, one is waiting, and one is being written to disk."""

_HAS_LOW_WATER_MARK = sys.platform == "linux"
"""Whether SO_RCVLOWAT may be used. On other systems, a connection may stall below the low-water mark."""

_EMPTY = memoryview(b"")


class BodyReader(asyncio.BufferedProtocol):
    """Reads a body of known length in blocks.

    A block is valid until the block after the next one is requested.

    Args:
        transport: The connection. It cannot be used for another response, and must be closed after use.
        first: The bytes of the body that were read before.
        length: The number of bytes that follow `first`.
        stall_timeout: Seconds without any bytes before `read` fails.
        size: Bytes of a buffer.
        fill_timeout: Seconds to wait for a full buffer before `read` returns the bytes that have arrived.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        first: bytes,
        length: int,
        stall_timeout: float,
        *,
        size: int,
        fill_timeout: float,
    ) -> None:
        self._transport = transport
        self._original_protocol = transport.get_protocol()
        self._socket: socket.socket | None = (
            transport.get_extra_info("socket") if _HAS_LOW_WATER_MARK else None
        )
        self._remaining = length
        self._stall_timeout = stall_timeout
        self.fill_timeout = fill_timeout
        self._error: Exception | None = None
        self._ready = deque([(memoryview(first), _EMPTY)] if first else [])
        self._size = size
        self._surplus_buffer = memoryview(bytearray(1))
        self._buffer, *self._free = [memoryview(bytearray(size)) for _ in range(BUFFER_COUNT)]
        self._pause_after_read = False
        self._filled = self._taken = 0
        self._in_use: deque[memoryview] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._needs_full_buffer = False
        self._low_water_mark = 1
        transport.set_protocol(self)
        transport.resume_reading()

    async def read(self) -> memoryview:
        """Return the next block, or an empty block at the end of the body.

        Raises:
            TimeoutError: No bytes arrived for `stall_timeout` seconds. `read` may be called again.
            OSError: The connection was closed before the end of the body.
        """
        self._reclaim_buffer()
        if not self._ready and not self._is_finished:
            await self._wait_for_block()
        if self._ready:
            block, buffer = self._ready.popleft()
            self._in_use.append(buffer)
            return block
        if self._filled > self._taken:
            block = self._buffer[self._taken : self._filled]
            self._taken = self._filled
            return block
        if self._remaining and self._error:
            raise self._error
        return _EMPTY

    def get_buffer(self, sizehint: int) -> memoryview:
        if not self._remaining:
            return self._surplus_buffer
        if not self._buffer:
            # aiohttp has resumed reading, because the end of the previous response was read only now. Reading
            # is paused after the next bytes: uvloop crashes if it is paused here.
            self._pause_after_read = True
            self._buffer = memoryview(bytearray(self._size))
        return self._buffer[self._filled : self._filled + self._remaining]

    def buffer_updated(self, nbytes: int) -> None:
        if self._pause_after_read or not self._remaining:
            self._pause_after_read = False
            self._transport.pause_reading()
        if not self._remaining:
            return
        self._filled += nbytes
        self._remaining -= nbytes
        is_full = self._filled == len(self._buffer)
        self._set_low_water_mark(self._size // 4 if is_full and not self._taken else self._low_water_mark)
        if is_full or not self._remaining:
            self._ready.append((self._buffer[self._taken : self._filled], self._buffer))
            self._next_buffer()
        self._wake()

    def eof_received(self) -> None:
        self._fail(ConnectionResetError("the connection was closed within the body"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or ConnectionResetError("the connection was closed within the body"))
        # Otherwise, the connector of aiohttp would wait for the connection to close.
        self._original_protocol.connection_lost(exc)

    @property
    def _is_finished(self) -> bool:
        return not self._remaining or self._error is not None

    def _next_buffer(self) -> None:
        self._filled = self._taken = 0
        self._buffer = self._free.pop() if self._free and self._remaining else _EMPTY
        if not self._buffer and not self._transport.is_closing():
            self._transport.pause_reading()

    def _reclaim_buffer(self) -> None:
        # The latest block may still be in use.
        if len(self._in_use) < BUFFER_COUNT - 1:
            return
        if buffer := self._in_use.popleft():
            self._free.append(buffer)
        if not self._buffer:
            self._next_buffer()
        if self._remaining and not self._transport.is_closing():
            self._transport.resume_reading()

    def _fail(self, error: Exception) -> None:
        self._error = self._error or error
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
