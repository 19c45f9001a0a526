"""Distribution of exports in batches, on a cluster without workers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import attrs
import pytest

from packagex_async import ConnectionFailedError, Export, ExportStatus, PackageXError
from packagex_async.exports import context_of
from packagex_async.integrations._dask.distribution import ClusterDownloads
from packagex_async.integrations._dask.messages import BatchResult, ExportRecord, LostBatchError, ReportResult
from packagex_async.integrations._dask.options import worker_options
from packagex_async.testing import Emulator

pytest.importorskip("distributed")


@attrs.define(eq=False)
class FakeCluster:
    """Answers batches as workers would.

    Attributes:
        workers: The number of threads of each worker.
        error: The error of each batch.
        hold: Whether batches wait for `released`.
        sizes: The sizes of the batches.
        running: The number of running batches.
        highest: Its maximum.
        closed: Whether the job has ended.
        released: Ends the batches that are held.
    """

    workers: list[int] = attrs.field(factory=lambda: [2, 2])
    error: Exception | None = None
    hold: bool = False
    sizes: list[int] = attrs.field(factory=list)
    running: int = 0
    highest: int = 0
    closed: bool = False
    released: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def open(self) -> None:
        pass

    async def threads(self) -> list[int]:
        if isinstance(self.error, ConnectionFailedError):
            raise self.error
        return self.workers

    async def download(self, number: int, records: list[ExportRecord]) -> BatchResult:
        self.sizes.append(len(records))
        self.running += 1
        self.highest = max(self.highest, self.running)
        try:
            if self.hold:
                await self.released.wait()
            await asyncio.sleep(0)
        finally:
            self.running -= 1
        if self.error is not None:
            raise self.error
        return BatchResult(tuple(ReportResult((), ("csv",), (), None, (), None) for _ in records))

    async def aclose(self) -> None:
        self.closed = True


def new_downloads(
    server: Emulator, cluster: FakeCluster, folder: Path, *, batch_size: int = 4, **options: Any
) -> ClusterDownloads:
    """Return downloads on a fake cluster."""
    from packagex_async.integrations._dask.worker import WorkerExports

    exports = WorkerExports(context_of(server.client().exports))
    local = exports.downloads(str(folder), worker_options(options))
    return ClusterDownloads(local, cluster, str(folder), batch_size)


def exports(count: int) -> list[Export]:
    """Return completed exports."""
    return [Export(id=f"exp_{number}", status=ExportStatus.COMPLETED) for number in range(count)]


async def test_full_batches(server: Emulator, tmp_path: Path) -> None:
    """Only the last batch is incomplete, and the reports belong to their exports."""
    cluster = FakeCluster()
    downloads = new_downloads(server, cluster, tmp_path)
    await downloads.open()
    reports = await asyncio.gather(*map(downloads.download, exports(21)))
    await downloads.aclose()
    assert cluster.sizes == [4, 4, 4, 4, 4, 1]
    assert [report.export_id for report in reports] == [f"exp_{number}" for number in range(21)]
    assert cluster.closed


@pytest.mark.parametrize(
    ("workers", "concurrency", "capacity"),
    [([], 16, 2), ([1], 16, 2), ([2, 2], 16, 8), ([1, 1, 1, 1], 3, 3), ([40, 40], 16, 112)],
)
async def test_bounded_number_of_batches(
    workers: list[int], concurrency: int, capacity: int, server: Emulator, tmp_path: Path
) -> None:
    """Two per thread; with fewer connections than workers, one per connection."""
    cluster = FakeCluster(workers)
    downloads = new_downloads(server, cluster, tmp_path, batch_size=1, concurrency=concurrency)
    await downloads.open()
    await asyncio.gather(*map(downloads.download, exports(200)))
    await downloads.aclose()
    assert cluster.highest == capacity
    assert downloads.max_active == (capacity + 1) * 4


async def test_lost_batch(server: Emulator, tmp_path: Path) -> None:
    """Its exports have an error, and others may succeed."""
    cluster = FakeCluster(error=LostBatchError("4 workers died"))
    downloads = new_downloads(server, cluster, tmp_path)
    await downloads.open()
    (report,) = await asyncio.gather(*map(downloads.download, exports(1)))
    assert type(report.error) is PackageXError
    assert str(report.error) == "4 workers died"
    cluster.error = None
    assert (await downloads.download(exports(2)[1])).ok
    await downloads.aclose()


async def test_unexpected_error(server: Emulator, tmp_path: Path) -> None:
    """It reaches every export of the batch."""
    downloads = new_downloads(server, FakeCluster(error=ZeroDivisionError()), tmp_path)
    await downloads.open()
    results = await asyncio.gather(*map(downloads.download, exports(2)), return_exceptions=True)
    assert [type(result) for result in results] == [ZeroDivisionError] * 2
    await downloads.aclose()


async def test_lost_scheduler(server: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the workers cannot be counted any more, waiting and later exports fail."""
    monkeypatch.setattr("packagex_async.integrations._dask.distribution._REFRESH_SECONDS", -1)
    cluster = FakeCluster()
    downloads = new_downloads(server, cluster, tmp_path)
    await downloads.open()
    cluster.error = ConnectionFailedError("the scheduler does not respond")
    for export in exports(2):
        with pytest.raises(ConnectionFailedError, match="does not respond"):
            await downloads.download(export)
    await downloads.aclose()


async def test_cancelled_export(server: Emulator, tmp_path: Path) -> None:
    """An export that nobody waits for does not disturb its batch."""
    cluster = FakeCluster(hold=True)
    downloads = new_downloads(server, cluster, tmp_path, batch_size=2)
    await downloads.open()
    one, other = (asyncio.create_task(downloads.download(export)) for export in exports(2))
    while not cluster.running:
        await asyncio.sleep(0)
    one.cancel()
    await downloads.aclose()
    other.cancel()
    results = await asyncio.gather(one, other, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    assert cluster.running == 0


@pytest.mark.parametrize("error", [None, ZeroDivisionError(), ConnectionFailedError("lost")])
async def test_cancelled_export_of_a_batch_that_ends(
    error: Exception | None, server: Emulator, tmp_path: Path
) -> None:
    """The other exports of the batch get their result."""
    cluster = FakeCluster(hold=True)
    downloads = new_downloads(server, cluster, tmp_path, batch_size=2)
    await downloads.open()
    one, other = (asyncio.create_task(downloads.download(export)) for export in exports(2))
    while not cluster.running:
        await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    cluster.error = error
    cluster.released.set()
    (result,) = await asyncio.gather(other, return_exceptions=True)
    assert result.ok if error is None else result is error  # type: ignore[union-attr]
    await downloads.aclose()


async def test_end_before_the_start(server: Emulator, tmp_path: Path) -> None:
    """Downloads that were never opened can be closed."""
    cluster = FakeCluster()
    await new_downloads(server, cluster, tmp_path).aclose()
    assert cluster.closed
