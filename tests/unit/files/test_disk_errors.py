"""The error for an artifact names the path, the reason and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from packagex_async import Artifact
from packagex_async._files.disk_errors import DiskError, destination_error, wrap_os_errors


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "free some space and download again"),
        (errno.EACCES, "check the permissions of the directory"),
        (errno.EMFILE, "raise the limit of open files, or lower the concurrency"),
        (errno.EIO, "an existing file was not changed"),
    ],
)
def test_a_destination_error_says_what_to_do(number: int, advice: str) -> None:
    """It has the attributes of an `OSError`."""
    cause = DiskError(OSError(number, os.strerror(number)), Path("exports/a.csv"))
    error = destination_error(cause, export_id="exp_1", artifact=Artifact.CSV, purpose="examined")
    path = Path("exports/a.csv")
    assert str(error) == (
        f"export exp_1, artifact csv: {path} cannot be examined: {os.strerror(number)} ({advice})"
    )
    assert (error.errno, error.filename) == (number, str(path))


def test_a_path_is_printed_safely() -> None:
    """Control characters are escaped in the message, but not in the attribute."""
    cause = DiskError(OSError("refused"), Path("a\x1b.csv"))
    error = destination_error(cause, export_id="exp_1", artifact=Artifact.CSV)
    assert r"a\x1b.csv cannot be written: refused" in str(error)
    assert error.filename == "a\x1b.csv"


def test_only_os_errors_are_converted() -> None:
    """The original error is the cause."""
    path, original = Path("a.csv"), OSError(errno.EIO, "broken")
    with pytest.raises(DiskError, match="broken") as caught, wrap_os_errors(path):
        raise original
    assert caught.value.cause is caught.value.__cause__ is original
    assert caught.value.path == path
    with pytest.raises(ValueError, match="other"), wrap_os_errors(path):
        raise ValueError("other")
