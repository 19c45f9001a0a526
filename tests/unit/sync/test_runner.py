"""Order, concurrency, backpressure and early exit of `download_all`."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from packagex_async import (
    AsyncPackageX,
    ProgressEvent,
)
from packagex_async.testing import (
    Emulator,
    Stall,
    serve_in_thread,
)
from tests.support import NO_BACKOFF, names
from tests.sync_support import add, assert_exact, requested, settle, sync


@pytest.fixture
def thread_server() -> Iterator[Emulator]:
    """An empty emulator in another thread, so that all tasks of the event loop belong to the client."""
    with serve_in_thread(Emulator(populate=False)) as server:
        yield server


async def test_early_exit_leaves_no_task_and_no_partial_file(thread_server: Emulator, tmp_path: Path) -> None:
    """Stalled transfers are cancelled, too."""
    server = thread_server
    added = add(server, 40)
    for export_id in added[1:]:
        server.inject(Stall(10, export_id=export_id), times=None)
    async with server.client() as px:
        before = asyncio.all_tasks()
        async with aclosing(px.exports.download_all(tmp_path, resume=False)) as reports:
            async for report in reports:
                assert report.export_id == added[0]
                break
        await settle()
        assert asyncio.all_tasks() == before
    assert not [name for name in names(tmp_path) if name.startswith(".")]


async def test_cancellation_leaves_no_task(thread_server: Emulator, tmp_path: Path) -> None:
    """The consumer is cancelled while it waits for the next report."""
    add(thread_server, 1)
    thread_server.inject(Stall(10), times=None)
    started = asyncio.Event()

    async with thread_server.client() as px:
        before = asyncio.all_tasks()
        task = asyncio.create_task(sync(px, tmp_path, on_progress=lambda _: started.set()))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle()
        assert asyncio.all_tasks() == before


async def test_slow_consumer_pauses_the_downloads(
    server: Emulator, px: AsyncPackageX, tmp_path: Path
) -> None:
    """While the consumer is busy, only a few more exports are finished."""
    add(server, 40)
    finished: set[str] = set()
    seen = 0

    def record(event: ProgressEvent) -> None:
        finished.add(event.export_id)

    async for _ in px.exports.download_all(tmp_path, concurrency=2, on_progress=record):
        seen += 1
        if seen < 5:
            for _ in range(3000):
                await asyncio.sleep(0)
            # Being consumed, in the queue of reports, and waiting for that queue.
            assert len(finished) <= seen + 2 + 2
    assert seen == 40


async def test_oldest_export_is_downloaded_first(server: Emulator, px: AsyncPackageX, tmp_path: Path) -> None:
    """This applies to all exports that are already listed, in any order."""
    added = add(server, 6)
    done = []
    options = {"direction": "desc", "limit": 6, "concurrency": 1}
    async for report in px.exports.download_all(tmp_path, **options):  # type: ignore[call-overload]
        done.append(report.export_id)
    # The first may have been started before the rest was known.
    assert [export_id for export_id in added if export_id != done[0]] == done[1:]


async def test_slow_disk_does_not_delay_the_next_request(
    thread_server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next artifact is requested while a file is being moved."""
    content = {"json": b"{}"}
    add(thread_server, 2, content=content)
    started, requested_next = threading.Event(), threading.Event()
    link = os.link

    def slow(source: object, target: Path, **options: Any) -> None:
        if not started.is_set():
            started.set()
            assert requested_next.wait(120)
        link(source, target, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "link", slow)
    async with thread_server.client(retry=NO_BACKOFF) as px:
        run = asyncio.create_task(sync(px, tmp_path, artifacts="json", concurrency=1))
        while len([request for request in requested(thread_server) if request.endswith("json")]) < 2:
            await asyncio.sleep(0)
        requested_next.set()
        reports = await run
    assert [report.ok for report in reports.values()] == [True, True]
    assert_exact(thread_server, tmp_path)
