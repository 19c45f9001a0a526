"""What a storage host's answer says of an artifact."""

from __future__ import annotations

import base64
import hashlib
import json

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
from packagex_async._spans import Span
from packagex_async._storage import (
    Declared,
    Identity,
    Link,
    broken_off,
    promised,
    refusal,
    verify,
)

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


def test_only_a_whole_200_promises_the_object() -> None:
    """Another 2xx, or an encoding that cannot be decoded, is not the artifact."""
    assert promised(LINK, 200, CIMultiDict({"Content-Length": "3"})).length == 3
    assert promised(LINK, 200, CIMultiDict({"Content-Encoding": "identity"})).encoding is None
    for status in (201, 204, 206):
        with pytest.raises(StorageError, match=f"answered {status}") as caught:
            promised(LINK, status, CIMultiDict())
        assert caught.value.status == status
    with pytest.raises(StorageError, match="encoded as 'br'"):
        promised(LINK, 200, CIMultiDict({"Content-Encoding": "br"}))


def test_trap_05_a_compressed_body_has_a_length_on_the_wire_only() -> None:
    """The file's is not known, and the transfer cannot go on in its middle."""
    zipped = declared(
        ("Content-Length", "8"), ("Content-Encoding", "GZIP"), ("ETag", '"1"'), ("Content-MD5", MD5_TEXT)
    )
    assert (zipped.length, zipped.size, zipped.encoding, zipped.resumable) == (8, None, "gzip", False)
    assert zipped.algorithm == "md5"
    stored = ("x-goog-stored-content-encoding", "gzip")
    assert declared(("Content-Encoding", "gzip"), ("Content-MD5", MD5_TEXT), stored).algorithm == "md5"
    other = ("x-goog-stored-content-encoding", "identity")
    assert declared(("Content-Encoding", "gzip"), ("Content-MD5", MD5_TEXT), other).algorithm is None


LENGTH = ("Content-Length", "8")
TAG = ("ETag", '"1"')
HASH = ("Content-MD5", MD5_TEXT)


@pytest.mark.parametrize(
    ("headers", "resumable"),
    [
        ([LENGTH, TAG], True),
        ([LENGTH, ("x-goog-generation", "7"), HASH], True),
        ([LENGTH, ("Last-Modified", "Wed, 01 May 2024 12:00:00 GMT"), HASH], True),
        ([LENGTH, ("ETag", 'W/"1"'), HASH], False),
        ([LENGTH, ("x-goog-generation", "7")], False),
        ([LENGTH, ("Last-Modified", "Wed, 01 May 2024 12:00:00 GMT")], False),
        ([LENGTH, HASH], False),
        ([TAG, HASH], False),
        ([LENGTH, TAG, ("Content-Encoding", "gzip")], False),
    ],
)
def test_trap_02_only_named_content_is_gone_on_with(headers: list[tuple[str, str]], resumable: bool) -> None:
    """A strong ETag, or a generation or date with a hash that will check the whole; and always a length."""
    assert declared(*headers).resumable is resumable


def test_a_range_is_asked_for_this_content_only() -> None:
    """By its strong ETag, where there is one."""
    assert declared(LENGTH, TAG).range_of(Span(5, 8)) == {"Range": "bytes=5-", "If-Range": '"1"'}
    assert declared(LENGTH, HASH, ("x-goog-generation", "7")).range_of(Span(5, 8)) == {"Range": "bytes=5-"}


RANGE = ("Content-Range", "bytes 5-7/8")


