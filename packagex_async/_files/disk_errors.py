"""The error for an artifact that a disk refuses, and what can be done about it."""

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
    errno.EFBIG: "the file system takes no file that large: choose another directory",
    errno.ENAMETOOLONG: "choose a directory with a shorter path",
    errno.EISDIR: "a directory has the name of the file: move it away",
    errno.ENOTDIR: "a file is where a directory should be: move it away, or choose another directory",
    errno.ELOOP: "links are not followed: remove the link, or choose another directory",
    errno.EEXIST: "move it away, or choose another directory",
    errno.ENOENT: "it was removed during the download: download again",
    errno.EMFILE: "raise the limit of open files, or lower the concurrency",
    errno.ENFILE: "close some files, or lower the concurrency",
    errno.EAGAIN: "raise the limit of threads",
}


def destination_error(
    error: DiskError, *, export_id: str, artifact: Artifact, purpose: str = "written"
) -> DestinationError:
    """Return the error of an artifact for an error of the disk.

    Args:
        error: What the disk refused.
        export_id: The export.
        artifact: The artifact.
        purpose: What cannot be done with the path, as a past participle.
    """
    number = error.cause.errno
    path = sanitize(error.path, limit=_MAX_PATH)
    reason = sanitize(error, limit=_MAX_PATH)
    advice = _ADVICE.get(number or 0, "the file was left as it was")
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
    """The disk refused; `cause` is what the operating system said, `path` what it was about."""

    def __init__(self, cause: OSError, path: Path) -> None:
        super().__init__(cause.strerror or str(cause))
        self.cause = cause
        self.path = path


@contextlib.contextmanager
def disk_errors(path: Path) -> Generator[None, None, None]:
    """Raise a `DiskError` about `path` for an `OSError`."""
    try:
        yield
    except OSError as error:
        failure = DiskError(error, path)
        raise failure from error
