"""Reads large response bodies into pipes: the process moves their bytes to a file without a copy of its own.

Linux only, on the event loop of asyncio, and for connections without TLS. A file of 1 GiB takes 0.6 times as
long as with `BufferReader`, and half the CPU time.
"""

from __future__ import annotations

import asyncio
import errno
import os

from packagex_async._bodies.body_reader import BUFFER_COUNT, BodyReader, ResponseBody
from packagex_async._bodies.pipe import IS_SUPPORTED, Pipe, PipedChunk

_NOT_SUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})
"""Errors of systems, or of their restrictions for a process, that cannot move bytes from a socket."""

_READ_SIZE = 64 * 1024
"""Bytes that the transport reads at a time if it has to read."""


def open_pipe_reader(body: ResponseBody, size: int) -> PipeReader | None:
    """Return a reader with pipes of `size` bytes, or `None` if the connection or the system allows none."""
    transport = body.transport
    sock = transport.get_extra_info("socket")
    # uvloop does not call the callback for a descriptor whose connection was reset.
    is_suitable = IS_SUPPORTED and isinstance(asyncio.get_running_loop(), asyncio.SelectorEventLoop)
    if not is_suitable or sock is None or transport.get_extra_info("sslcontext") or transport.is_closing():
        return None
    try:
        pipes = [Pipe(size) for _ in range(BUFFER_COUNT)]
        source = os.dup(sock.fileno())
    except OSError:
        return None
    if not _leaves_descriptors(source):
        os.close(source)
        return None
    return PipeReader(body, pipes, source)


def _leaves_descriptors(number: int) -> bool:
    """Return whether enough descriptors above this one are left for files and connections."""
    # Windows does not have the module.
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit == resource.RLIM_INFINITY or number < limit // 2


class PipeReader(BodyReader[Pipe, PipedChunk]):
    """Reads a body of known length in blocks that are in pipes.

    Each block must be written before the block after the next one is requested: a pipe that is filled again
    must be empty. At each moment, a pipe is either filled or emptied.

    The transport is paused. It reads only if the system cannot move bytes from the socket, or if aiohttp has
    resumed it; these bytes are blocks of memory.

    Args:
        body: The body.
        pipes: `BUFFER_COUNT` empty pipes.
        source: A second descriptor of the socket, which the reader closes: the event loop does not accept
            callbacks for that of the transport.
    """

    def __init__(self, body: ResponseBody, pipes: list[Pipe], source: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._source = source
        self._is_supported = True
        self._is_filling = False
        self._read_buffer = memoryview(b"")
        super().__init__(body, pipes, pipes[0].size)

    def get_buffer(self, sizehint: int) -> memoryview:
        self._read_buffer = self._read_buffer or memoryview(bytearray(_READ_SIZE))
        return self._read_buffer[: self._remaining or 1]

    def buffer_updated(self, nbytes: int) -> None:
        """Use the bytes that the transport has read as a block, after those in the current pipe."""
        if self._is_supported or not self._remaining:
            self._transport.pause_reading()
        if not self._remaining:
            return
        if self._buffer is not None and self._filled:
            self._finish_buffer(self._buffer)
        self._ready.append((bytes(self._read_buffer[:nbytes]), self._buffer))
        self._remaining -= nbytes
        self._next_buffer()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_filling:
            self._loop.remove_reader(self._source)
        os.close(self._source)
        super().connection_lost(exc)

    def _on_readable(self) -> None:
        """Fill the current pipe with the bytes that have arrived."""
        pipe = self._buffer
        assert pipe is not None  # noqa: S101  # filling is paused without a pipe
        try:
            size = pipe.fill(self._source, min(self._remaining, pipe.size - self._filled))
        except BlockingIOError:
            # Small packets leave most of a pipe unused, so it is full. Or the socket has no bytes; then the
            # block is only smaller than necessary.
            if self._filled:
                self._advance(pipe, 0, is_full=True)
        except OSError as error:
            self._pause()
            if error.errno in _NOT_SUPPORTED:
                self._is_supported = False
                self._resume()
            else:
                self._fail(error)
        else:
            self._on_moved(pipe, size)

    def _on_moved(self, pipe: Pipe, size: int) -> None:
        if size:
            # Packets that do not fill their pages leave a part of the pipe unused.
            self._advance(pipe, size, is_full=4 * (self._filled + size) >= 3 * pipe.size)
        else:
            self._pause()
            self.eof_received()

    def _block(self, buffer: Pipe, start: int, end: int) -> PipedChunk:
        return PipedChunk(buffer, end - start)

    def _take_part(self, buffer: Pipe) -> None:
        # While a thread empties a pipe, a call that fills it would block the event loop.
        self._finish_buffer(buffer)

    def _pause(self) -> None:
        if self._is_filling:
            self._is_filling = False
            self._loop.remove_reader(self._source)
        elif not (self._is_supported or self._transport.is_closing()):
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._is_filling or self._transport.is_closing():
            return
        if self._is_supported:
            self._is_filling = True
            self._loop.add_reader(self._source, self._on_readable)
        else:
            self._transport.resume_reading()
