"""The URL of an artifact, and the errors for responses from its storage host."""

from __future__ import annotations

import hashlib

import pytest

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
)
from packagex_async._storage.object_metadata import ObjectMetadata
from packagex_async._storage.storage_errors import DownloadUrl, broken_off, refusal, verify

BODY = b"a,b\n1,2\n"
MD5 = hashlib.md5(BODY).digest()
LINK = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://storage.example/a?sig=CANARY")


@pytest.mark.parametrize(
    ("query", "expires"),
    [
        ("X-Amz-Date=20240501T120000Z&X-Amz-Expires=60", 1714564860.0),
        ("x-goog-expires=60&x-goog-date=20240501T120000Z", 1714564860.0),
        ("se=2024-05-01T12%3A00%3A00Z&sig=x", 1714564800.0),
        ("Expires=1714564800&Signature=x", 1714564800.0),
        ("md5=x&expires=1714564800", 1714564800.0),
        ("e=1714564800", 1714564800.0),
        ("X-Amz-Expires=60", None),
        ("X-Amz-Date=yesterday&X-Amz-Expires=60", None),
        ("expires=never", None),
        ("sig=x", None),
        ("se=2024-05-01T12:00:00&sig=x", 1714564800.0),
        ("X-Amz-Date=99991231T235959Z&X-Amz-Expires=1e400", float("inf")),
    ],
)
def test_the_expiry_in_a_url_is_read(query: str, expires: float | None) -> None:
    """In every vendor's form."""
    link = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url=f"https://s.example/a?{query}")
    assert link.expires == expires


def test_a_url_that_cannot_be_parsed_has_no_expiry() -> None:
    """A malformed URL is an error of its own, later."""
    assert DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://][::1/?se=1").expires is None


def check(
    metadata: ObjectMetadata, *digests: bytes, received: int = 8, size: int = 8, start: bytes = BODY
) -> str:
    return verify(LINK, metadata, received=received, size=size, digests_of=lambda _: digests, start=start)


def test_the_result_names_what_was_checked() -> None:
    """`checksum`, `length` or `none`."""
    assert (
        check(ObjectMetadata(length=8, size=8, hashes=frozenset({("md5", MD5)})), b"decoded", MD5)
        == "checksum"
    )
    assert check(ObjectMetadata(length=8)) == "length"
    assert check(ObjectMetadata(size=8)) == "length"
    assert check(ObjectMetadata()) == "none"


def test_trap_01_bytes_that_do_not_match_are_refused() -> None:
    """Fewer or more bytes than declared, on the wire or decoded, or other bytes."""
    for size in (7, 9):
        with pytest.raises(IncompleteBodyError, match=f"ended after {size} of 8 bytes"):
            check(ObjectMetadata(length=8), received=size, size=size)
        with pytest.raises(IncompleteBodyError, match=f"ended after {size} of 8 bytes"):
            check(ObjectMetadata(length=5, size=8, encoding="gzip"), received=5, size=size)
    hashes = frozenset({("md5", MD5), ("crc32c", b"abcd")})
    with pytest.raises(ChecksumError, match="do not have the crc32c"):
        check(ObjectMetadata(length=8, hashes=hashes), MD5)
    with pytest.raises(ChecksumError, match="declares; it declared 9 bytes before"):
        check(ObjectMetadata(length=8, hashes=hashes, disputed_size=9), MD5)


def test_a_web_page_is_refused_unless_a_hash_proves_it() -> None:
    """Nothing else tells a page with a matching length from the artifact."""
    with pytest.raises(StorageError, match="a web page"):
        check(ObjectMetadata(length=8), start=b"<html></html>")
    assert check(ObjectMetadata(hashes=frozenset({("md5", MD5)})), MD5, start=b"<html></html>") == "checksum"


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
    failure = broken_off(LINK, ObjectMetadata(), 5, error)
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
        (403, b"Signature not valid in the specified time frame", LinkExpiredError, "403"),
        (400, b"<Code>AuthenticationRequired</Code>", LinkExpiredError, "400 (AuthenticationRequired)"),
    ],
)
def test_a_refusal_is_told_apart(status: int, body: bytes, kind: type[DownloadError], says: str) -> None:
    """An expired link is not a refused one; neither shows the link."""
    failure = refusal(LINK, status, body, now=0.0, retry_after=3.0)
    assert type(failure) is kind
    assert says in str(failure)
    assert "CANARY" not in f"{failure!r} {LINK!r}"
    if isinstance(failure, StorageError):
        assert (failure.status, failure.retry_after) == (status, 3.0)


def test_a_bare_403_is_an_expiry_once_the_url_has_outlived_itself() -> None:
    """By the server's clock, and by its own text."""
    link = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://s.example/a?expires=100")
    assert isinstance(refusal(link, 403, b"", now=100.0), LinkExpiredError)
    assert not isinstance(refusal(link, 403, b"", now=99.0), LinkExpiredError)
