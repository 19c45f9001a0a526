"""A partial file, in plain blocking calls: written in any order, digested, put in its target's place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import attrs

from packagex_async._files.operations import (
    BLOCK_SIZE,
    START_SIZE,
    FileDigest,
    require_room,
    sync_folder,
    update,
    values,
    write_all,
)
from packagex_async._files.paths import make_directories
from packagex_async._partials import partial_index
from packagex_async._partials.partial_index import LockedPartial, PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._utils import hashing
from packagex_async._utils.byte_ranges import ByteRange, Chunk, RangeSet
from packagex_async._utils.decompression import Decompressor
from packagex_async._utils.hashing import Hasher

T = TypeVar("T")

Placed = tuple[int, Chunk]
"""The position of a block, and the block."""


@attrs.define(kw_only=True, eq=False, repr=False)
class PartialFile:
    """One partial file of `target`, from its first byte to its end.

    Args:
        target: Where the file goes when it is whole.
        root: The directory that it must not lead out of; below it, links are not followed.
        algorithms: The digests to compute on the way.
        length: How many bytes will come, if known.
        decoder: What decodes them.
        memo: What a later run must know to go on with the file; without it, nothing unfinished stays.
    """

    target: Path
    root: Path
    algorithms: Iterable[str] = ()
    length: int | None = None
    decoder: Decompressor | None = None
    memo: PartialMetadata | None = None
    written: RangeSet = attrs.field(init=False, factory=RangeSet)
    _part: LockedPartial | None = attrs.field(init=False, default=None)
    _at: int = attrs.field(init=False, default=0)
    _digests: dict[str, Hasher] = attrs.field(init=False)
    _arrived: dict[str, Hasher] = attrs.field(init=False)
    _digested: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self._digests = {name: hashing.new_hasher(name) for name in self.algorithms}
        self._arrived = {name: hashing.new_hasher(name) for name in self.algorithms} if self.decoder else {}

    @classmethod
    def taken_up(
        cls, target: Path, root: Path, leftovers: PartialIndex, algorithms: Sequence[str]
    ) -> PartialFile | None:
        """A partial that an earlier run has left, locked, if there is one that can be gone on with."""
        found = partial_index.take_up(target, leftovers)
        if found is None:
            return None
        part, memo = found
        named = _algorithms(memo)
        written = None if named is None else _written(memo, part.file)
        if named is None or written is None:
            part.remove()
            return None
        partial = cls(
            target=target,
            root=root,
            algorithms={*algorithms, *named},
            length=memo["length"],
            memo=memo,
        )
        partial._part, partial.written, partial._at = part, written, -1
        return partial

    @property
    def exists(self) -> bool:
        """Whether there is a file yet."""
        return self._part is not None

    def is_all(self, blocks: Iterable[Placed]) -> bool:
        """Whether `blocks` are all there is of it, one behind the other, as they belong in the file."""
        return self._part is None and self.decoder is None and self._follows(blocks)

    def gaps(self) -> list[ByteRange]:
        """What is missing of it."""
        return self.written.gaps(self.length or 0)

    def write(self, blocks: Iterable[Placed]) -> None:
        """Put each block in its place; the first of them makes the file."""
        if self._part is None:
            self._begin()
        self._put(list(blocks))

    def publish(
        self, blocks: Iterable[Placed], check: Callable[[FileDigest], T], *, overwrite: bool, durable: bool
    ) -> tuple[FileDigest, T]:
        """Write the last blocks, and put the file in its target's place unless `check` raises."""
        self._put(list(blocks))
        if self.decoder is not None:
            self.decoder.end()
        part = self._opened()
        if durable:
            os.fsync(part.file)
        self._digest_rest()
        measured = FileDigest(
            self.written.size, values(self._digests), values(self._arrived), start=self._read_start()
        )
        found = check(measured)
        part.move_to(self.target, overwrite=overwrite)
        if self.memo is not None:
            partial_index.forget(part.path)
        self._part = self.memo = None
        if durable:
            sync_folder(self.target.parent)
        return measured, found

    def remove(self) -> None:
        """Leave no trace of the file there is."""
        self._opened().remove()

    def leave(self, blocks: Iterable[Placed]) -> None:
        """Leave it, with these last blocks, to a later run."""
        try:
            self.write(blocks)
            if self.memo is not None and "gaps" in self.memo:
                self._tell_gaps(self.memo)
        finally:
            if self._part is not None:
                self._part.close()

    def _opened(self) -> LockedPartial:
        if self._part is None:
            self._part = partial_index.create(self.target, self.root)
        return self._part

    def _begin(self) -> None:
        """Make the file where there is room, and see to it that a later run can go on with it."""
        make_directories(self.target.parent, self.root)
        require_room(self.target.parent, self.length or 0)
        part = self._opened()
        if self.memo is not None:
            try:
                partial_index.remember(part.path, self.memo)
            except BaseException:
                part.remove()
                self._part = None
                raise

    def _put(self, blocks: list[Placed]) -> None:
        file = self._opened().file
        self._foresee_gaps(blocks)
        for position, block in blocks:
            if self.decoder is None:
                self._put_block(file, block, position)
            else:
                update(self._arrived, block)
                for piece in self.decoder.feed(block):
                    self._put_block(file, piece, self._digested)

    def _put_block(self, file: int, block: Chunk, position: int) -> None:
        if position != self._at:
            os.lseek(file, position, os.SEEK_SET)
        # Where a write fails, the position is unknown.
        self._at = -1
        write_all(file, block)
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
        prefix_size = self.written.prefix_size
        for position, block in blocks:
            if position != prefix_size:
                return False
            prefix_size += len(block)
        return True

    def _tell_gaps(self, memo: PartialMetadata) -> None:
        self.memo = memo | {"gaps": self.gaps()}
        partial_index.remember(self._opened().path, self.memo)

    def _read_start(self) -> bytes:
        file = self._opened().file
        os.lseek(file, 0, os.SEEK_SET)
        self._at = -1
        return os.read(file, START_SIZE)

    def _digest_rest(self) -> None:
        """Read what came out of order, or in an earlier run."""
        if not self._digests or self._digested == self.written.size:
            return
        file = self._opened().file
        os.lseek(file, self._digested, os.SEEK_SET)
        self._at = -1
        while block := os.read(file, BLOCK_SIZE):
            update(self._digests, block)
            self._digested += len(block)


def _algorithms(memo: PartialMetadata) -> set[str] | None:
    """Return the hash algorithms that `memo` names, or `None` if they cannot be computed here."""
    try:
        names = {str(name) for name, _ in memo["hashes"]}
    except (KeyError, TypeError, ValueError):
        return None
    return names if all(map(hashing.is_supported, names)) else None


def _written(memo: PartialMetadata, file: int) -> RangeSet | None:
    """What of the open partial was written by the run that has left `memo`, if that makes sense."""
    size, length = os.fstat(file).st_size, memo["length"]
    try:
        written = RangeSet.from_gaps(memo.get("gaps", [(size, length)]), length)
    except ValueError:
        return None
    return written if written.end <= size <= length else None
