"""Writing a small file, whose bytes are all in memory, in one step.

If possible, the file has no name until it is complete. Then a process that is killed leaves nothing behind,
and the name of another file is never replaced by accident. Several such files can be created in a directory
concurrently, whereas the creation of named files is serialized.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from packagex_async._files.operations import (
    START_SIZE,
    FileDigest,
    create_file,
    replace_file,
    sync_directory,
    write_all,
)
from packagex_async._partials.locked_partial import create_partial
from packagex_async._utils.byte_ranges import Chunk
from packagex_async._utils.hashing import digests, new_hasher

T = TypeVar("T")

_O_TMPFILE = getattr(os, "O_TMPFILE", 0)
_SMALL_FILE = 64 * 1024
_MAX_HASH_WITH_GIL = 2047
"""The largest number of bytes that hashlib hashes without releasing the GIL."""


def write_atomically(
    chunks: Sequence[Chunk],
    target: Path,
    algorithms: Iterable[str],
    check: Callable[[FileDigest], T],
    *,
    root: Path,
    overwrite: bool,
    durable: bool,
) -> tuple[FileDigest, T]:
    """Write a file if `check` accepts its content; return the digest of the file and the result of `check`.

    Args:
        chunks: The content.
        target: The path of the file; its directory is created if missing.
        algorithms: The digests to compute.
        check: A function that raises an error if the content is wrong.
        root: The directory below which symbolic links are not followed.
        overwrite: Replace an existing file.
        durable: Flush the file and its directory to the disk.

    Raises:
        FileExistsError: `target` has different content, and `overwrite` is not set.
        OSError: The file cannot be written.
    """
    digest = _digest(chunks, algorithms)
    result = check(digest)
    # `os.link` cannot replace a file, so check for one first.
    replaces = overwrite and os.path.lexists(target)
    if replaces or not _write_nameless(chunks, target, root, durable=durable):
        _write_and_rename(chunks, target, root, overwrite=overwrite, durable=durable)
    if durable:
        sync_directory(target.parent)
    return digest, result


def _write_nameless(chunks: Sequence[Chunk], target: Path, root: Path, *, durable: bool) -> bool:
    """Write a file without a name, and link it to `target`; return whether that succeeded.

    The other method raises the error if there is one.
    """
    if not _O_TMPFILE:
        return False
    with contextlib.suppress(OSError):
        directory = target.parent
        file = create_file(directory, directory, root=root, flag=_O_TMPFILE)
        try:
            _write_chunks(file, chunks, durable=durable)
            # Python resolves the link to the file only if a descriptor of a directory is passed, too.
            os.link(f"/proc/self/fd/{file}", target, src_dir_fd=file)
        finally:
            os.close(file)
        return True
    return False


def _write_and_rename(
    chunks: Sequence[Chunk], target: Path, root: Path, *, overwrite: bool, durable: bool
) -> None:
    partial = create_partial(target, root)
    try:
        _write_chunks(partial.file, chunks, durable=durable)
        partial.prepare_rename()
        replace_file(partial.path, target, overwrite=overwrite)
    except BaseException:
        partial.remove()
        raise
    partial.close()


def _write_chunks(file: int, chunks: Sequence[Chunk], *, durable: bool) -> None:
    for chunk in chunks:
        write_all(file, chunk)
    if durable:
        os.fsync(file)


def _digest(chunks: Sequence[Chunk], algorithms: Iterable[str]) -> FileDigest:
    size = sum(map(len, chunks))
    hashers = {name: new_hasher(name) for name in algorithms}
    # For a small file, getting the GIL back takes longer than hashing.
    pieces = [piece for chunk in chunks for piece in _split(chunk)] if size <= _SMALL_FILE else chunks
    for hasher in hashers.values():
        for piece in pieces:
            hasher.update(piece)
    return FileDigest(size, digests(hashers), start=_start(chunks))


def _start(chunks: Sequence[Chunk]) -> bytes:
    start = b""
    for chunk in chunks:
        start += bytes(chunk[: START_SIZE - len(start)])
        if len(start) == START_SIZE:
            break
    return start


def _split(chunk: Chunk) -> list[Chunk]:
    view, size = memoryview(chunk), _MAX_HASH_WITH_GIL
    return [view[start : start + size] for start in range(0, len(view), size)]
