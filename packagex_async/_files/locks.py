"""Exclusive locks on open files, which the operating system releases when their process ends.

A lock belongs to the open file, so that two tasks of one process exclude each other, too.
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
_BEYOND_ANY_FILE = 2**43
"""Windows locks bytes, and keeps others from reading them: no artifact reaches this one."""


LIFETIME = 24 * 3600.0
"""Seconds after which nobody uses a file whose use no lock can tell: exports are deleted by then."""


class LockResult(enum.Enum):
    """The result of an attempt to lock a file."""

    ACQUIRED = "acquired"
    HELD = "held by another"
    UNSUPPORTED = "not supported by the file system"


def try_lock(file: int, *, shared: bool = False) -> LockResult:
    """Lock the open descriptor `file` without waiting; a lock that it has already is replaced.

    Args:
        file: The descriptor, open for writing.
        shared: Whether others may hold a shared lock at the same time.

    Raises:
        OSError: The operating system refuses for another reason.
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
    """Release the lock of the open descriptor `file`, also for processes that were forked meanwhile."""
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
    windows = importlib.import_module("msvcrt")
    position = os.lseek(file, 0, os.SEEK_CUR)
    os.lseek(file, _BEYOND_ANY_FILE, os.SEEK_SET)
    try:
        windows.locking(file, getattr(windows, mode), 1)
    finally:
        os.lseek(file, position, os.SEEK_SET)
