"""The file of an artifact."""

from __future__ import annotations

from pathlib import Path

import pytest

from packagex_async import Artifact
from packagex_async._files.disk_errors import DiskError
from packagex_async._files.executor import FileExecutor
from packagex_async._partials.targets import FileTarget


async def test_existing_file(tmp_path: Path) -> None:
    """It is read, hashed and described."""
    disk = FileExecutor()
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
    disk.close()
