"""Errors for responses of storage hosts."""

from __future__ import annotations

import pytest

from packagex_async import (
    Artifact,
    ConnectionFailedError,
    DownloadError,
    IncompleteBodyError,
    LinkExpiredError,
    RequestTimeoutError,
    StalledError,
    StorageError,
)
from packagex_async._storage.download_url import DownloadUrl
from packagex_async._storage.storage_errors import (
    contradiction_error,
    interrupted_body_error,
    status_error,
    unusable_body_error,
)

URL = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://storage.example/a?sig=CANARY")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (None, IncompleteBodyError),
        (ConnectionFailedError("x"), IncompleteBodyError),
        (RequestTimeoutError("x"), StalledError),
    ],
)
def test_interrupted_body_names_cause_and_position(
    error: ConnectionFailedError | None, kind: type[DownloadError]
) -> None:
    """A stall is distinguished from a closed connection."""
    failure = interrupted_body_error(URL, 5, None, error)
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
def test_expired_url_is_distinguished_from_other_refusals(
    status: int, body: bytes, kind: type[DownloadError], says: str
) -> None:
    """No error contains the URL."""
    failure = status_error(URL, status, body, now=0.0, retry_after=3.0)
    assert type(failure) is kind
    assert says in str(failure)
    assert "CANARY" not in f"{failure!r} {URL!r}"
    if isinstance(failure, StorageError):
        assert (failure.status, failure.retry_after) == (status, 3.0)


def test_403_after_the_expiry_of_the_url_is_an_expired_link() -> None:
    """According to its query, and to the clock of the server."""
    url = DownloadUrl(export_id="exp_1", artifact=Artifact.CSV, url="https://s.example/a?expires=100")
    assert isinstance(status_error(url, 403, b"", now=100.0), LinkExpiredError)
    assert not isinstance(status_error(url, 403, b"", now=99.0), LinkExpiredError)


def test_reason_is_the_predicate_of_the_message() -> None:
    """The subject is the storage host, and the message names the export and the artifact."""
    contradiction = contradiction_error(URL, "answered 206", 206)
    assert str(contradiction) == "export exp_1, artifact csv: the storage host answered 206"
    assert contradiction.status == 206
    unusable = unusable_body_error(URL, "it is a web page")
    assert "the storage host sent a body that cannot be used: it is a web page" in str(unusable)
