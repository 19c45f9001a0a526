"""Safe access to paths: symbolic links are not followed, and only regular files are opened."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

# Windows has neither flag. There, the type of the file is checked before it is opened.
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_SAFE_FLAGS = _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_MODE = 0o666
"""The permissions of a new file, before the umask."""


class UnsafePathError(OSError):
    """A path has the wrong file type; `strerror` names the path and its type."""

    @classmethod
    def for_type(cls, path: Path | str, mode: int, expected: str) -> UnsafePathError:
        """Return the error for `path`, whose type in `mode` differs from the `expected` type."""
        if stat.S_ISLNK(mode):
            return cls(errno.ELOOP, f"{path} is a symbolic link")
        if stat.S_ISDIR(mode):
            return cls(errno.EISDIR, f"{path} is a directory")
        number = errno.ENOTDIR if expected == "directory" else errno.EEXIST
        return cls(number, f"{path} is not a {expected}")


def require_regular(path: Path | str, mode: int) -> None:
    """Check that `path`, whose type is in `mode`, is a regular file.

    Raises:
        UnsafePathError: It is not a regular file.
    """
    if not stat.S_ISREG(mode):
        raise UnsafePathError.for_type(path, mode, "regular file")


def open_regular(path: Path, flags: int) -> int:
    """Open the regular file at `path` without following a link or waiting; return its descriptor.

    Args:
        path: The file.
        flags: The flags for `os.open`.

    Raises:
        UnsafePathError: The path is not a regular file.
        OSError: The file cannot be opened.
    """
    if not _NO_FOLLOW:
        _check_existing(path)
    try:
        file = os.open(path, flags | _SAFE_FLAGS, _MODE)
    except FileNotFoundError:
        raise
    except OSError:
        # The file type explains the failure better than the error number of the open call.
        _check_existing(path)
        raise
    try:
        require_regular(path, os.fstat(file).st_mode)
    except BaseException:
        os.close(file)
        raise
    return file


def create_regular(path: Path) -> int:
    """Create the file `path`, which must not exist, and return its descriptor for reading and writing.

    Raises:
        OSError: The file cannot be created.
    """
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | _SAFE_FLAGS, _MODE)


def create_nameless(directory: Path, flag: int) -> int:
    """Create a file without a name in `directory` and return its descriptor.

    Args:
        directory: The directory whose file system holds the file.
        flag: The flag of `os.open` that requests it.

    Raises:
        OSError: The file cannot be created.
    """
    return os.open(directory, flag | os.O_RDWR, _MODE)


def read_small(path: Path, limit: int) -> bytes:
    """Return the content of the regular file at `path`.

    Raises:
        UnsafePathError: The path is not a regular file.
        OSError: The file cannot be read, or is larger than `limit` bytes.
    """
    file = open_regular(path, os.O_RDONLY)
    try:
        content = os.read(file, limit + 1)
    finally:
        os.close(file)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"{path} is larger than {limit} bytes")
    return content


def is_regular(path: Path) -> bool:
    """Return whether `path` is a regular file, and not a link to one."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def is_recent(path: Path, seconds: float) -> bool:
    """Return whether `path` is a regular file that was modified within the last `seconds`."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and abs(time.time() - status.st_mtime) < seconds


def require_directories(directory: Path, root: Path) -> None:
    """Check that every existing component of `directory` below `root` is a directory, and not a link.

    Raises:
        UnsafePathError: A component is not a directory.
        OSError: A component cannot be examined.
    """
    if directory == root:
        return
    path = root
    for name in directory.relative_to(root).parts:
        path /= name
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(mode):
            raise UnsafePathError.for_type(path, mode, "directory")


def make_directories(directory: Path, root: Path) -> None:
    """Create `directory` and its missing parents, without following links below `root`.

    Raises:
        UnsafePathError: A component is not a directory.
        OSError: A directory cannot be created.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UnsafePathError(errno.ENOTDIR, f"{root} is not a directory") from None
    path = root
    for name in directory.relative_to(root).parts:
        path /= name
        try:
            path.mkdir()
        except FileExistsError:
            require_directories(path, path.parent)


def _check_existing(path: Path) -> None:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    require_regular(path, mode)
