"""A small file is written in one step, and has no name until it is complete if the system supports that."""

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
from packagex_async._partials.atomic_write import write_atomically
from tests.support import names

CHUNKS = [b"id,name\n", bytes(100_000), b"1,Anna\n"]
CONTENT = b"".join(CHUNKS)


def write(chunks: list[bytes], target: Path, *, overwrite: bool, durable: bool) -> None:
    """Write a file with a check that accepts all content."""
    write_atomically(
        chunks, target, (), lambda _: None, root=target.parent, overwrite=overwrite, durable=durable
    )


System = Callable[[pytest.MonkeyPatch], None]


def modern(_: pytest.MonkeyPatch) -> None:
    """The system that runs the tests."""


def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that does not support files without a name."""
    monkeypatch.setattr(atomic_write, "_O_TMPFILE", 0)


def unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that does not support files without a name."""
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", refuse)


def sandboxed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox without `/proc`, in which a file without a name cannot be linked."""

    def refuse(*_: Any, **__: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "link", refuse)


@pytest.fixture(params=[modern, old, unsupported, sandboxed], ids=lambda system: system.__name__)
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> System:
    """A system that the file is written on."""
    system: System = request.param
    system(monkeypatch)
    return system


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The content of the directory after each write."""
    listings: list[list[str]] = []
    real = os.write

    def write(file: int, data: Any) -> int:
        written = real(file, data)
        listings.append(names(tmp_path))
        return written

    monkeypatch.setattr(os, "write", write)
    return listings


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("durable", [False, True])
def test_the_file_is_complete(tmp_path: Path, durable: bool) -> None:
    """Its directory is created, it has default permissions, and no other file is left."""
    target = tmp_path / "new" / "deep" / "a.csv"
    write(CHUNKS, target, overwrite=False, durable=durable)
    (tmp_path / "other").touch()
    assert target.read_bytes() == CONTENT
    assert target.stat().st_mode == (tmp_path / "other").stat().st_mode
    assert target.stat().st_nlink == 1
    assert names(target.parent) == ["a.csv"]


@pytest.mark.usefixtures("system")
def test_the_file_has_no_target_name_until_it_is_complete(tmp_path: Path, listings: list[list[str]]) -> None:
    """On no system is an incomplete file visible at the target."""
    write(CHUNKS, tmp_path / "a.csv", overwrite=False, durable=False)
    assert len(listings) >= len(CHUNKS)
    assert not any("a.csv" in listing for listing in listings)


def test_a_file_without_a_name_is_not_listed(tmp_path: Path, listings: list[list[str]]) -> None:
    """A killed process leaves nothing behind."""
    write(CHUNKS, tmp_path / "a.csv", overwrite=False, durable=False)
    assert set(map(tuple, listings)) == {()}


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("at", ["write", "fsync"])
def test_after_an_error_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    """The error of the operating system is raised."""

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, at, full)
    with pytest.raises(OSError, match="No space left"):
        write(CHUNKS, tmp_path / "a.csv", overwrite=False, durable=True)
    assert names(tmp_path) == []


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize("existing", [b"short", bytes(len(CONTENT)), bytes(2 * len(CONTENT))])
def test_an_existing_file_is_kept(tmp_path: Path, existing: bytes) -> None:
    """Unless `overwrite` is set."""
    target = tmp_path / "a.csv"
    target.write_bytes(existing)
    with pytest.raises(FileExistsError, match=f"another file of {len(existing)} bytes exists there"):
        write(CHUNKS, target, overwrite=False, durable=False)
    assert target.read_bytes() == existing
    write(CHUNKS, target, overwrite=True, durable=False)
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.usefixtures("system")
def test_an_existing_file_may_have_the_same_content(tmp_path: Path) -> None:
    """Two downloads may write it at the same time."""
    target = tmp_path / "a.csv"
    for _ in range(2):
        write(CHUNKS, target, overwrite=False, durable=False)
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.usefixtures("system")
def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Its target is not changed."""
    (tmp_path / "elsewhere").write_bytes(b"kept")
    (tmp_path / "a.csv").symlink_to(tmp_path / "elsewhere")
    write(CHUNKS, tmp_path / "a.csv", overwrite=True, durable=False)
    assert not (tmp_path / "a.csv").is_symlink()
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
    assert (tmp_path / "elsewhere").read_bytes() == b"kept"


def test_a_file_that_appears_at_the_last_moment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`os.link` does not replace a file."""
    target = tmp_path / "a.csv"
    real = os.link

    def link(*args: Any, **options: Any) -> None:
        target.write_bytes(b"another")
        real(*args, **options)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(FileExistsError, match="another file of 7 bytes"):
        write(CHUNKS, target, overwrite=False, durable=False)
    assert target.read_bytes() == b"another"
    assert names(tmp_path) == ["a.csv"]


def test_content_that_is_rejected_is_not_written(tmp_path: Path) -> None:
    """The check receives the length and the digests, and its error is raised."""

    def reject(digest: FileDigest) -> None:
        assert (digest.size, digest.digests) == (len(CONTENT), {"md5": hashlib.md5(CONTENT).digest()})
        raise ValueError("wrong bytes")

    with pytest.raises(ValueError, match="wrong bytes"):
        write_atomically(
            CHUNKS,
            tmp_path / "new" / "a.csv",
            ["md5"],
            reject,
            root=tmp_path,
            overwrite=True,
            durable=False,
        )
    assert names(tmp_path) == []


@pytest.mark.parametrize("sizes", [[], [0], [1], [2047], [2048, 1], [65_536], [65_536, 1], [300_000, 5]])
@pytest.mark.parametrize("kind", [bytes, lambda data: memoryview(bytearray(data))], ids=["bytes", "view"])
def test_the_digests_are_those_of_the_content(
    tmp_path: Path, sizes: list[int], kind: Callable[[bytes], Any]
) -> None:
    """For all sizes and numbers of chunks."""
    chunks = [random.Random(size).randbytes(size) for size in sizes]
    target = tmp_path / "a.csv"
    digest, size = write_atomically(
        [kind(block) for block in chunks],
        target,
        ["md5", "sha256"],
        lambda digest: digest.size,
        root=tmp_path,
        overwrite=False,
        durable=False,
    )
    content = b"".join(chunks)
    assert target.read_bytes() == content
    assert size == len(content)
    assert digest.digests == {
        "md5": hashlib.md5(content).digest(),
        "sha256": hashlib.sha256(content).digest(),
    }
