"""Errors for responses of storage hosts. No error contains a URL."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packagex_async.errors import (
    ConnectionFailedError,
    DownloadError,
    IncompleteBodyError,
    LinkExpiredError,
    RequestTimeoutError,
    StalledError,
    StorageError,
)

if TYPE_CHECKING:
    from packagex_async._storage.download_url import DownloadUrl

# Compiled at their first use, to keep the import fast.
_EXPIRED = rb"(?i)expired|AuthenticationRequired|not valid in the specified time frame"
_CODE = rb"<Code>([A-Za-z]{1,60})</Code>"


def status_error(
    url: DownloadUrl, status: int, body: bytes, *, now: float, retry_after: float | None = None
) -> DownloadError:
    """Return the error for a response with an error status.

    Args:
        url: The URL that was requested.
        status: The status of the response.
        body: The first bytes of its body.
        now: The server's time, in seconds since the epoch.
        retry_after: Seconds from `Retry-After`.
    """
    code = re.search(_CODE, body)
    shown = f"{status} ({code[1].decode()})" if code else str(status)
    is_past_expiry = url.expires_at is not None and url.expires_at <= now
    if status == 410 or (status in (400, 401, 403) and (is_past_expiry or re.search(_EXPIRED, body))):
        return LinkExpiredError(
            f"the link has expired ({shown}): retrieve the export again to get a new one",
            export_id=url.export_id,
            artifact=url.artifact,
        )
    return _storage_error(url, f"answered {shown}", status, retry_after)


def contradiction_error(url: DownloadUrl, reason: str, status: int = 200) -> StorageError:
    """Return the error for a response that contradicts what is known about the artifact.

    Args:
        url: The URL that was requested.
        reason: The action of the storage host, as the predicate of a sentence.
        status: The status of the response.
    """
    return _storage_error(url, reason, status)


def unusable_body_error(url: DownloadUrl, reason: str) -> StorageError:
    """Return the error for a body that cannot be used."""
    return _storage_error(url, f"sent a body that cannot be used: {reason}", 200)


def interrupted_body_error(
    url: DownloadUrl, received: int, expected: int | None, error: ConnectionFailedError | None = None
) -> DownloadError:
    """Return the error for a body that ended early.

    Args:
        url: The URL that was requested.
        received: The number of bytes that arrived.
        expected: The number of bytes that were expected; `None` if unknown.
        error: The error of the connection; `None` if the server ended the body.
    """
    if isinstance(error, RequestTimeoutError):
        return StalledError(
            f"the body stalled after {received} of {_count(expected)} bytes",
            export_id=url.export_id,
            artifact=url.artifact,
        )
    return incomplete_body_error(url, received, expected)


def incomplete_body_error(url: DownloadUrl, received: int, expected: int | None) -> IncompleteBodyError:
    """Return the error for a body with fewer or more bytes than expected."""
    is_longer = expected is not None and received > expected
    difference = (
        f"has {received} bytes or more instead of {expected}"
        if is_longer
        else f"ended after {received} of {_count(expected)} bytes"
    )
    return IncompleteBodyError(
        f"the body {difference}",
        export_id=url.export_id,
        artifact=url.artifact,
    )


def _count(size: int | None) -> str:
    return "an unknown number of" if size is None else str(size)


def _storage_error(
    url: DownloadUrl, predicate: str, status: int, retry_after: float | None = None
) -> StorageError:
    return StorageError(
        f"the storage host {predicate}",
        export_id=url.export_id,
        artifact=url.artifact,
        status=status,
        retry_after=retry_after,
    )
