"""Comparison of the head of a response with the known metadata of the object."""

from __future__ import annotations

import base64

import attrs
import pytest
from multidict import CIMultiDict

from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.response_check import Classification, Relation, classify, is_page
from packagex_async._storage.response_head import ResponseHead

Headers = list[tuple[str, str]]

LENGTH = ("Content-Length", "8")
TAG = ("ETag", '"1"')
OTHER_TAG = ("ETag", '"2"')
GENERATION = ("x-goog-generation", "7")
DATE = ("Last-Modified", "Wed, 01 May 2024 12:00:00 GMT")
OTHER_DATE = ("Last-Modified", "Wed, 01 May 2024 13:00:00 GMT")
HASH = ("Content-MD5", base64.b64encode(bytes(16)).decode())
OTHER_HASH = ("Content-MD5", base64.b64encode(bytes([1] * 16)).decode())
CSV = ("Content-Type", "text/csv")
HTML = ("Content-Type", "text/html")
GZIP = ("Content-Encoding", "gzip")
RANGE = ("Content-Range", "bytes 5-7/8")


def head(status: int, headers: Headers) -> ResponseHead:
    return ResponseHead.parse(status, CIMultiDict(headers))


def known(*headers: tuple[str, str]) -> ObjectMetadata:
    return head(200, list(headers)).declared


def classified(
    before: ObjectMetadata, status: int, headers: Headers, offset: int | None = None
) -> Classification:
    return classify(before, head(status, headers), offset)


@pytest.mark.parametrize(
    ("status", "headers", "relation"),
    [
        (206, [RANGE, TAG], Relation.CONTINUES),
        (206, [("Content-Range", "bytes 5-6/8"), TAG], Relation.CONTINUES),
        (206, [RANGE, TAG, ("Content-Encoding", "utf-8")], Relation.CONTINUES),
        (206, [RANGE, TAG, ("Content-Length", "3")], Relation.CONTINUES),
        (206, [RANGE, TAG, ("Content-Length", "8")], Relation.CONTRADICTS),
        (200, [RANGE, TAG, LENGTH], Relation.CONTRADICTS),
        (206, [TAG], Relation.CONTRADICTS),
        (206, [RANGE], Relation.CONTRADICTS),
        (206, [RANGE, OTHER_TAG], Relation.CONTRADICTS),
        (206, [RANGE, ("ETag", 'W/"1"')], Relation.CONTRADICTS),
        (206, [("Content-Range", "bytes 4-7/8"), TAG], Relation.CONTRADICTS),
        (206, [("Content-Range", "bytes 6-7/8"), TAG], Relation.CONTRADICTS),
        (206, [("Content-Range", "bytes 5-7/9"), TAG], Relation.CONTRADICTS),
        (206, [("Content-Range", "bytes 5-7/*"), TAG], Relation.CONTRADICTS),
        (206, [("Content-Range", "bytes 5-8/8"), TAG], Relation.CONTRADICTS),
        (206, [("Content-Range", "bytes 5-4/8"), TAG], Relation.CONTRADICTS),
        (206, [("Content-Range", "items 5-7/8"), TAG], Relation.CONTRADICTS),
        (206, [RANGE, TAG, GZIP], Relation.CONTRADICTS),
        (206, [RANGE, TAG, HTML], Relation.CONTRADICTS),
        (204, [RANGE, TAG], Relation.CONTRADICTS),
    ],
)
def test_trap_02_only_a_matching_206_continues(status: int, headers: Headers, relation: Relation) -> None:
    """Status, start, total, length, content coding and validators must all match."""
    assert classified(known(LENGTH, TAG, CSV), status, headers, 5).relation is relation


