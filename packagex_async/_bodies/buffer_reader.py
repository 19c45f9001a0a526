"""Reads large response bodies from the socket into reused buffers."""

from __future__ import annotations

from packagex_async._bodies.body_reader import BUFFER_COUNT, BodyReader, ResponseBody


class BufferReader(BodyReader[memoryview, memoryview]):
    """Reads a body of known length in blocks of memory.

    Args:
        body: The body.
        size: Bytes of a buffer.
    """

    def __init__(self, body: ResponseBody, size: int) -> None:
        self._pause_after_read = False
        super().__init__(body, [memoryview(bytearray(size)) for _ in range(BUFFER_COUNT)], size)

    def get_buffer(self, sizehint: int) -> memoryview:
        if not self._remaining:
            return self._surplus_buffer
        if self._buffer is None:
            # aiohttp has resumed reading, because the end of the previous response was read only now. Reading
            # is paused after the next bytes: uvloop crashes if it is paused here.
            self._pause_after_read = True
            self._buffer = memoryview(bytearray(self._size))
        return self._buffer[self._filled : self._filled + self._remaining]

    def buffer_updated(self, nbytes: int) -> None:
        if self._pause_after_read or not self._remaining:
            self._pause_after_read = False
            self._pause()
        if self._remaining and self._buffer is not None:
            self._advance(self._buffer, nbytes, is_full=self._filled + nbytes == self._size)

    def _block(self, buffer: memoryview, start: int, end: int) -> memoryview:
        return buffer[start:end]

    def _take_part(self, buffer: memoryview) -> None:
        # The buffer is filled further.
        self._ready.append((self._block(buffer, self._taken, self._filled), None))
        self._taken = self._filled

    def _pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
