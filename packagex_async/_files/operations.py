"""Blocking operations on whole files: create, write, hash, replace and flush."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import attrs

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._files.paths import (
    create_nameless,
    create_regular,
    make_directories,
    open_regular,
    require_directories,
    require_regular,
)
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.hashing import digests, new_hasher, update_all

CHUNK_SIZE = 1024 * 1024
"""Bytes that are read or written at a time."""

START_SIZE = 1024
"""Bytes at the start of a file that distinguish a web page from an artifact. Blank lines may come first."""

# For a larger write, Linux allocates larger pages. In a virtual machine these may be pages that were returned
# to the host, and getting them back is ten times slower than writing to the page cache.
_WRITE_SIZE = 256 * 1024

FATAL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors after which no other file can be written to the same disk."""

_NO_DIRECTORY_SYNC = frozenset(
    {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF}
)
"""Errors of file systems that cannot flush directories."""

# Windows does not replace a file while a virus scanner or an indexer has it open.
_SHARING_ERRORS = (5, 32)
_SHARING_DELAYS = (0.01, 0.05, 0.1, 0.2, 0.4)


@attrs.frozen(eq=False, repr=False)
class FileDigest:
    """The length of a file in bytes, and its digests by algorithm.

    Attributes:
        size: The length of the file.
        digests: The digests of the file.
        encoded_digests: The digests of the body as transferred, if that was compressed.
        start: The first `START_SIZE` bytes of a file that is about to be published.
    """

    size: int
    digests: dict[str, bytes]
    encoded_digests: dict[str, bytes] = attrs.field(factory=dict)
    start: bytes = b""

    def for_algorithm(self, algorithm: str | None) -> set[bytes]:
        """Return the digests by `algorithm`: of the file, and of the body as transferred."""
        return {found[algorithm] for found in (self.digests, self.encoded_digests) if algorithm in found}


def file_size(path: Path | str) -> int | None:
    """Return the length of the regular file at `path`, or `None` if nothing exists there.

    Raises:
        UnsafePathError: The path is not a regular file.
        OSError: The path cannot be examined.
    """
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    require_regular(path, status.st_mode)
    return status.st_size


def digest_file(
    path: Path, algorithms: tuple[str, ...], on_read: Callable[[int], object] | None = None
) -> FileDigest | None:
    """Return the length and digests of the regular file at `path`, or `None` if nothing exists there.

    Args:
        path: The file.
        algorithms: The digests to compute. Without any, the file is not read.
        on_read: Receives the number of bytes of each chunk that was read; an exception ends the operation.

    Raises:
        UnsafePathError: The path is not a regular file.
        OSError: The file cannot be read.
    """
    if not algorithms:
        size = file_size(path)
        return None if size is None else FileDigest(size, {})
    hashers = {name: new_hasher(name) for name in algorithms}
    try:
        file = open_file(path)
    except FileNotFoundError:
        return None
    with file:
        size = os.fstat(file.fileno()).st_size
        while chunk := file.read(CHUNK_SIZE):
            update_all(hashers, chunk)
            if on_read is not None:
                on_read(len(chunk))
    return FileDigest(size, digests(hashers))


def create_file(path: Path, directory: Path, *, root: Path, flag: int = 0) -> int:
    """Create a file for reading and writing, and its directory if missing; return its descriptor.

    Args:
        path: The path of the file, which must not exist, or the directory of a file without a name.
        directory: The directory of the file.
        root: The directory below which symbolic links are not followed.
        flag: The flag of `os.open` that creates a file without a name.

    Raises:
        UnsafePathError: A component of the path is not a directory.
        OSError: The file cannot be created.
    """
    require_directories(directory, root)
    try:
        return create_nameless(path, flag) if flag else create_regular(path)
    except FileNotFoundError:
        make_directories(directory, root)
        return create_nameless(path, flag) if flag else create_regular(path)


def write_all(file: int, chunk: Chunk) -> None:
    """Write `chunk` to the descriptor `file` completely.

    Raises:
        OSError: The write failed; part of the chunk may be written.
    """
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(file, rest[:_WRITE_SIZE]) :]


def write_piped(file: int, chunk: PipedChunk) -> None:
    """Write `chunk` to the descriptor `file` completely, without a copy if the file system allows it.

    Raises:
        OSError: The write failed; part of the chunk may be written.
    """
    pipe, rest = chunk.take_pipe(), len(chunk)
    while rest:
        try:
            # In pieces of `_WRITE_SIZE`, four files take a third longer.
            rest -= pipe.move(file, rest)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            data = pipe.read(rest)
            write_all(file, data)
            rest -= len(data)


def report_write_errors(file: int) -> None:
    """Raise write errors that a network file system reports only when a file is closed.

    Raises:
        OSError: Written data could not be stored.
    """
    try:
        copy = os.dup(file)
    except OSError:
        return  # No descriptor is available for the check.
    os.close(copy)


def replace_file(path: Path, target: Path, *, overwrite: bool) -> None:
    """Move the file at `path` to `target`, in one step; retry while Windows reports the target as in use.

    Raises:
        FileExistsError: `target` has different content, and `overwrite` is not set.
        OSError: The file cannot be moved.
    """
    if not overwrite and (size := file_size(target)) is not None and not _have_same_content(path, target):
        raise FileExistsError(errno.EEXIST, f"another file of {size} bytes exists there")
    for delay in _SHARING_DELAYS:
        try:
            os.replace(path, target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _SHARING_ERRORS:
                raise
        time.sleep(delay)
    os.replace(path, target)


def sync_directory(directory: Path) -> None:
    """Flush the entries of a directory to the disk, if the file system supports that.

    Raises:
        OSError: The flush failed.
    """
    try:
        handle = os.open(directory, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise
    finally:
        os.close(handle)


def require_space(directory: Path, length: int) -> None:
    """Check that the file system has space for `length` bytes, as far as it reports its free space.

    Raises:
        OSError: There is too little space.
    """
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return
    # Some file systems report no sizes: 0 of 0 bytes are free.
    if usage.total and usage.free < length:
        raise OSError(errno.ENOSPC, f"no space for {length} bytes")


def _have_same_content(first: Path, second: Path) -> bool:
    with open_file(first) as one, open_file(second) as other:
        while (chunk := one.read(CHUNK_SIZE)) == other.read(CHUNK_SIZE):
            if not chunk:
                return True
    return False


def open_file(path: Path) -> FileIO:
    """Open the regular file at `path` for reading.

    Raises:
        UnsafePathError: The path is not a regular file.
        OSError: The file cannot be read.
    """
    return FileIO(open_regular(path, os.O_RDONLY), "rb")
