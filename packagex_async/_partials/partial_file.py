"""A partial file: blocking methods that write it in any order, hash it, and move it to its target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._files.operations import (
    CHUNK_SIZE,
    START_SIZE,
    FileDigest,
    replace_file,
    require_space,
    sync_directory,
    write_all,
    write_piped,
)
from packagex_async._files.paths import make_directories
from packagex_async._partials.locked_partial import LockedPartial, create_partial, resume_partial
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata, remove_with_metadata, save_metadata
from packagex_async._utils.byte_ranges import ByteRange, Chunk, RangeSet
from packagex_async._utils.decompression import Decompressor
from packagex_async._utils.hashing import Hasher, digests, is_supported, new_hasher, update_all

T = TypeVar("T")

PositionedChunk = tuple[int, Chunk]
"""The position of a chunk in the file, and the chunk."""


class PartialFile:
    """A partial file of `target`, which is created at the first write.

    Args:
        target: The path of the complete file.
        root: The directory below which symbolic links are not followed.
        algorithms: The digests to compute.
        length: The expected number of bytes, if known.
        decompressor: Decompresses the chunks, which then must arrive in order.
        metadata: Describes the file for a later run. Without it, an incomplete file is not kept.
    """

    def __init__(
        self,
        *,
        target: Path,
        root: Path,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decompressor: Decompressor | None = None,
        metadata: PartialMetadata | None = None,
    ) -> None:
        self.target = target
        self.root = root
        self.algorithms = tuple(algorithms)
        self.length = length
        self.decompressor = decompressor
        self.metadata = metadata
        self.written = RangeSet()
        self._partial: LockedPartial | None = None
        self._offset = 0
        self._hashed_size = 0

    @classmethod
    def resume(
        cls, target: Path, root: Path, index: PartialIndex, algorithms: Sequence[str]
    ) -> PartialFile | None:
        """Return the locked partial file of an earlier run, or `None` if none can be resumed."""
        found = resume_partial(target, index)
        if found is None:
            return None
        locked, metadata = found
        recorded = _recorded_algorithms(metadata)
        written = None if recorded is None else _recorded_ranges(metadata, locked.file)
        if recorded is None or written is None:
            locked.remove()
            return None
        partial = cls(
            target=target,
            root=root,
            algorithms={*algorithms, *recorded},
            length=metadata["length"],
            metadata=metadata,
        )
        partial._partial, partial.written, partial._offset = locked, written, -1
        return partial

    # Created at their first use, because `write_atomically` hashes small files.
    @cached_property
    def _hashers(self) -> dict[str, Hasher]:
        return {name: new_hasher(name) for name in self.algorithms}

    @cached_property
    def _encoded_hashers(self) -> dict[str, Hasher]:
        return {name: new_hasher(name) for name in self.algorithms} if self.decompressor else {}

    @property
    def exists(self) -> bool:
        """Whether the file was created."""
        return self._partial is not None

    def is_whole(self, chunks: Iterable[PositionedChunk]) -> bool:
        """Return whether `chunks` are the content of the whole file, in order and not compressed."""
        return self._partial is None and self.decompressor is None and self._is_contiguous(chunks)

    def gaps(self) -> list[ByteRange]:
        """Return the ranges that are not written yet."""
        return self.written.gaps(self.length or 0)

    def write(self, chunks: Sequence[PositionedChunk]) -> None:
        """Write chunks to their positions.

        Raises:
            OSError: The file cannot be created or written.
            DecompressionError: The chunks are not valid compressed data.
        """
        file = self._open().file
        self._save_gaps_before_write(chunks)
        for position, chunk in self._decompress(self.decompressor, chunks) if self.decompressor else chunks:
            self._seek(file, position)
            write_all(file, chunk)
            self._record(position, len(chunk))
            if position == self._hashed_size:
                update_all(self._hashers, chunk)
                self._hashed_size = self._offset

    def write_piped(self, position: int, chunk: PipedChunk) -> None:
        """Write a chunk of a file that is neither hashed nor compressed.

        Raises:
            OSError: The file cannot be created or written.
        """
        file = self._open().file
        self._save_gaps_before_write([(position, chunk)])
        self._seek(file, position)
        write_piped(file, chunk)
        self._record(position, len(chunk))

    def publish(
        self,
        chunks: Sequence[PositionedChunk],
        check: Callable[[FileDigest], T],
        *,
        overwrite: bool,
        durable: bool,
    ) -> tuple[FileDigest, T]:
        """Write the last chunks, and move the file to its target if `check` accepts its content.

        Args:
            chunks: The last chunks.
            check: A function that raises an error if the content is wrong.
            overwrite: Replace an existing file.
            durable: Flush the file and its directory to the disk.

        Returns:
            The digest of the file, and the result of `check`.

        Raises:
            FileExistsError: The target has different content, and `overwrite` is not set.
            OSError: The file cannot be written or moved.
            DecompressionError: The compressed data is invalid or truncated.
        """
        self.write(chunks)
        if self.decompressor is not None:
            self.decompressor.end()
        partial = self._open()
        if durable:
            os.fsync(partial.file)
        self._hash_remaining(partial.file)
        digest = FileDigest(
            self.written.size,
            digests(self._hashers),
            digests(self._encoded_hashers),
            start=self._read_start(partial.file),
        )
        result = check(digest)
        partial.prepare_rename()
        replace_file(partial.path, self.target, overwrite=overwrite)
        partial.close()
        if self.metadata is not None:
            remove_with_metadata(partial.path)
        self._partial = self.metadata = None
        if durable:
            sync_directory(self.target.parent)
        return digest, result

    def remove(self) -> None:
        """Remove the file, which must exist, and its metadata."""
        self._open().remove()

    def suspend(self, chunks: Sequence[PositionedChunk]) -> None:
        """Write the last chunks, and close the file so that a later run can resume it."""
        try:
            self.write(chunks)
            if self.metadata is not None and "gaps" in self.metadata:
                self._save_gaps(self.metadata)
        finally:
            if self._partial is not None:
                self._partial.close()

    def _open(self) -> LockedPartial:
        """Return the open file. If there is none, check the free space and create it with its metadata."""
        if self._partial is None:
            make_directories(self.target.parent, self.root)
            require_space(self.target.parent, self.length or 0)
            partial = create_partial(self.target, self.root)
            if self.metadata is not None:
                try:
                    save_metadata(partial.path, self.metadata)
                except BaseException:
                    partial.remove()
                    raise
            self._partial = partial
        return self._partial

    def _seek(self, file: int, position: int) -> None:
        if position != self._offset:
            os.lseek(file, position, os.SEEK_SET)
        # After a failed write, the offset is unknown.
        self._offset = -1

    def _record(self, position: int, size: int) -> None:
        self._offset = position + size
        self.written.add(position, self._offset)

    def _decompress(
        self, decompressor: Decompressor, chunks: Iterable[PositionedChunk]
    ) -> Iterator[PositionedChunk]:
        for _, chunk in chunks:
            update_all(self._encoded_hashers, chunk)
            for piece in decompressor.feed(chunk):
                yield self._hashed_size, piece

    def _save_gaps_before_write(self, chunks: Iterable[tuple[int, Sized]]) -> None:
        # Without recorded gaps, a later run assumes that the file has none. So they are recorded before the
        # first write that creates one. From then on only the record counts, and it is updated at each write.
        if self.metadata is not None and ("gaps" in self.metadata or not self._is_contiguous(chunks)):
            self._save_gaps(self.metadata)

    def _is_contiguous(self, chunks: Iterable[tuple[int, Sized]]) -> bool:
        """Return whether the chunks continue the written data without a gap."""
        end = self.written.prefix_size
        for position, chunk in chunks:
            if position != end:
                return False
            end += len(chunk)
        return True

    def _save_gaps(self, metadata: PartialMetadata) -> None:
        self.metadata = metadata | {"gaps": self.gaps()}
        save_metadata(self._open().path, self.metadata)

    def _read_start(self, file: int) -> bytes:
        os.lseek(file, 0, os.SEEK_SET)
        self._offset = -1
        return os.read(file, START_SIZE)

    def _hash_remaining(self, file: int) -> None:
        """Read and hash the bytes that were written out of order, or by an earlier run."""
        if not self._hashers or self._hashed_size == self.written.size:
            return
        os.lseek(file, self._hashed_size, os.SEEK_SET)
        self._offset = -1
        while chunk := os.read(file, CHUNK_SIZE):
            update_all(self._hashers, chunk)
            self._hashed_size += len(chunk)


def _recorded_algorithms(metadata: PartialMetadata) -> set[str] | None:
    """Return the hash algorithms in `metadata`, or `None` if one of them is not supported."""
    try:
        names = {str(name) for name, _ in metadata["hashes"]}
    except (KeyError, TypeError, ValueError):
        return None
    return names if all(map(is_supported, names)) else None


def _recorded_ranges(metadata: PartialMetadata, file: int) -> RangeSet | None:
    """Return the ranges that were written according to `metadata`, or `None` if they contradict the file."""
    size, length = os.fstat(file).st_size, metadata["length"]
    try:
        written = RangeSet.from_gaps(metadata.get("gaps", [(size, length)]), length)
    except ValueError:
        return None
    return written if written.end <= size <= length else None
