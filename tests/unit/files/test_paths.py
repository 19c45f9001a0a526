"""Links are not followed, and only regular files are opened."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from packagex_async._files import paths
from packagex_async._files.paths import (
    UnsafePathError,
    is_recent,
    make_directories,
    open_regular,
    read_small,
    require_directories,
)
from tests.support import bind, names

READ, APPEND = os.O_RDONLY, os.O_RDWR | os.O_APPEND | os.O_CREAT


@pytest.fixture(params=[True, False], ids=["posix", "windows"])
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that can reject links when it opens a file, and one that cannot."""
    if not request.param:
        monkeypatch.setattr(paths, "_NO_FOLLOW", 0)


def opened(path: Path, flags: int) -> None:
    os.close(open_regular(path, flags))


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize("flags", [READ, APPEND, os.O_WRONLY | os.O_CREAT | os.O_TRUNC])
def test_a_link_is_not_opened(tmp_path: Path, flags: int) -> None:
    """Its target is neither truncated nor created."""
    (tmp_path / "file").write_text("theirs")
    for name in ("file", "absent", "link0"):
        link = tmp_path / f"link{len(names(tmp_path))}"
        link.symlink_to(tmp_path / name)
        with pytest.raises(UnsafePathError, match=f"{link} is a symbolic link") as caught:
            opened(link, flags)
        assert caught.value.errno == errno.ELOOP
    assert (tmp_path / "file").read_text() == "theirs"
    assert not (tmp_path / "absent").exists()


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize("flags", [READ, APPEND, os.O_WRONLY])
def test_only_a_regular_file_is_opened(tmp_path: Path, flags: int) -> None:
    """For a pipe, a directory, a socket or a device, the error names the type without waiting."""
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        bind(listener, tmp_path / "socket")
        for path, number in (
            (tmp_path / "directory", errno.EISDIR),
            (tmp_path / "pipe", errno.EEXIST),
            (tmp_path / "socket", errno.EEXIST),
            (Path("/dev/null"), errno.EEXIST),
        ):
            with pytest.raises(UnsafePathError, match=path.name) as caught:
                opened(path, flags)
            assert caught.value.errno == number
    assert not [name for name in os.listdir("/proc/self/fd") if _leads_to(name, tmp_path)]


def _leads_to(descriptor: str, directory: Path) -> bool:
    link = f"/proc/self/fd/{descriptor}"
    return os.path.lexists(link) and os.readlink(link).startswith(f"{directory}/")


@pytest.mark.usefixtures("_system")
def test_other_errors_are_those_of_the_operating_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing file, or missing permissions."""
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "absent", READ)
    (tmp_path / "file").touch()

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="denied"):
        opened(tmp_path / "file", READ)


def test_a_file_that_disappears_after_an_error_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the first call is raised."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="denied"):
        opened(tmp_path / "absent", READ)


def test_a_small_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """A larger file is an error, whatever its size."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_small(path, 5) == b"12345"
    with pytest.raises(OSError, match="is larger than 4 bytes"):
        read_small(path, 4)
    os.truncate(path, 1 << 40)
    with pytest.raises(OSError, match="is larger than 5 bytes"):
        read_small(path, 5)


def test_missing_directories_are_created(tmp_path: Path) -> None:
    """The root itself may be a link. A missing directory is not an error."""
    (tmp_path / "real").mkdir()
    root = tmp_path / "root"
    root.symlink_to(tmp_path / "real")
    require_directories(root, root)
    require_directories(root / "a" / "b", root)
    for _ in range(2):
        make_directories(root / "a" / "b", root)
        require_directories(root / "a" / "b", root)
    assert (tmp_path / "real" / "a" / "b").is_dir()
    make_directories(tmp_path / "new" / "root" / "a", tmp_path / "new" / "root")
    assert (tmp_path / "new" / "root" / "a").is_dir()


Act = Callable[[Path, Path], None]


@pytest.mark.parametrize("act", [require_directories, make_directories])
@pytest.mark.parametrize("depth", ["a", "a/b", "a/b/c"])
@pytest.mark.parametrize("where", ["outside", "root/inside", "root/absent"])
def test_a_link_below_the_root_is_not_followed(tmp_path: Path, act: Act, depth: str, where: str) -> None:
    """At any depth. Nothing is created in its target."""
    root = tmp_path / "root"
    for directory in (tmp_path / "outside", root / "inside"):
        directory.mkdir(parents=True)
    link = root / depth
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / where)
    for below in (link, link / "x", link / "x" / "y"):
        with pytest.raises(UnsafePathError, match=f"{link} is a symbolic link"):
            act(below, root)
    assert names(tmp_path / "outside") == names(root / "inside") == []
    assert not (root / "absent").exists()


@pytest.mark.parametrize("act", [require_directories, make_directories])
def test_a_file_in_place_of_a_directory_is_an_error(tmp_path: Path, act: Act) -> None:
    """The file is not removed."""
    (tmp_path / "a").write_text("theirs")
    for below in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(UnsafePathError, match=f"{tmp_path / 'a'} is not a directory") as caught:
            act(below, tmp_path)
        assert caught.value.errno == errno.ENOTDIR
    assert (tmp_path / "a").read_text() == "theirs"


def test_a_file_or_a_broken_link_cannot_be_the_root(tmp_path: Path) -> None:
    """The error names the path."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    for name in ("file", "link"):
        with pytest.raises(UnsafePathError, match=f"{name} is not a directory"):
            make_directories(tmp_path / name, tmp_path / name)
    assert names(tmp_path) == ["file", "link"]


def test_only_a_regular_file_is_recent(tmp_path: Path) -> None:
    """A file from the future is not recent, either."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert is_recent(tmp_path / "file", 60)
    assert not is_recent(tmp_path / "link", 60)
    assert not is_recent(tmp_path / "absent", 60)
    for moment in (1, 2**33):
        os.utime(tmp_path / "file", (moment, moment))
        assert not is_recent(tmp_path / "file", 60)
