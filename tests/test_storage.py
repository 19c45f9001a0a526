"""What a storage host's answer says of an artifact."""

from __future__ import annotations

import base64
import hashlib

import pytest
from multidict import CIMultiDict

from packagex_async import (
    Artifact,
    ChecksumError,
    ConnectionFailedError,
    DownloadError,
    IncompleteBodyError,
    LinkExpiredError,
    RequestTimeoutError,
    StalledError,
    StorageError,
    _digests,
)
from packagex_async._storage import Declared, Link, broken_off, promised, refusal, verify

BODY = b"a,b\n1,2\n"
MD5 = hashlib.md5(BODY).digest()
MD5_TEXT = base64.b64encode(MD5).decode()
CRC32C = b"\x01\x02\x03\x04"
CRC32C_TEXT = base64.b64encode(CRC32C).decode()
LINK = Link(export_id="exp_1", artifact=Artifact.CSV, url="https://storage.example/a?sig=CANARY")


def declared(*pairs: tuple[str, str]) -> Declared:
    return Declared.of(CIMultiDict(pairs))


@pytest.fixture
def without_crc32c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_digests, "crc32c", lambda: None)


def test_the_length_is_read_when_it_is_one() -> None:
    """Anything else is no length."""
    assert declared(("Content-Length", "8")).length == 8
    for nonsense in ("-1", "", "8, 8", "x", "²"):
        assert declared(("Content-Length", nonsense)).length is None
    assert declared().length is None


@pytest.mark.parametrize(
    "headers",
    [
        [("Content-MD5", MD5_TEXT)],
        [("x-goog-hash", f"md5={MD5_TEXT}")],
        [("X-Goog-Hash", "crc32c=AAAA"), ("X-Goog-Hash", f"md5={MD5_TEXT}")],
        [("x-goog-hash", f"crc32c=!!!!, md5={MD5_TEXT}"), ("Content-MD5", "nonsense")],
        [("x-goog-hash", f"md5={MD5_TEXT}"), ("x-goog-stored-content-encoding", "identity")],
    ],
)
def test_a_declared_md5_is_read_from_every_place(headers: list[tuple[str, str]]) -> None:
    """One header, two, or a list in one; what is no hash is passed over."""
    found = declared(*headers)
    assert (found.algorithm, found.digest) == ("md5", MD5)


def test_crc32c_is_preferred_where_it_can_be_computed() -> None:
    """It costs next to nothing."""
    found = declared(("x-goog-hash", f"crc32c={CRC32C_TEXT},md5={MD5_TEXT}"))
    assert (found.algorithm, found.digest) == ("crc32c", CRC32C)


@pytest.mark.usefixtures("without_crc32c")
def test_without_the_extra_crc32c_gives_way_to_md5() -> None:
    """And alone it is no hash at all."""
    assert declared(("x-goog-hash", f"crc32c={CRC32C_TEXT},md5={MD5_TEXT}")).algorithm == "md5"
    assert declared(("x-goog-hash", f"crc32c={CRC32C_TEXT}")).algorithm is None


def test_trap_05_the_hash_of_stored_gzip_is_not_the_hash_of_what_arrives() -> None:
    """An object that was stored compressed is not condemned."""
    found = declared(("x-goog-hash", f"md5={MD5_TEXT}"), ("x-goog-stored-content-encoding", "gzip"))
    assert found.algorithm is None


def test_trap_06_an_etag_is_never_a_hash() -> None:
    """Not even when it looks like one."""
    assert declared(("ETag", f'"{MD5.hex()}"')).algorithm is None


def test_only_a_whole_plain_200_promises_the_object() -> None:
    """Another 2xx, or an encoding nobody asked for, is not the artifact."""
    assert promised(LINK, 200, CIMultiDict({"Content-Length": "3"})).length == 3
    assert promised(LINK, 200, CIMultiDict({"Content-Encoding": "identity"})).length is None
    for status in (201, 204, 206):
        with pytest.raises(StorageError, match=f"answered {status}") as caught:
            promised(LINK, status, CIMultiDict())
        assert caught.value.status == status
    with pytest.raises(StorageError, match="encoded as 'gzip'"):
        promised(LINK, 200, CIMultiDict({"Content-Encoding": "gzip"}))


def test_what_was_checked_is_said() -> None:
    """`checksum`, `length` or `none`."""
    by_hash = Declared(length=8, algorithm="md5", digest=MD5)
    assert verify(LINK, by_hash, 8, {"md5": MD5}) == "checksum"
    assert verify(LINK, Declared(length=8), 8, {}) == "length"
    assert verify(LINK, Declared(), 8, {}) == "none"


def test_trap_01_bytes_that_do_not_match_are_refused() -> None:
    """Fewer or more than declared, or others."""
    for size in (7, 9):
        with pytest.raises(IncompleteBodyError, match=f"ended after {size} of 8 bytes"):
            verify(LINK, Declared(length=8), size, {})
    with pytest.raises(ChecksumError, match="do not have the md5"):
        verify(LINK, Declared(length=8, algorithm="md5", digest=MD5), 8, {"md5": b"other"})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, IncompleteBodyError),
        (ConnectionFailedError("x"), IncompleteBodyError),
        (RequestTimeoutError("x"), StalledError),
    ],
)
def test_a_body_that_ends_early_says_why_and_where(
    error: ConnectionFailedError | None, kind: type[DownloadError]
) -> None:
    """Silence is told apart from a cut."""
    failure = broken_off(LINK, Declared(), 5, error)
    assert type(failure) is kind
    assert "after 5 of an unknown number of bytes" in str(failure)


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (
            403,
            b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message>",
            LinkExpiredError,
            "AccessDenied",
        ),
        (400, b"<Error><Code>ExpiredToken</Code>", LinkExpiredError, "400 (ExpiredToken)"),
        (410, b"", LinkExpiredError, "410"),
        (403, b"<Error><Code>SignatureDoesNotMatch</Code>", StorageError, "403 (SignatureDoesNotMatch)"),
        (404, b"<Error><Code>NoSuchKey</Code>", StorageError, "404 (NoSuchKey)"),
        (503, b"expired?", StorageError, "503"),
    ],
)
def test_a_refusal_is_told_apart(status: int, body: bytes, kind: type[DownloadError], says: str) -> None:
    """An expired link is not a refused one; neither shows the link."""
    failure = refusal(LINK, status, body, 3.0)
    assert type(failure) is kind
    assert says in str(failure)
    assert "CANARY" not in f"{failure!r} {LINK!r}"
    if isinstance(failure, StorageError):
        assert (failure.status, failure.retry_after) == (status, 3.0)
