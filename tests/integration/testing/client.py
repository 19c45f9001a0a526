"""Plain HTTP requests to the emulator, and an adjustable clock."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import attrs
from multidict import CIMultiDictProxy
from yarl import URL

from packagex_async.testing import Emulator

DAY = 24 * 60 * 60
NOON = 1_767_268_800.0
BODY = bytes(range(256)) * 8
CREATE_BODY: dict[str, Any] = {"resource": "shipment", "options": {"limit": 30}}


class Clock:
    """A clock that stands still until a test changes `seconds`."""

    def __init__(self) -> None:
        self.seconds = NOON

    def __call__(self) -> float:
        return self.seconds


@attrs.frozen
class Response:
    """A complete response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


async def fetch(url: str, method: str = "GET", body: bytes | None = None, /, **headers: str) -> Response:
    """Send one request to exactly `url`, with no other headers than those that are given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.request(
            method, URL(url, encoded=True), headers=named, data=body, allow_redirects=False
        ) as response,
    ):
        return Response(response.status, response.headers, await response.read())


async def api_request(server: Emulator, path: str = "/v1/exports", method: str = "GET") -> Response:
    """Send one authenticated request to the API."""
    return await fetch(server.base_url + path, method, PX_API_KEY=server.api_key)


async def create(server: Emulator, body: bytes | None = None) -> Response:
    """Create an export; the default body is `CREATE_BODY`."""
    content = json.dumps(CREATE_BODY).encode() if body is None else body
    url = server.base_url + "/v1/exports"
    return await fetch(url, "POST", content, PX_API_KEY=server.api_key, Content_Type="application/json")


def ids(response: Response) -> list[str]:
    """Return the ids of the exports in a listing."""
    return [export["id"] for export in response.json["data"]]


async def raw_request(url: str, *, limit: int = -1) -> bytes:
    """Return the bytes of the response on a plain connection, up to its end or to `limit` bytes."""
    address = URL(url, encoded=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    writer.write(f"GET /{url.split('/', 3)[3]} HTTP/1.1\r\nHost: storage\r\n\r\n".encode())
    try:
        return await (reader.read() if limit < 0 else reader.readexactly(limit))
    finally:
        writer.close()