@pytest.mark.parametrize(
    ("headers", "offset", "relation"),
    [
        ([("Content-Range", "bytes */8"), TAG], 8, Relation.COMPLETE),
        ([TAG], 8, Relation.COMPLETE),
        ([DATE], 8, Relation.COMPLETE),
        ([], 8, Relation.UNCONFIRMED),
        ([("Content-Range", "bytes */8")], 8, Relation.UNCONFIRMED),
        ([("Content-Range", "bytes */9"), TAG], 8, Relation.CONTRADICTS),
        ([("Content-Range", "nonsense"), TAG], 8, Relation.CONTRADICTS),
        ([OTHER_TAG], 8, Relation.CONTRADICTS),
        ([OTHER_DATE], 8, Relation.CONTRADICTS),
        ([TAG], 7, Relation.CONTRADICTS),
    ],
)
def test_trap_03_416_completes_only_the_known_object(
    headers: Headers, offset: int, relation: Relation
) -> None:
    """The total and the validators must match."""
    assert classified(known(LENGTH, TAG, DATE), 416, headers, offset).relation is relation


SHORTER = ("Content-Length", "3")
LONGER = ("Content-Length", "9")


@pytest.mark.parametrize(
    ("before", "headers", "ranged", "plain"),
    [
        ([LENGTH, TAG], [LENGTH, TAG], Relation.WHOLE, Relation.WHOLE),
        ([LENGTH, TAG], [LENGTH], Relation.WHOLE, Relation.WHOLE),
        ([LENGTH, TAG], [TAG], Relation.CONTRADICTS, Relation.WHOLE),
        ([LENGTH, TAG], [SHORTER, TAG], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, TAG], [LONGER, TAG], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, TAG], [SHORTER, OTHER_TAG], Relation.REPLACED, Relation.REPLACED),
        ([LENGTH, TAG], [SHORTER], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, TAG], [LONGER], Relation.REPLACED, Relation.REPLACED),
        ([LENGTH, TAG, GENERATION, HASH], [SHORTER], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, TAG, HASH], [SHORTER, HASH], Relation.CONTRADICTS, Relation.REPLACED),
        ([LENGTH, TAG, HASH], [SHORTER, TAG, HASH], Relation.CONTRADICTS, Relation.REPLACED),
        ([LENGTH, TAG, HASH], [SHORTER, TAG, OTHER_HASH], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, TAG, HASH], [LENGTH, TAG, OTHER_HASH], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, HASH], [LENGTH, OTHER_HASH], Relation.REPLACED, Relation.REPLACED),
        ([LENGTH, DATE], [SHORTER, DATE], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, DATE], [SHORTER, OTHER_DATE], Relation.CONTRADICTS, Relation.REPLACED),
        ([LENGTH, DATE, HASH], [LENGTH, OTHER_DATE], Relation.REPLACED, Relation.REPLACED),
        ([LENGTH, DATE, TAG], [SHORTER, OTHER_DATE], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, DATE, GENERATION], [SHORTER, OTHER_DATE], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([LENGTH, DATE, TAG], [SHORTER, OTHER_DATE, OTHER_TAG], Relation.REPLACED, Relation.REPLACED),
        ([LENGTH, TAG], [SHORTER, TAG, GZIP], Relation.WHOLE, Relation.WHOLE),
        ([LENGTH, TAG, GZIP], [SHORTER, TAG, GZIP], Relation.CONTRADICTS, Relation.CONTRADICTS),
        ([], [LENGTH], Relation.WHOLE, Relation.WHOLE),
    ],
)
def test_200_is_the_complete_object_unless_it_contradicts(
    before: Headers, headers: Headers, ranged: Relation, plain: Relation
) -> None:
    """A response to a range request is checked more strictly: it may be only a part of the object."""
    assert classified(known(*before), 200, headers, 6).relation is ranged
    assert classified(known(*before), 200, headers).relation is plain


