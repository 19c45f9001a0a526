"""All errors that this package raises.

::

    PackageXError
    ├ ConfigurationError            (also ValueError) a key, URL, option or parameter is invalid
    │  └ ClientClosedError          the client was closed before the call, or while it ran
    ├ ApiError                      .status .message .code .errors .endpoint .retry_after
    │  ├ BadRequestError            400, 422
    │  ├ AuthenticationError        401
    │  ├ PermissionDeniedError      403
    │  ├ NotFoundError              404, 410
    │  ├ RateLimitError             429
    │  └ ServerError                5xx
    ├ ConnectionFailedError         .retryable
    │  └ RequestTimeoutError        (also TimeoutError)
    ├ UnconfirmedError              it is unknown whether an export was created
    ├ DecodeError                   the response does not match the API documentation
    ├ PaginationError               a page repeats or does not advance
    ├ DirectoryError                (also OSError) a directory cannot be verified or pruned
    ├ ExportStateError              .export_id
    │  ├ ExportNotReadyError
    │  │  └ WaitTimeoutError        (also TimeoutError) .status
    │  ├ ExportFailedError
    │  ├ ExportTimedOutError
    │  └ ExportGoneError
    ├ DownloadError                 .export_id .artifact
    │  ├ LinkExpiredError           ├ StorageError .status .retry_after
    │  │                            │  ├ StorageUnreachableError (also ConnectionFailedError)
    │  │                            │  └ ArtifactNotOfferedError
    │  ├ IncompleteBodyError        ├ ChecksumError
    │  ├ StalledError               ├ DestinationError (also OSError)
    │  └ MalformedRowError (also DecodeError) .row .column
    └ DownloadGroupError            (also ExceptionGroup) .report

A message says what failed, for which export and artifact, and what to do next. It contains no API key and no
signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from packagex_async._utils.redaction import redact, redact_json, sanitize

if TYPE_CHECKING:
    from packagex_async.models import Artifact


MESSAGE_LIMIT = 2000
"""The maximum length of a message in characters."""

_FIELD_LIMIT = 1000
"""The maximum length of a text of the API in an attribute, in characters."""

_MAX_SHOWN_ERRORS = 10
"""The maximum number of the API's `errors` in a message."""

_SHOWN_ERROR_LIMIT = 200
"""The maximum length of each of them, in characters."""

_PROPERTY_KEYS = ("property", "field", "name", "path", "param", "key")
_REASON_KEYS = ("message", "error", "reason", "detail", "description")


def _field(text: str) -> str:
    return sanitize(text, limit=_FIELD_LIMIT)


def _describe_property(error: object) -> str:
    """Return an item of the API's `errors` as text: the name of the property, and what is wrong with it."""
    if not isinstance(error, dict):
        return sanitize(error, limit=_SHOWN_ERROR_LIMIT)
    name = next((error[key] for key in _PROPERTY_KEYS if isinstance(error.get(key), str)), None)
    reason = next((error[key] for key in _REASON_KEYS if isinstance(error.get(key), str)), None)
    texts = [text for text in (name, reason) if text] or [error]
    return ": ".join(sanitize(text, limit=_SHOWN_ERROR_LIMIT) for text in texts)


