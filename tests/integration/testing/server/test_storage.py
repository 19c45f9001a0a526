"""The emulated storage."""

from __future__ import annotations

import base64
import hashlib
import sys

import pytest

from packagex_async.testing import Emulator
from tests.integration.testing.client import BODY, Clock, fetch


async def test_complete_object(server: Emulator, url: str) -> None:
    """The response has a length, dates, hashes, and a strong ETag that is not the MD5."""
    response = await fetch(url)
    digest = hashlib.md5(BODY).digest()
    md5 = base64.b64encode(digest).decode()
    assert (response.status, response.body) == (200, BODY)
    assert response.headers["Content-Length"] == "2048"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Last-Modified"] == response.headers["Date"] == "Thu, 01 Jan 2026 12:00:00 GMT"
    assert response.headers["ETag"].startswith('"')
    assert digest.hex() not in response.headers["ETag"]
    assert response.headers["Content-MD5"] == md5
    assert response.headers["x-goog-hash"].endswith(f"md5={md5}")


async def test_md5_only_without_google_crc32c(
    server: Emulator, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra `speed`, `x-goog-hash` contains no CRC32C."""
    monkeypatch.setitem(sys.modules, "google_crc32c", None)
    assert (await fetch(url)).headers["x-goog-hash"].startswith("md5=")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("%2F", "/"),
        ("%40", "@"),
        ("%2F", "%2f"),
        ("%20", "+"),
        ("Get+", "Get%20"),
        ("%7E", "~"),
        ("Expires=1", "Expires=2"),
    ],
)
async def test_rewritten_url_is_rejected(url: str, old: str, new: str) -> None:
    """Any change of the text invalidates the signature, even to an equivalent escape."""
    assert old in url
    response = await fetch(url.replace(old, new))
    assert response.status == 403
    assert b"<Code>SignatureDoesNotMatch</Code>" in response.body


async def test_unsigned_requests_are_rejected(server: Emulator, url: str) -> None:
    """Unsigned paths, a longer signature, and other methods are 403."""
    origin = url.partition("/px-exports")[0]
    assert (await fetch(origin + "/")).status == 403
    assert (await fetch(url + "0")).status == 403
    for method in ("HEAD", "POST", "DELETE"):
        assert (await fetch(url, method)).status == 403


async def test_url_expires(server: Emulator, clock: Clock) -> None:
    """At its expiry time, and not earlier, a URL is rejected with AccessDenied."""
    export = server.add_export(content={"csv": BODY})
    url = server.url_for(export.id, "csv", expires_in=60)
    clock.seconds += 59
    assert (await fetch(url)).status == 200
    clock.seconds += 1
    response = await fetch(url)
    assert response.status == 403
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in response.body


@pytest.mark.parametrize("name", ["PX_API_KEY", "X_API_KEY", "Authorization", "Cookie", "x_amz_meta"])
async def test_credentials_are_rejected(url: str, name: str) -> None:
    """A credential or an x-amz header is 403, because it is not signed."""
    response = await fetch(url, **{name: "a=b"})
    assert response.status == 403
    assert b"not signed" in response.body


async def test_range(url: str) -> None:
    """The response is 206, with the hash of the object and without the MD5 of the range."""
    response = await fetch(url, Range="bytes=10-19")
    assert (response.status, response.body) == (206, BODY[10:20])
    assert response.headers["Content-Range"] == "bytes 10-19/2048"
    assert "Content-MD5" not in response.headers
    assert response.headers["x-goog-hash"] == (await fetch(url)).headers["x-goog-hash"]


async def test_invalid_range_is_ignored(url: str) -> None:
    """The response contains the complete object."""
    assert (await fetch(url, Range="lines=1-2")).status == 200


async def test_unsatisfiable_range(server: Emulator, url: str) -> None:
    """The response is 416 with the size. An empty object has no satisfiable range."""
    response = await fetch(url, Range="bytes=2048-")
    assert (response.status, response.headers["Content-Range"]) == (416, "bytes */2048")
    empty = server.add_export(content={"csv": b""})
    empty_url = server.url_for(empty.id, "csv")
    assert (await fetch(empty_url, Range="bytes=0-")).status == 416
    complete = await fetch(empty_url)
    assert (complete.status, complete.headers["Content-Length"], complete.body) == (200, "0", b"")


async def test_if_range(url: str) -> None:
    """The range is sent only if the ETag is the same."""
    etag = (await fetch(url)).headers["ETag"]
    assert (await fetch(url, Range="bytes=9-", If_Range=etag)).status == 206
    assert (await fetch(url, Range="bytes=9-", If_Range='"other"')).status == 200


async def test_deleted_object(server: Emulator, url: str) -> None:
    """The response is 404 with NoSuchKey."""
    server.delete_export("exp_one")
    response = await fetch(url)
    assert response.status == 404
    assert b"<Code>NoSuchKey</Code>" in response.body
