"""The objects below a prefix of a bucket: list, read, hash and write. Blocking calls, which run in threads.

The asynchronous functions of obstore are not used: a cancelled upload would leave its parts behind, and the
interpreter may abort if it exits soon after such a call.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

import attrs

from packagex_async._buckets.bucket_error import (
    BucketError,
    ObjectChangedError,
    ObjectNotFoundError,
    lacks_conditions,
    translate_errors,
)
from packagex_async._buckets.object_reader import open_reader
from packagex_async._buckets.stores import import_obstore
from packagex_async._files.operations import FileDigest
from packagex_async._files.ordered_writer import OrderedWriter
from packagex_async._files.thread_pool import ThreadPool
from packagex_async._utils.aio import run_shielded
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.hashing import digests, new_hasher, update_all

P = ParamSpec("P")
T = TypeVar("T")

_MAX_THREADS = 64
_LIST_SIZE = 1000
_READ_SIZE = 1024 * 1024
_MAX_PARTS = 10_000
"""The maximum number of parts of an upload to S3 and Google Cloud Storage."""

_ORDERED_STORES = ("S3Store", "GCSStore", "AzureStore")
"""The stores that list objects in the order of their keys."""

_STORES_WITH_OFFSETS = ("S3Store", "GCSStore")
"""The stores that do not list the objects before an offset."""

_SHARED_UPLOADS = 4
"""The number of uploads at the same time that get all their parts; more uploads share these parts."""


@attrs.frozen(eq=False, repr=False)
class ObjectInfo:
    """An object in a listing.

    Attributes:
        size: The number of bytes.
        e_tag: The entity tag, without quotes, or `None` if the store has none.
    """

    size: int
    e_tag: str | None


class BucketObjects:
    """The objects below a prefix of a bucket. A name is the part of a key after the prefix.

    Args:
        store: The obstore store.
        url: The URL of the bucket, without a slash at the end.
        base: The prefix of the store itself, with a slash at the end, or an empty text.
        prefix: The text before each name.
        chunk_size: The number of bytes of a part of an upload.
        max_concurrency: The maximum number of parts of one upload that are in transfer at the same time.

    Attributes:
        kind: The name of the class of the store.
        has_removed_uploads: Whether abandoned uploads were removed.
    """

    def __init__(
        self, store: Any, *, url: str, base: str, prefix: str, chunk_size: int, max_concurrency: int
    ) -> None:
        self.store = store
        self.url = url
        self.base = base
        self.prefix = prefix
        self.chunk_size = chunk_size
        self.max_concurrency = max_concurrency
        self.kind = type(store).__name__
        self.has_removed_uploads = False
        self._obstore = import_obstore()
        self._uploads = 0
        self._uploads_lock = threading.Lock()
        self._pool = ThreadPool(_MAX_THREADS, thread_name_prefix="packagex-bucket")

    def key_of(self, name: str) -> str:
        """Return the complete key of an object in the bucket."""
        return f"{self.base}{self.prefix}{name}"

    def url_of(self, name: str) -> str:
        """Return the URL of an object."""
        return f"{self.url}/{self.key_of(name)}"

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in a thread, and wait for its end even if cancelled."""
        call = partial(function, *args, **kwargs)
        try:
            return await run_shielded(asyncio.get_running_loop().run_in_executor(self._pool, call))
        except BucketError as error:
            # The context and the local variables of the traceback contain the text of obstore.
            error.__context__ = None
            raise error.with_traceback(None) from error.__cause__

    def ordered_writer(self) -> OrderedWriter:
        """Return a writer whose calls run one after another."""
        return OrderedWriter(Path(self.url), self._pool)

    def list(self, start: str = "") -> dict[str, ObjectInfo]:
        """Return the objects whose names have this start, by name.

        Raises:
            BucketError: The bucket cannot be listed.
        """
        return self.list_up_to(sys.maxsize, start) or {}

    def list_up_to(self, max_count: int, start: str = "") -> dict[str, ObjectInfo] | None:
        """Return the objects whose names have this start, by name, or `None` if there are too many.

        Args:
            max_count: The maximum number of objects.
            start: The start of the names.

        Raises:
            BucketError: The bucket cannot be listed.
        """
        path = self.prefix + start
        folder, _, rest = path.rpartition("/")
        found: dict[str, ObjectInfo] = {}
        with translate_errors(self.url):
            offset = _before(path) if rest and self.kind in _ORDERED_STORES else None
            for batch in self._obstore.list(
                self.store, prefix=folder or None, offset=offset, chunk_size=_LIST_SIZE
            ):
                for item in batch:
                    if item["path"].startswith(path):
                        found[item["path"].removeprefix(self.prefix)] = _info(item)
                if len(found) > max_count:
                    return None
                is_past_end = batch and batch[-1]["path"] > path and not batch[-1]["path"].startswith(path)
                if is_past_end and self.kind in _ORDERED_STORES:
                    break
        return found

    def find_all(self, names: Collection[str]) -> dict[str, ObjectInfo]:
        """Return those of a few objects that exist, by name.

        Raises:
            BucketError: They cannot be examined.
        """
        if self.kind in _STORES_WITH_OFFSETS and names:
            start = os.path.commonprefix([*names])  # noqa: RUF071  # of characters
            if (listed := self.list_up_to(_LIST_SIZE, start)) is not None:
                return {name: listed[name] for name in names if name in listed}
        found = ((name, self.find(name)) for name in names)
        return {name: info for name, info in found if info is not None}

    def find(self, name: str) -> ObjectInfo | None:
        """Return the size and the entity tag of an object, or `None` if it does not exist.

        Raises:
            BucketError: The object cannot be examined.
        """
        try:
            with translate_errors(self.url, self.key_of(name)):
                return _info(self._obstore.head(self.store, self.prefix + name))
        except ObjectNotFoundError:
            return None

    def read(self, name: str, max_size: int) -> tuple[bytes, str | None] | None:
        """Return the content and the entity tag of a small object, or `None` if it does not exist.

        Args:
            name: The name of the object.
            max_size: The maximum number of bytes. A larger object is not read.

        Raises:
            BucketError: The object cannot be read.
        """
        try:
            with translate_errors(self.url, self.key_of(name)):
                found = self._obstore.get(self.store, self.prefix + name)
                e_tag = _normalized(found.meta["e_tag"])
                return (b"" if found.meta["size"] > max_size else bytes(found.bytes())), e_tag
        except ObjectNotFoundError:
            return None

    def blocks(self, name: str) -> Iterator[bytes]:
        """Yield the content of an object.

        Raises:
            BucketError: The object cannot be read.
        """
        with translate_errors(self.url, self.key_of(name)):
            yield from self._obstore.get(self.store, self.prefix + name).stream(min_chunk_size=_READ_SIZE)

    def digest(
        self, name: str, algorithms: Iterable[str], on_read: Callable[[int], object] | None = None
    ) -> FileDigest | None:
        """Return the length and digests of an object, or `None` if it does not exist.

        Args:
            name: The name of the object.
            algorithms: The digests to compute.
            on_read: Receives the number of bytes of each block; an exception ends the operation.

        Raises:
            BucketError: The object cannot be read.
        """
        hashers = {algorithm: new_hasher(algorithm) for algorithm in algorithms}
        size = 0
        try:
            for block in self.blocks(name):
                update_all(hashers, block)
                size += len(block)
                if on_read is not None:
                    on_read(len(block))
        except ObjectNotFoundError:
            return None
        return FileDigest(size, digests(hashers))

    def open(self, name: str) -> BinaryIO:
        """Open an object for reading at any position.

        Raises:
            BucketError: The object cannot be read.
        """
        info = self.find(name)
        if info is None:
            raise ObjectNotFoundError("the object does not exist", self.url_of(name))
        return open_reader(partial(self.read_range, name), info.size)

    def open_key(self, key: str) -> BinaryIO:
        """Open an object below the prefix for reading, given its complete key; see `open`."""
        return self.open(key.removeprefix(f"{self.base}{self.prefix}"))

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """Return the bytes of an object from `start` up to `end`.

        Raises:
            BucketError: The object cannot be read.
        """
        with translate_errors(self.url, self.key_of(name)):
            return bytes(self._obstore.get_range(self.store, self.prefix + name, start=start, end=end))

    def put(
        self, name: str, content: bytes, *, expected: str | None = None, create: bool = False
    ) -> str | None:
        """Write a small object with one request; return its entity tag.

        Args:
            name: The name of the object.
            content: Its content.
            expected: Replace the object only if it has this entity tag.
            create: Write the object only if it does not exist.

        Raises:
            ObjectChangedError: The object exists, or has another entity tag.
            BucketError: The object cannot be written.
        """
        mode: Any = "create" if create else "overwrite" if expected is None else {"e_tag": f'"{expected}"'}
        with translate_errors(self.url, self.key_of(name)):
            try:
                return self._put(name, content, mode=mode, use_multipart=False)
            except Exception as error:
                if mode == "overwrite" or not lacks_conditions(error):
                    raise
            # The store does not support conditions.
            current = self.find(name)
            is_expected = current is None if create else current is not None and current.e_tag == expected
            if not is_expected:
                raise ObjectChangedError(
                    "another process has changed the object", self.url_of(name), errno.EEXIST
                )
            return self._put(name, content, mode="overwrite", use_multipart=False)

    def put_blocks(self, name: str, blocks: Iterator[Chunk], length: int = 0) -> str | None:
        """Write an object in parts, with the blocks of an iterator; return its entity tag.

        An exception of the iterator ends the upload without an object, and is raised.

        Args:
            name: The name of the object.
            blocks: The content.
            length: The number of bytes if it is known. The parts of a very long object are larger.

        Raises:
            Exception: An error of obstore: the object cannot be written.
        """
        chunk_size = max(self.chunk_size, -(-length // _MAX_PARTS))
        with self._share_of_parts() as count:
            return self._put(name, blocks, use_multipart=True, chunk_size=chunk_size, max_concurrency=count)

    @contextmanager
    def _share_of_parts(self) -> Generator[int, None, None]:
        """Count an upload; yield how many of its parts may be in transfer at the same time."""
        with self._uploads_lock:
            self._uploads += 1
            share = _SHARED_UPLOADS * self.max_concurrency // self._uploads
        try:
            yield min(max(share, 1), self.max_concurrency)
        finally:
            with self._uploads_lock:
                self._uploads -= 1

    def _put(self, name: str, content: bytes | Iterator[Chunk], **options: Any) -> str | None:
        if self.kind in (*_ORDERED_STORES, "MemoryStore"):
            options["attributes"] = {"Content-Type": _media_type(name)}
        result = self._obstore.put(self.store, self.prefix + name, content, **options)
        return _normalized(result["e_tag"])


def _info(item: Any) -> ObjectInfo:
    return ObjectInfo(item["size"], _normalized(item["e_tag"]))


def _normalized(e_tag: str | None) -> str | None:
    return e_tag.removeprefix("W/").strip('"') if e_tag else None


def _before(path: str) -> str | None:
    """Return a valid key shortly before `path`, or `None` if there is none in its folder."""
    last = path[-1]
    # A slash comes directly before 0, and a control character before a space.
    key = path[:-1] + chr(ord(last) - 1) if "!" <= last <= "~" and last != "0" else path[:-1]
    return None if key.rpartition("/")[2] in ("", ".", "..") else key


def _media_type(name: str) -> str:
    if name.endswith(".csv"):
        return "text/csv; charset=utf-8"
    if name.endswith(".json"):
        return "application/json"
    return "application/vnd.apache.parquet" if name.endswith(".parquet") else "application/octet-stream"
