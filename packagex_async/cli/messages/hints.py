"""The message and the hint for each error."""

from __future__ import annotations

import errno

from cyclopts import CycloptsError, UnknownCommandError, UnusedCliTokensError

from packagex_async import errors
from packagex_async.cli.exit_codes import is_bucket_error
from packagex_async.cli.messages.option_names import use_option_names
from packagex_async.cli.messages.usage import UsageError
from packagex_async.report import DownloadGroupError

_NEW_EXPORT = "create the export again: packagex-exports create RESOURCE"
_RESUME = "run the command again: sync and download resume partial files"
_REPORT = "check that --base-url is the PackageX API; if so, report the message to PackageX"

_HINTS: dict[type[errors.PackageXError], str] = {
    errors.PackageXError: "run the command again with -vv to see each request",
    errors.ConfigurationError: "run the command with --help to see its options",
    errors.ApiError: "run the command again with -vv to see each request",
    errors.BadRequestError: "correct the options that the message names, then run the command again",
    errors.AuthenticationError: "check the key and --environment: the sandbox uses different keys",
    errors.PermissionDeniedError: "use a key that has permission for exports",
    errors.NotFoundError: "check the id with packagex-exports list: exports are deleted after 24 hours",
    errors.RateLimitError: "wait some minutes, then run the command again; fewer parallel runs help",
    errors.ServerError: "run the command again later; -vv shows each request",
    errors.ConnectionFailedError: "check the network and --base-url; some networks need --proxy or --ca-file",
    errors.RequestTimeoutError: "check the network, or use a longer --request-timeout",
    errors.UnconfirmedError: "look for it first: packagex-exports list --direction desc",
    errors.DecodeError: _REPORT,
    errors.PaginationError: "run the command again; if it fails again, report the message to PackageX",
    errors.DirectoryError: "check the permissions of the directory and its manifest",
    errors.ExportStateError: "check the status of the export with packagex-exports get EXPORT_ID",
    errors.ExportNotReadyError: "wait for the export: packagex-exports wait EXPORT_ID",
    errors.WaitTimeoutError: "wait for the export again: packagex-exports wait EXPORT_ID",
    errors.ExportFailedError: _NEW_EXPORT,
    errors.ExportTimedOutError: f"{_NEW_EXPORT}, with --option to select fewer rows",
    errors.ExportGoneError: _NEW_EXPORT,
    errors.DownloadError: _RESUME,
    errors.LinkExpiredError: _RESUME,
    errors.StorageError: "run the command again later; -vv shows each attempt",
    errors.StorageUnreachableError: "check that the network permits connections to the storage host",
    errors.ArtifactNotOfferedError: "packagex-exports get EXPORT_ID shows the artifacts of the export",
    errors.IncompleteBodyError: _RESUME,
    errors.ChecksumError: "run the command again; if it fails again, report the message to PackageX",
    errors.StalledError: f"{_RESUME}; a slow network may need a longer --stall-timeout",
    errors.DestinationError: "check the path, its permissions and the free space of its disk",
    errors.MalformedRowError: "download the file without --rows, --count-rows or --format, and check the row",
    DownloadGroupError: _RESUME,
}
"""The next step for the user after each error."""

_EXISTING_FILE = "use --overwrite to replace the file, or another directory"
_BUCKET = "check the name of the bucket, the variables with its credentials, and the network"
_BUCKET_HINTS: dict[int | None, str] = {
    errno.EEXIST: "use --overwrite to replace the object, or another folder of the bucket",
    errno.EACCES: "check the variables or the profile with the credentials, and the policy of the bucket",
    errno.ENOSPC: "remove objects of the bucket or increase its quota, then run the command again",
}
_LIMIT_HINTS = {
    "above max_size=": "use a larger --max-size, or leave the option out",
    "require_verification is set": "leave --require-verification out to accept such artifacts",
}
"""The hint for an artifact that exceeds a limit of the user, by a part of its message."""

_PATH = "check the path, or choose another one"
_OTHER_HINTS = {
    errno.ENOSPC: "free disk space, then run the command again",
    errno.EACCES: "check the permissions of the path",
    errno.EBADF: "redirect stdout to a file or to another program",
    **dict.fromkeys((errno.EEXIST, errno.EISDIR, errno.ENOENT, errno.ENOTDIR, errno.EROFS), _PATH),
    **dict.fromkeys((errno.ELOOP, errno.ENAMETOOLONG), _PATH),
}


def error_message(error: BaseException) -> str:
    """Return the message of an error with names of options, without a hint."""
    if isinstance(error, errors.ApiError):
        return use_option_names(str(error).removesuffix(error.hint))
    if isinstance(error, errors.PackageXError) and not isinstance(error, UsageError):
        return use_option_names(str(error))
    if isinstance(error, CycloptsError):
        text = _unused_message(error) or str(error)
        return text[:1].lower() + text[1:]
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def error_hint(error: BaseException) -> str:
    """Return the next step for the user after an error."""
    if isinstance(error, UsageError) and error.hint:
        return error.hint
    if is_bucket_error(error):
        return _BUCKET_HINTS.get(error.errno, _BUCKET)
    if isinstance(error, errors.DestinationError) and error.errno == errno.EEXIST:
        return _EXISTING_FILE
    if isinstance(error, errors.StorageError) and (hint := limit_hint(error)):
        return hint
    if isinstance(error, OSError) and error.errno in _OTHER_HINTS:
        return _OTHER_HINTS[error.errno]
    if isinstance(error, CycloptsError):
        return _usage_hint(error)
    return _hint_for(error)


def limit_hint(error: errors.PackageXError) -> str | None:
    """Return the hint for an artifact that exceeds a limit of the user, or `None` for another error."""
    message = str(error.args[0]) if error.args else ""
    return next((hint for text, hint in _LIMIT_HINTS.items() if text in message), None)


def _hint_for(error: BaseException) -> str:
    """Return the hint for the class of an error or for its closest base class."""
    kinds = (kind for kind in type(error).__mro__ if kind in _HINTS)
    return _HINTS[next(kinds, errors.PackageXError)]


def _unused_message(error: CycloptsError) -> str | None:
    """Return the message for an argument that is not expected in its place, or `None` for other errors."""
    token = error.unused_tokens[0] if error.unused_tokens else ""
    if isinstance(error, UnusedCliTokensError):
        return f"unexpected argument {token!r}"
    if isinstance(error, UnknownCommandError) and token.startswith("-"):
        return f"unknown option {token} before the command"
    return None


def _usage_hint(error: CycloptsError) -> str:
    tokens = error.unused_tokens
    if isinstance(error, UnknownCommandError) and tokens and tokens[0].startswith("-"):
        return f"write it after the command: packagex-exports COMMAND {tokens[0]}"
    command = " ".join(("packagex-exports", *(error.command_chain or ())))
    shown = "options" if error.command_chain else "commands"
    return f"run {command} --help to see its {shown}"
