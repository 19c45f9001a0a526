"""A partial file beside its target: written in large blocks, digested, published whole or not at all.

Disk work runs on threads of its own: neither the event loop nor the default executor waits for a disk.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
import stat
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

import aiofiles.os
import attrs

from packagex_async import _digests, _keep
from packagex_async._decode import Decoder
from packagex_async._digests import Digest
from packagex_async._keep import Memo

P = ParamSpec("P")
T = TypeVar("T")

BLOCK_SIZE = 1024 * 1024
"""Bytes gathered before a thread is asked to write them."""

# Windows refuses to replace a file that a scanner or an indexer is just looking at.
_SHARING_ERRORS = (5, 32)
_SHARING_DELAYS = (0.01, 0.05, 0.1, 0.2, 0.4)


class DiskError(Exception):
    """The disk refused; `cause` is what the operating system said, `path` what it was about."""

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        self.cause = cause
        self.path = path


@attrs.frozen
class Measured:
    """A file's length in bytes and its digests by algorithm.

    Attributes:
        size: The length of the file.
        digests: The digests of the file.
        arrived: The digests of the bytes as they arrived, where those were encoded otherwise.
    """

    size: int
    digests: dict[str, bytes]
    arrived: dict[str, bytes] = attrs.field(factory=dict)

    def of(self, algorithm: str | None) -> set[bytes]:
        """The digests by `algorithm`: the file's, and that of the bytes as they arrived."""
        return {digests[algorithm] for digests in (self.digests, self.arrived) if algorithm in digests}


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

    The file is made with its first write, under a name that no other part has.

    Args:
        disk: The threads to work on.
        target: Where the file goes when it is whole; its folder is made when it is not there.
        durable: Whether to have it on the medium, and not just in memory, before it takes its place.

    Attributes:
        received: How many bytes were written to it since its start.
    """

    def __init__(self, disk: Disk, target: Path, *, durable: bool = False) -> None:
        self._disk = disk
        self._target = target
        self._durable = durable
        self._begin()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._memo is not None and self.received:
            await self._disk.run(self._path, self._leave)
        elif self._file is not None:
            await self._disk.run(self._path, self._remove)

    async def take_up(self, algorithms: Iterable[str]) -> Memo | None:
        """Go on with a partial that an earlier run has left, if there is one; return its memo.

        Args:
            algorithms: The digests to compute beside the one that its memo names.

        Raises:
            DiskError: The folder cannot be read.
        """
        return await self._disk.run(self._target, self._take_up, tuple(algorithms))

    async def start(
        self,
        *,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decoder: Decoder | None = None,
        memo: Memo | None = None,
    ) -> None:
        """Begin a file anew, removing what there was of another.

        Args:
            algorithms: The digests to compute on the way.
            length: How many bytes will come, if known; there must be room for them.
            decoder: What decodes them.
            memo: What a later run must know to go on with the file; without it, nothing unfinished stays.
        """
        if self._file is not None:
            await self._disk.run(self._path, self._remove)
        self._begin(algorithms, length, decoder, memo)

    async def write(self, block: bytes) -> None:
        """Append `block`.

        Raises:
            DiskError: The disk is full, or refuses otherwise.
            BodyError: It cannot be decoded.
        """
        self._blocks.append(block)
        self._gathered += len(block)
        self.received += len(block)
        if self._gathered >= BLOCK_SIZE:
            await self._disk.run(self._path, self._flush)

    async def finish(self) -> Measured:
        """Write what is gathered and close the file; return what it holds.

        Raises:
            DiskError: The disk is full, or refuses otherwise.
            BodyError: What was written does not decode to a whole.
        """
        return await self._disk.run(self._path, self._close)

    async def publish(self, *, overwrite: bool) -> None:
        """Put the finished file in the target's place, in one step.

        Args:
            overwrite: Replace a file of another length, too.

        Raises:
            DiskError: The disk refuses, or such a file has appeared and is to be kept.
        """
        await self._disk.run(self._target, self._replace, overwrite)

    def _begin(
        self,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decoder: Decoder | None = None,
        memo: Memo | None = None,
    ) -> None:
        self._path = self._target.with_name(f".{self._target.name}.{secrets.token_hex(4)}.part")
        self._file: FileIO | None = None
        self._memo = memo
        self._length = length
        self._decoder = decoder
        self._digests = {name: _digests.new(name) for name in algorithms}
        self._arrived = {name: _digests.new(name) for name in algorithms} if decoder else {}
        self._blocks: list[bytes] = []
        self._gathered = 0
        self._size = 0
        self.received = 0

    def _open(self) -> FileIO:
        """The file, made now if it was not."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self._path.parent).free < (self._length or 0):
                raise OSError(errno.ENOSPC, f"no room for {self._length} bytes")
            if self._memo is not None:
                _keep.claim(self._path)
                _keep.remember(self._path, self._memo)
            self._file = FileIO(self._path, "xb")
        return self._file

    def _take_up(self, algorithms: tuple[str, ...]) -> Memo | None:
        found = _keep.take_up(self._target)
        if found is None:
            return None
        path, memo = found
        named = memo["algorithm"]
        file = _continued(path) if named is None or _digests.available(named) else None
        if file is None:
            _keep.forget(path)
            return None
        self._begin({*algorithms, named} - {None}, memo=memo)
        self._path, self._file = path, file
        while block := file.read(BLOCK_SIZE):
            _update(self._digests, block)
            self._size += len(block)
        self.received = self._size
        return memo

    def _flush(self) -> None:
        # Opened no earlier: what came with the answer's head is taken before any thread is waited for.
        file = self._open()
        blocks, self._blocks, self._gathered = self._blocks, [], 0
        for block in blocks:
            _update(self._arrived, block)
            for piece in self._decoder.feed(block) if self._decoder else (block,):
                _update(self._digests, piece)
                write_all(file, piece)
                self._size += len(piece)

    def _close(self) -> Measured:
        self._flush()
        if self._decoder is not None:
            self._decoder.end()
        file = self._open()
        if self._durable:
            os.fsync(file.fileno())
        file.close()
        return Measured(self._size, _values(self._digests), _values(self._arrived))

    def _replace(self, overwrite: bool) -> None:
        if not overwrite and (there := _size(self._target)) is not None and there != self._size:
            raise FileExistsError(f"another file of {there} bytes has appeared there")
        _replace(self._path, self._target)
        if self._durable:
            _sync_folder(self._target.parent)
        if self._memo is not None:
            _keep.forget(self._path)
        self._file = self._memo = None

    def _remove(self) -> None:
        self._open().close()
        _keep.forget(self._path)
        self._file = None

    def _leave(self) -> None:
        file = self._open()
        try:
            if not file.closed:
                self._flush()
        finally:
            file.close()
            _keep.release(self._path)


def _continued(path: Path) -> FileIO | None:
    try:
        return FileIO(path, "r+b")
    except OSError:
        return None


def _update(digests: Mapping[str, Digest], block: bytes) -> None:
    for digest in digests.values():
        digest.update(block)


def _values(digests: Mapping[str, Digest]) -> dict[str, bytes]:
    return {name: digest.digest() for name, digest in digests.items()}


def _replace(path: Path, target: Path) -> None:
    """Replace `target` by `path`, waiting out the moments in which Windows lets nobody."""
    for delay in _SHARING_DELAYS:
        try:
            os.replace(path, target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _SHARING_ERRORS:
                raise
        time.sleep(delay)
    os.replace(path, target)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
                _update(digests, block)
    return Measured(size, _values(digests))


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
