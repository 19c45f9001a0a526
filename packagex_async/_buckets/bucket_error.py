"""Errors of object storage, without the texts of obstore, which may contain credentials."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Generator

import attrs

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import DestinationError
from packagex_async.models import Artifact

_MAX_URL = 3000
# The patterns are compiled at their first use.
_CODE = r"<Code>(\w{1,80})</Code>"
_STATUS = r"(?i)\bstatus (?:code:? )?\(?([45]\d\d)\b"
_NO_BUCKET = r"NoSuchBucket|ContainerNotFound|bucket does not exist"
_URL = r"https?://(?!169\.254\.|metadata\b|\S*/latest/(?:api/token|meta-data)\b)\S+"
"""URLs of requests, which contain keys. The addresses of credentials remain."""

_NO_CONDITIONS = ("NotImplementedError", "NotSupportedError")
"""The errors of obstore for a store without conditional writes."""

_CHECK_ACCESS = "check the credentials, and that they allow listing, reading and writing objects"


@attrs.frozen(eq=False, repr=False)
class _Problem:
    """A problem of a whole bucket.

    Attributes:
        pattern: Matches the text of obstore.
        message: The message. `{bucket}` is the URL of the bucket, `{code}` the code of the response.
        errno: The error number.
    """

    pattern: str
    message: str
    errno: int


_NOT_FOUND = _Problem(
    _NO_BUCKET, "the bucket {bucket} does not exist; check its name, or create it", errno.ENXIO
)
_DENIED = _Problem(
    r"(?i)AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed"
    r"|AuthorizationFailure|InvalidToken|RequestTimeTooSkewed|credential|//169\.254\.|//metadata\b"
    r"|/latest/(?:api/token|meta-data)\b",
    f"access to {{bucket}} is denied{{code}}; {_CHECK_ACCESS}",
    errno.EACCES,
)
_UNREACHABLE = _Problem(
    r"(?i)error sending request|dns error|tcp connect error|timed out|kind: (?:Connect|Timeout|Request)",
    "the object storage of {bucket} cannot be reached; check the network, the region and the endpoint",
    errno.EHOSTUNREACH,
)
_PROBLEMS = (
    _NOT_FOUND,
    _Problem(
        r"(?i)ExpiredToken|TokenRefreshRequired|token (?:has |is )?expired",
        "the credentials of {bucket} have expired{code}; renew them",
        errno.EACCES,
    ),
    _Problem(
        r"AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraint|redirect without LOCATION",
        "{bucket} is in another region{code}; set the region, such as AWS_REGION, and check the endpoint",
        errno.ENXIO,
    ),
    _Problem(
        r"HTTP error: builder error",
        "the endpoint of {bucket} has no TLS; use https, or permit http, such as with AWS_ALLOW_HTTP=true",
        errno.ENXIO,
    ),
    _Problem(
        r"(?i)QuotaExceeded|StorageFull|InsufficientStorage|Insufficient Storage"
        r"|os error (?:28|122)\b",
        "{bucket} is full{code}; remove objects, or increase its quota",
        errno.ENOSPC,
    ),
    _DENIED,
    _UNREACHABLE,
)
"""The problems of whole buckets. The first that matches is reported."""


class BucketError(Exception):
    """An operation on a bucket failed.

    Attributes:
        url: The URL of the bucket or object.
        errno: The error number of the operating system that is closest in meaning, or `None`.
        affects_all: Whether operations on all other objects would fail as well.
    """

    def __init__(
        self, message: str, url: str, number: int | None = None, *, affects_all: bool = False
    ) -> None:
        super().__init__(message)
        self.url = url
        self.errno = number
        self.affects_all = affects_all


class ObjectNotFoundError(BucketError):
    """The object does not exist."""


class UploadLostError(BucketError):
    """Another process has removed the parts of an upload, for example because it seemed abandoned."""


class ObjectChangedError(BucketError):
    """Another process has created or changed the object meanwhile."""


def bucket_destination_error(
    error: BucketError, *, export_id: str, artifact: Artifact, purpose: str = "written"
) -> DestinationError:
    """Return the public error of an artifact for an error of object storage.

    Args:
        error: The error of object storage.
        export_id: The export.
        artifact: The artifact.
        purpose: The operation that failed, as a past participle.
    """
    url = sanitize(error.url, limit=_MAX_URL)
    refused = DestinationError(
        f"{url} cannot be {purpose}: {error}",
        export_id=export_id,
        artifact=artifact,
        filename=error.url,
        errno=error.errno,
    )
    refused.__cause__ = error
    return refused


@contextlib.contextmanager
def translate_errors(bucket: str, key: str = "") -> Generator[None, None, None]:
    """Convert the errors of obstore in the `with` block to a `BucketError`.

    Args:
        bucket: The URL of the bucket.
        key: The key of the object, or nothing for an operation on the bucket.
    """
    try:
        yield
    except BucketError:
        raise
    except Exception as error:
        failure = translate(error, bucket, key)
    else:
        return
    # The text of the original error may contain a signature.
    raise failure from None


def translate(error: BaseException, bucket: str, key: str) -> BucketError:
    """Return the error of the package for an error of obstore; see `translate_errors`."""
    name, text = type(error).__name__, str(error)
    url = f"{bucket}/{key}" if key else bucket
    if name in ("AlreadyExistsError", "PreconditionError"):
        return ObjectChangedError("another process has changed the object", url, errno.EEXIST)
    if isinstance(error, FileNotFoundError) and key and not re.search(_NO_BUCKET, text):
        return ObjectNotFoundError("the object does not exist", url, errno.ENOENT)
    found = re.search(_CODE, text)
    code = f" ({found[1]})" if found else ""
    if (problem := _find_problem(error)) is not None:
        message = problem.message.format(bucket=sanitize(bucket), code=code)
        return BucketError(message, url, problem.errno, affects_all=True)
    status = re.search(_STATUS, text)
    reason = code or (f" (status {status[1]})" if status else f" ({name})")
    return BucketError(f"the object storage refused the request{reason}", url, errno.EIO)


def lacks_conditions(error: Exception) -> bool:
    """Return whether an error of obstore means that the store has no conditional writes."""
    return type(error).__name__ in _NO_CONDITIONS or "status code: 501" in str(error)


def _find_problem(error: BaseException) -> _Problem | None:
    # The lines after the first paragraph repeat the error with all its causes.
    text, _, details = re.sub(_URL, "", str(error)).partition("Debug source")
    for problem in _PROBLEMS:
        if re.search(problem.pattern, text):
            return problem
    if isinstance(error, FileNotFoundError):
        return _NOT_FOUND
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return _DENIED
    # Only the causes of a failed connection are specific enough.
    return _UNREACHABLE if re.search(_UNREACHABLE.pattern, details) else None
