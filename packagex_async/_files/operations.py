"""What is done to whole files, in plain blocking calls: measured, hashed, replaced, flushed."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Mapping
from io import FileIO
from pathlib import Path

import attrs

from packagex_async._files.paths import (
    create_nameless,
    create_regular,
    make_directories,
    open_regular,
    require_directories,
    require_regular,
)
from packagex_async._utils import hashing
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.hashing import Digest

BLOCK_SIZE = 1024 * 1024
"""Bytes that are read or written at a time."""

START_SIZE = 1024
"""Bytes at the start of a file that tell a web page from an artifact: blank lines may come first."""

# For a larger write Linux looks for larger pages: those a virtual machine has given back to its host,
# which it gets again at a tenth of a disk cache's usual speed.
_WRITE_SIZE = 256 * 1024

FATAL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Nothing else fits on a disk that has refused one of these."""

_NO_FOLDER_SYNC = frozenset(
    {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM, errno.EBADF}
)
"""Errors by which a file system tells that it does not flush folders."""

# Windows refuses to replace a file that a scanner or an indexer is just looking at.
_SHARING_ERRORS = (5, 32)
_SHARING_DELAYS = (0.01, 0.05, 0.1, 0.2, 0.4)


@attrs.frozen(eq=False, repr=False)
class FileDigest:
    """A file's length in bytes and its digests by algorithm.

    Attributes:
        size: The length of the file.
        digests: The digests of the file.
        arrived: The digests of the bytes as they arrived, where those were encoded otherwise.
        start: The first `START_SIZE` bytes of the file, of a file that is about to be published.
    """

    size: int
    digests: dict[str, bytes]
    arrived: dict[str, bytes] = attrs.field(factory=dict)
    start: bytes = b""

    def of(self, algorithm: str | None) -> set[bytes]:
        """The digests by `algorithm`: the file's, and that of the bytes as they arrived."""
        return {digests[algorithm] for digests in (self.digests, self.arrived) if algorithm in digests}


def size_of(path: Path) -> int | None:
    """The length of the regular file at `path`, or `None` when nothing is there.

    Raises:
        UnsafePathError: Something that is not a regular file is there.
        OSError: It cannot be examined.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    require_regular(path, status.st_mode)
    return status.st_size


def measure(
    path: Path, algorithms: tuple[str, ...], heard: Callable[[int], object] | None = None
) -> FileDigest | None:
    """The length and digests of the regular file at `path`, or `None` when nothing is there.

    While it is read for its digests, `heard` is told how many bytes each block had; what it raises ends it.

    Raises:
        UnsafePathError: Something that is not a regular file is there.
        OSError: It cannot be read.
    """
    if not algorithms:
        size = size_of(path)
        return None if size is None else FileDigest(size, {})
    digests = {name: hashing.new(name) for name in algorithms}
    try:
        opened = _opened(path)
    except FileNotFoundError:
        return None
    with opened as file:
        size = os.fstat(file.fileno()).st_size
        while block := file.read(BLOCK_SIZE):
            update(digests, block)
            (heard or _unheard)(len(block))
    return FileDigest(size, values(digests))


def made(path: Path, folder: Path, *, root: Path, flag: int = 0) -> int:
    """The descriptor of a new file, to be written and read; its folder is made when it is not there.

    Args:
        path: Where it goes: a name that nothing else has, or the folder for a file without a name.
        folder: The folder it stands in.
        root: The directory that nothing leads out of: below it, links are not followed.
        flag: The flag of `os.open` that makes a file without a name.

    Raises:
        UnsafePathError: Something else than a directory is in the way.
        OSError: It cannot be made.
    """
    require_directories(folder, root)
    try:
        return create_nameless(path, flag) if flag else create_regular(path)
    except FileNotFoundError:
        make_directories(folder, root)
        return create_nameless(path, flag) if flag else create_regular(path)


def write_all(file: int, block: Chunk) -> None:
    """Write `block` to the descriptor `file`, however many writes the operating system makes of it."""
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest[:_WRITE_SIZE]) :]


def report_write_errors(file: int) -> None:
    """Have errors reported that a network file system tells only when a file is closed.

    Raises:
        OSError: What was written could not be stored.
    """
    try:
        copy = os.dup(file)
    except OSError:
        return  # there is no descriptor left
    os.close(copy)


def replace(path: Path, target: Path) -> None:
    """Replace `target` by `path`, waiting out the moments in which Windows lets nobody."""
    for delay in _SHARING_DELAYS:
        try:
            os.replace(path, target)
            return
        except OSError as error:
            if getattr(error, "winerror", None) not in _SHARING_ERRORS:
                raise
        time.sleep(delay)
    os.replace(path, target)


def put_in_place(part: Path, target: Path, *, overwrite: bool) -> None:
    """Put `part` in the place of `target`.

    Raises:
        FileExistsError: There is something else, and `overwrite` is not set.
        OSError: The disk refuses.
    """
    if not overwrite and (there := size_of(target)) is not None and not _same(part, target):
        raise FileExistsError(f"another file of {there} bytes has appeared there")
    replace(part, target)


def sync_folder(folder: Path) -> None:
    """Have what a folder lists on the medium, if its file system can do that for a folder.

    Raises:
        OSError: It can, and failed.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)


def require_room(folder: Path, length: int) -> None:
    """Check that there is room for `length` bytes, as far as the file system tells.

    Raises:
        OSError: There is not.
    """
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return
    # Some file systems tell no size at all: 0 of 0 bytes are free.
    if usage.total and usage.free < length:
        raise OSError(errno.ENOSPC, f"no room for {length} bytes")


def update(digests: Mapping[str, Digest], block: Chunk) -> None:
    """Add `block` to every digest."""
    for digest in digests.values():
        digest.update(block)


def values(digests: Mapping[str, Digest]) -> dict[str, bytes]:
    """The values of the digests, by name."""
    return {name: digest.digest() for name, digest in digests.items()}


def _same(one: Path, other: Path) -> bool:
    with _opened(one) as first, _opened(other) as second:
        while (block := first.read(BLOCK_SIZE)) == second.read(BLOCK_SIZE):
            if not block:
                return True
    return False


def _opened(path: Path) -> FileIO:
    return FileIO(open_regular(path, os.O_RDONLY), "rb")


def _unheard(_: int) -> None:
    """Nobody asked to be told."""
