"""What a storage host's answer says of an artifact, without I/O: length, hash, or why it is refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from packagex_async import _digests
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

if TYPE_CHECKING:
    from multidict import MultiMapping

# Strongest help first: CRC-32C costs next to nothing, MD5 more than the transfer itself.
_ALGORITHMS = {"crc32c": 4, "md5": 16}
_EXPIRED = re.compile(rb"expired", re.IGNORECASE)
_CODE = re.compile(rb"<Code>([A-Za-z]{1,60})</Code>")


@attrs.frozen(kw_only=True)
class Link:
    """A presigned URL and what lies behind it."""

    export_id: str
    artifact: Artifact
    url: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Declared:
    """What the answer's head promises of the whole object.

    Attributes:
        length: Its length in bytes, when told.
        algorithm: The hash to check it by, when one is told that can be computed here.
        digest: Its value.
    """

    length: int | None = None
    algorithm: str | None = None
    digest: bytes = b""

    @classmethod
    def of(cls, headers: MultiMapping[str]) -> Declared:
        """Read the head of an answer that carries the whole object."""
        length = headers.get("Content-Length", "")
        hashes = _hashes(headers)
        algorithm = next((name for name in _ALGORITHMS if name in hashes and _digests.available(name)), None)
        return cls(
            length=int(length) if length.isascii() and length.isdigit() else None,
            algorithm=algorithm,
            digest=hashes[algorithm] if algorithm else b"",
        )


def _hashes(headers: MultiMapping[str]) -> dict[str, bytes]:
    # x-goog-hash covers the bytes as stored; those that arrive are others when they were stored gzipped.
    if headers.get("x-goog-stored-content-encoding") not in (None, "identity"):
        return {}
    pairs = [
        pair.strip().partition("=") for line in headers.getall("x-goog-hash", ()) for pair in line.split(",")
    ]
    told = {name: value for name, _, value in pairs}
    told.setdefault("md5", headers.get("Content-MD5", ""))
    decoded = {name: _base64(told.get(name, "")) for name in _ALGORITHMS}
    return {name: value for name, value in decoded.items() if len(value) == _ALGORITHMS[name]}


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def refusal(link: Link, status: int, body: bytes, retry_after: float | None) -> DownloadError:
    """The error for an answer that is not the artifact; `body` is the beginning of what it says."""
    code = _CODE.search(body)
    said = f"{status} ({code[1].decode()})" if code else str(status)
    if status == 410 or (status in (400, 403) and _EXPIRED.search(body)):
        return LinkExpiredError(
            f"the link has expired ({said}): retrieve the export again for a fresh one",
            export_id=link.export_id,
            artifact=link.artifact,
        )
    return StorageError(
        f"the storage host answered {said}",
        export_id=link.export_id,
        artifact=link.artifact,
        status=status,
        retry_after=retry_after,
    )


def promised(link: Link, status: int, headers: MultiMapping[str]) -> Declared:
    """What an answer promises of the whole object.

    Raises:
        StorageError: It does not carry the object, byte for byte.
    """
    if status != 200:
        raise _not_the_object(link, status, f"answered {status}, which is not the whole artifact")
    encoding = headers.get("Content-Encoding")
    if encoding not in (None, "", "identity"):
        raise _not_the_object(link, status, f"sent it encoded as {encoding!r} though asked not to")
    return Declared.of(headers)


def verify(link: Link, declared: Declared, size: int, digests: Mapping[str, bytes]) -> Verified:
    """What the bytes that came were checked against.

    Raises:
        IncompleteBodyError: There are fewer, or more, than declared.
        ChecksumError: They do not have the declared hash.
    """
    if declared.length is not None and size != declared.length:
        raise broken_off(link, declared, size)
    if declared.algorithm is None:
        return "none" if declared.length is None else "length"
    if digests[declared.algorithm] != declared.digest:
        raise ChecksumError(
            f"the {size} bytes that came do not have the {declared.algorithm} the storage host declares",
            export_id=link.export_id,
            artifact=link.artifact,
        )
    return "checksum"


def broken_off(
    link: Link, declared: Declared, size: int, error: ConnectionFailedError | None = None
) -> DownloadError:
    """The error for a body that ended after `size` bytes, because of `error` if there was one."""
    stalled = isinstance(error, RequestTimeoutError)
    kind = StalledError if stalled else IncompleteBodyError
    what = "no more bytes came in time" if stalled else "the body ended"
    whole = "an unknown number of" if declared.length is None else declared.length
    return kind(f"{what} after {size} of {whole} bytes", export_id=link.export_id, artifact=link.artifact)


def _not_the_object(link: Link, status: int, what: str) -> StorageError:
    return StorageError(
        f"the storage host {what}", export_id=link.export_id, artifact=link.artifact, status=status
    )
