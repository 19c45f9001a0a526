"""Every error this package raises.

::

    PackageXError
    ├ ConfigurationError            (also ValueError) a key, URL, option or parameter that cannot work
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
    ├ UnconfirmedError              whether an export was created is not known
    ├ DecodeError                   the answer is not what the API promises; says where
    ├ PaginationError               a page that repeats or does not advance
    ├ DirectoryError                (also OSError) a directory that cannot be verified
    ├ ExportStateError              .export_id
    │  ├ ExportNotReadyError
    │  │  └ WaitTimeoutError        (also TimeoutError) .status
    │  ├ ExportFailedError
    │  ├ ExportTimedOutError
    │  └ ExportGoneError
    ├ DownloadError                 .export_id .artifact
    │  ├ LinkExpiredError           ├ StorageError .status .retry_after
    │  │                            │  └ StorageUnreachableError (also ConnectionFailedError)
    │  ├ IncompleteBodyError        ├ ChecksumError
    │  ├ StalledError               └ DestinationError (also OSError)
    └ DownloadGroupError            (also ExceptionGroup) .report

A message says what failed, for which export and artifact, and what the caller can do; it holds no key
and no signature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from packagex_async._utils.redaction import redact, redact_json, sanitize

if TYPE_CHECKING:
    from packagex_async.models import Artifact


MESSAGE_LIMIT = 2000
_FIELD_LIMIT = 1000
"""Characters of the longest message, and of the longest text of the API in one of its fields."""


def _field(text: str) -> str:
    return sanitize(text, limit=_FIELD_LIMIT)


def _rebuild(cls: type[PackageXError], args: tuple[Any, ...], state: dict[str, Any]) -> PackageXError:
    error = cls.__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class PackageXError(Exception):
    """The root: catch it to catch every error of this package."""

    def __init__(self, *args: Any) -> None:
        # The last line of defence: whatever a message quotes, it is one line without a secret.
        super().__init__(
            *(sanitize(arg, limit=MESSAGE_LIMIT) if isinstance(arg, str) else arg for arg in args)
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # A cause of ours travels along, for some errors say no more than it does; another's may hold secrets.
        cause = {"__cause__": self.__cause__} if isinstance(self.__cause__, PackageXError) else {}
        return _rebuild, (type(self), self.args, self.__dict__ | cause)


class ConfigurationError(PackageXError, ValueError):
    """A key, URL, option or parameter that cannot work; raised before anything is sent."""


class ClientClosedError(ConfigurationError):
    """The client was closed before the call, or while it ran."""


class ApiError(PackageXError):
    """The API refused a request. API: Responses.

    Attributes:
        status: The HTTP status.
        message: What the API said, without secrets, and with control characters escaped.
        code: The API's `error_code` (or `code`), if it gave one.
        errors: The API's list of failed properties, cleaned in the same way.
        endpoint: The endpoint the answer names, else the method and path that were asked for.
        retry_after: Seconds the server asked to wait, if it did.
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
        self.code = None if code is None else _field(code)
        self.errors: tuple[Any, ...] = tuple(redact_json(list(errors), _field))
        self.endpoint = None if endpoint is None else _field(endpoint)
        self.retry_after = retry_after

    def __str__(self) -> str:
        code = f" ({self.code})" if self.code else ""
        return f"{self.endpoint or 'request'}: {self.status}{code}: {self.message}{self.hint}"


class BadRequestError(ApiError):
    """400 or 422: the API does not accept a parameter; `errors` names it."""


class AuthenticationError(ApiError):
    """401: the API does not know the key. Sandbox and production have keys of their own."""

    hint = " (check the key, and that it belongs to this environment: sandbox keys are keys of their own)"


class PermissionDeniedError(ApiError):
    """403: the key may not do this."""


class NotFoundError(ApiError):
    """404 or 410: no such export, or no longer: exports are deleted 24 hours after creation."""

    hint = " (exports are deleted 24 hours after creation)"


