"""Comparison of a response head with what is already known about the object; pure functions."""

from __future__ import annotations

import enum
import re

import attrs

from packagex_async._storage.object_metadata import NOTHING_KNOWN, Match, ObjectMetadata, ResponseHead
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
"""The reason why a body that `is_page` recognizes is refused."""


class Relation(enum.Enum):
    """What the body of a response is, compared with the object that is known."""

    CONTINUES = "the bytes that follow the requested offset"
    WHOLE = "the complete object"
    REPLACED = "the complete content of a different object"
    COMPLETE = "nothing: all bytes are here already"
    UNCONFIRMED = "nothing, and the response does not identify the object"
    CONTRADICTS = "unusable: the response contradicts what is known"


@attrs.frozen(eq=False, repr=False)
class Classification:
    """The result of `classify`.

    Attributes:
        relation: What the body is.
        metadata: What is known about the object from now on (`WHOLE` and `REPLACED` only).
        end: The position behind the last byte that the body holds (`CONTINUES` only).
        is_confirmed: Whether a validator or a hash confirms that it is the known object (`WHOLE` only).
        reason: What the storage host did, with both values (`CONTRADICTS` only).
    """

    relation: Relation
    metadata: ObjectMetadata = NOTHING_KNOWN
    end: int = 0
    is_confirmed: bool = False
    reason: str = ""


def classify(known: ObjectMetadata, head: ResponseHead, offset: int | None = None) -> Classification:
    """Decide what the body of a response is.

    1. A 200 is the complete object, unless a partial `Content-Range`, its media type, or a known length or
       hash contradicts that.
    2. A 206 continues a range request if its range, total, length and validators all fit.
    3. A 416 says that nothing follows if all bytes are here and the validators are the known ones.
    4. Everything else contradicts what is known.

    Args:
        known: What earlier responses, or the metadata of a partial file, have declared.
        head: The head of the response.
        offset: The position of the first byte that the request asked for; `None` for a request without a
            `Range`.
    """
    if head.status == 200:
        return _classify_whole(known, head, is_range=offset is not None)
    if offset is not None and head.status == 206:
        return _classify_part(known, head, offset)
    if offset is not None and head.status == 416:
        return _classify_unsatisfied(known, head, offset)
    return _contradiction(f"answered {head.status}, which is not the whole artifact")


def is_page(start: bytes) -> bool:
    """Return whether a body that begins with `start` is a web page or an XML error document."""
    # In UTF-16, every other byte of markup is zero.
    return re.match(_PAGE_START, start.replace(b"\0", b"")) is not None


def _contradiction(reason: str) -> Classification:
    return Classification(Relation.CONTRADICTS, reason=reason)


def _classify_whole(known: ObjectMetadata, head: ResponseHead, *, is_range: bool) -> Classification:
    declared = head.declared
    for check in (_check_range, _check_media_type, _check_encoding):
        if (reason := check(known, head)) is not None:
            return _contradiction(reason)
    if known is NOTHING_KNOWN:
        return Classification(Relation.WHOLE, declared)
    if is_range and declared.length is None:
        # If this is only the rest of the object, nothing would tell.
        return _contradiction(
            f"answered a range request of an object of {known.length} bytes with 200 and no length"
        )
    match = known.validators.compare(declared.validators)
    conflict = _conflict(known, declared)
    if conflict is None and match not in (Match.DIFFERENT, Match.WEAKLY_DIFFERENT):
        is_confirmed = known.validators.confirms(declared.validators) or bool(known.hashes & declared.hashes)
        merged = _merged(known, declared, match)
        return Classification(Relation.WHOLE, merged, is_confirmed=is_confirmed)
    if conflict is not None and not _may_be_replaced(known, declared, match, is_range=is_range):
        return _contradiction(conflict)
    disputed = known.wire_length if match is Match.SAME else None
    return Classification(Relation.REPLACED, attrs.evolve(declared, disputed_size=disputed))


def _check_range(known: ObjectMetadata, head: ResponseHead) -> str | None:
    span, length = head.content_range, head.declared.length
    if span is None or (span.is_whole and length in (None, span.total)):
        return None
    return (
        f"answered 200 with {span} as its range and {_count(length)} as its length, "
        f"though the artifact has {_count(known.size)}"
    )


def _check_media_type(known: ObjectMetadata, head: ResponseHead) -> str | None:
    media_type = head.declared.media_type
    if media_type not in _PAGE_TYPES or media_type == known.media_type or head.declared.hashes:
        return None
    return f"sent a body of the media type {media_type}: {PAGE}"


