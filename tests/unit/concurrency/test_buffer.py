"""The buffer of exports that is emptied in batches."""

from __future__ import annotations

import asyncio

from packagex_async._concurrency.buffer import ExportBuffer
from packagex_async.models import Export
from tests.sync_support import settle


async def test_batches_are_bounded_and_in_order() -> None:
    """A batch has what is there, up to its maximum. `put` waits while the buffer is full."""
    buffer = ExportBuffer(3)

    async def produce() -> None:
        for number in range(5):
            await buffer.put(Export(id=str(number)))
        buffer.end()

    producer = asyncio.create_task(produce())
    await settle()
    assert not producer.done()
    batches = []
    while batch := await buffer.get_batch(2):
        batches.append([export.id for export in batch])
        await settle()
    assert batches == [["0", "1"], ["2", "3"], ["4"]]
    await producer


async def test_several_consumers_wait_for_the_end() -> None:
    """Each of them gets an empty batch, and no export is lost."""
    buffer = ExportBuffer(3)

    async def consume() -> list[str]:
        ids = []
        while batch := await buffer.get_batch(10):
            ids += [export.id for export in batch]
        return ids

    async with asyncio.TaskGroup() as group:
        consumers = [group.create_task(consume()) for _ in range(2)]
        await settle()
        await buffer.put(Export(id="1"))
        await settle()
        buffer.end()
    assert sorted(consumer.result() for consumer in consumers) == [[], ["1"]]
