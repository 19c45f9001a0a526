"""What is done to whole files, in plain blocking calls: measured, hashed, replaced, flushed."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from packagex_async import _digests
from packagex_async._digests import Digest
from packagex_async._intake import Block

BLOCK_SIZE = 1024 * 1024
"""Bytes that are read or written at a time."""

START_SIZE = 64
"""Bytes at the start of a file that tell a web page from an artifact."""

# For a larger write Linux looks for larger pages: those a virtual machine has given back to its host,
# which it gets again at a tenth of a disk cache's usual speed.
_WRITE_SIZE = 256 * 1024

_NEW = os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
_MODE = 0o666
"""Less whatever the process takes away from all files it makes, like any other file."""

HOPELESS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Nothing else fits on a disk that has refused one of these."""

# Windows refuses to replace a file that a scanner or an indexer is just looking at.
_SHARING_ERRORS = (5, 32)
_SHARING_DELAYS = (0.01, 0.05, 0.1, 0.2, 0.4)


@attrs.frozen(eq=False, repr=False)
class Measured:
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
    """The length of the regular file at `path`, or `None` when nothing is there."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise FileExistsError("something that is no regular file is there")
    return status.st_size


def measure(
    path: Path, algorithms: tuple[str, ...], heard: Callable[[int], object] | None = None
) -> Measured | None:
    """The length and digests of the regular file at `path`, or `None` when nothing is there.

    While it is read for its digests, `heard` is told how many bytes each block had; what it raises ends it.
    """
    size = size_of(path)
    if size is None:
        return None
    digests = {name: _digests.new(name) for name in algorithms}
    if digests:
        with path.open("rb") as file:
            while block := file.read(BLOCK_SIZE):
                update(digests, block)
                (heard or _unheard)(len(block))
    return Measured(size, values(digests))


def made(path: Path, folder: Path, how: int = _NEW) -> int:
    """The descriptor of a new file, to be written; its folder is made when it is not there.

    Args:
        path: Where it goes.
        folder: The folder it stands in.
        how: What makes it, as `os.open` takes it: under a name that nothing else has, unless told otherwise.
    """
    try:
        return os.open(path, how | os.O_WRONLY, _MODE)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(path, how | os.O_WRONLY, _MODE)


def write_all(file: int, block: Block) -> None:
    """Write `block` to the descriptor `file`, however many writes the operating system makes of it."""
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(file, rest[:_WRITE_SIZE]) :]


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
    """Have what a folder lists on the medium."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def update(digests: Mapping[str, Digest], block: Block) -> None:
    """Add `block` to every digest."""
    for digest in digests.values():
        digest.update(block)


def values(digests: Mapping[str, Digest]) -> dict[str, bytes]:
    """The values of the digests, by name."""
    return {name: digest.digest() for name, digest in digests.items()}


def _same(one: Path, other: Path) -> bool:
    # Hardly ever needed: nobody else should wait for its import.
    import filecmp

    return filecmp.cmp(one, other, shallow=False)


def _unheard(_: int) -> None:
    """Nobody asked to be told."""
