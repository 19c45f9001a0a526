"""Comparison of the head of a response with the known metadata of the object."""

from __future__ import annotations

import enum
import re

import attrs

from packagex_async._storage.object_metadata import NOTHING_KNOWN, Match, ObjectMetadata
from packagex_async._storage.response_head import ResponseHead
from packagex_async._utils.decompression import ENCODINGS
from packagex_async._utils.redaction import sanitize

_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/xml", "text/xml"})
_PAGE_START = (
    rb"(?i)(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\s*<(?:!--|(?:!doctype|\?xml|html|head|body|title|meta|script|style|"
    rb"link|base|center|div|p|h[1-6]|iframe|frameset|noscript|error|errorresponse)(?:[\s/>]|\Z))"
)
PAGE = (
    "it is a web page or an XML error document instead of the artifact; check for a login page or a proxy "
    "that blocks the download"
)
"""The reason for an error about a body that `is_page` recognizes."""


class Relation(enum.Enum):
    """The meaning of the body of a response for a download."""

    CONTINUES = "the bytes from the requested offset"
    WHOLE = "the complete object"
    REPLACED = "the complete content of a different object"
    COMPLETE = "no bytes: the download has all bytes already"
    UNCONFIRMED = "no bytes, and the response does not identify the object"
    CONTRADICTS = "unusable: the response contradicts the known metadata"


@attrs.frozen(eq=False, repr=False)
class Classification:
    """The result of `classify`.

    Attributes:
        relation: The meaning of the body.
        metadata: The metadata of the object, updated from the response (`WHOLE` and `REPLACED` only).
        end: The position after the last byte of the body (`CONTINUES` only).
        is_confirmed: Whether a validator or a hash confirms that it is the known object (`WHOLE` only).
        reason: The contradiction, as the predicate of a sentence about the storage host (`CONTRADICTS` only).
    """

    relation: Relation
    metadata: ObjectMetadata = NOTHING_KNOWN
    end: int = 0
    is_confirmed: bool = False
    reason: str = ""


def classify(known: ObjectMetadata, head: ResponseHead, offset: int | None = None) -> Classification:
    """Classify the body of a response.

    1. A 200 is the complete object, unless a partial `Content-Range`, the media type, or a known length or
       hash contradicts that.
    2. A 206 continues a range request if its range, total, length and validators all match.
    3. A 416 means that the download is complete if all bytes were received and the validators match.
    4. All other responses contradict the known metadata.

    Args:
        known: The metadata from earlier responses or from a partial file.
        head: The head of the response.
        offset: The position of the first requested byte; `None` for a request without a `Range`.
    """
    if head.status == 200:
        return _classify_whole(known, head, offset)
    if offset is not None and head.status == 206:
        return _classify_partial(known, head, offset)
    if offset is not None and head.status == 416:
        return _classify_unsatisfied(known, head, offset)
    return _contradiction(f"answered {head.status}, which is not the whole artifact")


def is_page(start: bytes) -> bool:
    """Return whether a body that starts with `start` is a web page or an XML error document."""
    # In UTF-16, every second byte of markup is zero.
    return re.match(_PAGE_START, start.replace(b"\0", b"")) is not None


def _contradiction(reason: str) -> Classification:
    return Classification(Relation.CONTRADICTS, reason=reason)


def _classify_whole(known: ObjectMetadata, head: ResponseHead, offset: int | None) -> Classification:
    declared, is_range = head.declared, offset is not None
    for check in (_check_range, _check_media_type, _check_encoding):
        if (reason := check(known, head)) is not None:
            return _contradiction(reason)
    if known is NOTHING_KNOWN:
        return Classification(Relation.WHOLE, declared)
    if is_range and declared.length is None:
        # Without a length, a missing beginning of the object would not be detected.
        return _contradiction(
            f"answered a range request for an object of {known.length} bytes with 200 and no length"
        )
    if offset and known.length is not None and declared.size == known.length - offset:
        # It may be the rest of the known object, even with another validator.
        return _contradiction(
            f"answered a request for the bytes from {offset} of {known.length} "
            f"with 200 and {declared.size} bytes"
        )
    match = known.validators.compare(declared.validators)
    conflict = _find_conflict(known, declared)
    if conflict is None and match not in (Match.DIFFERENT, Match.WEAKLY_DIFFERENT):
        is_confirmed = known.validators.confirms(declared.validators) or bool(known.hashes & declared.hashes)
        merged = _merge(known, declared, match)
        return Classification(Relation.WHOLE, merged, is_confirmed=is_confirmed)
    if conflict is not None and not _may_be_replaced(known, declared, match, is_range=is_range):
        return _contradiction(conflict)
    disputed = known.wire_length if match is Match.SAME else None
    return Classification(Relation.REPLACED, attrs.evolve(declared, disputed_size=disputed))


def _check_range(known: ObjectMetadata, head: ResponseHead) -> str | None:
    content_range, length = head.content_range, head.declared.length
    if content_range is None or (content_range.is_whole and length in (None, content_range.total)):
        return None
    return (
        f"answered 200 with the range {content_range} and the length {_count(length)}, "
        f"but the artifact has {_count(known.size)}"
    )


