"""The file of an artifact."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from packagex_async import Artifact
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._partials.targets import FileTarget


@pytest.fixture
def disk() -> Iterator[FileExecutor]:
    """The threads for file operations."""
    disk = FileExecutor()
    yield disk
    disk.close()


async def test_existing_file(disk: FileExecutor, tmp_path: Path) -> None:
    """It is read, hashed and described."""
    target = FileTarget(tmp_path / "a.csv", tmp_path, disk)
    assert await target.digest(["md5"]) is None
    output = target.new_output()
    output.create()
    output.write(b"1")
    output.publish(overwrite=False, durable=False)
    assert target.name == str(tmp_path / "a.csv")
    with target.open() as file:
        assert file.read() == b"1"
    digest = await target.digest(["md5"])
    assert digest is not None
    assert target.new_file(artifact=Artifact.CSV, size=1, verified="length").path == target.path
    with pytest.raises(DiskError):
        await target.run((tmp_path / "missing").read_bytes)


async def test_a_file_is_digested_without_being_changed(disk: FileExecutor, tmp_path: Path) -> None:
    """The length, and the requested digests. A missing file has none."""
    target = FileTarget(tmp_path / "a.csv", tmp_path, disk)
    assert await target.digest(["md5"]) is None
    target.path.write_bytes(b"abc")
    digest = await target.digest([])
    assert digest is not None
    assert (digest.size, digest.digests) == (3, {})
    digest = await target.digest(["md5"])
    assert digest is not None
    assert digest.digests["md5"] == hashlib.md5(b"abc").digest()


async def test_only_regular_files_are_digested(disk: FileExecutor, tmp_path: Path) -> None:
    """A directory, a link or a pipe is an error that names its type."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / "pipe")
    types = {"directory": "a directory", "link": "a symbolic link", "pipe": "not a regular file"}
    for name, file_type in types.items():
        for algorithms in ([], ["md5"]):
            with pytest.raises(DiskError, match=f"{name} is {file_type}"):
                await FileTarget(tmp_path / name, tmp_path, disk).digest(algorithms)
