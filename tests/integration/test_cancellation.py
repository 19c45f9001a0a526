"""Cancelled at any await: no task, no open file, no partial, no connection is left."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Awaitable
from pathlib import Path

import pytest

from packagex_async import AsyncPackageX, Export, ProgressEvent
from packagex_async.testing import Emulator, Stall, Status
from tests.support import AT_ONCE


def open_files(folder: Path) -> list[str]:
    """The paths below `folder` that this process holds open."""
    held = []
    for number in os.listdir("/proc/self/fd"):
        try:
            held.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            continue
    return [path for path in held if path.startswith(str(folder))]


async def settle() -> None:
    """Let the loop run what is ready."""
    for _ in range(10):
        await asyncio.sleep(0)


async def cancel_after(steps: int, work: Awaitable[object]) -> bool:
    """Cancel `work` after the loop has turned `steps` times; whether it was still at it."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return True
    return False


async def test_a_download_cancelled_at_any_turn_leaves_nothing(
    packagex_emulator: Emulator, tmp_path: Path
) -> None:
    """From the first turn of the loop to the last: the final files are whole or absent."""
    server = packagex_emulator
    content = {"json": os.urandom(1_500_000), "csv": os.urandom(50_000)}
    stored = server.add_export(content=content)
    async with server.client(retry=AT_ONCE) as px:
        before = asyncio.all_tasks()
        steps, cancelled = 0, True
        while cancelled:
            folder = tmp_path / str(steps)
            cancelled = await cancel_after(steps, px.exports.download(stored.id, folder))
            await settle()
            assert asyncio.all_tasks() == before
            assert open_files(folder) == []
            for path in folder.glob("*"):
                assert path.read_bytes() == content[path.suffix[1:]]
            assert not list(folder.glob(".*"))
            steps += 1 + steps // 10
        assert sorted(path.suffix for path in folder.glob("*")) == [".csv", ".json"]
    gc.collect()


@pytest.mark.parametrize("bytes_before", [0, 100, 200_000])
async def test_a_download_cancelled_while_storage_is_silent_leaves_nothing(
    packagex_emulator: Emulator, tmp_path: Path, bytes_before: int
) -> None:
    """Before the body, at its beginning, and within it."""
    server = packagex_emulator
    stored = server.add_export(content={"csv": os.urandom(2_000_000)})
    server.inject(Stall(bytes_before), times=None)
    begun = asyncio.Event()

    def told(_: ProgressEvent) -> None:
        begun.set()

    async with server.client(retry=AT_ONCE) as px:
        before = asyncio.all_tasks()
        task = asyncio.create_task(px.exports.download(stored.id, tmp_path, on_progress=told))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await settle()
        assert asyncio.all_tasks() == before
    assert list(tmp_path.iterdir()) == []


async def test_a_wait_between_tries_can_be_cancelled(packagex_emulator: Emulator) -> None:
    """The default policy waits; nobody has to wait with it."""
    packagex_emulator.inject(Status(503, retry_after="100", on="api"), times=None)
    async with packagex_emulator.client() as px:
        task = asyncio.create_task(px.exports.retrieve("exp_1"))
        while not packagex_emulator.requests:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_timeout_of_the_callers_ends_a_download(packagex_emulator: Emulator, tmp_path: Path) -> None:
    """`asyncio.timeout` around it behaves as it should."""
    stored = packagex_emulator.add_export(rows=1000)
    packagex_emulator.inject(Stall(10), times=None)
    async with packagex_emulator.client() as px:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await px.exports.download(stored.id, tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_stream_left_by_an_error_lets_its_connection_go(packagex_emulator: Emulator) -> None:
    """The error is the caller's own; the client closes without a warning."""
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
        await settle()
        assert asyncio.all_tasks() == before
    gc.collect()
