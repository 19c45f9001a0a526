"""A partial file beside its target: written in large blocks, digested, published whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

from packagex_async import _digests, _keep
from packagex_async._decode import Decoder
from packagex_async._disk import Disk
from packagex_async._files import (
    BLOCK_SIZE,
    Measured,
    replace,
    size_of,
    sync_folder,
    update,
    values,
    write_all,
)
from packagex_async._keep import Memo


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
        self._begin({*algorithms, *([named] if named else [])}, memo=memo)
        self._path, self._file = path, file
        while block := file.read(BLOCK_SIZE):
            update(self._digests, block)
            self._size += len(block)
        self.received = self._size
        return memo

    def _flush(self) -> None:
        # Opened no earlier: what came with the answer's head is taken before any thread is waited for.
        file = self._open()
        blocks, self._blocks, self._gathered = self._blocks, [], 0
        for block in blocks:
            update(self._arrived, block)
            for piece in self._decoder.feed(block) if self._decoder else (block,):
                update(self._digests, piece)
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
        return Measured(self._size, values(self._digests), values(self._arrived))

    def _replace(self, overwrite: bool) -> None:
        if not overwrite and (there := size_of(self._target)) is not None and there != self._size:
            raise FileExistsError(f"another file of {there} bytes has appeared there")
        replace(self._path, self._target)
        if self._durable:
            sync_folder(self._target.parent)
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
