"""Errors of object storage, without the texts of obstore, which may contain credentials."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Generator

from packagex_async._utils.redaction import sanitize
from packagex_async.errors import DestinationError
from packagex_async.models import Artifact

_MAX_URL = 3000
# The patterns are compiled at their first use.
_CODE = r"<Code>(\w{1,80})</Code>"
_STATUS = r"(?i)\bstatus (?:code )?\(?([45]\d\d)\b"
_UNREACHABLE = (
    r"(?i)error sending request|dns error|tcp connect error|timed out|kind: (?:Connect|Timeout|Request)"
)
_DENIED = (
    r"(?i)AccessDenied|Forbidden|InvalidAccessKeyId|SignatureDoesNotMatch|AuthenticationFailed"
    r"|AuthorizationFailure|credential|/metadata/|/latest/api/token"
)
_NO_BUCKET = r"NoSuchBucket|ContainerNotFound|bucket does not exist"


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


def translate(error: Exception, bucket: str, key: str) -> BucketError:
    """Return the error of the package for an error of obstore; see `translate_errors`."""
    name, text = type(error).__name__, str(error)
    url = f"{bucket}/{key}" if key else bucket
    found = re.search(_CODE, text)
    code = f" ({found[1]})" if found else ""
    if isinstance(error, FileNotFoundError) and key and not re.search(_NO_BUCKET, text):
        return ObjectNotFoundError("the object does not exist", url, errno.ENOENT)
    if isinstance(error, FileNotFoundError) or re.search(_NO_BUCKET, text):
        return BucketError(
            f"the bucket {sanitize(bucket)} does not exist; check its name, or create it",
            url,
            errno.ENXIO,
            affects_all=True,
        )
    if name in ("AlreadyExistsError", "PreconditionError"):
        return ObjectChangedError("another process has changed the object", url, errno.EEXIST)
    if name in ("PermissionDeniedError", "UnauthenticatedError") or _is_denied(text):
        return BucketError(
            f"access to {sanitize(bucket)} is denied{code}; check the credentials, and that they allow "
            "listing, reading and writing objects",
            url,
            errno.EACCES,
            affects_all=True,
        )
    if re.search(_UNREACHABLE, text):
        return BucketError(
            f"the object storage of {sanitize(bucket)} cannot be reached; check the network, the region and "
            "the endpoint",
            url,
            errno.EHOSTUNREACH,
            affects_all=True,
        )
    return BucketError(f"the object storage refused the request{_reason(error, code)}", url, errno.EIO)


def _is_denied(text: str) -> bool:
    # The lines after the first paragraph repeat the error with all its causes.
    return re.search(_DENIED, text.partition("Debug source")[0]) is not None


def _reason(error: Exception, code: str) -> str:
    if code:
        return code
    status = re.search(_STATUS, str(error))
    return f" (status {status[1]})" if status else f" ({type(error).__name__})"
