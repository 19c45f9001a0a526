"""A partial file beside its target: written in large blocks, digested, published whole or not at all.

Disk work runs on threads of its own: neither the event loop nor the default executor waits for a disk.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import aiofiles.os
import attrs

from packagex_async import _digests

P = ParamSpec("P")
T = TypeVar("T")

BLOCK_SIZE = 1024 * 1024
"""Bytes gathered before a thread is asked to write them."""


class DiskError(Exception):
    """The disk refused; `cause` is what the operating system said, `path` what it was about."""

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        self.cause = cause
        self.path = path


@attrs.frozen
class Measured:
    """A file's length in bytes and its digests by algorithm."""

    size: int
    digests: dict[str, bytes]


class Disk:
    """The threads that work on files.

    Args:
        threads: How many.
    """

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="packagex-disk")

    async def run(self, path: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function`, which works on `path`, in a thread, to its end even when cancelled.

        Raises:
            DiskError: It raised an `OSError`.
        """
        call = aiofiles.os.wrap(function)
        try:
            return await _outlive(call(*args, executor=self._pool, **kwargs))
        except OSError as error:
            failure = DiskError(error, path)
        raise failure from failure.cause

    async def measure(self, path: Path, algorithms: Iterable[str]) -> Measured | None:
        """The length and digests of the regular file at `path`, or `None` when nothing is there.

        Raises:
            DiskError: It cannot be read, or is no regular file.
        """
        return await self.run(path, _measure, path, tuple(algorithms))

    def close(self) -> None:
        """Let the threads go; idempotent."""
        self._pool.shutdown(wait=False)


class Part:
    """A partial file; leaving its block removes it unless it was published.

    The file is made with its first write.

    Args:
        disk: The threads to work on.
        target: Where the file goes when it is whole; its folder is made when it is not there.
        algorithms: The digests to compute on the way.
    """

    def __init__(self, disk: Disk, target: Path, algorithms: Iterable[str]) -> None:
        self.size = 0
        self._disk = disk
        self._target = target
        self._path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        self._digests = {name: _digests.new(name) for name in algorithms}
        self._file: FileIO | None = None
        self._blocks: list[bytes] = []
        self._gathered = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._disk.run(self._path, self._remove)

    async def write(self, block: bytes) -> None:
        """Append `block`.

        Raises:
            DiskError: The disk is full, or refuses otherwise.
        """
        self._blocks.append(block)
        self._gathered += len(block)
        self.size += len(block)
        if self._gathered >= BLOCK_SIZE:
            await self._disk.run(self._path, self._flush)

    async def finish(self) -> Measured:
        """Write what is gathered and close the file; return what it holds.

        Raises:
            DiskError: The disk is full, or refuses otherwise.
        """
        await self._disk.run(self._path, self._close)
        return Measured(self.size, {name: digest.digest() for name, digest in self._digests.items()})

    async def publish(self, *, overwrite: bool) -> None:
        """Put the finished file in the target's place, in one step.

        Args:
            overwrite: Replace a file of another length, too.

        Raises:
            DiskError: The disk refuses, or such a file has appeared and is to be kept.
        """
        await self._disk.run(self._target, self._replace, overwrite)

    def _open(self) -> FileIO:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = FileIO(self._path, "xb")
        return self._file

    def _flush(self) -> None:
        # Opened no earlier: what came with the answer's head is taken before any thread is waited for.
        file = self._open()
        blocks, self._blocks, self._gathered = self._blocks, [], 0
        for block in blocks:
            for digest in self._digests.values():
                digest.update(block)
            write_all(file, block)

    def _close(self) -> None:
        self._flush()
        self._open().close()

    def _replace(self, overwrite: bool) -> None:
        if not overwrite and (there := _size(self._target)) is not None and there != self.size:
            raise FileExistsError(f"another file of {there} bytes has appeared there")
        os.replace(self._path, self._target)

    def _remove(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def write_all(file: FileIO, block: bytes) -> None:
    """Write `block`, however many writes the operating system makes of it."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


def _size(path: Path) -> int | None:
    """The length of the regular file at `path`, or `None` when nothing is there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError("something that is no regular file is there")
    return status.st_size


def _measure(path: Path, algorithms: tuple[str, ...]) -> Measured | None:
    size = _size(path)
    if size is None:
        return None
    digests = {name: _digests.new(name) for name in algorithms}
    if digests:
        with path.open("rb") as file:
            while block := file.read(BLOCK_SIZE):
                for digest in digests.values():
                    digest.update(block)
    return Measured(size, {name: digest.digest() for name, digest in digests.items()})


async def _outlive(work: Awaitable[T]) -> T:
    """The result of thread work, waited for even when cancelled: a thread is outlived, never interrupted."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()
        raise cancelled
    return task.result()
