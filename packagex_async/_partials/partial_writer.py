"""A partial file beside its target: written in large blocks, published whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import BLOCK_SIZE, FileDigest
from packagex_async._partials import atomic_write
from packagex_async._partials.partial_file import PartialFile, Placed
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._utils.byte_ranges import ByteRange, Chunk
from packagex_async._utils.decompression import Decompressor

T = TypeVar("T")

_WORTH_A_WRITE = 128 * 1024


class PartialFileWriter:
    """A partial file; leaving its block removes it unless it was published.

    The file is made with its first write, under a name that no other part has. Its bytes may come in any
    order, from several connections; where a later run may go on with it, gaps are written down beforehand.

    Args:
        disk: The threads to work on.
        target: Where the file goes when it is whole; its folder is made when it is not there.
        root: The directory that it must not lead out of, if that is not its folder; below it, links are not
            followed.
        durable: Whether to have it on the medium, and not just in memory, before it takes its place.

    Attributes:
        received: How many bytes it has been given.
    """

    def __init__(
        self, disk: FileExecutor, target: Path, *, root: Path | None = None, durable: bool = False
    ) -> None:
        self._disk = disk
        self._target = target
        self._root = root or target.parent
        self._durable = durable
        self._lane = disk.lane(target)
        self._begin(PartialFile(target=target, root=self._root))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._lane.settle()
        finally:
            try:
                await self._leave()
            except DiskError:
                # What has ended the block counts for more, a cancellation above all.
                if error is None:
                    raise

    async def take_up(self, leftovers: PartialIndex, algorithms: Iterable[str]) -> PartialMetadata | None:
        """Go on with a partial that an earlier run has left, if there is one; return its memo.

        Args:
            leftovers: Where to look for one.
            algorithms: The digests to compute beside the one that its memo names.

        Raises:
            DiskError: The folder cannot be read.
        """
        return await self._disk.run(self._target, self._go_on, leftovers, tuple(algorithms))

    async def start(
        self,
        *,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decoder: Decompressor | None = None,
        memo: PartialMetadata | None = None,
    ) -> None:
        """Begin a file anew, removing what there was of another.

        Args:
            algorithms: The digests to compute on the way.
            length: How many bytes will come, if known; there must be room for them.
            decoder: What decodes them.
            memo: What a later run must know to go on with the file; without it, nothing unfinished stays.
        """
        await self._lane.settle()
        if self._partial.exists:
            await self._disk.run(self._target, self._partial.remove)
        self._begin(
            PartialFile(
                target=self._target,
                root=self._root,
                algorithms=algorithms,
                length=length,
                decoder=decoder,
                memo=memo,
            )
        )

    def gaps(self) -> list[ByteRange]:
        """What is missing of a partial that was taken up."""
        return self._partial.gaps()

    async def write(self, block: Chunk, position: int) -> None:
        """Put `block` where it belongs; it may be changed as soon as the next one has been put there, too.

        Raises:
            DiskError: The disk is full, or refuses otherwise.
            BodyError: It cannot be decoded.
        """
        large = len(block) >= _WORTH_A_WRITE
        self._gathered.append((position, block if large else bytes(block)))
        self._gathered_size += len(block)
        self.received += len(block)
        if large or self._gathered_size >= BLOCK_SIZE:
            await self._lane.put(self._partial.write, self._taken())

    async def publish(self, check: Callable[[FileDigest], T], *, overwrite: bool) -> tuple[FileDigest, T]:
        """Write what is gathered, close the file, and put it in the target's place in one step if it is good.

        Args:
            check: Is asked, on another thread, and raises what is wrong with the file.
            overwrite: Replace whatever is there.

        Returns:
            What the file holds, and what `check` found.

        Raises:
            DiskError: The disk is full, or refuses otherwise, or a file has appeared that is to be kept.
            BodyError: What was written does not decode to a whole.
        """
        await self._lane.settle()
        self._lane.check()
        blocks, partial = self._taken(), self._partial
        run = self._disk.run if partial.exists else self._disk.run_short
        if not partial.exists:
            # All of it is at hand: there is nothing on the way that a later run could go on with.
            partial.memo = None
        return await run(
            self._target,
            self._publish_at_once if partial.is_all(blocks) else partial.publish,
            blocks,
            check,
            overwrite=overwrite,
            durable=self._durable,
        )

    def _publish_at_once(
        self, blocks: Iterable[Placed], check: Callable[[FileDigest], T], *, overwrite: bool, durable: bool
    ) -> tuple[FileDigest, T]:
        data, algorithms = [block for _, block in blocks], self._partial.algorithms
        return atomic_write.publish(
            data, self._target, algorithms, check, root=self._root, overwrite=overwrite, durable=durable
        )

    def _go_on(self, leftovers: PartialIndex, algorithms: Sequence[str]) -> PartialMetadata | None:
        # On the thread: what it has claimed is ours, even where nobody waits for it any more.
        found = PartialFile.taken_up(self._target, self._root, leftovers, algorithms)
        if found is None:
            return None
        self._begin(found)
        return found.memo

    async def _leave(self) -> None:
        if self._partial.memo is not None and self.received:
            await self._disk.run(self._target, self._partial.leave, self._gathered)
        elif self._partial.exists:
            await self._disk.run(self._target, self._partial.remove)

    def _begin(self, partial: PartialFile) -> None:
        self._partial = partial
        self._gathered: list[Placed] = []
        self._gathered_size = 0
        self.received = partial.written.size

    def _taken(self) -> list[Placed]:
        gathered, self._gathered, self._gathered_size = self._gathered, [], 0
        return gathered
