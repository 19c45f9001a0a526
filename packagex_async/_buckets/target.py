"""The object that an artifact is written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, Protocol, TypeVar

from packagex_async._buckets.object_writer import ObjectWriter
from packagex_async._buckets.objects import BucketObjects
from packagex_async._buckets.upload import ObjectUpload
from packagex_async._files.operations import FileDigest
from packagex_async.report import BucketFile, PlannedFile
from packagex_async.retry import Clock

P = ParamSpec("P")
T = TypeVar("T")


class _Context(Protocol):
    """The state of the client, as far as an object needs it."""

    @property
    def clock(self) -> Clock: ...


class ObjectTarget:
    """The object that an artifact is written to.

    Args:
        objects: The bucket.
        path: The name of the object after the prefix.
        e_tag: The entity tag of the existing object, if there is one.
    """

    def __init__(self, objects: BucketObjects, path: str, e_tag: str | None = None) -> None:
        self._objects = objects
        self._path = path
        self._e_tag = e_tag
        self._written: ObjectWriter | ObjectUpload | None = None

    @property
    def name(self) -> str:
        """The URL."""
        return self._objects.url_of(self._path)

    @property
    def e_tag(self) -> str | None:
        """The entity tag of the object."""
        written = None if self._written is None else self._written.e_tag
        return written or self._e_tag

    def new_writer(self, context: _Context, *, durable: bool) -> ObjectWriter:
        """Return a writer for an artifact that is stored as it arrives."""
        self._written = writer = ObjectWriter(self._objects, self._path, context.clock)
        return writer

    def new_output(self) -> ObjectOutput:
        """Return an output for an artifact that is converted."""
        self._written = upload = ObjectUpload(self._objects, self._path)
        return ObjectOutput(upload)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function that works on the object in a thread.

        Raises:
            BucketError: The object storage refused.
        """
        return await self._objects.run(function, *args, **kwargs)

    async def digest(self, algorithms: Iterable[str]) -> FileDigest | None:
        """Return the length and digests of the object, or `None` if it does not exist.

        Raises:
            BucketError: It cannot be read.
        """
        return await self._objects.run(self._objects.digest, self._path, tuple(algorithms))

    def open(self) -> BinaryIO:
        """Open the object for reading.

        Raises:
            BucketError: It cannot be read.
        """
        return self._objects.open(self._path)

    def remove_partials(self, index: object) -> None:
        """Do nothing: an incomplete object is never kept."""

    def new_file(self, **values: Any) -> BucketFile:
        """Return the record of the complete object, given the other attributes."""
        return BucketFile(key=self._objects.key_of(self._path), url=self.name, **values)

    def new_planned_file(self, **values: Any) -> PlannedFile:
        """Return the record of the object in a dry run, given the other attributes."""
        return PlannedFile(path=Path(self._objects.key_of(self._path)), url=self.name, **values)


class ObjectOutput:
    """An object that is written in order. All methods are blocking.

    Args:
        upload: The upload of the object.
    """

    def __init__(self, upload: ObjectUpload) -> None:
        self._upload = upload

    def create(self) -> None:
        """Do nothing: the upload starts with the first bytes."""

    def write(self, data: bytes) -> None:
        """Write bytes.

        Raises:
            BucketError: They cannot be written.
        """
        self._upload.write([data])

    def publish(self, *, overwrite: bool, durable: bool) -> None:
        """Complete the object.

        Raises:
            ObjectChangedError: Another object has appeared, and `overwrite` is not set.
            BucketError: It cannot be written.
        """
        self._upload.publish(lambda _: None, overwrite=overwrite)

    def discard(self) -> None:
        """End the upload without an object, unless it was published. Idempotent."""
        self._upload.discard()
