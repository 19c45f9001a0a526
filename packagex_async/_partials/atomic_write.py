"""A file of bytes that are all at hand: made and put in its place in one step, in plain blocking calls.

Where the system can, the file has no name until it is whole: who dies over it leaves nothing, and its name
is given to it without ever taking that of another. Such files can also be made side by side, which those
that are made under a name in one folder cannot.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from packagex_async._files.operations import (
    START_SIZE,
    FileDigest,
    made,
    sync_folder,
    update,
    values,
    write_all,
)
from packagex_async._partials.partial_index import create
from packagex_async._utils import hashing
from packagex_async._utils.byte_ranges import Chunk

T = TypeVar("T")

_NAMELESS = getattr(os, "O_TMPFILE", 0)
_SMALL = 64 * 1024
_HASHED_ALONE = 2047
"""The most bytes that hashlib hashes at a time without letting other threads in."""


def publish(
    blocks: Sequence[Chunk],
    target: Path,
    algorithms: Iterable[str],
    check: Callable[[FileDigest], T],
    *,
    root: Path,
    overwrite: bool,
    durable: bool,
) -> tuple[FileDigest, T]:
    """Put a file of `blocks` in the place of `target` unless `check` raises; return what both have found.

    Args:
        blocks: Its bytes.
        target: Where it goes; its folder is made when it is not there.
        algorithms: The digests to compute.
        check: Raises what is wrong with it.
        root: The directory that it must not lead out of; below it, links are not followed.
        overwrite: Replace whatever is there.
        durable: Whether to have it on the medium, and not just in memory, before it takes its place.

    Raises:
        FileExistsError: There is something that is to be kept.
        OSError: The disk refuses.
    """
    measured = _measure(blocks, algorithms)
    found = check(measured)
    _put(blocks, target, root, overwrite=overwrite, durable=durable)
    return measured, found


def _measure(blocks: Sequence[Chunk], algorithms: Iterable[str]) -> FileDigest:
    digests = {name: hashing.new_hasher(name) for name in algorithms}
    size = sum(map(len, blocks))
    for block in blocks:
        # To get its turn again takes a thread longer than to hash a small file.
        for piece in _pieces(block, _HASHED_ALONE) if size <= _SMALL else (block,):
            update(digests, piece)
    return FileDigest(size, values(digests), start=_start(blocks))


def _start(blocks: Sequence[Chunk]) -> bytes:
    start = b""
    for block in blocks:
        start += bytes(block[: START_SIZE - len(start)])
        if len(start) == START_SIZE:
            break
    return start


def _pieces(block: Chunk, size: int) -> Iterator[Chunk]:
    view = memoryview(block)
    return (view[start : start + size] for start in range(0, len(view), size))


def _put(blocks: Sequence[Chunk], target: Path, root: Path, *, overwrite: bool, durable: bool) -> None:
    # A name that is taken is not given away: what there is to be replaced is looked for beforehand.
    taken = overwrite and os.path.lexists(target)
    if taken or not _linked(blocks, target, root, durable=durable):
        _renamed(blocks, target, root, overwrite=overwrite, durable=durable)
    if durable:
        sync_folder(target.parent)


def _linked(blocks: Sequence[Chunk], target: Path, root: Path, *, durable: bool) -> bool:
    """Whether it is there now, made without a name; the ordinary way tells why it is not."""
    if not _NAMELESS:
        return False
    with contextlib.suppress(OSError):
        file = made(target.parent, target.parent, root=root, flag=_NAMELESS)
        try:
            _fill(file, blocks, durable=durable)
            # Only where a folder is told of does Python have the link followed to the file.
            os.link(f"/proc/self/fd/{file}", target, src_dir_fd=file)
        finally:
            os.close(file)
        return True
    return False


def _renamed(blocks: Sequence[Chunk], target: Path, root: Path, *, overwrite: bool, durable: bool) -> None:
    part = create(target, root)
    try:
        _fill(part.file, blocks, durable=durable)
        part.move_to(target, overwrite=overwrite)
    except BaseException:
        part.remove()
        raise


def _fill(file: int, blocks: Sequence[Chunk], *, durable: bool) -> None:
    for block in blocks:
        write_all(file, block)
    if durable:
        os.fsync(file)
