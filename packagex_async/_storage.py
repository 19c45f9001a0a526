"""What a storage host's answer says of an artifact, without I/O: length, hash, identity, or a refusal."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from datetime import UTC, datetime
from operator import index
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import attrs

from packagex_async import _digests
from packagex_async._decode import ENCODINGS
from packagex_async._spans import Span
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
# Compiled when they are first used, which is long after the import.
_EXPIRED = rb"(?i)expired|AuthenticationRequired|not valid in the specified time frame"
_CODE = rb"<Code>([A-Za-z]{1,60})</Code>"
_CONTENT_RANGE = r"bytes (\d+)-(\d+)/(\d+)\Z"
_BASIC_FORMAT = "%Y%m%dT%H%M%SZ"


@attrs.frozen(kw_only=True, repr=False)
class Link:
    """A presigned URL and what lies behind it; `edition` counts how often it had been renewed."""

    export_id: str
    artifact: Artifact
    url: str = attrs.field(repr=False)
    edition: int = 0

    @property
    def expires(self) -> float | None:
        """When the URL says it expires, in seconds since the epoch, if it does."""
        given = {name.lower(): value for name, value in parse_qsl(urlsplit(self.url).query)}
        try:
            for vendor in ("x-amz", "x-goog"):
                if f"{vendor}-expires" in given:
                    signed = datetime.strptime(given[f"{vendor}-date"], _BASIC_FORMAT).replace(tzinfo=UTC)
                    return signed.timestamp() + float(given[f"{vendor}-expires"])
            if "se" in given:
                return datetime.fromisoformat(given["se"]).timestamp()
            return next((float(given[name]) for name in ("expires", "exp", "e") if name in given), None)
        except (KeyError, ValueError):
            return None


def _name() -> Any:
    # A memo is read from a disk, where it may have become anything.
    return attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.instance_of(str)))


@attrs.frozen(kw_only=True, repr=False)
class Identity:
    """What names the content behind a link, so that two answers can be known to carry the same.

    Attributes:
        etag: The strong ETag, if there is one.
        generation: Google's `x-goog-generation`, which names content as firmly.
        modified: The `Last-Modified` text.
    """

    etag: str | None = _name()
    generation: str | None = _name()
    modified: str | None = _name()

    @classmethod
    def of(cls, headers: MultiMapping[str]) -> Identity:
        """What an answer's head names its content by."""
        etag = headers.get("ETag")
        return cls(
            etag=etag if etag and etag.startswith('"') else None,
            generation=headers.get("x-goog-generation"),
            modified=headers.get("Last-Modified"),
        )

    def matches(self, other: Identity) -> bool:
        """Whether both name the same content, by the firmest name that either has."""
        for name in ("etag", "generation", "modified"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine or theirs:
                return bool(mine == theirs)
        return False


@attrs.frozen(kw_only=True, repr=False)
class Declared:
    """What the answer's head promises of the whole object.

    Attributes:
        length: The bytes on the wire, when told.
        encoding: The content encoding they are in, if any.
        algorithm: The hash to check them by, when one is told that can be computed here.
        digest: Its value.
        identity: What names the content.
        ranges: Whether the storage host may honour ranges; it has not denied it.
    """

    length: int | None = None
    encoding: str | None = None
    algorithm: str | None = None
    digest: bytes = b""
    identity: Identity = Identity()
    ranges: bool = True

    @classmethod
    def of(cls, headers: MultiMapping[str]) -> Declared:
        """Read the head of an answer that carries the whole object."""
        length = headers.get("Content-Length", "")
        encoding = headers.get("Content-Encoding", "").strip().lower()
        hashes = _hashes(headers, encoding)
        algorithm = next((name for name in _ALGORITHMS if name in hashes and _digests.available(name)), None)
        return cls(
            length=int(length) if length.isascii() and length.isdigit() else None,
            encoding=None if encoding in ("", "identity") else encoding,
            algorithm=algorithm,
            digest=hashes[algorithm] if algorithm else b"",
            identity=Identity.of(headers),
            ranges=headers.get("Accept-Ranges", "").strip().lower() != "none",
        )

    @property
    def size(self) -> int | None:
        """The length of the file, when told."""
        return self.length if self.encoding is None else None

    @property
    def resumable(self) -> bool:
        """Whether a transfer may go on where it broke off: what follows must be known to belong here."""
        if self.length is None or self.encoding is not None:
            return False
        named = self.identity.generation or self.identity.modified
        return bool(self.identity.etag or (named and self.algorithm))

    @property
    def divisible(self) -> bool:
        """Whether several connections may bring it: its content must be named beyond doubt."""
        named = self.identity.etag or self.identity.generation
        return bool(self.ranges and named and self.resumable)

    def memo(self) -> dict[str, Any]:
        """What a later run must know to go on with the transfer, as JSON: no URL, no signature."""
        return {
            "length": self.length,
            "algorithm": self.algorithm,
            "digest": self.digest.hex(),
            "identity": attrs.asdict(self.identity, recurse=False),
        }

    @classmethod
    def from_memo(cls, memo: dict[str, Any]) -> Declared:
        """What `memo` told of; nothing when it is not a memo of this version."""
        try:
            return cls(
                length=index(memo["length"]),
                algorithm=memo["algorithm"],
                digest=bytes.fromhex(memo["digest"]),
                identity=Identity(**memo["identity"]),
            )
        except (KeyError, TypeError, ValueError):
            return cls()

    def range_of(self, span: Span) -> dict[str, str]:
        """The headers that ask for the bytes of `span`, of this content only."""
        condition = {"If-Range": self.identity.etag} if self.identity.etag else {}
        last = "" if span.end == self.length or not span.left else span.end - 1
        return {"Range": f"bytes={span.position}-{last}", **condition}

    def continued_by(self, status: int, headers: MultiMapping[str], offset: int) -> bool:
        """Whether an answer's body is just what follows the first `offset` bytes of this content."""
        span = re.match(_CONTENT_RANGE, headers.get("Content-Range", ""))
        if status != 206 or span is None or headers.get("Content-Encoding", "identity") != "identity":
            return False
        start, end, total = map(int, span.groups())
        same = self.identity.matches(Identity.of(headers))
        consistent = headers.get("Content-Length", str(end + 1 - start)) == str(end + 1 - start)
        return same and consistent and start == offset and start <= end < total and total == self.length

    def completed_by(self, status: int, headers: MultiMapping[str], offset: int) -> bool:
        """Whether an answer says that nothing follows the first `offset` bytes of this content."""
        told = headers.get("Content-Range", f"bytes */{self.length}")
        return status == 416 and offset == self.length and told == f"bytes */{offset}"


def _hashes(headers: MultiMapping[str], encoding: str) -> dict[str, bytes]:
    if "x-goog-hash" not in headers and "Content-MD5" not in headers:
        return {}
    # x-goog-hash covers the bytes as stored; those that arrive may be encoded otherwise.
    stored = headers.get("x-goog-stored-content-encoding", encoding) or "identity"
    if stored != (encoding or "identity"):
        return {}
    lines = ",".join(headers.getall("x-goog-hash", ()))
    told = {name: value for name, _, value in (pair.strip().partition("=") for pair in lines.split(","))}
    told.setdefault("md5", headers.get("Content-MD5", ""))
    decoded = {name: _base64(told.get(name, "")) for name in _ALGORITHMS}
    return {name: value for name, value in decoded.items() if len(value) == _ALGORITHMS[name]}


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def refusal(
    link: Link, status: int, body: bytes, *, now: float, retry_after: float | None = None
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


def promised(link: Link, status: int, headers: MultiMapping[str]) -> Declared:
    """What an answer promises of the whole object.

    Raises:
        StorageError: It does not carry the object.
    """
    if status != 200:
        raise _storage_error(link, f"answered {status}, which is not the whole artifact", status)
    declared = Declared.of(headers)
    if declared.encoding is not None and declared.encoding not in ENCODINGS:
        raise _storage_error(link, f"sent it encoded as {declared.encoding!r} though asked not to", status)
    return declared


def unusable(link: Link, reason: str) -> StorageError:
    """The error for a body that cannot be what it says it is."""
    return _storage_error(link, f"sent a body that cannot be used: {reason}", 200)


def verify(link: Link, declared: Declared, size: int, digests: Collection[bytes]) -> Verified:
    """What the bytes that came were checked against.

    Args:
        link: What was asked for.
        declared: What the answer promised.
        size: How many bytes came.
        digests: Their digests, as they came and as they were decoded; the declared one must be among them.

    Raises:
        IncompleteBodyError: There are fewer, or more, than declared.
        ChecksumError: They do not have the declared hash.
    """
    if declared.length is not None and size != declared.length:
        raise broken_off(link, declared, size)
    if declared.algorithm is None:
        return "none" if declared.length is None else "length"
    if declared.digest not in digests:
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


def _storage_error(link: Link, what: str, status: int, retry_after: float | None = None) -> StorageError:
    return StorageError(
        f"the storage host {what}",
        export_id=link.export_id,
        artifact=link.artifact,
        status=status,
        retry_after=retry_after,
    )
