"""A partial file beside its target: written in large blocks, digested, published whole or not at all."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from io import FileIO
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

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
from packagex_async._intake import Block
from packagex_async._keep import Memo
from packagex_async._spans import Bounds, Coverage

T = TypeVar("T")

_WORTH_A_WRITE = 256 * 1024


class Part:
    """A partial file; leaving its block removes it unless it was published.

    The file is made with its first write, under a name that no other part has. Its bytes may come in any
    order, from several connections; where a later run may go on with it, gaps are written down beforehand.

    Args:
        disk: The threads to work on.
        target: Where the file goes when it is whole; its folder is made when it is not there.
        durable: Whether to have it on the medium, and not just in memory, before it takes its place.

    Attributes:
        received: How many bytes it has been given.
    """

    def __init__(self, disk: Disk, target: Path, *, durable: bool = False) -> None:
        self._disk = disk
        self._target = target
        self._durable = durable
        self._turn = asyncio.Lock()
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

    def gaps(self) -> list[Bounds]:
        """What is missing of a partial that was taken up."""
        return self._written.gaps(self._length or 0)

    async def write(self, block: Block, position: int) -> None:
        """Put `block` where it belongs; it may be changed afterwards.

        Raises:
            DiskError: The disk is full, or refuses otherwise.
            BodyError: It cannot be decoded.
        """
        large = len(block) >= _WORTH_A_WRITE
        self._gathered.append((position, block if large else bytes(block)))
        self._gathered_size += len(block)
        self.received += len(block)
        if large or self._gathered_size >= BLOCK_SIZE:
            async with self._turn:
                # Another connection may have had it written while this one waited for its turn.
                if self._gathered:
                    await self._disk.run(self._path, self._flush, self._handed_over())

    async def publish(self, check: Callable[[Measured], T], *, overwrite: bool) -> tuple[Measured, T]:
        """Write what is gathered, close the file, and put it in the target's place in one step if it is good.

        Args:
            check: Is asked, on another thread, and raises what is wrong with the file.
            overwrite: Replace a file of another length, too.

        Returns:
            What the file holds, and what `check` found.

        Raises:
            DiskError: The disk is full, or refuses otherwise, or a file has appeared that is to be kept.
            BodyError: What was written does not decode to a whole.
        """
        return await self._disk.run(self._target, self._publish, check, overwrite)

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
        self._digested = 0
        self._arrived = {name: _digests.new(name) for name in algorithms} if decoder else {}
        self._written = Coverage()
        self._gathered: list[tuple[int, Block]] = []
        self._gathered_size = 0
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
        written = _written(memo, path) if named is None or _digests.available(named) else None
        file = _continued(path) if written else None
        if file is None or written is None:
            _keep.forget(path)
            return None
        self._begin({*algorithms, *([named] if named else [])}, memo.get("length"), memo=memo)
        self._path, self._file = path, file
        self._written = written
        self.received = written.size
        return memo

    def _handed_over(self) -> list[tuple[int, Block]]:
        # Never on a thread while blocks may still come: one that came just then would be lost.
        gathered, self._gathered, self._gathered_size = self._gathered, [], 0
        return gathered

    def _flush(self, gathered: list[tuple[int, Block]]) -> None:
        # Opened no earlier: what came with the answer's head is taken before any thread is waited for.
        file = self._open()
        self._foresee_gaps(gathered)
        for position, block in gathered:
            if self._decoder is None:
                self._put(file, block, position)
            else:
                self._put_decoded(file, self._decoder, block)

    def _put(self, file: FileIO, block: Block, position: int) -> None:
        file.seek(position)
        write_all(file, block)
        self._written.add(position, position + len(block))
        if position == self._digested:
            update(self._digests, block)
            self._digested += len(block)

    def _put_decoded(self, file: FileIO, decoder: Decoder, block: Block) -> None:
        update(self._arrived, block)
        for piece in decoder.feed(block):
            self._put(file, piece, self._digested)

    def _foresee_gaps(self, gathered: list[tuple[int, Block]]) -> None:
        # A later run believes the file's length, unless it was told of gaps before there were any. Once told
        # of them it believes nothing else: it has to be told of what is written since, too.
        if self._memo is not None and ("gaps" in self._memo or not self._follows(gathered)):
            self._tell_gaps(self._memo)

    def _follows(self, gathered: list[tuple[int, Block]]) -> bool:
        """Whether the blocks follow what is written without a gap."""
        beginning = self._written.beginning
        for position, block in gathered:
            if position != beginning:
                return False
            beginning += len(block)
        return True

    def _tell_gaps(self, memo: Memo) -> None:
        self._memo = memo | {"gaps": self.gaps()}
        _keep.remember(self._path, self._memo)

    def _publish(self, check: Callable[[Measured], T], overwrite: bool) -> tuple[Measured, T]:
        self._flush(self._handed_over())
        if self._decoder is not None:
            self._decoder.end()
        file = self._open()
        if self._durable:
            os.fsync(file.fileno())
        self._digest_rest()
        measured = Measured(self._written.size, values(self._digests), values(self._arrived))
        found = check(measured)
        file.close()
        self._replace(measured.size, overwrite)
        return measured, found

    def _digest_rest(self) -> None:
        """Read what came out of order, or in an earlier run."""
        if not self._digests or self._digested == self._written.size:
            return
        with self._path.open("rb") as file:
            file.seek(self._digested)
            while block := file.read(BLOCK_SIZE):
                update(self._digests, block)
                self._digested += len(block)

    def _replace(self, size: int, overwrite: bool) -> None:
        if not overwrite and (there := size_of(self._target)) is not None and there != size:
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
                self._flush(self._handed_over())
                if self._memo is not None and "gaps" in self._memo:
                    self._tell_gaps(self._memo)
        finally:
            file.close()
            _keep.release(self._path)


def _continued(path: Path) -> FileIO | None:
    try:
        return FileIO(path, "r+b")
    except OSError:
        return None


def _written(memo: Memo, path: Path) -> Coverage | None:
    """What of the partial at `path` was written by the run that has left `memo`, if that makes sense."""
    size = path.stat().st_size
    try:
        length = index(memo["length"])
        gaps = [(index(start), index(end)) for start, end in memo.get("gaps", [(size, length)])]
        written = Coverage.without(gaps, length)
    except (KeyError, TypeError, ValueError):
        return None
    return written if written.end <= size <= length else None
