"""Exclusive and shared locks on open files, which the operating system releases when the process ends.

A lock belongs to the open file, so two tasks of one process exclude each other, too.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import importlib
import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_BUSY = frozenset({errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK})
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})
_LOCK_OFFSET = 2**43
"""The position of the byte that is locked on Windows, where nobody can read a locked byte.

No artifact is that large.
"""

STALE_AFTER = 24 * 3600.0
"""Seconds after which a file without a usable lock counts as abandoned: exports are deleted by then."""


class LockResult(enum.Enum):
    """The result of an attempt to lock a file."""

    ACQUIRED = "acquired"
    HELD = "held by another"
    UNSUPPORTED = "not supported by the file system"


def try_lock(file: int, *, shared: bool = False) -> LockResult:
    """Lock the open descriptor `file` without waiting; replaces a lock that it already has.

    Args:
        file: The descriptor, open for writing.
        shared: Whether others may hold a shared lock at the same time.

    Raises:
        OSError: The call failed for another reason than those in `LockResult`.
    """
    try:
        _lock(file, shared=shared)
    except OSError as error:
        if error.errno in _BUSY:
            return LockResult.HELD
        if error.errno in _UNSUPPORTED:
            return LockResult.UNSUPPORTED
        raise
    return LockResult.ACQUIRED


def unlock(file: int) -> None:
    """Release the lock of the open descriptor `file`, also for processes that were forked in the meantime."""
    with contextlib.suppress(OSError):
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_UN)
        else:
            _lock_byte(file, "LK_UNLCK")


def _lock(file: int, *, shared: bool) -> None:
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_NB | (fcntl.LOCK_SH if shared else fcntl.LOCK_EX))
    else:
        _lock_byte(file, "LK_NBLCK")


def _lock_byte(file: int, mode: str) -> None:
    msvcrt = importlib.import_module("msvcrt")
    position = os.lseek(file, 0, os.SEEK_CUR)
    os.lseek(file, _LOCK_OFFSET, os.SEEK_SET)
    try:
        msvcrt.locking(file, getattr(msvcrt, mode), 1)
    finally:
        os.lseek(file, position, os.SEEK_SET)
