"""Blocks are decoded one at a time, and other tasks run between them. Large records use a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any

import pytest

from packagex_async._decoders.csv_decoder import CsvDecoder
from packagex_async._rows.block_decoder import BLOCK_SIZE, BlockDecoder, decode_blocks

LARGE = b"x\n" * (4 * BLOCK_SIZE)


class RecordingDecoder(CsvDecoder):
    """Records the sizes of the blocks, and the names of the threads."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.threads: list[str] = []

    def feed(self, block: bytes, *, final: bool = False) -> list[Any]:
        self.sizes.append(len(block))
        self.threads.append(threading.current_thread().name.rstrip("0123456789"))
        return super().feed(block, final=final)


async def chunks_of(chunks: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    for chunk in chunks:
        yield chunk


async def decode(decoder: CsvDecoder, *chunks: bytes) -> list[Any]:
    """Return the rows of a file."""
    return [row async for rows in decode_blocks(chunks_of(chunks), decoder) for row in rows]


async def test_large_chunks_are_decoded_in_blocks() -> None:
    """Large chunks are decoded block by block in the event loop."""
    decoder = RecordingDecoder()
    rows = await decode(decoder, b"a\n" * (BLOCK_SIZE + 5), b"a\n1")
    assert len(rows) == BLOCK_SIZE + 6
    assert decoder.sizes == [BLOCK_SIZE, BLOCK_SIZE, 10, 3, 0]
    assert set(decoder.threads) == {"MainThread"}


async def test_other_tasks_run_between_blocks() -> None:
    """Other tasks run after each full block, also if the next chunk is already there."""
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(count_turns())
    await decode(CsvDecoder(), b"a\n" * (8 * BLOCK_SIZE))
    assert turns >= 16
    turns = 0
    await decode(CsvDecoder(), *[b"a\n"] * 1000)
    assert turns == 0
    task.cancel()


async def test_large_record_is_decoded_in_a_thread() -> None:
    """A large record would block the event loop, so a thread decodes it."""
    decoder = RecordingDecoder()
    cell = "x\n" * (3 * BLOCK_SIZE)
    assert await decode(decoder, f'id\n"{cell}'.encode(), b'"\n') == [[cell]]
    assert decoder.threads == ["MainThread"] * 4 + ["packagex-rows_"] * 5


async def test_no_block_is_decoded_after_an_error() -> None:
    """The rows before the error are yielded, and no block after it is decoded."""
    decoder = RecordingDecoder()
    assert await decode(decoder, b"a\n1\n2,3\n", b"4\n") == [["1"]]
    assert decoder.error is not None
    assert len(decoder.sizes) == 1


async def test_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no thread can be started, large records are decoded in the event loop."""

    def refuse(_: ThreadPoolExecutor) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "_adjust_thread_count", refuse)
    decoder = RecordingDecoder()
    cell = "x" * (6 * BLOCK_SIZE)
    assert await decode(decoder, f"id\n{cell}".encode()) == [[cell]]
    assert set(decoder.threads) == {"MainThread"}


class BlockedDecoder(CsvDecoder):
    """Waits for its release before it decodes."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.released = threading.Event(), threading.Event()

    def feed(self, block: bytes, *, final: bool = False) -> list[Any]:
        self.started.set()
        self.released.wait()
        return super().feed(block, final=final)


async def test_cancellation_waits_for_the_thread() -> None:
    """No thread uses the decoder any more after the iteration has ended."""
    decoder = BlockedDecoder()
    with BlockDecoder(decoder) as blocks:
        task = asyncio.create_task(blocks.feed(LARGE))
        await asyncio.to_thread(decoder.started.wait)
        task.cancel()
        await asyncio.wait([task], timeout=0.01)
        assert not task.done()
        decoder.released.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert decoder.count == 4 * BLOCK_SIZE - 1


async def test_chunks_are_read_one_at_a_time() -> None:
    """The next chunk is read after the caller has taken the rows of the last chunk."""
    read: list[int] = []

    async def chunks() -> AsyncGenerator[bytes, None]:
        for number in range(3):
            read.append(number)
            yield b"x\n" * 100

    async with aclosing(decode_blocks(chunks(), CsvDecoder())) as blocks:
        await anext(blocks)
        for _ in range(10):
            await asyncio.sleep(0)
        assert read == [0]
