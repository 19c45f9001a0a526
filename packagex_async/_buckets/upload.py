"""The upload of one object: blocks are hashed, and become an object only if a check accepts them.

All methods are blocking. A small object is one request. A larger object is a multipart upload, which runs in
a thread with a blocking call of obstore. The call receives blocks from an iterator. The end of the iterator
completes the upload, and an error of the iterator ends it without an object and without remaining parts.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from packagex_async._buckets.bucket_error import (
    ObjectChangedError,
    ObjectNotFoundError,
    UploadLostError,
    translate,
)
from packagex_async._buckets.objects import BucketObjects
from packagex_async._files.operations import START_SIZE, FileDigest
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.decompression import Decompressor
from packagex_async._utils.hashing import digests, new_hasher, update_all

T = TypeVar("T")


class ObjectUpload:
    """The upload of one object.

    Args:
        objects: The bucket.
        name: The name of the object.
        algorithms: The digests to compute in addition to SHA-256.
        length: The number of bytes, if known.
        decompressor: Decompresses the blocks.
    """

    def __init__(
        self,
        objects: BucketObjects,
        name: str,
        *,
        algorithms: Iterable[str] = (),
        length: int | None = None,
        decompressor: Decompressor | None = None,
    ) -> None:
        self._objects = objects
        self._name = name
        self._algorithms = {"sha256", *algorithms}
        self._length = 0 if decompressor is not None or length is None else length
        self._decompressor = decompressor
        self._hashers = {algorithm: new_hasher(algorithm) for algorithm in self._algorithms}
        self._encoded_hashers = {
            algorithm: new_hasher(algorithm) for algorithm in self._algorithms if decompressor is not None
        }
        self._size = 0
        self._start = b""
        self._blocks: list[bytes] = []
        self._multipart: _MultipartUpload | None = None
        self.e_tag: str | None = None

    @property
    def digest(self) -> FileDigest:
        """The length and the digests of the bytes so far."""
        return FileDigest(
            self._size, digests(self._hashers), digests(self._encoded_hashers), start=self._start
        )

    def write(self, blocks: Iterable[bytes]) -> None:
        """Add blocks in their order. Their buffers must not change afterwards.

        Raises:
            BucketError: The object cannot be written.
            DecompressionError: The blocks are not valid compressed data.
        """
        for block in blocks:
            if self._decompressor is None:
                self._add(block)
                continue
            update_all(self._encoded_hashers, block)
            for piece in self._decompressor.feed(block):
                self._add(piece)

    def publish(self, check: Callable[[FileDigest], T], *, overwrite: bool) -> tuple[FileDigest, T]:
        """Complete the object if `check` accepts its content.

        Args:
            check: A function that raises an error if the content is wrong.
            overwrite: Replace an existing object. Otherwise an object with the same content is kept.

        Returns:
            The digest of the object, and the result of `check`.

        Raises:
            ObjectChangedError: Another object has appeared, and `overwrite` is not set.
            BucketError: The object cannot be written.
            DecompressionError: The compressed data is truncated.
        """
        if self._decompressor is not None:
            self._decompressor.end()
        digest = self.digest
        result = check(digest)
        if self._multipart is None:
            self._put(digest, overwrite=overwrite)
        elif overwrite or not self._exists(digest):
            self.e_tag = self._multipart.complete()
            self._multipart = None
        return digest, result

    def discard(self) -> None:
        """End the upload without an object, unless it was published. Idempotent."""
        self._blocks = []
        if self._multipart is not None:
            self._multipart.abort()
            self._multipart = None

    def _add(self, block: Chunk) -> None:
        update_all(self._hashers, block)
        self._size += len(block)
        if len(self._start) < START_SIZE:
            self._start += bytes(block[: START_SIZE - len(self._start)])
        if self._multipart is not None:
            self._multipart.send(block)
            return
        self._blocks.append(bytes(block))
        if max(self._length, self._size) > self._objects.chunk_size:
            self._multipart = _MultipartUpload(self._objects, self._name, self._length)
            for earlier in self._blocks:
                self._multipart.send(earlier)
            self._blocks = []

    def _put(self, digest: FileDigest, *, overwrite: bool) -> None:
        content = b"".join(self._blocks)
        try:
            self.e_tag = self._objects.put(self._name, content, create=not overwrite)
        except ObjectChangedError:
            if not self._exists(digest):
                raise

    def _exists(self, digest: FileDigest) -> bool:
        """Return whether another process has written the same object meanwhile.

        Raises:
            ObjectChangedError: It has written a different object.
        """
        existing = self._objects.find(self._name)
        if existing is None:
            return False
        found = self._objects.digest(self._name, ("sha256",)) if existing.size == digest.size else None
        if found is None or found.digests["sha256"] != digest.digests["sha256"]:
            raise ObjectChangedError(
                f"another object of {existing.size} bytes has appeared there",
                self._objects.url_of(self._name),
                errno.EEXIST,
            )
        self.e_tag = existing.e_tag
        return True


class _DiscardedError(Exception):
    """The upload ends without an object."""


class _MultipartUpload:
    """A multipart upload in a thread, which takes one block at a time.

    Args:
        objects: The bucket.
        name: The name of the object.
        length: The expected number of bytes, or 0 if it is not known.
    """

    def __init__(self, objects: BucketObjects, name: str, length: int) -> None:
        self._objects = objects
        self._name = name
        self._length = length
        self._changed = threading.Condition()
        self._block: Chunk | None = None
        self._is_complete = self._is_aborted = self._has_ended = False
        self._error: BaseException | None = None
        self._e_tag: str | None = None
        # A process that exits without closing its client does not wait for the thread.
        self._thread = threading.Thread(target=self._run, name="packagex-upload", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise OSError(errno.EAGAIN, f"no thread can be started: {error}") from error

    def send(self, block: Chunk) -> None:
        """Pass a block to the upload; wait until it has taken the previous one.

        Raises:
            BucketError: The upload has failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._block is None or self._has_ended)
            if not self._has_ended:
                self._block = block
                self._changed.notify_all()
                return
        self._raise_error()

    def complete(self) -> str | None:
        """Complete the object, and return its entity tag.

        Raises:
            BucketError: The upload has failed.
        """
        with self._changed:
            self._is_complete = True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None:
            self._raise_error()
        return self._e_tag

    def abort(self) -> None:
        """End the upload without an object, and wait until its parts are removed."""
        with self._changed:
            self._is_aborted = True
            self._changed.notify_all()
        self._thread.join()

    def _raise_error(self) -> None:
        assert self._error is not None  # noqa: S101  # the thread has ended early
        error = translate(self._error, self._objects.url, self._objects.key_of(self._name))
        if isinstance(error, ObjectNotFoundError):
            error = UploadLostError("another process has removed its parts", error.url, error.errno)
        raise error from None

    def _run(self) -> None:
        try:
            self._e_tag = self._objects.put_blocks(self._name, self._take_blocks(), self._length)
        except _DiscardedError:
            pass
        # A panic of obstore is not an `Exception`. The thread that waits raises the error.
        except BaseException as error:
            self._error = error
        finally:
            with self._changed:
                self._has_ended = True
                self._block = None
                self._changed.notify_all()

    def _take_blocks(self) -> Iterator[Chunk]:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._block is not None or self._is_complete or self._is_aborted
                )
                if self._is_aborted:
                    raise _DiscardedError
                block, self._block = self._block, None
                self._changed.notify_all()
            if block is None:
                return
            yield block
