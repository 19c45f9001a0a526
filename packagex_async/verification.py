"""Whether a folder still holds what was brought there: every file its manifest names, read again."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.layouts import parse_directory
from packagex_async._files.operations import file_size
from packagex_async._files.paths import UnsafePathError
from packagex_async._sync.comparison import CheckedFile, Comparison
from packagex_async._sync.inventory import Inventory
from packagex_async._sync.manifest import NAME
from packagex_async._sync.manifest_entry import ManifestEntry
from packagex_async._utils.redaction import sanitize
from packagex_async.errors import ConfigurationError, DirectoryError

P = ParamSpec("P")
T = TypeVar("T")

OnRead = Callable[[int, int], object]

_AT_ONCE = 4

_MAX_PATH = 5000
_MOST_FILES = 64
_MOST_BYTES = 8 * 1024 * 1024
"""One call of a thread checks so many small files, and no more than so many bytes if it can be helped."""


def verify_directory(
    directory: str | os.PathLike[str], *, on_progress: OnRead | None = None
) -> AsyncGenerator[CheckedFile, None]:
    """Read every file again that `download_all` has brought to a folder, and compare it with the manifest.

    It needs neither network nor key, and changes nothing. Files that the manifest does not name come last;
    hidden ones, among them what unfinished downloads have left, are passed over. Leaving the loop early ends
    what is under way; wrap the generator in `contextlib.aclosing` to have it ended at once.

    Args:
        directory: The folder.
        on_progress: Called with the bytes checked so far and the bytes there are to check, from the event
            loop: keep it short.

    Returns:
        An async generator of one `CheckedFile` for each file.

    Raises:
        ConfigurationError: At once, when the folder has no manifest, or something else is in its place.
        DirectoryError: When the operating system does not let the manifest be read, at once or later.
    """
    folder = parse_directory(directory)
    _check_manifest(folder / NAME)
    return _Verification(folder, on_progress or _unheard).files()


def _check_manifest(manifest: Path) -> None:
    try:
        found = file_size(manifest)
    except UnsafePathError as error:
        raise ConfigurationError(f"{sanitize(error.strerror, limit=_MAX_PATH)}: it is not read") from error
    except NotADirectoryError:
        found = None
    except OSError as error:
        raise _directory_error(manifest, error) from error
    if found is None:
        folder = sanitize(manifest.parent, limit=_MAX_PATH)
        raise ConfigurationError(f"{folder} has no {NAME}: nothing was downloaded there with download_all")


def _directory_error(manifest: Path, error: OSError) -> DirectoryError:
    path, reason = (sanitize(part, limit=_MAX_PATH) for part in (manifest, error.strerror or error))
    return DirectoryError(
        f"{path} cannot be read: {reason}; check the permissions and the disk",
        filename=str(manifest),
        errno=error.errno,
    )


class _StoppedError(Exception):
    """Nobody wants to know any more."""


class _Verification:
    def __init__(self, folder: Path, on_progress: OnRead) -> None:
        self._folder = folder
        self._on_progress = on_progress
        self._disk = FileExecutor(_AT_ONCE)
        self._done = self._total = 0
        self._stopped = False
        # A hash takes a fraction of what its path would.
        self._listed: set[int] = set()

    async def files(self) -> AsyncGenerator[CheckedFile, None]:
        loop = asyncio.get_running_loop()
        comparison = Comparison(self._folder, partial(self._heard, loop))
        under_way: deque[asyncio.Task[list[CheckedFile]]] = deque()
        try:
            with await self._run(Inventory, self._folder) as inventory:
                self._total = inventory.size
                portions = _portions(inventory.lines())
                while portion := await self._run(next, portions, None):
                    under_way.append(asyncio.create_task(self._checked(comparison, portion)))
                    if len(under_way) == _AT_ONCE:
                        for file in await _first(under_way):
                            yield file
                while under_way:
                    for file in await _first(under_way):
                        yield file
            unlisted = comparison.unlisted(lambda path: hash(path) in self._listed)
            while batch := await self._run(lambda: list(islice(unlisted, _MOST_FILES))):
                for file in batch:
                    yield file
        finally:
            self._stopped = True
            await asyncio.gather(*under_way, return_exceptions=True)
            self._disk.close()

    async def _checked(self, comparison: Comparison, lines: list[ManifestEntry]) -> list[CheckedFile]:
        self._listed.update(hash(line.path) for line in lines)
        files = await self._run(lambda: list(map(comparison.checked, lines)))
        # What was not read, for it is not there say, is done with, too.
        self._advance(sum((file.expected_size or 0) - (file.size or 0) for file in files))
        return files

    def _heard(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        if self._stopped:
            raise _StoppedError
        loop.call_soon_threadsafe(self._advance, count)

    def _advance(self, count: int) -> None:
        self._done += count
        self._on_progress(self._done, self._total)

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run(self._folder, function, *args, **kwargs)
        except DiskError as error:
            failure = error
        raise _directory_error(self._folder / NAME, failure.cause) from failure.cause


async def _first(under_way: deque[asyncio.Task[list[CheckedFile]]]) -> list[CheckedFile]:
    # Shielded, for who is cancelled here first has to tell the threads to stop.
    files = await asyncio.shield(under_way[0])
    under_way.popleft()
    return files


def _portions(lines: Iterator[ManifestEntry]) -> Iterator[list[ManifestEntry]]:
    portion: list[ManifestEntry] = []
    size = 0
    for line in lines:
        portion.append(line)
        size += line.size or 0
        if len(portion) == _MOST_FILES or size >= _MOST_BYTES:
            yield portion
            portion, size = [], 0
    yield portion


def _unheard(_done: int, _total: int) -> None:
    """Nobody asked to be told."""
