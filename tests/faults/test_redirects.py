"""Redirects: followed by hand, five at most, exactly as written, and only to where an artifact may be."""

from __future__ import annotations

import pytest

from packagex_async import StorageError
from tests.faults.responses import correct_response, text_response, truncated_response
from tests.faults.scenario import RawDownloadScenario
from tests.faults.storage_server import RawStorageServer, Request, Responder

ODD = "/b%2Fc/%7Ea%40?sig=a%2Bb%3D+c&x=%C3%BC&link=9&empty="


def redirect(location: str | None, status: str = "302 Found") -> Responder:
    """An answer that leads elsewhere."""
    return text_response(status, headers={"Location": location})


async def test_five_redirects(raw: RawDownloadScenario) -> None:
    """The fifth is still followed."""
    raw.respond_with(*[redirect("/next")] * 5)
    assert (await raw.download()).attempts == 1


async def test_six_redirects(raw: RawDownloadScenario) -> None:
    """The sixth is not, and that is final."""
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
async def test_every_kind_of_redirect(raw: RawDownloadScenario, status: str) -> None:
    """Each is followed by a GET."""
    raw.respond_with(redirect("/next", status))
    await raw.download()


async def test_a_relative_redirect(raw: RawDownloadScenario) -> None:
    """It leads from where it stands."""
    raw.respond_with(redirect("other?sig=%2F"))
    await raw.download()
    assert raw.storage.requests[1].target == f"/{raw.export_id}/other?sig=%2F"


async def test_a_redirect_to_another_host(raw: RawDownloadScenario) -> None:
    """Its target reaches the wire byte for byte, and no credential goes with it."""
    async with RawStorageServer(raw.storage.stored, correct_response) as other:
        raw.respond_with(redirect(other.origin + ODD))
        await raw.download()
    (request,) = other.requests
    assert request.target == ODD
    assert not contains_secret(request, raw.server.api_key)


@pytest.mark.one_connection
async def test_a_redirect_of_a_resume(raw: RawDownloadScenario) -> None:
    """The range is asked for behind the redirect, too."""
    raw.respond_with(truncated_response(30_000), redirect("/next"))
    assert (await raw.download()).resumed
    assert raw.storage.requested_ranges == [None, "bytes=30000-", "bytes=30000-"]


@pytest.mark.parametrize(
    "location",
    ["http://storage.example/a", "http://192.0.2.1/a", "//storage.example/a"],
)
async def test_a_redirect_to_plain_http(raw: RawDownloadScenario, location: str) -> None:
    """Bytes are not taken from where anybody on the way could change them."""
    raw.always_respond_with(redirect(location))
    assert "not https" in str(await raw.download_error(StorageError))
    assert len(raw.storage.requests) == 1


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,x", "about:blank"])
async def test_a_redirect_to_what_is_no_web_address(raw: RawDownloadScenario, location: str) -> None:
    """No file of this machine is read, and no other protocol spoken."""
    raw.always_respond_with(redirect(location))
    await raw.download_error(StorageError)


async def test_a_redirect_with_a_user_name(raw: RawDownloadScenario) -> None:
    """An address that carries a login is refused; the login would be sent along."""
    raw.always_respond_with(redirect(raw.storage.origin.replace("//", "//user:password@") + "/a"))
    error = await raw.download_error(StorageError)
    assert "user name" in str(error)
    assert "password" not in str(error)


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "//"])
async def test_a_redirect_of_no_sense(raw: RawDownloadScenario, location: str) -> None:
    """An address that cannot be read leads nowhere; the artifact fails, the caller is told."""
    raw.always_respond_with(redirect(location))
    await raw.download_error(StorageError)


async def test_a_redirect_that_leads_nowhere(raw: RawDownloadScenario) -> None:
    """Without a `Location` it is an answer that is not the object."""
    raw.always_respond_with(redirect(None))
    assert (await raw.download_error(StorageError)).status == 302


def contains_secret(request: Request, secret: str) -> bool:
    """Whether a request holds `secret`, or any header that a credential would travel in."""
    names = {name.lower() for name in request.headers}
    credentials = {"px-api-key", "x-api-key", "authorization", "cookie", "referer"}
    return bool(names & credentials) or secret in str(request)
