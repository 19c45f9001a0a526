"""Distribution of exports among the workers of a cluster, in batches."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from packagex_async._api.statuses import check_downloadable
from packagex_async._sync.changes import ChangedDownloads
from packagex_async.errors import ExportStateError, PackageXError
from packagex_async.integrations._dask.messages import BatchResult, ExportRecord, LostBatchError
from packagex_async.integrations._dask.reports import decode_error, decode_report
from packagex_async.models import Export
from packagex_async.report import DownloadReport, StoredFile

_MAX_QUEUED = 32
"""Maximum batches beyond one per thread. A worker starts one of them without waiting for this process."""

_LINGER = 0.05
"""Seconds that an incomplete batch waits for another export while a worker has nothing to do."""

_REFRESH_SECONDS = 1.0
"""Seconds after which the workers are counted again."""

_Pending = tuple[Export, ExportRecord, "asyncio.Future[DownloadReport[StoredFile]]"]


class Batches(Protocol):
    """Runs batches on workers; see `Cluster`."""

    async def open(self) -> None:
        """Prepare the cluster."""
        ...

    async def threads(self) -> list[int]:
        """Return the number of threads of each worker."""
        ...

    async def download(self, number: int, records: list[ExportRecord]) -> BatchResult:
        """Download a batch on a worker."""
        ...

    async def aclose(self) -> None:
        """Cancel all batches."""
        ...


class ClusterDownloads:
    """Downloads exports on a cluster.

    Args:
        local: The downloads of this process, which determine the paths of files.
        cluster: Runs the batches.
        root: The path or URL of the destination.
        batch_size: The number of exports of a batch.
    """

    def __init__(self, local: ChangedDownloads, cluster: Batches, root: str, batch_size: int) -> None:
        self._local = local
        self._cluster = cluster
        self._root = root
        self._batch_size = batch_size
        self._pending: deque[_Pending] = deque()
        self._changed = asyncio.Event()
        self._running: dict[asyncio.Task[None], list[_Pending]] = {}
        self._numbers = itertools.count()
        self._dispatcher: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self._workers: list[int] = []
        self._counted_at = float("-inf")

    @property
    def max_active(self) -> int:
        """The number of artifacts in progress from which on no other download is started."""
        return (self._capacity + 1) * self._batch_size * len(self._local.plan.artifacts)

    @property
    def _capacity(self) -> int:
        """The number of batches that the cluster has at the same time.

        With more workers than connections, each batch stands for one connection.
        """
        threads = sum(self._workers)
        concurrency = self._local.plan.concurrency
        wanted = max(threads + min(threads, _MAX_QUEUED), 2)
        return min(wanted, concurrency) if len(self._workers) > concurrency else wanted

    async def open(self) -> None:
        """Prepare the cluster.

        Raises:
            ConfigurationError: The cluster cannot run the downloads.
            ConnectionFailedError: The scheduler does not respond.
        """
        await self._cluster.open()
        await self._count_workers()
        self._dispatcher = asyncio.create_task(self._dispatch())
        self._dispatcher.add_done_callback(self._on_dispatcher_done)

    async def unchanged(self, exports: Sequence[Export]) -> Mapping[str, DownloadReport[StoredFile]]:
        """Return nothing: only the workers have access to the destination."""
        return {}

    async def download(self, export: Export, *, refresh: bool = False) -> DownloadReport[StoredFile]:
        """Download an export on a worker.

        Args:
            export: The export.
            refresh: Whether an earlier download in this job has failed.

        Raises:
            PackageXError: All other downloads would fail as well.
        """
        try:
            check_downloadable(export)
        except ExportStateError as error:
            return DownloadReport(export_id=export.id, export=export, error=error)
        if self._error is not None:
            raise self._error
        report: asyncio.Future[DownloadReport[StoredFile]] = asyncio.get_running_loop().create_future()
        self._pending.append((export, ExportRecord.of(export, refresh=refresh), report))
        self._changed.set()
        return await report

    async def aclose(self) -> None:
        """Cancel all batches, and release the cluster."""
        tasks = [*self._running, *([self._dispatcher] if self._dispatcher else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._cluster.aclose()
        await self._local.aclose()

    async def _dispatch(self) -> None:
        """Start batches until cancelled.

        Raises:
            ConnectionFailedError: The scheduler does not respond.
        """
        while True:
            await self._next_batch_ready()
            size = min(self._batch_size, len(self._pending))
            batch = [self._pending.popleft() for _ in range(size)]
            task = asyncio.create_task(self._download(next(self._numbers), batch))
            self._running[task] = batch
            task.add_done_callback(self._on_done)

    async def _next_batch_ready(self) -> None:
        """Wait until a batch is complete and may start, or until a worker has nothing else to do."""
        while True:
            if time.monotonic() - self._counted_at > _REFRESH_SECONDS:
                await self._count_workers()
            self._changed.clear()
            running = len(self._running)
            if self._pending and running < self._capacity:
                is_complete = len(self._pending) >= self._batch_size
                has_idle_thread = running < max(sum(self._workers), 1)
                if is_complete or (has_idle_thread and not await self._changes_within(_LINGER)):
                    return
            await self._changed.wait()

    async def _changes_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        return self._changed.is_set()

    async def _count_workers(self) -> None:
        self._workers = await self._cluster.threads()
        self._counted_at = time.monotonic()

    async def _download(self, number: int, batch: list[_Pending]) -> None:
        try:
            result = await self._cluster.download(number, [record for _, record, _ in batch])
        except LostBatchError as error:
            # Other batches may succeed.
            for export, _, report in batch:
                failed = DownloadReport[StoredFile](
                    export_id=export.id, export=export, error=PackageXError(str(error))
                )
                _set(report, failed)
            return
        except PackageXError as error:
            _fail(batch, error)
            return
        if result.error is not None:
            _fail(batch, decode_error(result.error, self._root))
            return
        file_format = self._local.plan.options.file_format
        if file_format is not None and result.findings is not None:
            file_format.add_findings(result.findings)
        for (export, _, report), encoded in zip(batch, result.reports, strict=True):
            decoded = decode_report(encoded, export, self._local.state.target, self._root)
            _set(report, decoded)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        batch = self._running.pop(task)
        self._changed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _fail(batch, error)

    def _on_dispatcher_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._error = task.exception()
            _fail(self._pending, self._error or RuntimeError("the dispatcher has ended"))


def _set(report: asyncio.Future[DownloadReport[StoredFile]], result: DownloadReport[StoredFile]) -> None:
    # The task that waits may have been cancelled.
    if not report.done():
        report.set_result(result)


def _fail(batch: Iterable[_Pending], error: BaseException) -> None:
    for *_, report in batch:
        if not report.done():
            report.set_exception(error)
