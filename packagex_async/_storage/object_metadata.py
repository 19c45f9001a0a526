"""Metadata of an object in storage, read from response headers: length, hashes, validators, media type."""

from __future__ import annotations

import base64
import enum
import re
from operator import index
from typing import TYPE_CHECKING, Any

import attrs

from packagex_async._utils import hashing

if TYPE_CHECKING:
    from multidict import MultiMapping

Hashes = frozenset[tuple[str, bytes]]
"""Pairs of an algorithm and a digest."""

_HASH_SIZES = {"crc32c": 4, "md5": 16}
# Compiled at their first use, to keep the import fast.
_LENGTH = r"[0-9]{1,18}\Z"
_CONTENT_RANGE = r"(?i)bytes[ =]\s*(?:([0-9]{1,18})-(-1|[0-9]{1,18})|\*)\s*/\s*([0-9]{1,18}|\*)\s*\Z"
# Requests send the ETag in If-Range, so it must be valid in a header. Some servers send an empty ETag with
# every object. It identifies nothing.
_STRONG_ETAG = r'"[ -~]+"\Z'

# Object stores return any Content-Encoding that the uploader has set. These values, and names of character
# sets, are not content codings.
_NOT_A_CODING = frozenset(
    {"", "identity", "none", "null", "aws-chunked", "binary", "7bit", "8bit", "base64", "text", "unicode"}
)


class Match(enum.Enum):
    """The result of comparing the validators of two responses."""

    SAME = "an equal strong validator"
    DIFFERENT = "a different strong validator"
    WEAKLY_SAME = "an equal Last-Modified, and no strong validator to compare"
    WEAKLY_DIFFERENT = "a different Last-Modified, and no strong validator to compare"
    UNKNOWN = "no validator to compare"


@attrs.frozen(kw_only=True, repr=False)
class Validators:
    """The values that identify the content of an object.

    Attributes:
        etag: The strong ETag, if there is one.
        generation: Google's `x-goog-generation`, which is as strong as a strong ETag.
        modified: The `Last-Modified` text, which is weak.
    """

    etag: str | None = None
    generation: str | None = None
    modified: str | None = None

    @classmethod
    def from_headers(cls, headers: MultiMapping[str]) -> Validators:
        """Read the validators of a response."""
        return cls(
            etag=_strong_etag(headers.get("ETag", "")),
            generation=headers.get("x-goog-generation"),
            modified=headers.get("Last-Modified"),
        )

    @property
    def is_strong(self) -> bool:
        """Whether there is a strong validator."""
        return bool(self.etag or self.generation)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Validators:
        """Read the validators from the metadata of a partial file, which may be damaged.

        Raises:
            KeyError: A validator is missing.
            TypeError: A validator is not a string.
            ValueError: The ETag is not a strong ETag.
        """
        texts = [stored[name] for name in ("etag", "generation", "modified")]
        if not all(text is None or isinstance(text, str) for text in texts):
            raise TypeError("a validator must be a string")
        etag, generation, modified = texts
        if etag is not None and _strong_etag(etag) is None:
            raise ValueError("not a strong ETag")
        return cls(etag=etag, generation=generation, modified=modified)

    def compare(self, other: Validators) -> Match:
        """Compare the validators that both have. Strong validators take precedence."""
        strong = [
            ours == theirs
            for ours, theirs in ((self.etag, other.etag), (self.generation, other.generation))
            if ours and theirs
        ]
        if strong:
            return Match.SAME if all(strong) else Match.DIFFERENT
        if self.modified and other.modified:
            return Match.WEAKLY_SAME if self.modified == other.modified else Match.WEAKLY_DIFFERENT
        return Match.UNKNOWN

    def confirms(self, other: Validators) -> bool:
        """Return whether the strongest validators of both are of the same kind and equal."""
        if self.compare(other) is Match.DIFFERENT:
            return False
        for name in ("etag", "generation", "modified"):
            ours, theirs = getattr(self, name), getattr(other, name)
            if ours or theirs:
                return bool(ours == theirs)
        return False

    def merged_with(self, other: Validators) -> Validators:
        """Return these validators, completed by the validators of `other`."""
        return Validators(
            etag=self.etag or other.etag,
            generation=self.generation or other.generation,
            modified=self.modified or other.modified,
        )


