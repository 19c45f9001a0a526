"""Public errors of targets."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from packagex_async import Artifact
from packagex_async._buckets.bucket_error import BucketError
from packagex_async._buckets.target_errors import is_fatal, target_error
from packagex_async._files.disk_errors import DiskError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DiskError(OSError(errno.ENOSPC, "full"), Path("a")), True),
        (DiskError(OSError(errno.EACCES, "denied"), Path("a")), False),
        (BucketError("x", "s3://b", errno.ENXIO, affects_all=True), True),
        (BucketError("x", "s3://b/a", errno.EIO), False),
    ],
)
def test_fatal_errors(error: DiskError | BucketError, expected: bool) -> None:
    """A full disk and a bucket that cannot be used end all downloads."""
    assert is_fatal(target_error(error, export_id="exp_1", artifact=Artifact.CSV)) is expected


def test_other_errors() -> None:
    """Other exceptions are not failures of a target."""
    assert not is_fatal(ValueError())
