"""Errors of the file system, and the public error that an artifact gets for them."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Generator
from pathlib import Path

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import DestinationError
from packagex_async.models import Artifact

_MAX_PATH = 5000
_ADVICE = {
    errno.ENOSPC: "free some space and download again",
    errno.EDQUOT: "the quota is used up: free some space and download again",
    errno.EACCES: "check the permissions of the directory",
    errno.EPERM: "check the permissions of the directory",
    errno.EROFS: "the file system is read-only: choose another directory",
    errno.EFBIG: "the file system does not support files of this size: choose another directory",
    errno.ENAMETOOLONG: "choose a directory with a shorter path",
    errno.EISDIR: "move the directory away, which has the name of the file",
    errno.ENOTDIR: "a directory is needed there: move the file away, or choose another directory",
    errno.ELOOP: "symbolic links are not followed: remove the link, or choose another directory",
    errno.EEXIST: "pass overwrite=True, move it away, or choose another directory",
    errno.ENOENT: "it was removed during the download: download again",
    errno.EMFILE: "raise the limit of open files, or lower the concurrency",
    errno.ENFILE: "close some files, or lower the concurrency",
    errno.EAGAIN: "raise the limit of threads",
}


def destination_error(
    error: DiskError, *, export_id: str, artifact: Artifact, purpose: str = "written"
) -> DestinationError:
    """Return the public error of an artifact for an error of the file system.

    Args:
        error: The error of the file system.
        export_id: The export.
        artifact: The artifact.
        purpose: The operation that failed, as a past participle.
    """
    number = error.cause.errno
    path = sanitize(error.path, limit=_MAX_PATH)
    reason = sanitize(error, limit=_MAX_PATH)
    advice = _ADVICE.get(number or 0, "an existing file was not changed")
    refused = DestinationError(
        f"{path} cannot be {purpose}: {reason} ({advice})",
        export_id=export_id,
        artifact=artifact,
        filename=str(error.path),
        errno=number,
    )
    refused.__cause__ = error.cause
    return refused


class DiskError(Exception):
    """A file operation failed.

    Attributes:
        cause: The error of the operating system.
        path: The path of the operation.
    """

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        # Without the traceback, whose frames hold the data that could not be written.
        self.cause = cause.with_traceback(None)
        self.path = path


@contextlib.contextmanager
def wrap_os_errors(path: Path) -> Generator[None, None, None]:
    """Convert an `OSError` in the `with` block to a `DiskError` for `path`."""
    try:
        yield
    except OSError as error:
        failure = DiskError(error, path)
        raise failure from error