@pytest.mark.parametrize("headers", [[TAG], [OTHER_TAG], [OTHER_TAG, OTHER_DATE], [OTHER_TAG, HASH], []])
def test_trap_03_200_with_the_length_of_the_rest_is_not_an_object(headers: Headers) -> None:
    """The host may have sent the requested bytes, although another validator describes a new object."""
    found = classified(known(LENGTH, TAG, DATE), 200, [SHORTER, *headers], 5)
    assert found.relation is Relation.CONTRADICTS


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ([LENGTH, HTML], False),
        ([LENGTH, HTML, HASH], True),
        ([LENGTH, ("Content-Type", "application/xml")], False),
        ([LENGTH, ("Content-Type", "text/plain")], True),
        ([LENGTH, ("Content-Encoding", "br")], False),
        ([LENGTH, ("Content-Encoding", "gzip, deflate")], False),
        ([LENGTH, ("Content-Range", "bytes 0-7/8")], True),
        ([LENGTH, ("Content-Range", "bytes 0-7/9")], False),
        ([LENGTH, ("Content-Range", "bytes 1-8/9")], False),
        ([LENGTH, ("Content-Range", "bytes 0-8/9")], False),
        ([("Content-Range", "bytes 0-8/9")], True),
        ([("Content-Range", "bytes 1-8/9")], False),
    ],
)
def test_first_response_must_be_the_complete_artifact(headers: Headers, accepted: bool) -> None:
    """According to its range, media type and content coding."""
    assert (classified(ObjectMetadata(), 200, headers).relation is Relation.WHOLE) is accepted


@pytest.mark.parametrize("status", [201, 203, 204, 206, 416])
def test_other_status_is_not_the_complete_artifact(status: int) -> None:
    """Only a 200 is, for a request without a range."""
    result = classified(ObjectMetadata(), status, [LENGTH])
    assert result.relation is Relation.CONTRADICTS
    assert f"answered {status}" in result.reason


def test_known_metadata_completes_a_later_response() -> None:
    """The same object keeps its size, hashes, validators and media type."""
    before = known(LENGTH, TAG, GENERATION, HASH, CSV)
    result = classified(before, 200, [TAG])
    assert result.is_confirmed
    assert result.metadata.length is None
    assert (result.metadata.size, result.metadata.hashes) == (8, before.hashes)
    assert attrs.asdict(result.metadata.validators) == attrs.asdict(before.validators)
    assert result.metadata.media_type == "text/csv"
    assert result.metadata.wire_length == 8


def test_hash_of_encoded_bytes_is_not_kept_for_decoded_bytes() -> None:
    """The size is not kept unless the object is confirmed to be the same."""
    assert classified(known(LENGTH, TAG, HASH, GZIP), 200, [TAG]).metadata.hashes == frozenset()
    assert classified(known(LENGTH, HASH), 200, [SHORTER, GZIP]).metadata.size is None
    assert classified(known(LENGTH, TAG, HASH), 200, [SHORTER, TAG, GZIP]).metadata.size == 8


def test_reason_contains_both_values() -> None:
    """The first declared value and the new one."""
    before = known(LENGTH, TAG, HASH)
    assert classified(before, 200, [SHORTER, TAG]).reason == "declared 8 bytes first and 3 bytes now"
    reason = classified(before, 200, [LENGTH, TAG, OTHER_HASH]).reason
    assert f"md5 {'00' * 16} first and {'01' * 16} now" in reason
    assert "from 5 of 8" in classified(before, 206, [TAG], 5).reason


@pytest.mark.parametrize(
    ("start", "page"),
    [
        (b"<!DOCTYPE html><html>", True),
        (b"\xef\xbb\xbf \n<HTML lang='en'>", True),
        (b"<?xml version='1.0'?>", True),
        (b"<Error><Code>", True),
        (b"<errors,b\n", False),
        (b"id,name\n1,<html>\n", False),
        (b'{"data": []}', False),
        (b"", False),
    ],
)
def test_page_is_recognized_by_its_start(start: bytes, page: bool) -> None:
    """A web page or an error document, with or without a byte order mark."""
    assert is_page(start) is page
