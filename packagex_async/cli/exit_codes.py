"""What the command's exit code tells, and which one an error comes to."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from packagex_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
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
    """How a command ended."""

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
    UNREAD = 141
    TERMINATED = 143


HELP = """Exit codes:

    0  everything that was asked for is done
    1  an error that is none of the following
    2  usage or configuration: no key, or an option that cannot work
    3  the API refuses the key (401, 403)
    4  no such export, or no longer
    5  some files are there as they should be, others are not
    6  none is: every download failed (2, 3 or 4 where that is the reason of them all)
    7  sync was stopped: the disk is full, say, or the listing broke off
    8  the platform could not prepare the export
    9  the platform gave up preparing the export
   10  an export was not completed in the time it was waited for, and nothing else failed
   11  whether the export was created is not known: look before creating it again
  130  interrupted by SIGINT (Ctrl-C)
  141  whoever read the output stopped reading, like `| head`
  143  terminated by SIGTERM
"""

_CODES: tuple[tuple[ExitCode, tuple[type[PackageXError], ...]], ...] = (
    (ExitCode.USAGE, (ConfigurationError, BadRequestError)),
    (ExitCode.AUTHENTICATION, (AuthenticationError, PermissionDeniedError)),
    (ExitCode.NOT_FOUND, (NotFoundError, ExportGoneError)),
    (ExitCode.FAILED, (ExportFailedError,)),
    (ExitCode.TIMED_OUT, (ExportTimedOutError,)),
    (ExitCode.NOT_READY, (WaitTimeoutError,)),
    (ExitCode.UNCONFIRMED, (UnconfirmedError,)),
)
_TELLING = {ExitCode.USAGE, ExitCode.AUTHENTICATION, ExitCode.NOT_FOUND}


def exit_code(error: PackageXError) -> ExitCode:
    """The code for a command that ended in `error`."""
    return next((code for code, kinds in _CODES if isinstance(error, kinds)), ExitCode.ERROR)


def exit_code_when_stopped(error: PackageXError) -> ExitCode:
    """The code for many downloads that `error` has stopped."""
    code = exit_code(error)
    return code if code in _TELLING else ExitCode.STOPPED


def exit_code_of_downloads(failures: Iterable[ExitCode], *, any_succeeded: bool) -> ExitCode:
    """The code for downloads of which some, all or none ended in errors of these codes."""
    codes = set(failures)
    if not codes:
        return ExitCode.OK
    if codes == {ExitCode.NOT_READY}:
        return ExitCode.NOT_READY
    if any_succeeded:
        return ExitCode.PARTIAL
    return codes.pop() if len(codes) == 1 and codes <= _TELLING else ExitCode.NOTHING
