"""Exit codes of the commands, and the exit code of each error."""

from __future__ import annotations

import enum
import errno
from collections.abc import Iterable
from typing import TypeGuard

from packagex_async.errors import (
    ArtifactNotOfferedError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    DestinationError,
    DirectoryError,
    ExportFailedError,
    ExportGoneError,
    ExportTimedOutError,
    NotFoundError,
    PackageXError,
    PermissionDeniedError,
    UnconfirmedError,
    WaitTimeoutError,
)


class ExitCode(enum.IntEnum):
    """The result of a command."""

    OK = 0
    ERROR = 1
    USAGE = 2
    AUTHENTICATION = 3
    NOT_FOUND = 4
    PARTIAL = 5
    NOTHING = 6
    STOPPED = 7
    FAILED = 8
    TIMED_OUT = 9
    NOT_READY = 10
    UNCONFIRMED = 11
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


HELP = """Exit codes:

    0  success
    1  any other error
    2  usage or configuration error, such as a missing key or an invalid option
    3  the API rejected the key (401, 403)
    4  the export does not exist, was deleted, or does not offer the artifact
    5  some files are complete, others failed
    6  all downloads failed (2, 3, 4 or 7 if all failed for that reason)
    7  sync stopped early, such as on a full disk, or the bucket cannot be used
    8  exports failed or timed out on the platform; no download failed
    9  the export timed out on the platform (create and wait; otherwise 8)
   10  exports were not completed within the waiting time; nothing else failed
   11  the export may have been created; check before creating it again
  130  interrupted by SIGINT (Ctrl-C)
  141  stdout was closed by its reader, such as `head`
  143  terminated by SIGTERM
"""

_EXIT_CODES: tuple[tuple[ExitCode, tuple[type[PackageXError], ...]], ...] = (
    (ExitCode.USAGE, (ConfigurationError, BadRequestError)),
    (ExitCode.AUTHENTICATION, (AuthenticationError, PermissionDeniedError)),
    (ExitCode.NOT_FOUND, (NotFoundError, ExportGoneError, ArtifactNotOfferedError)),
    (ExitCode.FAILED, (ExportFailedError,)),
    (ExitCode.TIMED_OUT, (ExportTimedOutError,)),
    (ExitCode.NOT_READY, (WaitTimeoutError,)),
    (ExitCode.UNCONFIRMED, (UnconfirmedError,)),
)
_COMMON_CAUSES = {ExitCode.USAGE, ExitCode.AUTHENTICATION, ExitCode.NOT_FOUND, ExitCode.STOPPED}
"""Codes that many downloads return if all of them failed for that reason."""

_FAILED_EXPORTS = {ExitCode.FAILED, ExitCode.TIMED_OUT}
"""Codes of exports that failed on the platform, for which there is nothing to download."""


_BUCKET_ERRNOS = {errno.EACCES, errno.EHOSTUNREACH, errno.ENOSPC, errno.ENXIO}
"""The error numbers of a bucket that cannot be used. Others belong to one object."""


def is_bucket_error(error: BaseException) -> TypeGuard[DestinationError | DirectoryError]:
    """Return whether an error is about a bucket or an object, and not about a directory or a file."""
    return isinstance(error, DestinationError | DirectoryError) and "://" in str(error.filename)


def exit_code(error: PackageXError) -> ExitCode:
    """Return the exit code of a command that failed with `error`."""
    if is_bucket_error(error) and error.errno in _BUCKET_ERRNOS:
        return ExitCode.STOPPED
    return next((code for code, kinds in _EXIT_CODES if isinstance(error, kinds)), ExitCode.ERROR)


def exit_code_when_stopped(error: PackageXError) -> ExitCode:
    """Return the exit code of a sync that `error` stopped."""
    code = exit_code(error)
    return code if code in _COMMON_CAUSES else ExitCode.STOPPED


def exit_code_of_downloads(
    failures: Iterable[ExitCode], *, any_succeeded: bool, ignore_failed_exports: bool = False
) -> ExitCode:
    """Return the common exit code of several downloads.

    Failed downloads determine the code, then exports that failed on the platform, then exports that were not
    completed within the waiting time.

    Args:
        failures: The exit codes of the errors.
        any_succeeded: Whether at least one download succeeded.
        ignore_failed_exports: Whether exports that failed on the platform do not change the code.
    """
    codes = set(failures)
    has_failed_exports = bool(codes & _FAILED_EXPORTS) and not ignore_failed_exports
    codes -= _FAILED_EXPORTS
    if codes <= {ExitCode.NOT_READY}:
        if has_failed_exports:
            return ExitCode.FAILED
        return ExitCode.NOT_READY if codes else ExitCode.OK
    if any_succeeded:
        return ExitCode.PARTIAL
    return codes.pop() if len(codes) == 1 and codes <= _COMMON_CAUSES else ExitCode.NOTHING
