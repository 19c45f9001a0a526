"""Verify that the files of a directory still match its manifest."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from packagex_async._buckets.bucket import Bucket, objects_of
from packagex_async._concurrency.lazy_imports import importing
from packagex_async._concurrency.read_progress import ReadProgress
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import parse_directory
from packagex_async._files.operations import file_size
from packagex_async._files.paths import UnsafePathError
from packagex_async._sync.file_checker import CheckedFile, FileChecker
from packagex_async._sync.manifest import MANIFEST_NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._sync.manifest_snapshot import ManifestSnapshot
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError, DirectoryError

if TYPE_CHECKING:
    from packagex_async._bucket_sync.object_checker import CheckedObject

P = ParamSpec("P")
T = TypeVar("T")

OnRead = Callable[[int, int], object]

_MAX_THREADS = 4
_MAX_PATH_LENGTH = 5000
"""Characters of a path in an error message."""

_BATCH_FILES = 64
_BATCH_BYTES = 8 * 1024 * 1024
"""Limits of one call in a thread: number of files, and their approximate size in bytes."""


@overload
def verify_directory(
    directory: str | os.PathLike[str], *, on_progress: OnRead | None = ...
) -> AsyncGenerator[CheckedFile, None]: ...
@overload
def verify_directory(
    directory: Bucket, *, on_progress: OnRead | None = ...
) -> AsyncGenerator[CheckedObject, None]: ...
def verify_directory(
    directory: str | os.PathLike[str] | Bucket, *, on_progress: OnRead | None = None
) -> AsyncGenerator[Any, None]:
    """Read all files that `download_all` has written to a directory, and compare them with the manifest.

    This needs neither network nor API key, and changes nothing. Files that are not in the manifest come last.
    Hidden files are skipped, partial files among them. Leaving the loop early stops the threads; wrap the
    generator in `contextlib.aclosing` to stop them at once.

    Args:
        directory: Path of the directory, or a `Bucket`. All its manifest objects are read.
        on_progress: Called in the event loop with the number of checked bytes and the total number of bytes.
            It should return quickly.

    Returns:
        An async generator of one `CheckedFile` per file, or one `CheckedObject` per object.

    Raises:
        ConfigurationError: At the call: the directory has no manifest, or the manifest is not a regular file.
        DirectoryError: At the call or later: the operating system does not allow reading the manifest,
            or the bucket cannot be read.
    """
    if isinstance(directory, Bucket):
        with importing("verify_directory()"):
            from packagex_async._bucket_sync.verification import BucketVerification
        return BucketVerification(objects_of(directory), on_progress or _ignore).run()
    path = parse_directory(directory)
    _check_manifest(path / MANIFEST_NAME)
    return _Verification(path, on_progress or _ignore).run()


def _check_manifest(manifest: Path) -> None:
    try:
        size = file_size(manifest)
    except UnsafePathError as error:
        raise ConfigurationError(
            f"{sanitize(error.strerror, limit=_MAX_PATH_LENGTH)}: it is not read"
        ) from error
    except NotADirectoryError:
        size = None
    except OSError as error:
        raise _directory_error(manifest, error) from error
    if size is None:
        directory = sanitize(manifest.parent, limit=_MAX_PATH_LENGTH)
        raise ConfigurationError(
            f"{directory} has no {MANIFEST_NAME}: check the path; download_all creates the manifest"
        )


def _directory_error(manifest: Path, error: OSError) -> DirectoryError:
    path, reason = (sanitize(part, limit=_MAX_PATH_LENGTH) for part in (manifest, error.strerror or error))
    return DirectoryError(
        f"{path} cannot be read: {reason}; check the permissions and the disk",
        filename=str(manifest),
        errno=error.errno,
    )


class _Verification:
    """One verification of a directory."""

    def __init__(self, directory: Path, on_progress: OnRead) -> None:
        self._directory = directory
        self._progress = ReadProgress(on_progress)
        self._disk = FileExecutor(_MAX_THREADS)
        # Hashes of the listed paths, which take less memory than the paths.
        self._listed: set[int] = set()

    async def run(self) -> AsyncGenerator[CheckedFile, None]:
        """Yield all files of the manifest, then the files that are not in it."""
        checker = FileChecker(self._directory, self._progress.callback())
        tasks: deque[asyncio.Task[list[CheckedFile]]] = deque()
        try:
            with await self._run(ManifestSnapshot, self._directory) as manifest:
                self._progress.total = manifest.total_size
                batches = _batches(manifest.entries())
                while batch := await self._run(next, batches, None):
                    tasks.append(asyncio.create_task(self._check(checker, batch)))
                    if len(tasks) == _MAX_THREADS:
                        for file in await _pop_result(tasks):
                            yield file
                while tasks:
                    for file in await _pop_result(tasks):
                        yield file
            unlisted = checker.unlisted_files(lambda path: hash(path) in self._listed)
            while files := await self._run(lambda: list(islice(unlisted, _BATCH_FILES))):
                for file in files:
                    yield file
        finally:
            self._progress.stop()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._disk.close()

    async def _check(self, checker: FileChecker, entries: list[ManifestEntry]) -> list[CheckedFile]:
        self._listed.update(hash(entry.path) for entry in entries)
        files = await self._run(lambda: list(map(checker.check, entries)))
        # Files that were not read count as checked, too.
        self._progress.advance(sum((file.expected_size or 0) - (file.size or 0) for file in files))
        return files

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run(self._directory, function, *args, **kwargs)
        except DiskError as error:
            failure = error
        raise _directory_error(self._directory / MANIFEST_NAME, failure.cause) from failure.cause


async def _pop_result(tasks: deque[asyncio.Task[list[CheckedFile]]]) -> list[CheckedFile]:
    # A cancelled caller has to stop the threads before it cancels the tasks, hence the shield.
    files = await asyncio.shield(tasks[0])
    tasks.popleft()
    return files


def _batches(entries: Iterator[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
    batch: list[ManifestEntry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.size or 0
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


def _ignore(_checked: int, _total: int) -> None:
    """Default of `on_progress`."""
