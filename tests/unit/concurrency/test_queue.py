"""The bounded queue of exports."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from packagex_async._concurrency.queue import ExportQueue
from packagex_async.models import Export
from tests.sync_support import settle


async def test_queue_is_bounded_and_ends() -> None:
    """`put` waits while the queue is full. `get` returns `None` after the last producer."""
    queue = ExportQueue(2)
    queue.add_producer()

    async def produce() -> None:
        for number in range(4):
            await queue.put(Export(id=str(number)))
        await queue.remove_producer()

    producer = asyncio.create_task(produce())
    await settle()
    assert not producer.done()

    async def results() -> AsyncIterator[str]:
        while (export := await queue.get()) is not None:
            yield export.id

    assert [export_id async for export_id in results()] == ["0", "1", "2", "3"]
    await producer