@pytest.mark.parametrize(
    ("status", "headers", "continued"),
    [
        (206, [RANGE, TAG], True),
        (206, [("Content-Range", "bytes 5-6/8"), TAG], True),
        (200, [RANGE, TAG], False),
        (206, [TAG], False),
        (206, [RANGE], False),
        (206, [RANGE, ("ETag", '"2"')], False),
        (206, [RANGE, ("ETag", 'W/"1"')], False),
        (206, [("Content-Range", "bytes 4-7/8"), TAG], False),
        (206, [("Content-Range", "bytes 6-7/8"), TAG], False),
        (206, [("Content-Range", "bytes 5-7/9"), TAG], False),
        (206, [("Content-Range", "bytes 5-7/*"), TAG], False),
        (206, [("Content-Range", "bytes 5-8/8"), TAG], False),
        (206, [("Content-Range", "bytes 5-4/8"), TAG], False),
        (206, [("Content-Range", "items 5-7/8"), TAG], False),
        (206, [RANGE, TAG, ("Content-Encoding", "gzip")], False),
    ],
)
def test_trap_02_only_what_follows_exactly_is_appended(
    status: int, headers: list[tuple[str, str]], continued: bool
) -> None:
    """Status, start, total and identity, all four."""
    assert declared(LENGTH, TAG).continued_by(status, CIMultiDict(headers), 5) is continued


@pytest.mark.parametrize(
    ("mine", "theirs", "same"),
    [
        ([("x-goog-generation", "7")], [("x-goog-generation", "7")], True),
        ([("x-goog-generation", "7")], [("x-goog-generation", "8")], False),
        ([("x-goog-generation", "7")], [], False),
        ([("Last-Modified", "x")], [("Last-Modified", "x")], True),
        ([], [], False),
    ],
)
def test_content_is_known_by_the_firmest_name(
    mine: list[tuple[str, str]], theirs: list[tuple[str, str]], same: bool
) -> None:
    """And nothing without a name is the same as anything."""
    assert Identity.of(CIMultiDict(mine)).matches(Identity.of(CIMultiDict(theirs))) is same


def test_trap_03_416_is_the_end_only_of_what_is_whole() -> None:
    """With the total it names, or the one known."""
    whole = declared(LENGTH, TAG)
    assert whole.completed_by(416, CIMultiDict({"Content-Range": "bytes */8"}), 8)
    assert whole.completed_by(416, CIMultiDict(), 8)
    assert not whole.completed_by(416, CIMultiDict({"Content-Range": "bytes */9"}), 8)
    assert not whole.completed_by(416, CIMultiDict(), 7)
    assert not whole.completed_by(200, CIMultiDict(), 8)


def test_a_memo_tells_all_but_the_link() -> None:
    """And one that is none tells nothing."""
    told = declared(LENGTH, TAG, HASH)
    memo = json.loads(json.dumps(told.memo()))
    assert Declared.from_memo(memo) == told
    assert "CANARY" not in str(memo)
    nothing: dict[str, object] = {}
    for broken in (
        nothing,
        memo | {"length": None},
        memo | {"digest": "xyz"},
        memo | {"identity": {"url": "x"}},
    ):
        assert not Declared.from_memo(broken).resumable


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
    ],
)
def test_the_expiry_in_a_url_is_read(query: str, expires: float | None) -> None:
    """In every vendor's form."""
    link = Link(export_id="exp_1", artifact=Artifact.CSV, url=f"https://s.example/a?{query}")
    assert link.expires == expires


def test_what_was_checked_is_said() -> None:
    """`checksum`, `length` or `none`."""
    by_hash = Declared(length=8, algorithm="md5", digest=MD5)
    assert verify(LINK, by_hash, 8, {b"decoded", MD5}) == "checksum"
    assert verify(LINK, Declared(length=8), 8, set()) == "length"
    assert verify(LINK, Declared(), 8, set()) == "none"


def test_trap_01_bytes_that_do_not_match_are_refused() -> None:
    """Fewer or more than declared, or others."""
    for size in (7, 9):
        with pytest.raises(IncompleteBodyError, match=f"ended after {size} of 8 bytes"):
            verify(LINK, Declared(length=8), size, set())
    with pytest.raises(ChecksumError, match="do not have the md5"):
        verify(LINK, Declared(length=8, algorithm="md5", digest=MD5), 8, {b"other"})


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
    link = Link(export_id="exp_1", artifact=Artifact.CSV, url="https://s.example/a?expires=100")
    assert isinstance(refusal(link, 403, b"", now=100.0), LinkExpiredError)
    assert not isinstance(refusal(link, 403, b"", now=99.0), LinkExpiredError)
