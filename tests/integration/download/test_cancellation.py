"""A cancelled operation leaves no task, open file, partial file or connection."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable
from pathlib import Path

import pytest

from packagex_async import AsyncPackageX, Export, ProgressEvent
from packagex_async.testing import Emulator, Stall, Status
from tests.support import NO_BACKOFF, open_files


async def run_ready_tasks() -> None:
    """Run the tasks of the event loop that are ready."""
    for _ in range(10):
        await asyncio.sleep(0)


async def cancel_after(steps: int, work: Awaitable[object]) -> bool:
    """Cancel `work` after `steps` turns of the event loop; return whether it was still running."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


async def test_download_cancelled_at_any_turn_leaves_no_trace(
    packagex_emulator: Emulator, tmp_path: Path
) -> None:
    """The files are complete or absent, whichever turn of the event loop the download is cancelled in."""
    server = packagex_emulator
    content = {"json": os.urandom(1_500_000), "csv": os.urandom(50_000)}
    stored = server.add_export(content=content)
    async with server.client(retry=NO_BACKOFF) as px:
        before = asyncio.all_tasks()
        steps, cancelled = 0, True
        while cancelled:
            folder = tmp_path / str(steps)
            cancelled = await cancel_after(steps, px.exports.download(stored.id, folder))
            await run_ready_tasks()
            assert asyncio.all_tasks() == before
            assert open_files(folder) == []
            for path in folder.glob("*"):
                assert path.read_bytes() == content[path.suffix[1:]]
            assert not list(folder.glob(".*"))
            steps += 1 + steps // 10
        assert sorted(path.suffix for path in folder.glob("*")) == [".csv", ".json"]
    gc.collect()


@pytest.mark.parametrize("bytes_before", [0, 100, 200_000])
async def test_download_cancelled_during_stall_leaves_no_trace(
    packagex_emulator: Emulator, tmp_path: Path, bytes_before: int
) -> None:
    """Before the body, at its start, and within it."""
    server = packagex_emulator
    stored = server.add_export(content={"csv": os.urandom(2_000_000)})
    server.inject(Stall(bytes_before), times=None)
    started = asyncio.Event()

    def on_progress(_: ProgressEvent) -> None:
        started.set()

    async with server.client(retry=NO_BACKOFF) as px:
        before = asyncio.all_tasks()
        task = asyncio.create_task(px.exports.download(stored.id, tmp_path, on_progress=on_progress))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await run_ready_tasks()
        assert asyncio.all_tasks() == before
    assert list(tmp_path.iterdir()) == []


async def test_wait_between_attempts_can_be_cancelled(packagex_emulator: Emulator) -> None:
    """The cancellation takes effect during a wait of 100 seconds."""
    packagex_emulator.inject(Status(503, retry_after="100", on="api"), times=None)
    async with packagex_emulator.client() as px:
        task = asyncio.create_task(px.exports.retrieve("exp_1"))
        while not packagex_emulator.requests:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_timeout_of_caller_ends_download(packagex_emulator: Emulator, tmp_path: Path) -> None:
    """`asyncio.timeout` raises `TimeoutError`, and no file remains."""
    stored = packagex_emulator.add_export(rows=1000)
    packagex_emulator.inject(Stall(10), times=None)
    async with packagex_emulator.client() as px:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await px.exports.download(stored.id, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_error_in_stream_block_releases_connection(packagex_emulator: Emulator) -> None:
    """The error is raised, and no task of the stream remains."""
    stored = packagex_emulator.add_export(rows=5000)

    async def read(px: AsyncPackageX, export: Export) -> None:
        async with px.exports.stream(export, "csv") as body:
            async for _ in body:
                raise LookupError("enough")

    async with packagex_emulator.client() as px:
        export = await px.exports.retrieve(stored.id, include_csv=True, include_json=True)
        before = asyncio.all_tasks()
        with pytest.raises(LookupError, match="enough"):
            await read(px, export)
        await run_ready_tasks()
        assert asyncio.all_tasks() == before
    gc.collect()
