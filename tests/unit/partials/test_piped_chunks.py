"""Chunks in pipes are part of a file like any other chunk."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._files.executor import FileExecutor
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._partials.partial_writer import PartialFileWriter
from packagex_async._utils.decompression import Decompressor
from tests.support import names, piped

CONTENT = random.Random("piped").randbytes(60_000)
METADATA: PartialMetadata = {"length": len(CONTENT), "algorithm": None, "hashes": []}


@pytest.fixture
async def executor() -> AsyncIterator[FileExecutor]:
    executor = FileExecutor(threads=2)
    yield executor
    executor.close()


@pytest.fixture
async def writer(executor: FileExecutor, tmp_path: Path) -> AsyncIterator[PartialFileWriter]:
    """Return a writer that collects small chunks of memory."""
    size = TransferTuning().direct_write_min_size
    async with PartialFileWriter(executor, tmp_path / "a.csv", direct_write_min_size=size) as writer:
        yield writer


async def publish(writer: PartialFileWriter) -> int:
    """Publish the file, and return its size."""
    _, size = await writer.publish(lambda digest: digest.size, overwrite=False)
    return size


async def test_order_of_chunks_in_memory_and_in_pipes(writer: PartialFileWriter, tmp_path: Path) -> None:
    """Chunks in memory that were collected are written first, and none of them is lost."""
    await writer.start(length=len(CONTENT))
    pipe = piped(CONTENT[100:50_000]).take_pipe()
    await writer.write(CONTENT[:100], 0)
    await writer.write(PipedChunk(pipe, 10_000), 100)
    await writer.write(PipedChunk(pipe, 39_900), 10_100)
    await writer.write(CONTENT[50_000:], 50_000)
    assert writer.received == await publish(writer) == len(CONTENT)
    assert (tmp_path / "a.csv").read_bytes() == CONTENT


async def test_chunks_of_several_pipes_arrive_in_any_order(writer: PartialFileWriter, tmp_path: Path) -> None:
    """Each connection has its own pipes."""
    await writer.start(length=len(CONTENT))
    await writer.write(piped(CONTENT[30_000:]), 30_000)
    await writer.write(piped(CONTENT[:30_000]), 0)
    assert await publish(writer) == len(CONTENT)
    assert (tmp_path / "a.csv").read_bytes() == CONTENT


async def test_later_run_resumes_after_a_chunk_in_a_pipe(executor: FileExecutor, tmp_path: Path) -> None:
    """With a gap before the chunk, and another one after it."""
    target = tmp_path / "a.csv"
    async with PartialFileWriter(executor, target, direct_write_min_size=1) as writer:
        await writer.start(length=len(CONTENT), metadata=METADATA)
        await writer.write(piped(CONTENT[10_000:20_000]), 10_000)
    async with PartialFileWriter(executor, target, direct_write_min_size=1) as writer:
        assert await writer.resume(PartialIndex(), ()) is not None
        assert writer.gaps() == [(0, 10_000), (20_000, len(CONTENT))]
        for start, end in writer.gaps():
            await writer.write(CONTENT[start:end], start)
        assert await publish(writer) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.csv"]


async def test_only_unchanged_bytes_may_be_in_pipes(writer: PartialFileWriter) -> None:
    """Not bytes that are hashed or decompressed."""
    await writer.start()
    assert writer.accepts_pipes
    await writer.start(algorithms=["md5"])
    assert not writer.accepts_pipes
    await writer.start(decompressor=Decompressor("gzip", None))
    assert not writer.accepts_pipes
