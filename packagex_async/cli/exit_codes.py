"""What the command's exit code tells, and which one an error comes to."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from packagex_async.errors import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    ExportGoneError,
    NotFoundError,
    PackageXError,
    PermissionDeniedError,
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
    INTERRUPTED = 130
    UNREAD = 141


HELP = """Exit codes:

    0  everything that was asked for is done
    1  an error that is none of the following
    2  usage or configuration: no key, or an option that cannot work
    3  the API refuses the key (401, 403)
    4  no such export, or no longer
    5  some artifacts are on disk, others failed
    6  every download failed (2, 3 or 4 where that is the reason of them all)
  130  interrupted
  141  whoever read the output stopped reading, like `| head`
"""

_CODES: tuple[tuple[ExitCode, tuple[type[PackageXError], ...]], ...] = (
    (ExitCode.USAGE, (ConfigurationError, BadRequestError)),
    (ExitCode.AUTHENTICATION, (AuthenticationError, PermissionDeniedError)),
    (ExitCode.NOT_FOUND, (NotFoundError, ExportGoneError)),
)


def exit_code(error: PackageXError) -> ExitCode:
    """The code for a command that ended in `error`."""
    return next((code for code, kinds in _CODES if isinstance(error, kinds)), ExitCode.ERROR)


def exit_code_of_downloads(errors: Iterable[PackageXError], *, any_succeeded: bool) -> ExitCode:
    """The code for downloads of which some, all or none ended in `errors`."""
    codes = {exit_code(error) for error in errors}
    if not codes:
        return ExitCode.OK
    if any_succeeded:
        return ExitCode.PARTIAL
    shared = codes.pop()
    return ExitCode.NOTHING if codes or shared is ExitCode.ERROR else shared
