"""Redirects: followed by hand, five at most, exactly as written, and only to where an artifact may be."""

from __future__ import annotations

import pytest

from packagex_async import StorageError
from tests.faults.host import Host, Play, Request
from tests.faults.plays import cut, honest, says
from tests.faults.trial import Raw

ODD = "/b%2Fc/%7Ea%40?sig=a%2Bb%3D+c&x=%C3%BC&link=9&empty="


def redirect(location: str | None, status: str = "302 Found") -> Play:
    """An answer that leads elsewhere."""
    return says(status, headers={"Location": location})


async def test_five_redirects(raw: Raw) -> None:
    """The fifth is still followed."""
    raw.plays(*[redirect("/next")] * 5)
    assert (await raw.arrives()).attempts == 1


async def test_six_redirects(raw: Raw) -> None:
    """The sixth is not, and that is final."""
    raw.always(redirect("/next"))
    assert "5 times" in str(await raw.fails(StorageError))
    assert len(raw.host.requests) == 6


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
async def test_every_kind_of_redirect(raw: Raw, status: str) -> None:
    """Each is followed by a GET."""
    raw.plays(redirect("/next", status))
    await raw.arrives()


async def test_a_relative_redirect(raw: Raw) -> None:
    """It leads from where it stands."""
    raw.plays(redirect("other?sig=%2F"))
    await raw.arrives()
    assert raw.host.requests[1].target == f"/{raw.export_id}/other?sig=%2F"


async def test_a_redirect_to_another_host(raw: Raw) -> None:
    """Its target reaches the wire byte for byte, and no credential goes with it."""
    async with Host(raw.host.stored, honest) as other:
        raw.plays(redirect(other.origin + ODD))
        await raw.arrives()
    (request,) = other.requests
    assert request.target == ODD
    assert not tells(request, raw.server.api_key)


@pytest.mark.one_connection
async def test_a_redirect_of_a_resume(raw: Raw) -> None:
    """The range is asked for behind the redirect, too."""
    raw.plays(cut(30_000), redirect("/next"))
    assert (await raw.arrives()).resumed
    assert raw.host.ranges == [None, "bytes=30000-", "bytes=30000-"]


@pytest.mark.parametrize(
    "location",
    ["http://storage.example/a", "http://192.0.2.1/a", "//storage.example/a"],
)
async def test_a_redirect_to_plain_http(raw: Raw, location: str) -> None:
    """Bytes are not taken from where anybody on the way could change them."""
    raw.always(redirect(location))
    assert "not https" in str(await raw.fails(StorageError))
    assert len(raw.host.requests) == 1


@pytest.mark.parametrize("location", ["file:///etc/hostname", "ftp://127.0.0.1/a", "data:,x", "about:blank"])
async def test_a_redirect_to_what_is_no_web_address(raw: Raw, location: str) -> None:
    """No file of this machine is read, and no other protocol spoken."""
    raw.always(redirect(location))
    await raw.fails(StorageError)


async def test_a_redirect_with_a_user_name(raw: Raw) -> None:
    """An address that carries a login is refused; the login would be sent along."""
    raw.always(redirect(raw.host.origin.replace("//", "//user:password@") + "/a"))
    error = await raw.fails(StorageError)
    assert "user name" in str(error)
    assert "password" not in str(error)


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:99999/", "http://127.0.0.1:0/", "//"])
async def test_a_redirect_of_no_sense(raw: Raw, location: str) -> None:
    """An address that cannot be read leads nowhere; the artifact fails, the caller is told."""
    raw.always(redirect(location))
    await raw.fails(StorageError)


async def test_a_redirect_that_leads_nowhere(raw: Raw) -> None:
    """Without a `Location` it is an answer that is not the object."""
    raw.always(redirect(None))
    assert (await raw.fails(StorageError)).status == 302


def tells(request: Request, secret: str) -> bool:
    """Whether a request holds `secret`, or any header that a credential would travel in."""
    names = {name.lower() for name in request.headers}
    credentials = {"px-api-key", "x-api-key", "authorization", "cookie", "referer"}
    return bool(names & credentials) or secret in str(request)
