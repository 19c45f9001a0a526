"""Counts the rows of the files of a report, in a thread."""

from __future__ import annotations

import asyncio
from contextlib import closing

import attrs

from packagex_async import _logs
from packagex_async._files.disk_errors import DiskError, destination_error
from packagex_async._files.executor import FileExecutor
from packagex_async._rows.counting import FileCounter
from packagex_async.errors import DownloadError
from packagex_async.report import ByArtifact, DownloadedFile, DownloadReport


class RowCounter:
    """Counts the rows of files that are complete.

    Args:
        disk: Runs the blocking calls in threads.
    """

    def __init__(self, disk: FileExecutor) -> None:
        self._disk = disk
        # Decoders hold the interpreter lock, so a second thread would only slow down the event loop.
        self._lock = asyncio.Lock()

    async def add_rows(self, report: DownloadReport) -> DownloadReport:
        """Return a copy of `report` with the numbers of rows of all its files.

        Files whose rows are known are not read. If a file is malformed or cannot be read any more, a warning
        is logged, and its number of rows stays `None`.
        """
        files = [await self._with_rows(file, report.export_id) for file in report.files]
        return attrs.evolve(report, files=ByArtifact(files))

    async def _with_rows(self, file: DownloadedFile, export_id: str) -> DownloadedFile:
        if file.rows is not None:
            return file
        failure: DownloadError
        try:
            async with self._lock:
                return attrs.evolve(file, rows=await self._count(file, export_id))
        except DiskError as error:
            failure = destination_error(error, export_id=export_id, artifact=file.artifact, purpose="read")
        except DownloadError as error:
            failure = error
        _logs.rows_not_counted(failure)
        return file

    async def _count(self, file: DownloadedFile, export_id: str) -> int:
        with closing(FileCounter(file.path, file.artifact, export_id=export_id)) as counter:
            # A cancellation takes effect between two steps.
            while not await self._disk.run(file.path, counter.step):
                pass
        return counter.count
