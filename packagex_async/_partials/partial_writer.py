"""An async writer for partial files: it collects small chunks, and writes them in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._files.operations import CHUNK_SIZE, FileDigest
from packagex_async._partials.atomic_write import write_atomically
from packagex_async._partials.partial_file import PartialFile, PositionedChunk
from packagex_async._partials.partial_index import PartialIndex
from packagex_async._partials.partial_metadata import PartialMetadata
from packagex_async._utils.byte_ranges import ByteRange, Chunk
from packagex_async._utils.decompression import Decompressor

T = TypeVar("T")


class PartialFileWriter:
    """An async context manager that writes a partial file and moves it to its target.

    The file is created at the first write, under a unique name. Chunks may arrive in any order and from
    several connections. On exit, a file that was not published is removed, unless it has metadata: then a
    later run can resume it.

    Args:
        executor: The threads for file operations.
        target: The path of the complete file; its directory is created if missing.
        root: The directory below which symbolic links are not followed; by default, that of `target`.
        direct_write_min_size: Bytes from which on a chunk is written at once, without a copy.
        durable: Flush the file to the disk before it replaces the target, and its directory afterwards.

    Attributes:
        received: The number of bytes of the file so far, including those of earlier runs.
        waited: The seconds for which `write` has waited; they are not measured.
        window: The largest useful distance between a chunk and the first missing byte; `None` if unlimited.
    """

    waited: float = 0.0
    window: int | None = None

    def __init__(
        self,
        executor: FileExecutor,
        target: Path,
        *,
        direct_write_min_size: int,
        root: Path | None = None,
        durable: bool = False,
    ) -> None:
        self._executor = executor
        self._target = target
        self._root = root or target.parent
        self._durable = durable
        self._direct_write_min_size = direct_write_min_size
        self._use(PartialFile(target=target, root=self._root))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._writer.drain()
        finally:
            try:
                await self._suspend_or_remove()
            except DiskError:
                # The error that ended the `async with` block, such as a cancellation, is more important.
                if error is None:
                    raise

    async def resume(self, index: PartialIndex, algorithms: Iterable[str]) -> PartialMetadata | None:
        """Continue the partial file of an earlier run, if there is one; return its metadata.

        Args:
            index: The partial files that exist.
            algorithms: The digests to compute in addition to the digests in the metadata.

        Raises:
            DiskError: The directory cannot be read.
        """
        return await self._executor.run(self._target, self._resume, index, tuple(algorithms))

    async def start(
        self,
        *,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decompressor: Decompressor | None = None,
        metadata: PartialMetadata | None = None,
    ) -> None:
        """Start a new file, and remove the current one.

        Args:
            algorithms: The digests to compute.
            length: The expected number of bytes, if known. The first write fails if they do not fit.
            decompressor: Decompresses the chunks, which then must arrive in order.
            metadata: Describes the file for a later run. Without it, an incomplete file is not kept.

        Raises:
            DiskError: No thread is available.
        """
        await self._writer.drain()
        if self._partial.exists:
            await self._executor.run(self._target, self._partial.remove)
        self._use(
            PartialFile(
                target=self._target,
                root=self._root,
                algorithms=algorithms,
                length=length,
                decompressor=decompressor,
                metadata=metadata,
            )
        )

    @property
    def accepts_pipes(self) -> bool:
        """Whether `write` accepts chunks in pipes: only if they are neither hashed nor compressed."""
        return not self._partial.algorithms and self._partial.decompressor is None

    def gaps(self) -> list[ByteRange]:
        """Return the missing ranges of a file that was resumed."""
        return self._partial.gaps()

    async def write(self, chunk: Chunk | PipedChunk, position: int) -> None:
        """Write `chunk` to its position. Its buffer may be reused after the next call has returned.

        Raises:
            DiskError: An earlier chunk could not be written.
            DecompressionError: An earlier chunk is not valid compressed data.
        """
        if isinstance(chunk, PipedChunk):
            await self._write_piped(chunk, position)
            return
        is_large = len(chunk) >= self._direct_write_min_size
        self._pending.append((position, chunk if is_large else bytes(chunk)))
        self._pending_size += len(chunk)
        self.received += len(chunk)
        if is_large or self._pending_size >= CHUNK_SIZE:
            await self._writer.submit(self._partial.write, self._take_pending())
        else:
            # A thread may still write the previous chunk from its buffer.
            await self._writer.wait()

    async def publish(self, check: Callable[[FileDigest], T], *, overwrite: bool) -> tuple[FileDigest, T]:
        """Write the pending chunks, and move the file to its target if `check` accepts its content.

        Args:
            check: A function that raises an error if the content is wrong. It runs in a thread.
            overwrite: Replace an existing file.

        Returns:
            The digest of the file, and the result of `check`.

        Raises:
            DiskError: The file cannot be written, or another file exists that must be kept.
            DecompressionError: The compressed data is invalid or truncated.
        """
        await self._writer.drain()
        self._writer.raise_error()
        chunks, partial = self._take_pending(), self._partial
        if partial.exists:
            return await self._executor.run(
                self._target, partial.publish, chunks, check, overwrite=overwrite, durable=self._durable
            )
        # All of the file is in memory, so there is nothing that a later run could resume.
        partial.metadata = None
        if not partial.is_whole(chunks):
            return await self._executor.run_short(
                self._target, partial.publish, chunks, check, overwrite=overwrite, durable=self._durable
            )
        return await self._executor.run_short(
            self._target,
            write_atomically,
            [chunk for _, chunk in chunks],
            self._target,
            partial.algorithms,
            check,
            root=self._root,
            overwrite=overwrite,
            durable=self._durable,
        )

    async def _write_piped(self, chunk: PipedChunk, position: int) -> None:
        self.received += len(chunk)
        if self._pending:
            await self._writer.submit(self._partial.write, self._take_pending())
        await self._writer.submit(self._partial.write_piped, position, chunk)

    def _resume(self, index: PartialIndex, algorithms: Sequence[str]) -> PartialMetadata | None:
        # Runs in the thread, so that a locked file is stored even if the task was cancelled.
        partial = PartialFile.resume(self._target, self._root, index, algorithms)
        if partial is None:
            return None
        self._use(partial)
        return partial.metadata

    async def _suspend_or_remove(self) -> None:
        if self._partial.metadata is not None and self.received:
            await self._executor.run(self._target, self._partial.suspend, self._pending)
        elif self._partial.exists:
            await self._executor.run(self._target, self._partial.remove)

    def _use(self, partial: PartialFile) -> None:
        self._partial = partial
        # An error of the previous file must not end the new one.
        self._writer = self._executor.ordered_writer(self._target)
        self._pending: list[PositionedChunk] = []
        self._pending_size = 0
        self.received = partial.written.size

    def _take_pending(self) -> list[PositionedChunk]:
        pending, self._pending, self._pending_size = self._pending, [], 0
        return pending
