"""A lock excludes all other open files until it is released or its process ends."""

from __future__ import annotations

import errno
import fcntl
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from packagex_async._files import locks
from packagex_async._files.locks import LockResult, try_lock, unlock


@contextmanager
def opened(path: Path) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        yield file
    finally:
        os.close(file)


def test_an_exclusive_lock_is_held_by_one_open_file(tmp_path: Path) -> None:
    """Also within a process. Closing another descriptor of the file does not release it."""
    path = tmp_path / "file"
    with opened(path) as one:
        with opened(path) as other:
            assert try_lock(one) is LockResult.ACQUIRED
            assert try_lock(other) is LockResult.HELD
            assert try_lock(other, shared=True) is LockResult.HELD
        with opened(path) as other:
            assert try_lock(other) is LockResult.HELD
            unlock(one)
            assert try_lock(other) is LockResult.ACQUIRED


def test_a_shared_lock_is_held_by_several_open_files(tmp_path: Path) -> None:
    """An exclusive lock can become a shared one. No other file can have an exclusive lock then."""
    with opened(tmp_path / "file") as one, opened(tmp_path / "file") as other:
        assert try_lock(one) is LockResult.ACQUIRED
        assert try_lock(one, shared=True) is LockResult.ACQUIRED
        assert try_lock(other, shared=True) is LockResult.ACQUIRED
        assert try_lock(other) is LockResult.HELD


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOLCK, LockResult.UNSUPPORTED),
        (errno.EOPNOTSUPP, LockResult.UNSUPPORTED),
        (errno.ENOSYS, LockResult.UNSUPPORTED),
        (errno.EINVAL, LockResult.UNSUPPORTED),
        (errno.EAGAIN, LockResult.HELD),
        (errno.EACCES, LockResult.HELD),
        (errno.EIO, None),
    ],
)
def test_a_held_lock_differs_from_an_unsupported_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: LockResult | None
) -> None:
    """`try_lock` raises any other error. `unlock` raises none."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with opened(tmp_path / "file") as file:
        if expected is None:
            with pytest.raises(OSError, match=os.strerror(number)):
                try_lock(file)
        else:
            assert try_lock(file) is expected
        unlock(file)


@pytest.fixture
def on_windows(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module without `fcntl`, with a replacement for the byte locks of Windows."""
    held: dict[int, int] = {}

    def locking(file: int, mode: int, count: int) -> None:
        assert (os.lseek(file, 0, os.SEEK_CUR), count) == (locks._LOCK_OFFSET, 1)
        inode = os.fstat(file).st_ino
        if mode == 0:
            del held[inode]
        elif held.setdefault(inode, file) != file:
            raise PermissionError(errno.EACCES, "locked")

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    spec = importlib.util.spec_from_file_location("locks_on_windows", locks.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_windows_locks_a_byte_after_the_end(tmp_path: Path, on_windows: ModuleType) -> None:
    """The position in the file does not change."""
    with opened(tmp_path / "file") as one, opened(tmp_path / "file") as other:
        os.write(one, b"12345")
        assert on_windows.try_lock(one).name == "ACQUIRED"
        assert on_windows.try_lock(other).name == "HELD"
        on_windows.unlock(one)
        assert on_windows.try_lock(other).name == "ACQUIRED"
        assert os.lseek(one, 0, os.SEEK_CUR) == 5
