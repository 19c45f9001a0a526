"""A small file is made in one step, with a name of its own only where it cannot do without."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async._files.operations import FileDigest
from packagex_async._partials import atomic_write
from packagex_async._partials.atomic_write import publish
from tests.support import names

BLOCKS = [b"id,name\n", bytes(100_000), b"1,Anna\n"]
WHOLE = b"".join(BLOCKS)


def put(blocks: list[bytes], target: Path, *, overwrite: bool, durable: bool) -> None:
    """Publish what nobody objects to."""
    publish(blocks, target, (), lambda _: None, root=target.parent, overwrite=overwrite, durable=durable)


System = Callable[[pytest.MonkeyPatch], None]


def able(_: pytest.MonkeyPatch) -> None:
    """The system of this machine."""


def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that knows of no files without a name."""
    monkeypatch.setattr(atomic_write, "_NAMELESS", 0)


def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none of them."""
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)


def sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox without `/proc`: such a file gets no name."""

    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture(params=[able, old, refusing, sandboxed], ids=lambda system: system.__name__)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    """What the file is made on."""
    system: System = request.param
    system(monkeypatch)
    return system


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """What stands in the folder whenever a block was written."""
    seen: list[list[str]] = []
    real = os.write

    def write(file: int, data: Any) -> int:
        written = real(file, data)
        seen.append(names(tmp_path))
        return written

    monkeypatch.setattr(os, "write", write)
    return seen


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("durable", [False, True])
def test_it_is_there_as_a_whole(tmp_path: Path, durable: bool) -> None:
    """In a folder that was not, with the permissions of any other file, and nothing beside it."""
    target = tmp_path / "new" / "deep" / "a.csv"
    put(BLOCKS, target, overwrite=False, durable=durable)
    (tmp_path / "other").touch()
    assert target.read_bytes() == WHOLE
    assert target.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert target.stat().st_nlink == 1
    assert names(target.parent) == ["a.csv"]


@pytest.mark.usefixtures("system")
def test_it_never_has_its_name_before_it_is_whole(tmp_path: Path, watched: list[list[str]]) -> None:
    """Nor is anything of it left when the disk is full in its midst."""
    put(BLOCKS, tmp_path / "a.csv", overwrite=False, durable=False)
    assert len(watched) >= len(BLOCKS)
    assert not any("a.csv" in seen for seen in watched)


def test_who_dies_over_it_leaves_nothing(tmp_path: Path, watched: list[list[str]]) -> None:
    """Where the system can, there is nothing in the folder until all of it is."""
    put(BLOCKS, tmp_path / "a.csv", overwrite=False, durable=False)
    assert set(map(tuple, watched)) == {()}


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("at", ["write", "fsync"])
def test_a_disk_that_refuses_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """Nothing is left in the folder."""

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, at, full)
    with pytest.raises(OSError, match="No space left"):
        put(BLOCKS, tmp_path / "a.csv", overwrite=False, durable=True)
    assert names(tmp_path) == []


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("there", [b"short", bytes(len(WHOLE)), bytes(2 * len(WHOLE))])
def test_a_file_that_is_there_is_kept(tmp_path: Path, there: bytes) -> None:
    """Whatever its length, unless it is to be overwritten."""
    target = tmp_path / "a.csv"
    target.write_bytes(there)
    with pytest.raises(FileExistsError, match=f"another file of {len(there)} bytes has appeared there"):
        put(BLOCKS, target, overwrite=False, durable=False)
    assert target.read_bytes() == there
    put(BLOCKS, target, overwrite=True, durable=False)
    assert target.read_bytes() == WHOLE
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.usefixtures("system")
def test_the_same_file_may_be_there(tmp_path: Path) -> None:
    """As when two bring it at the same time."""
    target = tmp_path / "a.csv"
    for _ in range(2):
        put(BLOCKS, target, overwrite=False, durable=False)
    assert target.read_bytes() == WHOLE
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.usefixtures("system")
def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """What it points at stays as it is."""
    (tmp_path / "elsewhere").write_bytes(b"kept")
    (tmp_path / "a.csv").symlink_to(tmp_path / "elsewhere")
    put(BLOCKS, tmp_path / "a.csv", overwrite=True, durable=False)
    assert not (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "a.csv").read_bytes() == WHOLE
    assert (tmp_path / "elsewhere").read_bytes() == b"kept"


def test_a_file_that_appears_in_the_last_moment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To give a file its name never takes that of another."""
    target = tmp_path / "a.csv"
    real = os.link

    def link(*args: Any, **options: Any) -> None:
        target.write_bytes(b"another")
        real(*args, **options)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(FileExistsError, match="another file of 7 bytes"):
        put(BLOCKS, target, overwrite=False, durable=False)
    assert target.read_bytes() == b"another"
    assert names(tmp_path) == ["a.csv"]


def test_what_is_condemned_is_never_begun(tmp_path: Path) -> None:
    """What the check raises is raised; it was told the length and the digests."""

    def condemn(measured: FileDigest) -> None:
        assert (measured.size, measured.digests) == (len(WHOLE), {"md5": hashlib.md5(WHOLE).digest()})
        raise ValueError("wrong bytes")

    with pytest.raises(ValueError, match="wrong bytes"):
        publish(
            BLOCKS,
            tmp_path / "new" / "a.csv",
            ["md5"],
            condemn,
            root=tmp_path,
            overwrite=True,
            durable=False,
        )
    assert names(tmp_path) == []


@pytest.mark.parametrize("sizes", [[], [0], [1], [2047], [2048, 1], [65_536], [65_536, 1], [300_000, 5]])
@pytest.mark.parametrize("kind", [bytes, lambda data: memoryview(bytearray(data))], ids=["bytes", "view"])
def test_its_digests_are_those_of_the_whole(
    tmp_path: Path, sizes: list[int], kind: Callable[[bytes], Any]
) -> None:
    """However large it is, and in however many blocks it came."""
    blocks = [random.Random(size).randbytes(size) for size in sizes]
    target = tmp_path / "a.csv"
    measured, size = publish(
        [kind(block) for block in blocks],
        target,
        ["md5", "sha256"],
        lambda measured: measured.size,
        root=tmp_path,
        overwrite=False,
        durable=False,
    )
    whole = b"".join(blocks)
    assert target.read_bytes() == whole
    assert size == len(whole)
    assert measured.digests == {"md5": hashlib.md5(whole).digest(), "sha256": hashlib.sha256(whole).digest()}
