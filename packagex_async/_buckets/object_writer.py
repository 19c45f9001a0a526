"""An async writer for objects: it restores the order of chunks, and uploads them in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._buckets.objects import BucketObjects
from packagex_async._buckets.upload import ObjectUpload
from packagex_async._files.operations import CHUNK_SIZE, FileDigest
from packagex_async._utils.byte_ranges import ByteRange, Chunk
from packagex_async._utils.decompression import Decompressor
from packagex_async.retry import Clock

T = TypeVar("T")

ORDER_WINDOW = 16 * 1024 * 1024
"""The maximum distance in bytes between the first missing byte and a chunk that is kept in memory."""


class ObjectWriter:
    """An async context manager that uploads an object. On exit, an object that is not complete is discarded.

    Chunks may arrive from several connections. The object is uploaded in order, so chunks after a gap are
    kept in memory.

    Args:
        objects: The bucket.
        name: The name of the object.
        clock: The source of time.

    Attributes:
        window: The largest useful distance between a chunk and the first missing byte.
        received: The number of bytes of the artifact so far.
        waited: The seconds for which `write` has waited for the upload.
        accepts_pipes: Whether `write` accepts chunks in pipes.
    """

    accepts_pipes = False
    window: int | None = ORDER_WINDOW

    def __init__(self, objects: BucketObjects, name: str, clock: Clock) -> None:
        self._objects = objects
        self._name = name
        self._clock = clock
        self._writer = objects.ordered_writer()
        self.waited = 0.0
        self._use(ObjectUpload(objects, name))

    @property
    def e_tag(self) -> str | None:
        """The entity tag of the object, if it is complete."""
        return self._upload.e_tag

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._writer.drain()
        if self._has_written:
            await self._objects.run(self._upload.discard)

    async def resume(self, index: object, algorithms: Iterable[str]) -> None:
        """Return nothing: no upload of an earlier run is continued."""

    async def start(
        self,
        *,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decompressor: Decompressor | None = None,
        metadata: object = None,
    ) -> None:
        """Start a new object, and discard the current one.

        Args:
            algorithms: The digests to compute.
            length: The expected number of bytes, if known.
            decompressor: Decompresses the chunks, which then must arrive in order.
            metadata: Ignored: an incomplete object is never kept.
        """
        await self._writer.drain()
        if self._has_written:
            await self._objects.run(self._upload.discard)
            # An error of the previous upload must not end the new one.
            self._writer = self._objects.ordered_writer()
        self._use(
            ObjectUpload(
                self._objects,
                self._name,
                algorithms=algorithms,
                length=length,
                decompressor=decompressor,
            )
        )

    def gaps(self) -> list[ByteRange]:
        """Return nothing: no upload of an earlier run is continued."""
        return []

    async def write(self, chunk: Chunk | PipedChunk, position: int) -> None:
        """Add `chunk`, which is copied if its buffer may be reused. It must not be in a pipe.

        Raises:
            BucketError: An earlier chunk could not be written.
            DecompressionError: An earlier chunk is not valid compressed data.
        """
        assert not isinstance(chunk, PipedChunk)  # noqa: S101  # `accepts_pipes` is false
        self.received += len(chunk)
        content = bytes(chunk)
        if position != self._next:
            self._ahead[position] = content
            return
        self._append(content)
        while self._ahead and (content := self._ahead.pop(self._next, b"")):
            self._append(content)
        if self._pending_size >= CHUNK_SIZE:
            started_at = self._clock.monotonic()
            self._has_written = True
            await self._writer.submit(self._upload.write, self._take_pending())
            self.waited += self._clock.monotonic() - started_at

    async def publish(self, check: Callable[[FileDigest], T], *, overwrite: bool) -> tuple[FileDigest, T]:
        """Complete the object if `check` accepts its content.

        Args:
            check: A function that raises an error if the content is wrong. It runs in a thread.
            overwrite: Replace an existing object.

        Returns:
            The digest of the object, and the result of `check`.

        Raises:
            BucketError: The object cannot be written, or another object exists that must be kept.
            DecompressionError: The compressed data is invalid or truncated.
        """
        await self._writer.drain()
        self._writer.raise_error()
        self._has_written = True
        return await self._objects.run(self._publish, self._take_pending(), check, overwrite=overwrite)

    def _publish(
        self, blocks: list[bytes], check: Callable[[FileDigest], T], *, overwrite: bool
    ) -> tuple[FileDigest, T]:
        self._upload.write(blocks)
        return self._upload.publish(check, overwrite=overwrite)

    def _append(self, content: bytes) -> None:
        self._pending.append(content)
        self._pending_size += len(content)
        self._next += len(content)

    def _use(self, upload: ObjectUpload) -> None:
        self._upload = upload
        self._pending: list[bytes] = []
        self._pending_size = self._next = self.received = 0
        self._ahead: dict[int, bytes] = {}
        self._has_written = False

    def _take_pending(self) -> list[bytes]:
        pending, self._pending, self._pending_size = self._pending, [], 0
        return pending
