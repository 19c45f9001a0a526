"""Redirects: at most five are followed, byte for byte as received, and only to permitted addresses."""

from __future__ import annotations

import pytest

from packagex_async import StorageError
from tests.faults.responses import correct_response, text_response, truncated_response
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import RawStorageServer, Request, Responder

ESCAPED_TARGET = "/b%2Fc/%7Ea%40?sig=a%2Bb%3D+c&x=%C3%BC&link=9&empty="


def redirect(location: str | None, status: str = "302 Found") -> Responder:
    """Respond with a redirect."""
    return text_response(status, headers={"Location": location})


async def test_five_redirects(raw: RawDownloadScenario) -> None:
    """Five redirects are followed."""
    raw.respond_with(*[redirect("/next")] * 5)
    assert (await raw.download()).attempts == 1


async def test_six_redirects(raw: RawDownloadScenario) -> None:
    """The sixth redirect is an error, which is final."""
    raw.always_respond_with(redirect("/next"))
    assert "5 times" in str(await raw.download_error(StorageError))
    assert len(raw.storage.requests) == 6


@pytest.mark.parametrize(
    "status",
    [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ],
)
async def test_redirect_statuses(raw: RawDownloadScenario, status: str) -> None:
    """Every redirect status is followed with a GET."""
    raw.respond_with(redirect("/next", status))
    await raw.download()


async def test_relative_redirect(raw: RawDownloadScenario) -> None:
    """A relative `Location` is resolved against the URL of the request."""
    raw.respond_with(redirect("other?sig=%2F"))
    await raw.download()
    assert raw.storage.requests[1].target == f"/{raw.export_id}/other?sig=%2F"


async def test_redirect_to_other_host(raw: RawDownloadScenario) -> None:
    """The target is requested byte for byte, without credentials."""
    async with RawStorageServer(raw.storage.stored, correct_response) as other_host:
        raw.respond_with(redirect(other_host.origin + ESCAPED_TARGET))
        await raw.download()
    (request,) = other_host.requests
    assert request.target == ESCAPED_TARGET
    assert not contains_secret(request, raw.server.api_key)


@pytest.mark.one_connection
async def test_redirect_of_resume(raw: RawDownloadScenario) -> None:
    """The range is requested from the new location too."""
    raw.respond_with(truncated_response(30_000), redirect("/next"))
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [None, "bytes=30000-", "bytes=30000-"]


@pytest.mark.parametrize(
    "location",
    ["http://storage.example/a", "http://192.0.2.1/a", "//storage.example/a"],
)
async def test_redirect_to_plain_http(raw: RawDownloadScenario, location: str) -> None:
    """A redirect to an unencrypted address is refused."""
    raw.always_respond_with(redirect(location))
    assert "not https" in str(await raw.download_error(StorageError))
    assert len(raw.storage.requests) == 1


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,x", "about:blank"])
async def test_redirect_to_other_scheme(raw: RawDownloadScenario, location: str) -> None:
    """Local files and other protocols are refused."""
    raw.always_respond_with(redirect(location))
    await raw.download_error(StorageError)


async def test_redirect_with_user_name(raw: RawDownloadScenario) -> None:
    """An address with credentials is refused, because they would be sent along."""
    raw.always_respond_with(redirect(raw.storage.origin.replace("//", "//user:password@") + "/a"))
    error = await raw.download_error(StorageError)
    assert "user name" in str(error)
    assert "password" not in str(error)


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "//"])
async def test_redirect_to_invalid_address(raw: RawDownloadScenario, location: str) -> None:
    """An address that cannot be parsed is an error of the artifact."""
    raw.always_respond_with(redirect(location))
    await raw.download_error(StorageError)


async def test_redirect_without_location(raw: RawDownloadScenario) -> None:
    """A redirect without `Location` is an unexpected status."""
    raw.always_respond_with(redirect(None))
    assert (await raw.download_error(StorageError)).status == 302


def contains_secret(request: Request, secret: str) -> bool:
    """Return whether a request contains `secret` or a header for credentials."""
    names = {name.lower() for name in request.headers}
    credentials = {"px-api-key", "x-api-key", "authorization", "cookie", "referer"}
    return bool(names & credentials) or secret in str(request)
