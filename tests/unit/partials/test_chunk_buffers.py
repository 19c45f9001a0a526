"""The buffer of a chunk is reused only after its bytes were copied or written."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import CHUNK_SIZE, write_all
from packagex_async._partials import partial_file
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._utils.byte_ranges import Chunk
from tests.unit.files.helpers import Gate

MIN_DIRECT_WRITE = TransferTuning().direct_write_min_size


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[PartialFileWriter]:
    """Return a writer that collects small chunks."""
    executor = FileExecutor(threads=2)
    async with PartialFileWriter(
        executor, tmp_path / "a.csv", direct_write_min_size=MIN_DIRECT_WRITE
    ) as writer:
        yield writer
    executor.close()


async def publish(writer: PartialFileWriter) -> None:
    await writer.publish(lambda digest: digest.size, overwrite=False)


@pytest.mark.parametrize("length", [MIN_DIRECT_WRITE - 1, MIN_DIRECT_WRITE, 3 * CHUNK_SIZE])
async def test_a_buffer_may_be_reused_after_the_next_write(
    writer: PartialFileWriter, tmp_path: Path, length: int
) -> None:
    """Whether the chunk was collected or written at once."""
    buffers = bytearray(length), bytearray(length)
    chunks = [os.urandom(length) for _ in range(5)]
    for number, chunk in enumerate(chunks):
        buffer, previous = buffers[number % 2], buffers[number % 2 - 1]
        buffer[:] = chunk
        await writer.write(memoryview(buffer), number * length)
        previous[:] = bytes(length)
    await publish(writer)
    assert (tmp_path / "a.csv").read_bytes() == b"".join(chunks)


async def test_a_small_chunk_waits_until_the_buffer_before_it_is_written(
    writer: PartialFileWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is slow, and the small chunk is only collected."""
    gate = Gate()

    def write_later(file: int, chunk: Chunk) -> None:
        gate()
        write_all(file, chunk)

    monkeypatch.setattr(partial_file, "write_all", write_later)
    content = os.urandom(MIN_DIRECT_WRITE)
    buffer = bytearray(content)
    await writer.write(memoryview(buffer), 0)
    task = asyncio.create_task(writer.write(b"small", len(content)))
    await gate.wait_until_entered()
    assert not task.done()
    gate.open.set()
    await task
    buffer[:] = bytes(len(buffer))
    await publish(writer)
    assert (tmp_path / "a.csv").read_bytes() == content + b"small"
