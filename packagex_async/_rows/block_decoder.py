"""Decodes the chunks of a stream block by block, so that the event loop is not blocked.

Most of the work is done by C code that holds the interpreter lock, in a thread as well as in the event loop.
With a thread, all rows would also move from one processor core to another, which takes as long as decoding
them. Therefore, blocks are decoded in the event loop, each in about a millisecond, and other tasks run
between them. Only a record that is much larger than a block is decoded in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self

from packagex_async._decoders.row_error import RowError
from packagex_async._files.thread_pool import ThreadPool
from packagex_async._utils.aio import run_shielded

BLOCK_SIZE = 64 * 1024
"""Maximum bytes of a block."""

_MAX_INLINE_SIZE = 4 * BLOCK_SIZE
"""Maximum bytes that are decoded in the event loop at a time."""


class RowDecoder(Protocol):
    """Decodes a file, block by block; see `CsvDecoder`, `JsonDecoder` and `ArrowDecoder`."""

    @property
    def error(self) -> RowError | None:
        """The error of the next row, or `None`."""
        ...

    @property
    def count(self) -> int:
        """The number of rows so far."""
        ...

    @property
    def pending(self) -> int:
        """The size of the data that was received, but not decoded."""
        ...

    @property
    def duplicates(self) -> Sequence[str]:
        """The names of columns that occur more than once."""
        ...

    def feed(self, block: bytes, *, final: bool = False) -> list[Any]:
        """Return the rows that `block` completes, up to the row of `error`."""
        ...


async def decode_blocks(chunks: AsyncIterable[bytes], decoder: RowDecoder) -> AsyncGenerator[list[Any], None]:
    """Yield the rows of each block of a file, until its end or until `decoder.error` is set."""
    with BlockDecoder(decoder) as blocks:
        async for chunk in chunks:
            for start in range(0, len(chunk), BLOCK_SIZE):
                yield await blocks.feed(chunk[start : start + BLOCK_SIZE])
                if decoder.error is not None:
                    return
        yield await blocks.feed(b"", final=True)


class BlockDecoder:
    """Runs a decoder in the event loop, and for large records in a thread of its own."""

    def __init__(self, decoder: RowDecoder) -> None:
        self._decoder = decoder
        self._pool = ThreadPool(1, thread_name_prefix="packagex-rows")
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=False)

    async def feed(self, block: bytes, *, final: bool = False) -> list[Any]:
        """Return the rows that `block` completes; wait for the thread even if cancelled."""
        if self._decoder.pending + len(block) > _MAX_INLINE_SIZE:
            return await self._feed_in_thread(block, final=final)
        # Other tasks run after each full block, but not after each small chunk.
        self._size += len(block)
        if self._size >= BLOCK_SIZE:
            self._size = 0
            await asyncio.sleep(0)
        return self._decoder.feed(block, final=final)

    async def _feed_in_thread(self, block: bytes, *, final: bool) -> list[Any]:
        decode = partial(self._decoder.feed, block, final=final)
        try:
            future = asyncio.get_running_loop().run_in_executor(self._pool, decode)
        except OSError:
            return decode()  # no thread can be started
        return await run_shielded(future)
