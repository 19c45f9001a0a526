"""A large body straight from its socket into a few buffers, past the parser that has read the answer's head.

aiohttp hands a body on in pieces, each a new object that is copied once more. Here the connection gets
another protocol, which lends its own buffers: the socket fills one while others are written to disk.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections import deque
from contextlib import suppress

BUFFER_SIZE = 1536 * 1024
"""Bytes of each buffer."""

PART_BUFFER_SIZE = 128 * 1024
"""The same where the body is one of several parts, which come side by side because each is slow."""

BUFFERS = 3
"""One is filled, one is written, and one waits for its turn to be."""

LINGER = 0.05
"""Seconds that a buffer gets to be full; then its reader takes what is there, or what comes next."""

_TOLD_IN_BULK = sys.platform == "linux"
"""Whether the system is asked to wait for many bytes: others may take no more before there are so many."""

_NOTHING = memoryview(b"")


class BodyReader(asyncio.BufferedProtocol):
    """Reads a body of known length in blocks, each of which stays valid until the next but one is asked for.

    Args:
        transport: Where the body comes from. Nobody else reads from it again; it has to be closed after use.
        first: The beginning of the body, which had been read before.
        length: How many bytes follow that.
        patience: Seconds that the other side may keep silent.
        size: Bytes of each buffer.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        first: bytes,
        length: int,
        patience: float,
        *,
        size: int = BUFFER_SIZE,
    ) -> None:
        self._transport = transport
        self._heir = transport.get_protocol()
        self._socket: socket.socket | None = transport.get_extra_info("socket") if _TOLD_IN_BULK else None
        self._left = length
        self._patience = patience
        self._failure: Exception | None = None
        self._ready = deque([(memoryview(first), _NOTHING)] if first else [])
        self._size = size
        self._surplus = memoryview(bytearray(1))
        self._buffer, *self._free = [memoryview(bytearray(size)) for _ in range(BUFFERS)]
        self._unasked = False
        self._filled = self._taken = 0
        self._lent: deque[memoryview] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._wants_all = False
        self._told_from = 1
        transport.set_protocol(self)
        transport.resume_reading()

    async def read(self) -> memoryview:
        """The next block, empty at the end of the body.

        Raises:
            TimeoutError: The other side kept silent for too long.
            OSError: It broke off before the end.
        """
        self._take_back()
        if not self._ready and not self._ended:
            await self._fill()
        if self._ready:
            block, buffer = self._ready.popleft()
            self._lent.append(buffer)
            return block
        if self._filled > self._taken:
            block = self._buffer[self._taken : self._filled]
            self._taken = self._filled
            return block
        if self._left and self._failure:
            raise self._failure
        return _NOTHING

    def get_buffer(self, sizehint: int) -> memoryview:
        if not self._left:
            return self._surplus
        if not self._buffer:
            # The connection's previous answer, whose end was read only now, has let it go on. It is stopped
            # with the bytes that come: uvloop does not survive it here.
            self._unasked = True
            self._buffer = memoryview(bytearray(self._size))
        return self._buffer[self._filled : self._filled + self._left]

    def buffer_updated(self, nbytes: int) -> None:
        if self._unasked or not self._left:
            self._unasked = False
            self._transport.pause_reading()
        if not self._left:
            return
        self._filled += nbytes
        self._left -= nbytes
        full = self._filled == len(self._buffer)
        self._be_told_from(self._size // 4 if full and not self._taken else self._told_from)
        if full or not self._left:
            self._ready.append((self._buffer[self._taken : self._filled], self._buffer))
            self._next_buffer()
        self._wake()

    def eof_received(self) -> None:
        self._break_off(ConnectionResetError("the connection was closed amid the body"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._break_off(exc or ConnectionResetError("the connection was closed amid the body"))
        # Whose connection it was has to know, or its owner would wait for it to close.
        self._heir.connection_lost(exc)

    @property
    def _ended(self) -> bool:
        return not self._left or self._failure is not None

    def _next_buffer(self) -> None:
        self._filled = self._taken = 0
        self._buffer = self._free.pop() if self._free and self._left else _NOTHING
        if not self._buffer and not self._transport.is_closing():
            self._transport.pause_reading()

    def _take_back(self) -> None:
        # The last one may still be at work.
        if len(self._lent) < BUFFERS - 1:
            return
        if buffer := self._lent.popleft():
            self._free.append(buffer)
        if not self._buffer:
            self._next_buffer()
        if self._left and not self._transport.is_closing():
            self._transport.resume_reading()

    def _break_off(self, failure: Exception) -> None:
        self._failure = self._failure or failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if self._ready or self._ended or not self._wants_all:
            self._waiter.set_result(None)

    def _be_told_from(self, size: int) -> None:
        """Have the system wait for `size` bytes, if there are surely so many, before it tells of any.

        While buffers fill quickly, nothing is to be gained from a turn of the event loop for every few.
        """
        if self._left < 2 * size:
            size = 1
        if self._socket is not None and size != self._told_from:
            self._told_from = size
            # What is closed tells of nothing.
            with suppress(OSError, ValueError):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    async def _fill(self) -> None:
        """Wait until a buffer is full, or has had some time to be."""
        try:
            await self._wait(LINGER, wants_all=True)
        except TimeoutError:
            self._be_told_from(1)
            if self._filled == self._taken:
                await self._wait(self._patience, wants_all=False)

    async def _wait(self, seconds: float, *, wants_all: bool) -> None:
        """Wait until a buffer is full, or at least begun, or no more will come."""
        if self._ready or self._ended:
            return
        self._wants_all = wants_all
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._waiter
        finally:
            self._waiter = None
