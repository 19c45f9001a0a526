"""The head of a response from a storage host: its status, and the metadata in its headers."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

import attrs

from packagex_async._storage.object_metadata import HASH_SIZES, Hashes, ObjectMetadata, Validators
from packagex_async._utils import hashing

if TYPE_CHECKING:
    from multidict import MultiMapping

# Compiled at its first use, to keep the import fast.
_CONTENT_RANGE = r"(?i)bytes[ =]\s*(?:([0-9]{1,18})-(-1|[0-9]{1,18})|\*)\s*/\s*([0-9]{1,18}|\*)\s*\Z"
_MAX_DIGITS = 18
# Object stores return any Content-Encoding that the uploader has set. These values, and names of character
# sets, are not content codings.
_NOT_A_CODING = frozenset(
    {"", "identity", "none", "null", "aws-chunked", "binary", "7bit", "8bit", "base64", "text", "unicode"}
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


@attrs.frozen(kw_only=True, eq=False, repr=False)
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
        codings = _codings(headers)
        encoding = content_coding(",".join(codings)) if codings else None
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
    if "Transfer-Encoding" not in headers and "Content-Encoding" not in headers:
        return []
    transfer = ",".join(headers.getall("Transfer-Encoding", ())).split(",")
    return [
        *headers.getall("Content-Encoding", ()),
        *(name for name in transfer if name.strip().lower() != "chunked"),
    ]


def _content_range(headers: MultiMapping[str]) -> ContentRange | None:
    if "Content-Range" not in headers:
        return None
    ranges = {ContentRange.parse(text) for text in headers.getall("Content-Range")}
    # Different ranges in one head are unreadable.
    return ranges.pop() if len(ranges) == 1 else ContentRange()


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
    return int(text) if len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() else None


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
        if len(digest := _base64(text)) == HASH_SIZES.get(name) and hashing.is_supported(name)
    )


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""
