"""Download of one batch on a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

import attrs

from packagex_async._partials.partial_index import PartialIndex
from packagex_async._sync.changes import ChangedDownloads
from packagex_async.errors import PackageXError
from packagex_async.integrations._dask.messages import BatchResult, ExportRecord, ReportResult
from packagex_async.integrations._dask.reports import encode_error, encode_report

MAX_ARTIFACTS = 4
"""Artifacts of one batch that are in transfer, or not in the manifest yet. An export has at most four.

If a worker dies, these are the artifacts that are requested again.
"""

_CONCURRENT_EXPORTS = 4
"""Exports of one batch in progress: while some are transferred, the URLs of others are requested."""


class ArtifactSlots:
    """Limits the artifacts of a batch that are in progress, first come, first served."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(MAX_ARTIFACTS)
        # The holder of the lock is the next to get slots, so that two exports cannot wait for each other.
        self._queue = asyncio.Lock()

    @asynccontextmanager
    async def acquire(self, count: int) -> AsyncGenerator[None, None]:
        """Hold slots for a number of artifacts."""
        acquired = 0
        try:
            async with self._queue:
                while acquired < count:
                    await self._slots.acquire()
                    acquired += 1
            yield
        finally:
            for _ in range(acquired):
                self._slots.release()


class Batch:
    """The exports of one task.

    Args:
        downloads: The downloads of the job on this worker.
        records: The exports.
        root: The path or URL of the destination.
        is_repeated: Whether another worker has begun the batch.
    """

    def __init__(
        self, downloads: ChangedDownloads, records: Sequence[ExportRecord], root: str, *, is_repeated: bool
    ) -> None:
        options = downloads.plan.options
        if options.file_format is not None:
            options = attrs.evolve(options, file_format=options.file_format.new_call())
        # The directory has changed since this worker has listed it.
        is_outdated = is_repeated or any(record.refresh for record in records)
        if is_outdated and options.partial_index is not None:
            options = attrs.evolve(options, partial_index=PartialIndex())
        self._downloads = downloads.with_options(options, ArtifactSlots().acquire)
        self._records = records
        self._root = root
        self._reports: dict[int, ReportResult] = {}

    async def download(self) -> BatchResult:
        """Download the exports.

        Returns:
            The reports, or the error that ends the job.
        """
        try:
            with self._downloads.context.operations.running("download_all()"):
                await self._download_all()
        except PackageXError as error:
            return BatchResult(error=encode_error(error, self._root))
        file_format = self._downloads.plan.options.file_format
        return BatchResult(
            reports=tuple(self._reports[index] for index in range(len(self._records))),
            findings=None if file_format is None else file_format.findings(),
        )

    async def _download_all(self) -> None:
        """Download the exports, several at a time.

        Raises:
            PackageXError: All other downloads would fail as well.
        """
        numbered = iter(enumerate(self._records))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(_CONCURRENT_EXPORTS, len(self._records))):
                    group.create_task(self._download_exports(numbered))
        except BaseExceptionGroup as errors:
            error = errors.exceptions[0]
        else:
            return
        raise error

    async def _download_exports(self, numbered: Iterator[tuple[int, ExportRecord]]) -> None:
        for index, record in numbered:
            report = await self._downloads.download(record.to_export(), refresh=record.refresh)
            self._reports[index] = encode_report(report, record, self._downloads.state.target, self._root)