@attrs.frozen(kw_only=True, repr=False)
class ContentRange:
    """The value of a `Content-Range` header; all fields are `None` if it cannot be read.

    Attributes:
        first: The position of the first byte.
        last: The position of the last byte; -1 for an empty object.
        total: The length of the object in bytes.
    """

    first: int | None = None
    last: int | None = None
    total: int | None = None

    @classmethod
    def parse(cls, text: str) -> ContentRange:
        """Read the value of a `Content-Range` header."""
        match = re.match(_CONTENT_RANGE, text)
        first, last, total = match.groups() if match else (None, None, None)
        return cls(
            first=None if first is None else int(first),
            last=None if last is None else int(last),
            total=None if total in (None, "*") else int(total),
        )

    @property
    def is_whole(self) -> bool:
        """Whether the range covers the whole object."""
        if self.total == 0:
            return self.first in (None, 0)
        return self.first == 0 and self.total is not None and self.last == self.total - 1

    def __str__(self) -> str:
        if self.first is None and self.total is None:
            return "an unreadable range"
        positions = "*" if self.first is None else f"{self.first}-{self.last}"
        return f"bytes {positions}/{'*' if self.total is None else self.total}"


@attrs.frozen(kw_only=True, repr=False)
class ObjectMetadata:
    """Everything that is known about an object in storage.

    Attributes:
        length: The number of bytes on the wire, declared by the response that contains them.
        size: The number of bytes of the decoded object, declared by any response.
        encoding: The content coding of the bytes on the wire, or `None`.
        hashes: The declared hashes of the supported algorithms. All of them must match.
        validators: The values that identify the content.
        media_type: The declared media type, in lower case and without parameters; empty if unknown.
        accepts_ranges: `False` if the storage host declares that it does not support ranges.
        disputed_size: A different size in bytes that an earlier response has declared.
    """

    length: int | None = None
    size: int | None = None
    encoding: str | None = None
    hashes: Hashes = frozenset()
    validators: Validators = Validators()
    media_type: str = ""
    accepts_ranges: bool = True
    disputed_size: int | None = None

    @property
    def algorithms(self) -> frozenset[str]:
        """The hash algorithms to compute."""
        return frozenset(name for name, _ in self.hashes)

    @property
    def wire_length(self) -> int | None:
        """The number of bytes on the wire, declared or deduced from the size."""
        return self.size if self.length is None and self.encoding is None else self.length

    @property
    def is_resumable(self) -> bool:
        """Whether an interrupted transfer may continue: the content must be identified by validators."""
        if self.length is None or self.encoding is not None:
            return False
        identified = self.validators.generation or self.validators.modified
        return bool(self.validators.etag or (identified and self.hashes))

    @property
    def is_recognizable(self) -> bool:
        """Whether a later response with the complete object can be recognized as the same object."""
        return self.is_resumable or (self.length is not None and self.encoding is None and bool(self.hashes))

    @property
    def is_divisible(self) -> bool:
        """Whether several connections may download it: a strong validator must identify the content."""
        return self.accepts_ranges and self.validators.is_strong and self.is_resumable

    def range_headers(self, start: int, end: int) -> dict[str, str]:
        """Return the headers that request the bytes from `start` up to `end`, if the content is unchanged."""
        condition = {"If-Range": self.validators.etag} if self.validators.etag else {}
        last = "" if end == self.length or start == end else end - 1
        return {"Range": f"bytes={start}-{last}", **condition}

    def to_json(self) -> dict[str, Any]:
        """Return the metadata as JSON for a partial file. It contains no URL."""
        return {
            "length": self.length,
            # Only a hash can detect a damaged partial file.
            "algorithm": min(self.algorithms, default=None),
            "hashes": sorted([name, digest.hex()] for name, digest in self.hashes),
            "validators": attrs.asdict(self.validators, recurse=False),
            "media_type": self.media_type,
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> ObjectMetadata:
        """Read the result of `to_json`; return empty metadata if it is not readable."""
        try:
            length = index(stored["length"])
            return cls(
                length=length,
                size=length,
                hashes=frozenset(_hash(name, bytes.fromhex(text)) for name, text in stored["hashes"]),
                validators=Validators.from_json(stored["validators"]),
                media_type=str(stored["media_type"]),
            )
        except (KeyError, TypeError, ValueError):
            return cls()


NOTHING_KNOWN = ObjectMetadata()
"""The metadata before the first response."""


@attrs.frozen(kw_only=True, repr=False)
class ResponseHead:
    """The status and the metadata in the headers of a response from a storage host.

    Attributes:
        status: The HTTP status.
        declared: The metadata that it declares. The `length` is the length of the body.
        content_range: The `Content-Range`, if there is one.
    """

    status: int
    declared: ObjectMetadata
    content_range: ContentRange | None = None

    @classmethod
    def parse(cls, status: int, headers: MultiMapping[str]) -> ResponseHead:
        """Read the status and the headers of a response."""
        # Transfer codings other than `chunked` are decoded together with content codings.
        encoding = content_coding(",".join(_codings(headers)))
        length = None if "Transfer-Encoding" in headers else _length(headers.get("Content-Length", ""))
        content_range = _content_range(headers)
        size = length
        if length is None and content_range is not None and content_range.is_whole:
            # A body in chunks may have no other length.
            size = content_range.total
        declared = ObjectMetadata(
            length=length,
            size=size if encoding is None else None,
            encoding=encoding,
            hashes=_hashes(headers, encoding),
            validators=Validators.from_headers(headers),
            media_type=headers.get("Content-Type", "").partition(";")[0].strip().lower(),
            accepts_ranges=headers.get("Accept-Ranges", "").strip().lower() != "none",
        )
        return cls(status=status, declared=declared, content_range=content_range)


def content_coding(text: str) -> str | None:
    """Return the codings in a list such as `Content-Encoding`, or `None` if there are none."""
    codings = [coding for part in text.split(",") if _is_coding(coding := part.strip().lower())]
    return ", ".join(codings) or None


def _codings(headers: MultiMapping[str]) -> list[str]:
    transfer = ",".join(headers.getall("Transfer-Encoding", ())).split(",")
    return [
        *headers.getall("Content-Encoding", ()),
        *(name for name in transfer if name.strip().lower() != "chunked"),
    ]


def _content_range(headers: MultiMapping[str]) -> ContentRange | None:
    ranges = {ContentRange.parse(text) for text in headers.getall("Content-Range", ())}
    if not ranges:
        return None
    # Different ranges in one head are unreadable.
    return ranges.pop() if len(ranges) == 1 else ContentRange()


def _strong_etag(text: str) -> str | None:
    return text if re.match(_STRONG_ETAG, text) else None


def _is_coding(name: str) -> bool:
    # No coding has a slash in its name, as a media type has, or an equals sign, as a charset parameter has.
    if name in _NOT_A_CODING or "/" in name or "=" in name:
        return False
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return True
    return False


def _length(text: str) -> int | None:
    return int(text) if re.match(_LENGTH, text) else None


def _hash(name: str, digest: bytes) -> tuple[str, bytes]:
    if len(digest) != _HASH_SIZES.get(name) or not hashing.is_supported(name):
        raise ValueError("not a supported hash")
    return name, digest


def _hashes(headers: MultiMapping[str], encoding: str | None) -> Hashes:
    if "x-goog-hash" not in headers and "Content-MD5" not in headers:
        return frozenset()
    # x-goog-hash covers the stored bytes. The transferred bytes may have another encoding.
    stored = headers.get("x-goog-stored-content-encoding")
    if stored is not None and content_coding(stored) != encoding:
        return frozenset()
    items = ",".join(headers.getall("x-goog-hash", ())).split(",")
    declared_hashes = [
        (name.lower(), text) for name, _, text in (item.strip().partition("=") for item in items)
    ]
    declared_hashes += [("md5", text) for text in headers.getall("Content-MD5", ())]
    return frozenset(
        (name, digest)
        for name, text in declared_hashes
        if len(digest := _base64(text)) == _HASH_SIZES.get(name) and hashing.is_supported(name)
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
