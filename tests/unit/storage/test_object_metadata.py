"""Facts about an object, read from response heads."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from packagex_async._storage.object_metadata import (
    ContentRange,
    Match,
    ObjectMetadata,
    ResponseHead,
    Validators,
    content_coding,
)
from packagex_async._utils import hashing

MD5 = hashlib.md5(b"a,b\n1,2\n").digest()
MD5_TEXT = base64.b64encode(MD5).decode()
CRC32C = b"\x01\x02\x03\x04"
CRC32C_TEXT = base64.b64encode(CRC32C).decode()

LENGTH = ("Content-Length", "8")
TAG = ("ETag", '"1"')
HASH = ("Content-MD5", MD5_TEXT)


def declared(*pairs: tuple[str, str]) -> ObjectMetadata:
    return ResponseHead.of(200, CIMultiDict(pairs)).declared


@pytest.fixture
def without_crc32c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "crc32c", lambda: None)


def test_the_length_is_read_if_it_is_one() -> None:
    """Anything else is no length, and chunks have none."""
    assert declared(("Content-Length", "8")).length == 8
    for nonsense in ("-1", "", "8, 8", "x", "\u00b2", "9" * 5000):
        assert declared(("Content-Length", nonsense)).length is None
    assert declared().length is None
    assert declared(("Content-Length", "8"), ("Transfer-Encoding", "chunked")).length is None


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-MD5", MD5_TEXT)],
        [("x-goog-hash", f"md5={MD5_TEXT}")],
        [("X-Goog-Hash", "crc32c=AAAA"), ("X-Goog-Hash", f"md5={MD5_TEXT}")],
        [("x-goog-hash", f"crc32c=!!!!, md5={MD5_TEXT}"), ("Content-MD5", "nonsense")],
        [("x-goog-hash", f"md5={MD5_TEXT}"), ("x-goog-stored-content-encoding", "identity")],
        [("x-goog-hash", f"md5={MD5_TEXT}"), ("Content-MD5", MD5_TEXT)],
    ],
)
def test_a_declared_md5_is_read_from_every_place(headers: list[tuple[str, str]]) -> None:
    """One header, two, or a list in one; text that is no hash is ignored."""
    assert declared(*headers).hashes == {("md5", MD5)}


def test_every_hash_that_can_be_computed_is_kept() -> None:
    """A right CRC-32C does not excuse a wrong MD5, nor one MD5 another."""
    pytest.importorskip("google_crc32c")
    other = base64.b64encode(bytes(16)).decode()
    found = declared(("x-goog-hash", f"crc32c={CRC32C_TEXT},md5={MD5_TEXT}"), ("Content-MD5", other))
    assert found.hashes == {("crc32c", CRC32C), ("md5", MD5), ("md5", bytes(16))}
    assert found.algorithms == {"crc32c", "md5"}
    assert declared(("x-goog-hash", f"MD5={MD5_TEXT}, CRC32C={CRC32C_TEXT}")).algorithms == {"crc32c", "md5"}


@pytest.mark.usefixtures("without_crc32c")
def test_without_the_extra_only_md5_counts() -> None:
    """A CRC-32C alone is no hash then."""
    assert declared(("x-goog-hash", f"crc32c={CRC32C_TEXT},md5={MD5_TEXT}")).hashes == {("md5", MD5)}
    assert declared(("x-goog-hash", f"crc32c={CRC32C_TEXT}")).hashes == frozenset()


def test_trap_05_the_hash_of_stored_gzip_is_not_the_hash_of_what_arrives() -> None:
    """An object that was stored compressed is not condemned."""
    found = declared(("x-goog-hash", f"md5={MD5_TEXT}"), ("x-goog-stored-content-encoding", "gzip"))
    assert found.hashes == frozenset()


def test_trap_06_an_etag_is_never_a_hash() -> None:
    """Not even if it looks like one."""
    assert declared(("ETag", f'"{MD5.hex()}"')).hashes == frozenset()


def test_trap_05_a_compressed_body_has_a_length_on_the_wire_only() -> None:
    """The size of the file is not known, and the transfer cannot continue in its middle."""
    zipped = declared(
        ("Content-Length", "8"), ("Content-Encoding", "GZIP"), ("ETag", '"1"'), ("Content-MD5", MD5_TEXT)
    )
    assert (zipped.length, zipped.size, zipped.encoding, zipped.is_resumable) == (8, None, "gzip", False)
    assert (zipped.wire_length, zipped.algorithms) == (8, frozenset({"md5"}))
    stored = ("x-goog-stored-content-encoding", "gzip")
    assert declared(("Content-Encoding", "gzip"), ("Content-MD5", MD5_TEXT), stored).hashes
    other = ("x-goog-stored-content-encoding", "identity")
    assert not declared(("Content-Encoding", "gzip"), ("Content-MD5", MD5_TEXT), other).hashes


@pytest.mark.parametrize(
    ("text", "coding"),
    [
        ("", None),
        ("identity", None),
        ("UTF-8", None),
        ("iso-8859-1", None),
        ("aws-chunked", None),
        ("aws-chunked, gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("br", "br"),
        ("zlib", "zlib"),
        ("gzip, deflate", "gzip, deflate"),
        ("a\0b", "a\0b"),
    ],
)
def test_only_codings_are_codings(text: str, coding: str | None) -> None:
    """Character sets and the words that object stores replay are none."""
    assert content_coding(text) == coding


def test_the_media_type_is_read_without_parameters() -> None:
    """In lower case."""
    assert declared(("Content-Type", "Text/HTML; charset=utf-8")).media_type == "text/html"
    assert declared().media_type == ""


@pytest.mark.parametrize(
    ("headers", "resumable"),
    [
        ([LENGTH, TAG], True),
        ([LENGTH, ("x-goog-generation", "7"), HASH], True),
        ([LENGTH, ("Last-Modified", "Wed, 01 May 2024 12:00:00 GMT"), HASH], True),
        ([LENGTH, ("ETag", 'W/"1"'), HASH], False),
        ([LENGTH, ("ETag", '"\u00e4"'), HASH], False),
        ([LENGTH, ("x-goog-generation", "7")], False),
        ([LENGTH, ("Last-Modified", "Wed, 01 May 2024 12:00:00 GMT")], False),
        ([LENGTH, HASH], False),
        ([TAG, HASH], False),
        ([LENGTH, TAG, ("Content-Encoding", "gzip")], False),
    ],
)
def test_trap_02_only_identified_content_is_continued(
    headers: list[tuple[str, str]], resumable: bool
) -> None:
    """A strong ETag, or a generation or date with a hash that will check the whole; and always a length."""
    assert declared(*headers).is_resumable is resumable


def test_a_range_is_requested_for_this_content_only() -> None:
    """By its strong ETag, if there is one."""
    assert declared(LENGTH, TAG).range_headers(5, 8) == {"Range": "bytes=5-", "If-Range": '"1"'}
    assert declared(LENGTH, HASH, ("x-goog-generation", "7")).range_headers(5, 7) == {"Range": "bytes=5-6"}


@pytest.mark.parametrize(
    ("mine", "theirs", "match", "confirmed"),
    [
        ([TAG], [TAG], Match.SAME, True),
        ([TAG], [("ETag", '"2"')], Match.DIFFERENT, False),
        ([TAG, ("x-goog-generation", "7")], [TAG, ("x-goog-generation", "8")], Match.DIFFERENT, False),
        ([TAG], [], Match.UNKNOWN, False),
        ([("x-goog-generation", "7")], [("x-goog-generation", "7")], Match.SAME, True),
        ([("x-goog-generation", "7")], [("x-goog-generation", "8")], Match.DIFFERENT, False),
        ([("x-goog-generation", "7")], [], Match.UNKNOWN, False),
        ([("Last-Modified", "x")], [("Last-Modified", "x")], Match.WEAKLY_SAME, True),
        ([("Last-Modified", "x")], [("Last-Modified", "y")], Match.WEAKLY_DIFFERENT, False),
        ([TAG, ("Last-Modified", "x")], [("Last-Modified", "x")], Match.WEAKLY_SAME, False),
        ([("ETag", '""')], [("ETag", '""')], Match.UNKNOWN, False),
        ([("ETag", "")], [("ETag", "")], Match.UNKNOWN, False),
        ([], [], Match.UNKNOWN, False),
    ],
)
def test_validators_are_compared(
    mine: list[tuple[str, str]], theirs: list[tuple[str, str]], match: Match, confirmed: bool
) -> None:
    """A strong validator decides; content is confirmed by the strongest that either response has."""
    one, other = Validators.of(CIMultiDict(mine)), Validators.of(CIMultiDict(theirs))
    assert one.compare(other) is match
    assert one.confirms(other) is confirmed


@pytest.mark.parametrize(
    ("text", "first", "last", "total", "whole", "shown"),
    [
        ("bytes 0-9/10", 0, 9, 10, True, "bytes 0-9/10"),
        ("BYTES=0-9/10", 0, 9, 10, True, "bytes 0-9/10"),
        ("bytes 5-9/10", 5, 9, 10, False, "bytes 5-9/10"),
        ("bytes 0-9/*", 0, 9, None, False, "bytes 0-9/*"),
        ("bytes */10", None, None, 10, False, "bytes */10"),
        ("bytes */0", None, None, 0, True, "bytes */0"),
        ("bytes 0--1/0", 0, -1, 0, True, "bytes 0--1/0"),
        ("bytes 5-9/0", 5, 9, 0, False, "bytes 5-9/0"),
        ("items 0-9/10", None, None, None, False, "an unreadable range"),
        (f"bytes 0-{'9' * 5000}/10", None, None, None, False, "an unreadable range"),
    ],
)
def test_a_content_range_is_read(
    text: str, first: int | None, last: int | None, total: int | None, whole: bool, shown: str
) -> None:
    """Leniently in its spelling, strictly in its numbers."""
    span = ContentRange.of(text)
    assert (span.first, span.last, span.total, span.is_whole, str(span)) == (first, last, total, whole, shown)


def test_the_metadata_of_a_partial_file_holds_all_but_the_url() -> None:
    """JSON that this version did not write gives empty metadata."""
    told = declared(LENGTH, TAG, HASH, ("Content-Type", "text/csv"))
    stored = json.loads(json.dumps(told.to_json()))
    assert ObjectMetadata.from_json(stored) == told
    nothing: dict[str, object] = {}
    for broken in (
        nothing,
        stored | {"length": None},
        stored | {"hashes": [["md5", "xyz"]]},
        stored | {"hashes": [["blake9", ""]]},
        stored | {"hashes": [["md5", ""]]},
        stored | {"hashes": [["md5", "00" * 15]]},
        stored | {"hashes": [["crc32c", "00" * 16]]},
        stored | {"hashes": 5},
        stored | {"validators": {"url": "x"}},
        stored | {"validators": {"etag": '"1"\r\nX-Other: 1', "generation": None, "modified": None}},
        stored | {"validators": {"etag": 1}},
        stored | {"validators": {"etag": None, "generation": 7, "modified": None}},
    ):
        assert not ObjectMetadata.from_json(broken).is_resumable


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner))


@given(st.dictionaries(st.sampled_from(["length", "hashes", "validators", "media_type"]), JSON))
def test_any_json_is_metadata_or_none(stored: dict[str, object]) -> None:
    """Reading it raises nothing."""
    ObjectMetadata.from_json(stored)


NAMES = [
    "Content-Length",
    "Content-Range",
    "Content-Encoding",
    "ETag",
    "x-goog-hash",
    "Content-MD5",
    "Content-Type",
]


@given(st.integers(200, 599), st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=40))))
def test_any_head_is_read(status: int, headers: list[tuple[str, str]]) -> None:
    """Reading it raises nothing, and a length is never negative."""
    head = ResponseHead.of(status, CIMultiDict(headers))
    assert head.declared.length is None or head.declared.length >= 0
