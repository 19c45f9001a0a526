"""A response of a storage host, whose body is read in blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sized
from functools import partial
from typing import TYPE_CHECKING, TypeVar, overload

import aiohttp
import attrs
from multidict import MultiMapping

from packagex_async._bodies.body_reader import ResponseBody
from packagex_async._bodies.buffer_reader import BufferReader
from packagex_async._bodies.pipe_reader import open_pipe_reader
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._transport.connection_errors import TRANSPORT_ERRORS, classify
from packagex_async._transport.stall_detector import StallDetector
from packagex_async._transport.url_policy import redirect_target
from packagex_async.errors import ConnectionFailedError, RequestTimeoutError
from packagex_async.retry import Clock

if TYPE_CHECKING:
    from packagex_async._bodies.pipe import PipedChunk
    from packagex_async._concurrency.bandwidth import BandwidthLimiter
    from packagex_async._storage.download_url import DownloadUrl
    from packagex_async._utils.byte_ranges import Chunk

T = TypeVar("T", bound=Sized)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

_read_buffered: Callable[[aiohttp.StreamReader, int], bytes] = getattr(
    aiohttp.StreamReader, "_read_nowait", aiohttp.StreamReader.read_nowait
)
"""Returns buffered bytes after the connection has failed. The public method raises the error at once, and the
bytes would be requested again."""


class StorageResponse:
    """The head of a response from a storage host, and a reader of its body.

    Args:
        response: The response of aiohttp.
        stall_timeout: Seconds without bytes before a read fails.
        clock: The source of time.
        tuning: The sizes and times of transfers.
        on_close: Called when the response is closed.
        bandwidth: Limits the rate of all bodies; `None` for no limit.

    Attributes:
        status: The HTTP status.
    """

    def __init__(
        self,
        response: aiohttp.ClientResponse,
        stall_timeout: float,
        clock: Clock,
        tuning: TransferTuning,
        on_close: Callable[[StorageResponse], object],
        bandwidth: BandwidthLimiter | None = None,
    ) -> None:
        self._response = response
        self._stall_timeout = stall_timeout
        self._stall_detector = StallDetector(stall_timeout)
        self._clock = clock
        self._tuning = tuning
        self._on_close = on_close
        self._bandwidth = bandwidth
        self._read_next: Callable[[], Awaitable[Chunk | PipedChunk]] | None = None
        self.status = response.status

    @property
    def headers(self) -> MultiMapping[str]:
        """The headers, case-insensitive."""
        return self._response.headers

    def redirect_url(self, url: DownloadUrl) -> DownloadUrl | None:
        """Return the URL that the response to `url` redirects to, or `None` if it does not redirect."""
        # The URL is not in a variable, because some tracebacks show the values of variables.
        if self.status not in _REDIRECTS or "Location" not in self.headers:
            return None
        return attrs.evolve(url, url=redirect_target(url.url, self.headers["Location"]))

    def close(self) -> None:
        """Release the connection. It is closed if the body was not read completely."""
        self._response.close()
        # A traceback may refer to this object, and would keep the buffers of the reader.
        self._read_next = None
        self._on_close(self)

    async def read_start(self, size: int) -> bytes:
        """Read up to `size` bytes of the body of an error response."""
        body = b""
        try:
            while len(body) < size and (block := await self.read()):
                body += bytes(block)
        except ConnectionFailedError:
            # The status is enough for an error message.
            pass
        return body[:size]

    @overload
    async def read(self) -> Chunk: ...

    @overload
    async def read(self, *, piped: bool) -> Chunk | PipedChunk: ...

    async def read(self, *, piped: bool = False) -> Chunk | PipedChunk:
        """Return the next block of the body, or an empty one at its end.

        A block is valid until the block after the next one is requested. Only the time within this call
        counts for `stall_timeout`, without the waits for bandwidth, and only bytes of the body count as
        progress.

        Args:
            piped: Whether the block may be in a pipe. The first call decides for all.

        Raises:
            RequestTimeoutError: No bytes of the body arrived for `stall_timeout` seconds, or too few.
            ConnectionFailedError: The connection failed.
        """
        if self._bandwidth is not None:
            return await self._read_within(self._bandwidth)
        self._read_next = self._read_next or _choose_reader(
            self._response, self._stall_timeout, self._tuning, piped=piped
        )
        return await self._read(self._read_next)

    async def _read_within(self, bandwidth: BandwidthLimiter) -> Chunk:
        """Read a block of limited size. While this waits, the buffers fill, so the sender has to wait."""
        size = await bandwidth.acquire()
        block: Chunk = b""
        try:
            block = await self._read(partial(read_block, self._response, self._stall_timeout, size))
        finally:
            bandwidth.release(size - len(block))
        return block

    async def _read(self, read_next: Callable[[], Awaitable[T]]) -> T:
        started_at = self._clock.monotonic()
        try:
            block = await read_next()
            if block and self._stall_detector.record(self._clock.monotonic() - started_at, len(block)):
                raise TimeoutError
            return block
        except TimeoutError:
            text = f"the storage host: no or too few bytes within {self._stall_timeout:g} seconds"
            failure: ConnectionFailedError = RequestTimeoutError(text)
        except TRANSPORT_ERRORS as error:
            failure = ConnectionFailedError(f"the storage host: {classify(error).text}")
        # The traceback refers to this frame, and would keep the buffers of the reader.
        del read_next
        raise failure


def _choose_reader(
    response: aiohttp.ClientResponse, stall_timeout: float, tuning: TransferTuning, *, piped: bool
) -> Callable[[], Awaitable[Chunk | PipedChunk]]:
    """Return a function that reads the next block. A large body of known length is read without aiohttp."""
    content, connection, length = response.content, response.connection, response.content_length
    if (
        length is None
        or length - content.total_bytes < tuning.direct_read_min_size
        or "Transfer-Encoding" in response.headers
        or connection is None
        or connection.protocol is None
        or connection.transport is None
    ):
        return partial(read_block, response, stall_timeout)
    first = b""
    # aiohttp may have buffered bytes of the body. Reading them may make it buffer more.
    while block := content.read_nowait():
        first += block
    connection.protocol.pause_reading()
    body = ResponseBody(
        connection.transport, first, length - len(first), stall_timeout, fill_timeout=tuning.fill_timeout
    )
    if response.status != 200:
        return BufferReader(body, tuning.segment_buffer_size).read
    pipe_reader = open_pipe_reader(body, tuning.pipe_size) if piped and tuning.pipe_size else None
    return (pipe_reader or BufferReader(body, tuning.buffer_size)).read


async def read_block(response: aiohttp.ClientResponse, timeout: float | None, size: int = -1) -> bytes:
    """Return the bytes of the body that have arrived, or wait for some.

    Args:
        response: The response of aiohttp.
        timeout: Maximum seconds to wait; `None` for no limit.
        size: Maximum number of bytes to return; -1 for no limit.

    Raises:
        TimeoutError: No bytes arrived in time.
        ConnectionResetError: The connection was closed.
        aiohttp.ClientError: The body is malformed.
    """
    content = response.content
    if content.exception() is not None and (block := _read_buffered(content, size)):
        return block
    block = content.read_nowait(size)
    if block or content.at_eof():
        return block
    handler = response.connection.protocol if response.connection else None
    if handler is None or not handler.connected or (closed := handler.closed) is None:
        raise ConnectionResetError("the connection was closed")

    def fail(closed: asyncio.Future[None]) -> None:
        closed.exception()
        # aiohttp does not wake the reader if the body is malformed or the connector is closed.
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError())

    closed.add_done_callback(fail)
    try:
        async with asyncio.timeout(timeout):
            return await (content.readany() if size < 0 else content.read(size))
    finally:
        closed.remove_done_callback(fail)
        # A connection that is lost between two calls would be logged as an exception that nobody retrieved.
        closed.remove_done_callback(_retrieve)
        closed.add_done_callback(_retrieve)


def _retrieve(closed: asyncio.Future[None]) -> None:
    closed.exception()
