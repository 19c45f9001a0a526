"""The URL of an artifact, and the errors for responses from its storage host; without I/O."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import attrs

from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.response_check import PAGE, is_page
from packagex_async.errors import (
    ChecksumError,
    ConnectionFailedError,
    DownloadError,
    IncompleteBodyError,
    LinkExpiredError,
    RequestTimeoutError,
    StalledError,
    StorageError,
)
from packagex_async.models import Artifact
from packagex_async.report import Verified

# Compiled when they are first used, which is long after the import.
_EXPIRED = rb"(?i)expired|AuthenticationRequired|not valid in the specified time frame"
_CODE = rb"<Code>([A-Za-z]{1,60})</Code>"
_BASIC_FORMAT = "%Y%m%dT%H%M%SZ"


@attrs.frozen(kw_only=True, repr=False)
class DownloadUrl:
    """A presigned URL and what lies behind it; `edition` counts how often it had been renewed."""

    export_id: str
    artifact: Artifact
    url: str = attrs.field(repr=False)
    edition: int = 0

    @property
    def expires(self) -> float | None:
        """When the URL says it expires, in seconds since the epoch, if it does."""
        try:
            given = {name.lower(): value for name, value in parse_qsl(urlsplit(self.url).query)}
            for vendor in ("x-amz", "x-goog"):
                if f"{vendor}-expires" in given:
                    signed = datetime.strptime(given[f"{vendor}-date"], _BASIC_FORMAT).replace(tzinfo=UTC)
                    return signed.timestamp() + float(given[f"{vendor}-expires"])
            if "se" in given:
                until = datetime.fromisoformat(given["se"])
                return (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp()
            return next((float(given[name]) for name in ("expires", "exp", "e") if name in given), None)
        except (KeyError, ValueError):
            return None


def refusal(
    link: DownloadUrl, status: int, body: bytes, *, now: float, retry_after: float | None = None
) -> DownloadError:
    """The error for an answer that is not the artifact.

    Args:
        link: What was asked for.
        status: The answer's status.
        body: The beginning of what it says.
        now: The time by the server's clock, in seconds since the epoch.
        retry_after: Seconds the host asks to wait.
    """
    code = re.search(_CODE, body)
    said = f"{status} ({code[1].decode()})" if code else str(status)
    outlived = link.expires is not None and link.expires <= now
    if status == 410 or (status in (400, 401, 403) and (outlived or re.search(_EXPIRED, body))):
        return LinkExpiredError(
            f"the link has expired ({said}): retrieve the export again for a fresh one",
            export_id=link.export_id,
            artifact=link.artifact,
        )
    return _storage_error(link, f"answered {said}", status, retry_after)


def contradiction(link: DownloadUrl, reason: str, status: int = 200) -> StorageError:
    """Return the error for a response that cannot be the artifact.

    Args:
        link: The URL that was requested.
        reason: What the storage host did, as the predicate of a sentence.
        status: The response's status.
    """
    return _storage_error(link, reason, status)


def unusable(link: DownloadUrl, reason: str) -> StorageError:
    """The error for a body that cannot be what it says it is."""
    return _storage_error(link, f"sent a body that cannot be used: {reason}", 200)


def verify(
    link: DownloadUrl,
    metadata: ObjectMetadata,
    *,
    received: int,
    size: int,
    digests_of: Callable[[str], Collection[bytes]],
    start: bytes,
) -> Verified:
    """Check the bytes of an artifact against everything that is known about it.

    Args:
        link: The URL that was requested.
        metadata: What is known about the object.
        received: The number of bytes that arrived.
        size: The number of bytes they were decoded to.
        digests_of: Returns the digests by an algorithm, of the bytes as they arrived and as decoded. A
            declared hash has to be one of them.
        start: The first bytes of the decoded artifact.

    Returns:
        What the bytes were checked against.

    Raises:
        IncompleteBodyError: There are fewer or more bytes than declared.
        ChecksumError: The bytes do not have a declared hash.
        StorageError: The bytes are a web page or an error document, and no hash proves the opposite.
    """
    for expected, actual in ((metadata.length, received), (metadata.size, size)):
        if expected is not None and actual != expected:
            raise _incomplete(link, actual, expected)
    for algorithm, digest in sorted(metadata.hashes):
        if digest not in digests_of(algorithm):
            other = metadata.disputed_size
            disputed = "" if other is None else f"; it declared {other} bytes before"
            raise ChecksumError(
                f"the {size} bytes that came do not have the {algorithm} the storage host declares{disputed}",
                export_id=link.export_id,
                artifact=link.artifact,
            )
    if metadata.hashes:
        return "checksum"
    if is_page(start):
        raise unusable(link, PAGE)
    return "none" if metadata.length is None and metadata.size is None else "length"


def broken_off(
    link: DownloadUrl, metadata: ObjectMetadata, size: int, error: ConnectionFailedError | None = None
) -> DownloadError:
    """The error for a body that ended after `size` bytes, because of `error` if there was one."""
    if isinstance(error, RequestTimeoutError):
        whole = "an unknown number of" if metadata.wire_length is None else metadata.wire_length
        return StalledError(
            f"no more bytes came in time after {size} of {whole} bytes",
            export_id=link.export_id,
            artifact=link.artifact,
        )
    return _incomplete(link, size, metadata.wire_length)


def _incomplete(link: DownloadUrl, size: int, expected: int | None) -> IncompleteBodyError:
    whole = "an unknown number of" if expected is None else expected
    return IncompleteBodyError(
        f"the body ended after {size} of {whole} bytes", export_id=link.export_id, artifact=link.artifact
    )


def _storage_error(
    link: DownloadUrl, what: str, status: int, retry_after: float | None = None
) -> StorageError:
    return StorageError(
        f"the storage host {what}",
        export_id=link.export_id,
        artifact=link.artifact,
        status=status,
        retry_after=retry_after,
    )