class RateLimitError(ApiError):
    """429, when retrying did not help or the server asks for a longer wait than the policy allows."""


class ServerError(ApiError):
    """5xx, when retrying did not help."""


class ConnectionFailedError(PackageXError):
    """No connection, or one that broke before the answer was whole.

    Attributes:
        retryable: Whether another attempt can help. It is `False` for a rejected certificate, for a proxy
            that refuses, and for a name that resolves to an address that must not be connected to.
    """

    retryable: bool = True


class RequestTimeoutError(ConnectionFailedError, TimeoutError):
    """No answer within the time allowed."""


class UnconfirmedError(PackageXError):
    """A request to create an export may have been carried out, and there is no word of it.

    What went wrong (no answer, a 5xx, an answer that makes no sense) is its `__cause__`.
    """

    @classmethod
    def after(cls, failure: PackageXError) -> Self:
        """The error for a request that ended in `failure`."""
        return cls(
            f"{failure}; the export may have been created all the same: look for it, "
            "as with list(resource=..., direction='desc'), before creating it again"
        )


class DecodeError(PackageXError):
    """The answer is not what the API promises; the message says where.

    It is raised, too, for a response of more than 64 MiB after decompression, of which no more is read.
    """


class PaginationError(PackageXError):
    """The listing repeats a page or does not advance."""


class DirectoryError(PackageXError, OSError):
    """A directory cannot be verified: the operating system does not let its manifest be read.

    Attributes:
        errno: The operating system's error number, if there is one.
        filename: The path.
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
    """The export cannot be downloaded in the state it is in.

    Attributes:
        export_id: Which export.
    """

    def __init__(self, message: str, *, export_id: str) -> None:
        super().__init__(message)
        self.export_id = redact(export_id)


class ExportNotReadyError(ExportStateError):
    """The export is still queued or processing."""


class WaitTimeoutError(ExportNotReadyError, TimeoutError):
    """The export did not get ready within the time it was waited for; it can be waited for again.

    Attributes:
        status: Where it stood at the last look, or `None` when it was never told.
    """

    def __init__(self, message: str, *, export_id: str, status: str | None) -> None:
        super().__init__(message, export_id=export_id)
        self.status = None if status is None else _field(status)


class ExportFailedError(ExportStateError):
    """The platform failed to prepare the export."""


class ExportTimedOutError(ExportStateError):
    """The platform gave up preparing the export."""


class ExportGoneError(ExportStateError):
    """The export no longer exists: exports are deleted 24 hours after creation."""


class DownloadError(PackageXError):
    """An artifact could not be downloaded.

    Attributes:
        export_id: Which export.
        artifact: Which of its artifacts.
    """

    def __init__(self, message: str, *, export_id: str, artifact: Artifact) -> None:
        super().__init__(message)
        self.export_id = redact(export_id)
        self.artifact = artifact

    def __str__(self) -> str:
        return f"export {sanitize(self.export_id)}, artifact {self.artifact}: {self.args[0]}"


class LinkExpiredError(DownloadError):
    """The artifact's presigned URL is no longer valid."""


class StorageError(DownloadError):
    """The storage host refused the artifact, or answered with something that is not it.

    Attributes:
        status: The HTTP status, or `None` when there was no answer.
        retry_after: Seconds the host asked to wait, if it did.
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
    """The storage host could not be reached, again and again."""


class IncompleteBodyError(DownloadError):
    """The artifact's bytes ended before their declared end, again and again."""


class ChecksumError(DownloadError):
    """The artifact's bytes do not have the hash the storage host declares."""


class StalledError(DownloadError):
    """The artifact's bytes stopped coming, again and again."""


class DestinationError(DownloadError, OSError):
    """The artifact cannot be written where it should go.

    Attributes:
        errno: The operating system's error number, if there is one.
        filename: The path.
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
