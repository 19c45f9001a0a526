"""Metadata of an object: what may be resumed, and how validators are compared."""

from __future__ import annotations

import base64
import hashlib
import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from packagex_async._storage.object_metadata import Match, ObjectMetadata, Validators
from packagex_async._storage.response_head import ResponseHead

MD5 = hashlib.md5(b"a,b\n1,2\n").digest()
MD5_TEXT = base64.b64encode(MD5).decode()
CRC32C = b"\x01\x02\x03\x04"
CRC32C_TEXT = base64.b64encode(CRC32C).decode()

LENGTH = ("Content-Length", "8")
TAG = ("ETag", '"1"')
HASH = ("Content-MD5", MD5_TEXT)


def declared(*pairs: tuple[str, str]) -> ObjectMetadata:
    """Return the metadata that a response with these headers declares."""
    return ResponseHead.parse(200, CIMultiDict(pairs)).declared


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
def test_trap_02_only_identified_content_is_resumable(
    headers: list[tuple[str, str]], resumable: bool
) -> None:
    """By a strong ETag, or by a generation or a date together with a hash; and the length must be known."""
    assert declared(*headers).is_resumable is resumable


def test_range_request_has_a_condition() -> None:
    """The strong ETag, if there is one."""
    assert declared(LENGTH, TAG).range_headers(5, 8) == {"Range": "bytes=5-", "If-Range": '"1"'}
    assert declared(LENGTH, HASH, ("x-goog-generation", "7")).range_headers(5, 7) == {"Range": "bytes=5-6"}


@pytest.mark.parametrize(
    ("ours", "theirs", "match", "confirmed"),
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
    ours: list[tuple[str, str]], theirs: list[tuple[str, str]], match: Match, confirmed: bool
) -> None:
    """Strong validators take precedence. The strongest validator that either side has must be equal."""
    ours_read, theirs_read = (
        Validators.from_headers(CIMultiDict(ours)),
        Validators.from_headers(CIMultiDict(theirs)),
    )
    assert ours_read.compare(theirs_read) is match
    assert ours_read.confirms(theirs_read) is confirmed


def test_metadata_survives_the_json_of_a_partial_file() -> None:
    """Other JSON gives empty metadata."""
    metadata = declared(LENGTH, TAG, HASH, ("Content-Type", "text/csv"))
    stored = json.loads(json.dumps(metadata.to_json()))
    assert attrs.asdict(ObjectMetadata.from_json(stored)) == attrs.asdict(metadata)
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
def test_any_json_is_read_without_an_error(stored: dict[str, object]) -> None:
    """Damaged metadata is not an error."""
    ObjectMetadata.from_json(stored)
