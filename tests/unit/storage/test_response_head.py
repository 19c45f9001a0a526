"""The head of a response: status and headers become the metadata of an object."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.response_head import ContentRange, ResponseHead, content_coding
from packagex_async._utils import hashing

MD5 = hashlib.md5(b"a,b\n1,2\n").digest()
MD5_TEXT = base64.b64encode(MD5).decode()
CRC32C = b"\x01\x02\x03\x04"
CRC32C_TEXT = base64.b64encode(CRC32C).decode()


def declared(*pairs: tuple[str, str]) -> ObjectMetadata:
    """Return the metadata that a response with these headers declares."""
    return ResponseHead.parse(200, CIMultiDict(pairs)).declared


@pytest.fixture
def without_crc32c(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make CRC-32C unavailable, as without its extra."""
    monkeypatch.setattr(hashing, "crc32c_factory", lambda: None)


def test_length_is_read_from_content_length() -> None:
    """Invalid values, and a chunked transfer, give no length."""
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
def test_md5_is_read_from_each_header(headers: list[tuple[str, str]]) -> None:
    """An MD5 is read from one header, from two headers, and from a list. An invalid hash is ignored."""
    assert declared(*headers).hashes == {("md5", MD5)}


def test_all_supported_hashes_are_kept() -> None:
    """A correct CRC-32C does not excuse a wrong MD5."""
    pytest.importorskip("google_crc32c")
    other = base64.b64encode(bytes(16)).decode()
    found = declared(("x-goog-hash", f"crc32c={CRC32C_TEXT},md5={MD5_TEXT}"), ("Content-MD5", other))
    assert found.hashes == {("crc32c", CRC32C), ("md5", MD5), ("md5", bytes(16))}
    assert found.algorithms == {"crc32c", "md5"}
    upper_case = declared(("x-goog-hash", f"MD5={MD5_TEXT}, CRC32C={CRC32C_TEXT}"))
    assert upper_case.algorithms == {"crc32c", "md5"}


@pytest.mark.usefixtures("without_crc32c")
def test_only_md5_is_used_without_the_extra() -> None:
    """Without the extra, a CRC-32C is ignored."""
    assert declared(("x-goog-hash", f"crc32c={CRC32C_TEXT},md5={MD5_TEXT}")).hashes == {("md5", MD5)}
    assert declared(("x-goog-hash", f"crc32c={CRC32C_TEXT}")).hashes == frozenset()


def test_trap_05_hash_of_stored_gzip_is_ignored_for_decoded_bytes() -> None:
    """The hash of a stored gzip object is ignored, because decoded bytes never match it."""
    found = declared(("x-goog-hash", f"md5={MD5_TEXT}"), ("x-goog-stored-content-encoding", "gzip"))
    assert found.hashes == frozenset()


def test_trap_06_etag_is_not_a_hash() -> None:
    """An ETag is not used as a hash, even if it has the form of an MD5."""
    assert declared(("ETag", f'"{MD5.hex()}"')).hashes == frozenset()


def test_trap_05_compressed_body_has_no_known_size() -> None:
    """Without a known size, the transfer cannot continue in its middle."""
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
        ("base64", None),
        ("text/csv", None),
        ("charset=utf-8", None),
        ("charset=utf-8, gzip", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("br", "br"),
        ("zlib", "zlib"),
        ("gzip, deflate", "gzip, deflate"),
        ("a\0b", "a\0b"),
    ],
)
def test_content_coding_is_read(text: str, coding: str | None) -> None:
    """Character sets, and other values that object stores return, are ignored."""
    assert content_coding(text) == coding


def test_media_type_is_read_without_parameters() -> None:
    """The media type is in lower case, and has no parameters."""
    assert declared(("Content-Type", "Text/HTML; charset=utf-8")).media_type == "text/html"
    assert declared().media_type == ""


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
def test_content_range_is_parsed(
    text: str, first: int | None, last: int | None, total: int | None, whole: bool, shown: str
) -> None:
    """The spelling of the header may vary; the numbers must be valid."""
    content_range = ContentRange.parse(text)
    values = content_range.first, content_range.last, content_range.total, content_range.is_whole
    assert (*values, str(content_range)) == (first, last, total, whole, shown)


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
def test_any_head_is_read_without_an_error(status: int, headers: list[tuple[str, str]]) -> None:
    """The length is never negative."""
    head = ResponseHead.parse(status, CIMultiDict(headers))
    assert head.declared.length is None or head.declared.length >= 0
