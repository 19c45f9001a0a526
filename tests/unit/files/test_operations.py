"""Operations on whole files are complete, and their errors are reported."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from packagex_async._bodies.pipe import PipedChunk
from packagex_async._files import operations
from packagex_async._files.operations import (
    CHUNK_SIZE,
    FileDigest,
    digest_file,
    file_size,
    replace_file,
    require_space,
    sync_directory,
    write_all,
    write_piped,
)
from tests.support import names, piped


def failing(number: int) -> Callable[..., Any]:
    """Return a system call that fails with an error number."""

    def fail(*_: object, **__: object) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operating system may write fewer bytes than requested."""
    path = tmp_path / "a.csv"
    content = os.urandom(100)
    real = os.write
    with path.open("wb") as file, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda handle, data: real(handle, data[:7]))
        write_all(file.fileno(), content)
    assert path.read_bytes() == content


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
def test_a_chunk_in_a_pipe_is_written_completely(tmp_path: Path, flags: int) -> None:
    """Linux moves no bytes to a file that is open for appending, nor on some file systems: they are read."""
    content = os.urandom(50_000)
    pipe = piped(content).take_pipe()
    file = os.open(tmp_path / "a.csv", os.O_WRONLY | os.O_CREAT | flags)
    write_piped(file, PipedChunk(pipe, 30_000)[:20_000])
    write_piped(file, PipedChunk(pipe, 30_000))
    os.close(file)
    assert (tmp_path / "a.csv").read_bytes() == content


@pytest.mark.parametrize(("path", "flag"), [("/dev/full", os.O_WRONLY), ("/dev/null", os.O_RDONLY)])
def test_the_error_of_a_chunk_in_a_pipe_is_raised(path: str, flag: int) -> None:
    """Linux moves no bytes to a full device, and none to a file that is open for reading."""
    file = os.open(path, flag)
    with pytest.raises(OSError, match=r"No space left|Bad file descriptor"):
        write_piped(file, piped(b"content"))
    os.close(file)


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1])
def test_a_file_is_digested_in_chunks(tmp_path: Path, size: int) -> None:
    """The callback receives the size of each chunk."""
    path = tmp_path / "a.csv"
    content = os.urandom(size)
    path.write_bytes(content)
    sizes: list[int] = []
    digest = digest_file(path, ("md5", "sha256"), sizes.append)
    assert digest is not None
    assert digest.size == file_size(path) == sum(sizes) == size
    assert digest.digests == {
        "md5": hashlib.md5(content).digest(),
        "sha256": hashlib.sha256(content).digest(),
    }
    assert all(0 < size <= CHUNK_SIZE for size in sizes)


def test_a_digest_is_found_by_its_algorithm() -> None:
    """Of the file, and of the body as transferred."""
    digest = FileDigest(3, {"md5": b"1", "sha256": b"2"}, {"md5": b"3"})
    assert digest.for_algorithm("md5") == {b"1", b"3"}
    assert digest.for_algorithm("sha256") == {b"2"}
    assert digest.for_algorithm("crc32c") == digest.for_algorithm(None) == set()


@pytest.mark.parametrize("existing", [b"other", b"too long"])
def test_a_different_file_is_replaced_only_with_overwrite(tmp_path: Path, existing: bytes) -> None:
    """A file with the same content is replaced in any case."""
    path, target = tmp_path / "new", tmp_path / "a.csv"
    path.write_bytes(b"equal")
    target.write_bytes(existing)
    with pytest.raises(FileExistsError, match=f"another file of {len(existing)} bytes exists there"):
        replace_file(path, target, overwrite=False)
    assert target.read_bytes() == existing
    replace_file(path, target, overwrite=True)
    path.write_bytes(b"equal")
    replace_file(path, target, overwrite=False)
    assert target.read_bytes() == b"equal"
    assert names(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(("failures", "succeeds"), [(3, True), (4, False)])
def test_windows_replaces_a_file_after_some_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, succeeds: bool
) -> None:
    """A virus scanner may have the target open for a moment."""
    path, target = tmp_path / "new", tmp_path / "a.csv"
    path.write_bytes(b"new")
    real, calls = os.replace, list[Path]()

    def replace(source: Path, destination: Path) -> None:
        calls.append(destination)
        if len(calls) <= failures:
            error = PermissionError("in use")
            error.winerror = 32  # type: ignore[attr-defined]
            raise error
        real(source, destination)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(operations, "_SHARING_DELAYS", (0, 0, 0))
    if succeeds:
        replace_file(path, target, overwrite=False)
    else:
        with pytest.raises(PermissionError, match="in use"):
            replace_file(path, target, overwrite=False)
    assert target.exists() == succeeds
    assert len(calls) == 4


def test_other_errors_of_a_replacement_are_raised_at_once(tmp_path: Path) -> None:
    """Only an error of sharing is retried."""
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "absent", tmp_path / "a.csv", overwrite=True)


@pytest.mark.parametrize("usage", [(0, 0, 0), errno.ENOSYS, errno.EACCES])
def test_a_file_system_that_does_not_report_its_space_has_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, usage: Any
) -> None:
    """Too little space is an error only if it is reported."""
    reported = failing(usage) if isinstance(usage, int) else lambda _: shutil._ntuple_diskusage(*usage)
    monkeypatch.setattr(shutil, "disk_usage", reported)
    require_space(tmp_path, 10**15)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    require_space(tmp_path, 0)
    with pytest.raises(OSError, match="no space for 1 bytes"):
        require_space(tmp_path, 1)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.ENOSYS])
def test_a_directory_is_flushed_if_the_file_system_supports_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Any other error is raised."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(number))
        sync_directory(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(errno.EACCES))
        sync_directory(tmp_path)
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync_directory(tmp_path)
