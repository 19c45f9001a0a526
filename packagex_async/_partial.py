"""A partial file, in plain blocking calls: written in any order, digested, put in its target's place."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from io import FileIO
from operator import index
from pathlib import Path
from typing import TypeVar

import attrs

from packagex_async import _digests, _keep
from packagex_async._decode import Decoder
from packagex_async._digests import Digest
from packagex_async._files import (
    BLOCK_SIZE,
    START_SIZE,
    Measured,
    made,
    put_in_place,
    sync_folder,
    update,
    values,
    write_all,
)
from packagex_async._intake import Block
from packagex_async._keep import Leftovers, Memo
from packagex_async._spans import Bounds, Coverage

T = TypeVar("T")

Placed = tuple[int, Block]
"""The position of a block, and the block."""


@attrs.define(kw_only=True, eq=False, repr=False)
class Partial:
    """One partial file of `target`, from its first byte to its end.

    Args:
        target: Where the file goes when it is whole.
        algorithms: The digests to compute on the way.
        length: How many bytes will come, if known.
        decoder: What decodes them.
        memo: What a later run must know to go on with the file; without it, nothing unfinished stays.
    """

    target: Path
    algorithms: Iterable[str] = ()
    length: int | None = None
    decoder: Decoder | None = None
    memo: Memo | None = None
    written: Coverage = attrs.field(init=False, factory=Coverage)
    _path: Path | None = attrs.field(init=False, default=None)
    _file: FileIO | None = attrs.field(init=False, default=None)
    _at: int = attrs.field(init=False, default=0)
    _digests: dict[str, Digest] = attrs.field(init=False)
    _arrived: dict[str, Digest] = attrs.field(init=False)
    _digested: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._digests = {name: _digests.new(name) for name in self.algorithms}
        self._arrived = {name: _digests.new(name) for name in self.algorithms} if self.decoder else {}

    @classmethod
    def taken_up(cls, target: Path, leftovers: Leftovers, algorithms: Sequence[str]) -> Partial | None:
        """A partial that an earlier run has left, claimed, if there is one that can be gone on with."""
        found = _keep.take_up(target, leftovers)
        if found is None:
            return None
        path, memo = found
        named = _algorithms(memo)
        written = None if named is None else _written(memo, path)
        file = _continued(path) if written else None
        if file is None or written is None or named is None:
            _keep.forget(path)
            return None
        partial = cls(
            target=target,
            algorithms={*algorithms, *named},
            length=memo.get("length"),
            memo=memo,
        )
        partial._path, partial.written, partial._file = path, written, file
        return partial

    @property
    def path(self) -> Path:
        """Where it is, or will be."""
        if self._path is None:
            self._path = _keep.new_part(self.target)
        return self._path

    @property
    def exists(self) -> bool:
        """Whether there is a file yet."""
        return self._file is not None

    def is_all(self, blocks: Iterable[Placed]) -> bool:
        """Whether `blocks` are all there is of it, one behind the other, as they belong in the file."""
        return self._file is None and self.decoder is None and self._follows(blocks)

    def gaps(self) -> list[Bounds]:
        """What is missing of it."""
        return self.written.gaps(self.length or 0)

    def write(self, blocks: Iterable[Placed]) -> None:
        """Put each block in its place; the first of them makes the file."""
        if self._file is None:
            self._make_room()
        self._put(list(blocks))

    def publish(
        self, blocks: Iterable[Placed], check: Callable[[Measured], T], *, overwrite: bool, durable: bool
    ) -> tuple[Measured, T]:
        """Write the last blocks, and put the file in its target's place unless `check` raises."""
        self._put(list(blocks))
        if self.decoder is not None:
            self.decoder.end()
        file = self._open()
        if durable:
            os.fsync(file.fileno())
        self._digest_rest()
        measured = Measured(
            self.written.size, values(self._digests), values(self._arrived), start=self._read_start()
        )
        found = check(measured)
        file.close()
        put_in_place(self.path, self.target, overwrite=overwrite)
        if self.memo is not None:
            _keep.forget(self.path)
        self._file = self.memo = None
        if durable:
            sync_folder(self.target.parent)
        return measured, found

    def remove(self) -> None:
        """Leave no trace of the file there is."""
        self._open().close()
        _keep.forget(self.path)

    def leave(self, blocks: Iterable[Placed]) -> None:
        """Leave it, with these last blocks, to a later run."""
        try:
            if self._file is None or not self._file.closed:
                self.write(blocks)
                if self.memo is not None and "gaps" in self.memo:
                    self._tell_gaps(self.memo)
        finally:
            if self._file is not None:
                self._file.close()
            _keep.release(self.path)

    def _open(self) -> FileIO:
        if self._file is None:
            self._file = FileIO(made(self.path, self.target.parent), "w")
        return self._file

    def _make_room(self) -> None:
        """See to it that there is room, and that a later run can go on with what will be written."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.path.parent).free < (self.length or 0):
            raise OSError(errno.ENOSPC, f"no room for {self.length} bytes")
        if self.memo is not None:
            _keep.claim(self.path)
            _keep.remember(self.path, self.memo)

    def _put(self, blocks: list[Placed]) -> None:
        file = self._open()
        self._foresee_gaps(blocks)
        for position, block in blocks:
            if self.decoder is None:
                self._put_block(file, block, position)
            else:
                update(self._arrived, block)
                for piece in self.decoder.feed(block):
                    self._put_block(file, piece, self._digested)

    def _put_block(self, file: FileIO, block: Block, position: int) -> None:
        if position != self._at:
            file.seek(position)
        write_all(file.fileno(), block)
        self._at = position + len(block)
        self.written.add(position, self._at)
        if position == self._digested:
            update(self._digests, block)
            self._digested = self._at

    def _foresee_gaps(self, blocks: list[Placed]) -> None:
        # A later run believes the file's length, unless it was told of gaps before there were any. Once told
        # of them it believes nothing else: it has to be told of what is written since, too.
        if self.memo is not None and ("gaps" in self.memo or not self._follows(blocks)):
            self._tell_gaps(self.memo)

    def _follows(self, blocks: Iterable[Placed]) -> bool:
        """Whether the blocks follow what is written without a gap."""
        beginning = self.written.beginning
        for position, block in blocks:
            if position != beginning:
                return False
            beginning += len(block)
        return True

    def _tell_gaps(self, memo: Memo) -> None:
        self.memo = memo | {"gaps": self.gaps()}
        _keep.remember(self.path, self.memo)

    def _read_start(self) -> bytes:
        with self.path.open("rb") as file:
            return file.read(START_SIZE)

    def _digest_rest(self) -> None:
        """Read what came out of order, or in an earlier run."""
        if not self._digests or self._digested == self.written.size:
            return
        with self.path.open("rb") as file:
            file.seek(self._digested)
            while block := file.read(BLOCK_SIZE):
                update(self._digests, block)
                self._digested += len(block)


def _continued(path: Path) -> FileIO | None:
    try:
        return FileIO(path, "r+b")
    except OSError:
        return None


def _algorithms(memo: Memo) -> set[str] | None:
    """Return the hash algorithms that `memo` names, or `None` if they cannot be computed here."""
    try:
        names = {str(name) for name, _ in memo["hashes"]}
    except (KeyError, TypeError, ValueError):
        return None
    return names if all(map(_digests.available, names)) else None


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
