"""Counts the rows of the files of a report, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from typing import BinaryIO

import attrs

from packagex_async import _logs
from packagex_async._buckets.objects import BucketObjects
from packagex_async._buckets.target_errors import TargetError, target_error
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import open_file
from packagex_async._rows.counting import FileCounter
from packagex_async.errors import DownloadError
from packagex_async.report import ByArtifact, DownloadedFile, DownloadReport, StoredFile

Run = Callable[[Callable[[], bool]], Awaitable[bool]]
"""Runs a blocking function in a thread."""


class RowCounter:
    """Counts the rows of files that are complete.

    Args:
        disk: Runs the blocking calls for files in threads.
        objects: The bucket, if the files are objects.
    """

    def __init__(self, disk: FileExecutor, objects: BucketObjects | None = None) -> None:
        self._disk = disk
        self._objects = objects
        # Decoders hold the interpreter lock, so a second thread would only slow down the event loop.
        self._lock = asyncio.Lock()

    async def add_rows(self, report: DownloadReport[StoredFile]) -> DownloadReport[StoredFile]:
        """Return a copy of `report` with the numbers of rows of all its files.

        Files whose rows are known are not read. If a file is malformed or cannot be read any more, a warning
        is logged, and its number of rows stays `None`.
        """
        files = [await self._with_rows(file, report.export_id) for file in report.files]
        return attrs.evolve(report, files=ByArtifact(files))

    async def _with_rows(self, file: StoredFile, export_id: str) -> StoredFile:
        if file.rows is not None:
            return file
        failure: DownloadError
        try:
            async with self._lock:
                return attrs.evolve(file, rows=await self._count(file, export_id))
        except TargetError as error:
            failure = target_error(error, export_id=export_id, artifact=file.artifact, purpose="read")
        except DownloadError as error:
            failure = error
        _logs.rows_not_counted(failure)
        return file

    async def _count(self, file: StoredFile, export_id: str) -> int:
        run, opener = self._access(file)
        with closing(FileCounter(opener, file.artifact, export_id=export_id)) as counter:
            # A cancellation takes effect between two steps.
            while not await run(counter.step):
                pass
        return counter.count

    def _access(self, file: StoredFile) -> tuple[Run, Callable[[], BinaryIO]]:
        """Return a function that runs a call in a thread, and a function that opens the file."""
        if isinstance(file, DownloadedFile):
            return partial(self._disk.run, file.path), partial(open_file, file.path)
        objects = self._objects
        assert objects is not None  # noqa: S101  # a file in a bucket
        return objects.run, partial(objects.open_key, file.key)