def _check_encoding(_: ObjectMetadata, head: ResponseHead) -> str | None:
    encoding = head.declared.encoding
    if encoding is None or encoding in ENCODINGS:
        return None
    return f"sent the artifact encoded as {sanitize(encoding, limit=60)!r}, which is not supported"


def _conflict(known: ObjectMetadata, declared: ObjectMetadata) -> str | None:
    """Return how length or hashes differ, with both values, or `None` if nothing is known to differ."""
    pairs = [(known.size, declared.size)]
    if known.encoding == declared.encoding:
        pairs.append((known.length, declared.length))
    for before, now in pairs:
        if before is not None and now is not None and before != now:
            return f"declared {before} bytes first and {now} bytes now"
    if known.encoding == declared.encoding:
        mine, theirs = dict(known.hashes), dict(declared.hashes)
        for name in sorted(mine.keys() & theirs.keys()):
            if mine[name] != theirs[name]:
                return f"declared the {name} {mine[name].hex()} first and {theirs[name].hex()} now"
    return None


def _may_be_replaced(
    known: ObjectMetadata, declared: ObjectMetadata, match: Match, *, is_range: bool
) -> bool:
    """Return whether a conflicting response can be the complete content of an object.

    A response that is shorter than the known object may be a part of it. Only a new strong validator proves
    the opposite, or, for a request without a range, a hash that will be checked, or a new `Last-Modified` if
    the known object has no strong validator. Under equal validators the hash must be the known one.
    """
    if match in (Match.SAME, Match.WEAKLY_SAME):
        return not is_range and bool(known.hashes & declared.hashes)
    if match is Match.DIFFERENT or not _is_shorter(known, declared):
        return True
    is_dated = match is Match.WEAKLY_DIFFERENT and not known.validators.is_strong
    return not is_range and (is_dated or bool(declared.hashes))


def _is_shorter(known: ObjectMetadata, declared: ObjectMetadata) -> bool:
    before, now = known.wire_length, declared.wire_length
    return before is not None and now is not None and now < before


def _merged(known: ObjectMetadata, declared: ObjectMetadata, match: Match) -> ObjectMetadata:
    """Return what a response declares, completed by what is known about the same object."""
    is_same_coding = known.encoding == declared.encoding
    # A hash of encoded bytes says nothing about bytes that arrive otherwise.
    hashes = known.hashes if is_same_coding or known.encoding is None else frozenset()
    is_confirmed = is_same_coding or match in (Match.SAME, Match.WEAKLY_SAME)
    return attrs.evolve(
        declared,
        size=known.size if declared.size is None and is_confirmed else declared.size,
        hashes=declared.hashes | hashes,
        validators=declared.validators.completed_by(known.validators),
        media_type=declared.media_type or known.media_type,
        disputed_size=known.disputed_size,
    )


def _classify_part(known: ObjectMetadata, head: ResponseHead, offset: int) -> Classification:
    for check in (_check_part_range, _check_part_content):
        if (reason := check(known, head, offset)) is not None:
            return _contradiction(reason)
    last = head.content_range.last if head.content_range else None
    return Classification(Relation.CONTINUES, end=(last or 0) + 1)


def _check_part_range(known: ObjectMetadata, head: ResponseHead, offset: int) -> str | None:
    span, length = head.content_range, head.declared.length
    fits = (
        span is not None
        and span.first == offset
        and span.last is not None
        and offset <= span.last < (known.length or 0)
        and span.total == known.length
        and length in (None, span.last + 1 - offset)
    )
    told = "no range" if span is None else str(span)
    return None if fits else f"answered {told} to a request for the bytes from {offset} of {known.length}"


def _check_part_content(known: ObjectMetadata, head: ResponseHead, offset: int) -> str | None:
    declared = head.declared
    if declared.encoding is not None:
        return f"sent the bytes from {offset} in another encoding than the bytes before them"
    if not known.validators.confirms(declared.validators):
        return (
            f"sent the bytes from {offset} of an object that has other validators than the bytes before them"
        )
    return _check_media_type(known, head)


def _classify_unsatisfied(known: ObjectMetadata, head: ResponseHead, offset: int) -> Classification:
    total = None if head.content_range is None else head.content_range.total
    if offset != known.length or (head.content_range is not None and total != known.length):
        return _contradiction(
            f"answered 416 for an object of {_count(total)} "
            f"to a request for the bytes from {offset} of {known.length}"
        )
    match = known.validators.compare(head.declared.validators)
    if match in (Match.SAME, Match.WEAKLY_SAME):
        return Classification(Relation.COMPLETE)
    if match is Match.UNKNOWN:
        return Classification(Relation.UNCONFIRMED)
    return _contradiction("answered 416 with the validators of another object")


def _count(size: int | None) -> str:
    return "an unknown number of bytes" if size is None else f"{size} bytes"
