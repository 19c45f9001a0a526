"""The progress of threads that read."""

from __future__ import annotations

import asyncio
import threading

import pytest

from packagex_async._concurrency.read_progress import OnBlock, ReadProgress, StoppedError, run_stoppable


async def test_threads_report_progress_to_the_event_loop() -> None:
    """Bytes of all threads are added up; the callback runs in the event loop."""
    reports: list[tuple[int, int]] = []
    loop = asyncio.get_running_loop()

    def on_progress(count: int, total: int) -> None:
        assert asyncio.get_running_loop() is loop
        reports.append((count, total))

    progress = ReadProgress(on_progress)
    progress.total = 100
    on_read = progress.callback()
    await asyncio.gather(asyncio.to_thread(on_read, 30), asyncio.to_thread(on_read, 30))
    progress.advance(40)
    assert sorted(reports) == [(30, 100), (60, 100), (100, 100)]


async def test_stop_ends_the_threads() -> None:
    """A thread gets an error at its next block, and the block is not counted."""
    reports: list[int] = []
    progress = ReadProgress(lambda count, total: reports.append(count))
    on_read = progress.callback()
    progress.stop()
    with pytest.raises(StoppedError):
        await asyncio.to_thread(on_read, 10)
    await asyncio.sleep(0)
    assert reports == []


async def test_a_cancellation_stops_the_thread() -> None:
    """The caller waits for its end."""
    started = asyncio.Event()
    ended = threading.Event()
    loop = asyncio.get_running_loop()

    def read(on_block: OnBlock) -> None:
        loop.call_soon_threadsafe(started.set)
        try:
            while True:
                on_block(1)
        finally:
            ended.set()

    task = asyncio.create_task(run_stoppable(lambda on_block: asyncio.to_thread(read, on_block)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_without_a_cancellation_the_result_is_returned() -> None:
    """The blocks of the thread have no effect."""

    def read(on_block: OnBlock) -> int:
        on_block(1)
        return 7

    assert await run_stoppable(lambda on_block: asyncio.to_thread(read, on_block)) == 7
