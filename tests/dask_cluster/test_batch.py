"""Batches on a worker: the artifacts in progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from packagex_async import AsyncPackageX, AuthenticationError, ConfigurationError
from packagex_async._sync.changes import ChangedDownloads
from packagex_async.exports import context_of
from packagex_async.integrations._dask.batch import MAX_ARTIFACTS, ArtifactSlots, Batch
from packagex_async.integrations._dask.messages import ExportRecord
from packagex_async.integrations._dask.options import worker_options
from packagex_async.testing import Emulator, Status
from tests.support import NO_BACKOFF


async def test_slots() -> None:
    """Exports wait in order, and cannot wait for each other."""
    slots = ArtifactSlots()
    running: list[int] = []
    highest = 0

    async def use(count: int) -> None:
        nonlocal highest
        async with slots.acquire(count):
            running.append(count)
            highest = max(highest, sum(running))
            await asyncio.sleep(0)
            running.remove(count)

    await asyncio.gather(*(use(count) for count in (3, 2, 4, 1, 1, 1, 1, 4, 2, 3)))
    assert highest == MAX_ARTIFACTS


async def test_cancelled_slots() -> None:
    """An export that is cancelled while it waits releases the slots that it has."""
    slots = ArtifactSlots()
    async with slots.acquire(3):
        waiting = asyncio.create_task(_use(slots, 4))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with slots.acquire(1):
            pass
    async with slots.acquire(4):
        pass


async def _use(slots: ArtifactSlots, count: int) -> None:
    async with slots.acquire(count):
        pass


@pytest.fixture
async def server() -> AsyncIterator[Emulator]:
    """Provide an empty emulator on the event loop of the test."""
    async with Emulator(populate=False) as server:
        yield server


@pytest.fixture
async def downloads(server: Emulator, tmp_path: Path) -> AsyncIterator[ChangedDownloads]:
    """Provide the downloads of a worker."""
    pytest.importorskip("distributed")
    from packagex_async.integrations._dask.worker import WorkerExports

    async with AsyncPackageX(server.api_key, base_url=server.base_url, retry=NO_BACKOFF) as px:
        downloads = WorkerExports(context_of(px.exports)).downloads(str(tmp_path), worker_options({}))
        yield downloads
        await downloads.aclose()


def records(server: Emulator) -> list[ExportRecord]:
    """Return the records of all exports."""
    return [ExportRecord(export.id, "completed", None, None, None) for export in server.exports]


async def test_reports_in_order(downloads: ChangedDownloads, server: Emulator, tmp_path: Path) -> None:
    """The result has one report for each export, in the order of the batch."""
    for rows in (3000, 1, 500, 2, 30):
        server.add_export(rows=rows)
    result = await Batch(downloads, records(server), str(tmp_path), is_repeated=False).download()
    sizes = [report.files[1].size for report in result.reports]
    assert sizes == [len(server.content(export.id, "csv")) for export in server.exports]
    assert (result.error, result.findings) == (None, None)


async def test_repeated_batch(downloads: ChangedDownloads, server: Emulator, tmp_path: Path) -> None:
    """Files that appeared after this worker has listed the directory are kept."""
    server.add_export(rows=1)
    await Batch(downloads, records(server), str(tmp_path), is_repeated=False).download()
    server.add_export(rows=1)
    name = f"{server.exports[1].id}.csv"
    (tmp_path / name).write_bytes(server.content(server.exports[1].id, "csv"))
    result = await Batch(downloads, records(server)[1:], str(tmp_path), is_repeated=True).download()
    assert {file.artifact: file.kept for file in result.reports[0].files} == {"json": False, "csv": True}


async def test_fatal_error(downloads: ChangedDownloads, server: Emulator, tmp_path: Path) -> None:
    """A rejected key is the result of the batch."""
    server.add_export()
    server.inject(Status(401, on="api"), times=None)
    result = await Batch(downloads, records(server), str(tmp_path), is_repeated=False).download()
    assert isinstance(result.error, AuthenticationError)
    assert result.reports == ()


async def test_closed_client(downloads: ChangedDownloads, server: Emulator, tmp_path: Path) -> None:
    """The end of a job is a result, too."""
    server.add_export()
    downloads.context.operations.closed = True
    result = await Batch(downloads, records(server), str(tmp_path), is_repeated=False).download()
    assert isinstance(result.error, ConfigurationError)
