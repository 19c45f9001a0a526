"""Nothing is opened or created through a link, and nothing that is not a regular file is opened."""

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
from tests.support import names

READ, APPEND = os.O_RDONLY, os.O_RDWR | os.O_APPEND | os.O_CREAT


@pytest.fixture(params=[True, False], ids=["posix", "windows"])
def _system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that can refuse links when it opens a file, and one that cannot."""
    if not request.param:
        monkeypatch.setattr(paths, "_NO_FOLLOW", 0)


def opened(path: Path, flags: int) -> None:
    os.close(open_regular(path, flags))


@pytest.mark.usefixtures("_system")
@pytest.mark.parametrize("flags", [READ, APPEND, os.O_WRONLY | os.O_CREAT | os.O_TRUNC])
def test_a_link_is_not_opened(tmp_path: Path, flags: int) -> None:
    """Wherever it leads; what is there is not truncated, and nothing is created."""
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
    """A pipe, a folder, a socket or a device is named at once."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for path, number in (
            (tmp_path / "folder", errno.EISDIR),
            (tmp_path / "pipe", errno.EEXIST),
            (tmp_path / "socket", errno.EEXIST),
            (Path("/dev/null"), errno.EEXIST),
        ):
            with pytest.raises(UnsafePathError, match=path.name) as caught:
                opened(path, flags)
            assert caught.value.errno == number
    assert not [name for name in os.listdir("/proc/self/fd") if _leads_to(name, tmp_path)]


def _leads_to(descriptor: str, folder: Path) -> bool:
    link = f"/proc/self/fd/{descriptor}"
    return os.path.lexists(link) and os.readlink(link).startswith(f"{folder}/")


@pytest.mark.usefixtures("_system")
def test_what_is_absent_or_refused_is_the_operating_systems_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says it best."""
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "absent", READ)
    (tmp_path / "file").touch()

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="denied"):
        opened(tmp_path / "file", READ)


def test_what_vanishes_while_it_is_refused_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing to say beyond that."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match="denied"):
        opened(tmp_path / "absent", READ)


def test_a_small_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    """A larger one is refused, however large it is."""
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_small(path, 5) == b"12345"
    with pytest.raises(OSError, match="is larger than 4 bytes"):
        read_small(path, 4)
    os.truncate(path, 1 << 40)
    with pytest.raises(OSError, match="is larger than 5 bytes"):
        read_small(path, 5)


def test_directories_are_made_and_accepted(tmp_path: Path) -> None:
    """The root may be a link of the caller's; what is not there yet is in nobody's way."""
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
    """At any depth, wherever it leads; nothing is created there."""
    root = tmp_path / "root"
    for folder in (tmp_path / "outside", root / "inside"):
        folder.mkdir(parents=True)
    link = root / depth
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / where)
    for below in (link, link / "x", link / "x" / "y"):
        with pytest.raises(UnsafePathError, match=f"{link} is a symbolic link"):
            act(below, root)
    assert names(tmp_path / "outside") == names(root / "inside") == []
    assert not (root / "absent").exists()


@pytest.mark.parametrize("act", [require_directories, make_directories])
def test_a_file_in_the_way_is_named(tmp_path: Path, act: Act) -> None:
    """It is not removed."""
    (tmp_path / "a").write_text("theirs")
    for below in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(UnsafePathError, match=f"{tmp_path / 'a'} is not a directory") as caught:
            act(below, tmp_path)
        assert caught.value.errno == errno.ENOTDIR
    assert (tmp_path / "a").read_text() == "theirs"


def test_a_file_or_a_link_to_nothing_is_no_root(tmp_path: Path) -> None:
    """The error names it."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    for name in ("file", "link"):
        with pytest.raises(UnsafePathError, match=f"{name} is not a directory"):
            make_directories(tmp_path / name, tmp_path / name)
    assert names(tmp_path) == ["file", "link"]


def test_only_a_regular_file_is_recent(tmp_path: Path) -> None:
    """Of a time in the far future nothing is known."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert is_recent(tmp_path / "file", 60)
    assert not is_recent(tmp_path / "link", 60)
    assert not is_recent(tmp_path / "absent", 60)
    for moment in (1, 2**33):
        os.utime(tmp_path / "file", (moment, moment))
        assert not is_recent(tmp_path / "file", 60)