def _check_media_type(known: ObjectMetadata, head: ResponseHead) -> str | None:
    media_type = head.declared.media_type
    if media_type not in _PAGE_TYPES or media_type == known.media_type or head.declared.hashes:
        return None
    return f"sent a body of media type {media_type}: {PAGE}"


def _check_encoding(_: ObjectMetadata, head: ResponseHead) -> str | None:
    encoding = head.declared.encoding
    if encoding is None or encoding in ENCODINGS:
        return None
    return (
        f"sent the artifact with the content coding {sanitize(encoding, limit=60)!r}, which is not supported"
    )


def _find_conflict(known: ObjectMetadata, declared: ObjectMetadata) -> str | None:
    """Describe the first difference in length or hashes, with both values; `None` if there is none."""
    sizes = [(known.size, declared.size)]
    if known.encoding == declared.encoding:
        sizes.append((known.length, declared.length))
    for old, new in sizes:
        if old is not None and new is not None and old != new:
            return f"declared {old} bytes first and {new} bytes now"
    if known.encoding == declared.encoding:
        old_hashes, new_hashes = dict(known.hashes), dict(declared.hashes)
        for name in sorted(old_hashes.keys() & new_hashes.keys()):
            old_hash, new_hash = old_hashes[name], new_hashes[name]
            if old_hash != new_hash:
                return f"declared the {name} {old_hash.hex()} first and {new_hash.hex()} now"
    return None


def _may_be_replaced(
    known: ObjectMetadata, declared: ObjectMetadata, match: Match, *, is_range: bool
) -> bool:
    """Return whether a conflicting response may be the complete content of a new object.

    A response that is shorter than the known object may be only a part of it. A new strong validator rules
    that out. For a request without a range, a declared hash is sufficient, too, because it will be checked,
    or a new `Last-Modified` if the known object has no strong validator. If the validators are equal, the
    hash must be equal, too.
    """
    if match in (Match.SAME, Match.WEAKLY_SAME):
        return not is_range and bool(known.hashes & declared.hashes)
    if match is Match.DIFFERENT or not _is_shorter(known, declared):
        return True
    is_dated = match is Match.WEAKLY_DIFFERENT and not known.validators.is_strong
    return not is_range and (is_dated or bool(declared.hashes))


def _is_shorter(known: ObjectMetadata, declared: ObjectMetadata) -> bool:
    old, new = known.wire_length, declared.wire_length
    return old is not None and new is not None and new < old


def _merge(known: ObjectMetadata, declared: ObjectMetadata, match: Match) -> ObjectMetadata:
    """Return the metadata of a response, completed by the known metadata of the same object."""
    is_same_coding = known.encoding == declared.encoding
    # A hash of encoded bytes does not apply to bytes with another encoding.
    hashes = known.hashes if is_same_coding or known.encoding is None else frozenset()
    is_confirmed = is_same_coding or match in (Match.SAME, Match.WEAKLY_SAME)
    return attrs.evolve(
        declared,
        size=known.size if declared.size is None and is_confirmed else declared.size,
        hashes=declared.hashes | hashes,
        validators=declared.validators.merged_with(known.validators),
        media_type=declared.media_type or known.media_type,
        disputed_size=known.disputed_size,
    )


def _classify_partial(known: ObjectMetadata, head: ResponseHead, offset: int) -> Classification:
    for check in (_check_partial_range, _check_partial_content):
        if (reason := check(known, head, offset)) is not None:
            return _contradiction(reason)
    last = head.content_range.last if head.content_range else None
    return Classification(Relation.CONTINUES, end=(last or 0) + 1)


def _check_partial_range(known: ObjectMetadata, head: ResponseHead, offset: int) -> str | None:
    content_range, length = head.content_range, head.declared.length
    is_match = (
        content_range is not None
        and content_range.first == offset
        and content_range.last is not None
        and offset <= content_range.last < (known.length or 0)
        and content_range.total == known.length
        and length in (None, content_range.last + 1 - offset)
    )
    shown = "no range" if content_range is None else str(content_range)
    request = f"a request for the bytes from {offset} of {known.length}"
    return None if is_match else f"answered {request} with {shown}"


def _check_partial_content(known: ObjectMetadata, head: ResponseHead, offset: int) -> str | None:
    declared = head.declared
    if declared.encoding is not None:
        return f"sent the bytes from {offset} with another content coding than the bytes before them"
    if not known.validators.confirms(declared.validators):
        return f"sent the bytes from {offset} with other validators than the bytes before them"
    return _check_media_type(known, head)


def _classify_unsatisfied(known: ObjectMetadata, head: ResponseHead, offset: int) -> Classification:
    total = None if head.content_range is None else head.content_range.total
    if offset != known.length or (head.content_range is not None and total != known.length):
        return _contradiction(
            f"answered a request for the bytes from {offset} of {known.length} "
            f"with 416 for an object of {_count(total)}"
        )
    match = known.validators.compare(head.declared.validators)
    if match in (Match.SAME, Match.WEAKLY_SAME):
        return Classification(Relation.COMPLETE)
    if match is Match.UNKNOWN:
        return Classification(Relation.UNCONFIRMED)
    return _contradiction("answered 416 with the validators of a different object")


def _count(size: int | None) -> str:
    return "an unknown number of bytes" if size is None else f"{size} bytes"