def _rebuild(cls: type[PackageXError], args: tuple[Any, ...], state: dict[str, Any]) -> PackageXError:
    error = cls.__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class PackageXError(Exception):
    """The base class: catch it to catch every error of this package."""

    def __init__(self, *args: Any) -> None:
        # The last safeguard: a message may quote any text, but is one line without secrets.
        super().__init__(
            *(sanitize(arg, limit=MESSAGE_LIMIT) if isinstance(arg, str) else arg for arg in args)
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Keep a cause of this package, which some messages depend on. Any other cause may contain secrets.
        cause = {"__cause__": self.__cause__} if isinstance(self.__cause__, PackageXError) else {}
        return _rebuild, (type(self), self.args, self.__dict__ | cause)


class ConfigurationError(PackageXError, ValueError):
    """A key, URL, option or parameter is invalid.

    It is raised before a request is sent, with two exceptions: the artifacts lack a column that `types`
    names, or a worker of a Dask cluster has no API key or another version of the package.
    """


class ClientClosedError(ConfigurationError):
    """The client was closed before the call, or while it ran."""


class ApiError(PackageXError):
    """The API rejected a request. API: Responses.

    Attributes:
        status: The HTTP status.
        message: The message of the API, without secrets, with control characters escaped.
        code: The `error_code` (or `code`) of the API, if there is one.
        errors: The API's list of invalid properties, cleaned in the same way.
        endpoint: The endpoint that the response names, or else the method and path of the request.
        retry_after: The seconds to wait that the server requested, if it did.
    """

    hint = ""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        errors: Sequence[Any] = (),
        endpoint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        message = _field(message)
        super().__init__(message)
        self.message = message
        self.status = status
        self.code: str | None = None if code is None else _field(code)
        self.errors: tuple[Any, ...] = tuple(redact_json(list(errors), _field))
        self.endpoint: str | None = None if endpoint is None else _field(endpoint)
        self.retry_after = retry_after

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        details = "".join(f"; {text}" for text in map(_describe_property, self.errors[:_MAX_SHOWN_ERRORS]))
        if (more := len(self.errors) - _MAX_SHOWN_ERRORS) > 0:
            details += f"; and {more} more"
        return f"{self.endpoint or 'request'}: {self.status}{code}: {self.message}{details}{self.hint}"


class BadRequestError(ApiError):
    """400 or 422: the API does not accept a parameter, which `errors` names."""


class AuthenticationError(ApiError):
    """401: the API key is not valid. The sandbox and production use different keys."""

    hint = " (check the key, and that it belongs to this environment: the sandbox uses different keys)"


class PermissionDeniedError(ApiError):
    """403: the API key has no permission for the request."""


class NotFoundError(ApiError):
    """404 or 410: the export does not exist, or not any more: exports are deleted 24 hours after creation."""

    hint = " (exports are deleted 24 hours after creation)"


class RateLimitError(ApiError):
    """429: all attempts failed, or the server requests a longer wait than the policy allows."""


class ServerError(ApiError):
    """5xx: an internal error of the API, after all retries."""


class ConnectionFailedError(PackageXError):
    """A connection could not be established, or ended before the response was complete.

    Attributes:
        retryable: Whether another attempt may succeed. It is `False` for a rejected certificate, for a proxy
            that rejects the request, and for a host name with a forbidden address.
    """

    retryable: bool = True


class RequestTimeoutError(ConnectionFailedError, TimeoutError):
    """The response did not arrive within the timeout."""


class UnconfirmedError(PackageXError):
    """It is unknown whether a request has created an export.

    The `__cause__` is the error of the request: no response, a 5xx status, or an invalid response.
    """

    @classmethod
    def after(cls, failure: PackageXError) -> Self:
        """Return the error for a request that ended with `failure`."""
        return cls(
            f"{failure}; the export may have been created nevertheless: look for it, "
            "for example with list(resource=..., direction='desc'), before creating it again"
        )


class DecodeError(PackageXError):
    """The response does not match the API documentation; the message says where.

    It is also raised if a response has more than 64 MiB after decompression. The rest is not read.
    """


class PaginationError(PackageXError):
    """The listing repeats a page or does not advance."""


class DirectoryError(PackageXError, OSError):
    """A directory or bucket cannot be verified, or old files of a directory cannot be removed.

    Attributes:
        errno: The operating system's error number, if there is one.
        filename: The path, or the URL of the bucket.
    """

    def __init__(self, message: str, *, filename: str, errno: int | None) -> None:
        super().__init__(message)
        self.filename = filename
        self.errno = errno

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, (cls, args, state) = super().__reduce__()
        return rebuild, (cls, args, state | {"filename": self.filename, "errno": self.errno})


class ExportStateError(PackageXError):
    """The export cannot be downloaded in its current state.

    Attributes:
        export_id: The id of the export.
    """

    def __init__(self, message: str, *, export_id: str) -> None:
        super().__init__(message)
        self.export_id: str = redact(export_id)


class ExportNotReadyError(ExportStateError):
    """The export is still queued or processing."""


class WaitTimeoutError(ExportNotReadyError, TimeoutError):
    """The export was not completed within the timeout. You can wait for it again.

    Attributes:
        status: The last known status, or `None` if the API returned none.
    """

    def __init__(self, message: str, *, export_id: str, status: str | None) -> None:
        super().__init__(message, export_id=export_id)
        self.status: str | None = None if status is None else _field(status)


class ExportFailedError(ExportStateError):
    """The platform failed to prepare the export."""


class ExportTimedOutError(ExportStateError):
    """The platform gave up preparing the export."""


class ExportGoneError(ExportStateError):
    """The export no longer exists: exports are deleted 24 hours after creation."""


class DownloadError(PackageXError):
    """An artifact could not be downloaded.

    Attributes:
        export_id: The id of the export; empty for a bucket that cannot be used at all.
        artifact: The artifact.
    """

    def __init__(self, message: str, *, export_id: str, artifact: Artifact) -> None:
        super().__init__(message)
        self.export_id: str = redact(export_id)
        self.artifact = artifact

    def __str__(self) -> str:
        if not self.export_id:
            return str(self.args[0])
        return f"export {sanitize(self.export_id)}, artifact {self.artifact}: {self.args[0]}"


class LinkExpiredError(DownloadError):
    """The presigned URL of the artifact is no longer valid."""


class StorageError(DownloadError):
    """The storage host rejected the request, or its response is not the artifact.

    Attributes:
        status: The HTTP status, or `None` if there was no response.
        retry_after: The seconds to wait that the host requested, if it did.
    """

    def __init__(
        self,
        message: str,
        *,
        export_id: str,
        artifact: Artifact,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, export_id=export_id, artifact=artifact)
        self.status = status
        self.retry_after = retry_after


class StorageUnreachableError(StorageError, ConnectionFailedError):
    """The storage host could not be reached in any attempt."""


class ArtifactNotOfferedError(StorageError):
    """The export does not offer the requested artifact."""


class IncompleteBodyError(DownloadError):
    """The body of the artifact was shorter than declared in every attempt."""


class ChecksumError(DownloadError):
    """The artifact does not have the hash that the storage host declares."""


class StalledError(DownloadError):
    """The transfer of the artifact stalled in every attempt."""


class DestinationError(DownloadError, OSError):
    """The artifact cannot be written to its path, or to its object in a bucket.

    Attributes:
        errno: The operating system's error number, if there is one.
        filename: The path, or the URL of the object or bucket.
    """

    def __init__(
        self,
        message: str,
        *,
        export_id: str,
        artifact: Artifact,
        filename: str | None = None,
        errno: int | None = None,
    ) -> None:
        super().__init__(message, export_id=export_id, artifact=artifact)
        self.filename = filename
        self.errno = errno

    def __reduce__(self) -> tuple[Any, ...]:
        rebuild, (cls, args, state) = super().__reduce__()
        return rebuild, (cls, args, state | {"filename": self.filename, "errno": self.errno})


class MalformedRowError(DownloadError, DecodeError):
    """A row of an artifact is malformed.

    Attributes:
        row: The number of the row, or `None` if the error is not in a row. Data rows count from 1; the header
            and blank lines do not count.
        column: The name of the column, if a single cell is malformed.
    """

    def __init__(
        self,
        message: str,
        *,
        export_id: str,
        artifact: Artifact,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        super().__init__(message, export_id=export_id, artifact=artifact)
        self.row = row
        self.column: str | None = None if column is None else _field(column)
