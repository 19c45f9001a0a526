"""Verification of the bytes of an artifact."""

from __future__ import annotations

import hashlib

import pytest

from packagex_async import Artifact, ChecksumError, IncompleteBodyError, StorageError
from packagex_async._storage.body_check import verify_body
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.object_metadata import ObjectMetadata

BODY = b"a,b\n1,2\n"
MD5 = hashlib.md5(BODY).digest()
URL = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://storage.example/a?sig=CANARY")


def check(
    metadata: ObjectMetadata, *digests: bytes, received: int = 8, size: int = 8, start: bytes = BODY
) -> str:
    return verify_body(URL, metadata, received=received, size=size, digests_of=lambda _: digests, start=start)


def test_result_names_the_verification() -> None:
    """`checksum`, `length` or `none`."""
    assert (
        check(ObjectMetadata(length=8, size=8, hashes=frozenset({("md5", MD5)})), b"decoded", MD5)
        == "checksum"
    )
    assert check(ObjectMetadata(length=8)) == "length"
    assert check(ObjectMetadata(size=8)) == "length"
    assert check(ObjectMetadata()) == "none"


def test_trap_01_mismatch_is_an_error() -> None:
    """Too few or too many bytes, on the wire or decoded, or a wrong hash."""
    for size, text in ((7, "ended after 7 of 8 bytes"), (9, "has 9 bytes or more instead of 8")):
        with pytest.raises(IncompleteBodyError, match=text):
            check(ObjectMetadata(length=8), received=size, size=size)
        with pytest.raises(IncompleteBodyError, match=text):
            check(ObjectMetadata(length=5, size=8, encoding="gzip"), received=5, size=size)
    hashes = frozenset({("md5", MD5), ("crc32c", b"abcd")})
    with pytest.raises(ChecksumError, match="do not have the crc32c"):
        check(ObjectMetadata(length=8, hashes=hashes), MD5)
    with pytest.raises(ChecksumError, match="declares; it declared 9 bytes before"):
        check(ObjectMetadata(length=8, hashes=hashes, disputed_size=9), MD5)


def test_web_page_is_refused_unless_a_hash_matches() -> None:
    """Its length may match by chance."""
    with pytest.raises(StorageError, match="a web page"):
        check(ObjectMetadata(length=8), start=b"<html></html>")
    assert check(ObjectMetadata(hashes=frozenset({("md5", MD5)})), MD5, start=b"<html></html>") == "checksum"
