"""Whether a folder still holds what was brought there: every file its manifest names, read again."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from packagex_async._disk import Disk, DiskError
from packagex_async._inventory import Inventory
from packagex_async._manifest import NAME
from packagex_async._manifest_line import Line
from packagex_async.comparison import CheckedFile, Comparison
from packagex_async.errors import ConfigurationError

P = ParamSpec("P")
T = TypeVar("T")

OnRead = Callable[[int, int], object]

_AT_ONCE = 4
_BATCH = 64


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
        ConfigurationError: At once, when the folder has no manifest.
        OSError: When the manifest cannot be read.
    """
    folder = Path(directory)
    if not (folder / NAME).is_file():
        raise ConfigurationError(f"{folder} has no {NAME}: nothing was downloaded there with download_all")
    return _Verification(folder, on_progress or _unheard).files()


class _StoppedError(Exception):
    """Nobody wants to know any more."""


class _Verification:
    def __init__(self, folder: Path, on_progress: OnRead) -> None:
        self._folder = folder
        self._on_progress = on_progress
        self._disk = Disk(_AT_ONCE)
        self._done = self._total = 0
        self._stopped = False
        # A hash takes a fraction of what its path would.
        self._listed: set[int] = set()

    async def files(self) -> AsyncGenerator[CheckedFile, None]:
        loop = asyncio.get_running_loop()
        comparison = Comparison(self._folder, partial(self._heard, loop))
        under_way: deque[asyncio.Task[CheckedFile]] = deque()
        try:
            with await self._run(Inventory, self._folder) as inventory:
                self._total = inventory.size
                async for line in self._batched(inventory.lines()):
                    self._listed.add(hash(line.path))
                    under_way.append(asyncio.create_task(self._checked(comparison, line)))
                    if len(under_way) == _AT_ONCE:
                        yield await _first(under_way)
                while under_way:
                    yield await _first(under_way)
            async for file in self._batched(comparison.unlisted(lambda path: hash(path) in self._listed)):
                yield file
        finally:
            self._stopped = True
            await asyncio.gather(*under_way, return_exceptions=True)
            self._disk.close()

    async def _checked(self, comparison: Comparison, line: Line) -> CheckedFile:
        file = await self._run(comparison.checked, line)
        # What was not read, for it is not there say, is done with, too.
        self._advance((line.size or 0) - (file.size or 0))
        return file

    def _heard(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        if self._stopped:
            raise _StoppedError
        loop.call_soon_threadsafe(self._advance, count)

    def _advance(self, count: int) -> None:
        self._done += count
        self._on_progress(self._done, self._total)

    async def _batched(self, items: Iterator[T]) -> AsyncIterator[T]:
        while batch := await self._run(lambda: list(islice(items, _BATCH))):
            for item in batch:
                yield item

    async def _run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._disk.run(self._folder, function, *args, **kwargs)
        except DiskError as error:
            failure = error
        raise failure.cause


async def _first(under_way: deque[asyncio.Task[CheckedFile]]) -> CheckedFile:
    # Shielded, for who is cancelled here first has to tell the threads to stop.
    file = await asyncio.shield(under_way[0])
    under_way.popleft()
    return file


def _unheard(_done: int, _total: int) -> None:
    """Nobody asked to be told."""
