"""The verification of a bucket: several objects are read at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from packagex_async._bucket_sync.object_checker import CheckedObject, ObjectChecker
from packagex_async._buckets.bucket_error import BucketError
from packagex_async._buckets.objects import BucketObjects
from packagex_async._concurrency.read_progress import ReadProgress
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async.errors import DirectoryError

_MAX_READS = 8


class BucketVerification:
    """One verification of a bucket.

    Args:
        objects: The bucket.
        on_progress: Called with the number of checked bytes and the total number of bytes.
    """

    def __init__(self, objects: BucketObjects, on_progress: Callable[[int, int], object]) -> None:
        self._objects = objects
        self._progress = ReadProgress(on_progress)

    async def run(self) -> AsyncGenerator[CheckedObject, None]:
        """Yield the objects of all manifest objects, then the other objects.

        Raises:
            DirectoryError: The bucket cannot be read.
        """
        checker = ObjectChecker(self._objects, self._progress.callback())
        tasks: deque[asyncio.Task[CheckedObject]] = deque()
        try:
            entries = await self._entries(checker)
            self._progress.total = sum(entry.size or 0 for entry in entries)
            for entry in entries:
                tasks.append(asyncio.create_task(self._objects.run(checker.check, entry)))
                if len(tasks) == _MAX_READS:
                    yield await self._finish(tasks)
            while tasks:
                yield await self._finish(tasks)
            for found in checker.unlisted_objects({entry.path or "" for entry in entries}):
                yield found
        except BucketError as error:
            failure = error
        else:
            return
        finally:
            self._progress.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise DirectoryError(
            f"{failure.url} cannot be read: {failure}", filename=failure.url, errno=failure.errno
        ) from failure

    async def _entries(self, checker: ObjectChecker) -> list[ManifestEntry]:
        names = await self._objects.run(checker.manifest_names)
        entries: list[ManifestEntry] = []
        for start in range(0, len(names), _MAX_READS):
            batch = (self._objects.run(checker.entries, name) for name in names[start : start + _MAX_READS])
            for found in await asyncio.gather(*batch):
                entries += found
        return entries

    async def _finish(self, tasks: deque[asyncio.Task[CheckedObject]]) -> CheckedObject:
        # A cancelled caller has to stop the threads before it cancels the tasks, hence the shield.
        checked = await asyncio.shield(tasks[0])
        tasks.popleft()
        self._progress.advance(0)
        return checked
