"""Requests to storage hosts: URLs, redirects and errors."""

from __future__ import annotations

import asyncio
import json

import pytest

from packagex_async import (
    AsyncPackageX,
    Export,
    LinkExpiredError,
    RetryPolicy,
    StalledError,
    StorageError,
    StorageUnreachableError,
)
from packagex_async.testing import Emulator, Expired, Redirect, Refuse, Stall, Status
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.integration.transport.server import Connection, Server, response
from tests.time_limits import LIMITED
from tests.transfer_modes import tune

ONCE = RetryPolicy(attempts=1)


async def test_trap_07_presigned_url_is_sent_unchanged(server: Emulator, px: AsyncPackageX) -> None:
    """The request target is the text of the URL, with its escapes."""
    export = server.add_export(rows=3)
    retrieved = await px.exports.retrieve(export.id, include_csv=True, include_json=True)
    async with px.exports.stream(retrieved, "csv") as body:
        [block async for block in body]
    assert retrieved.csv_url is not None
    assert retrieved.csv_url.endswith(server.requests[-1].target)
    assert "%2F" in server.requests[-1].target


async def test_trap_11_five_redirects_are_followed(server: Emulator, px: AsyncPackageX) -> None:
    """The sixth one is an error."""
    export = server.add_export(rows=3)
    retrieved = await px.exports.retrieve(export.id, include_csv=True, include_json=True)
    server.inject(Redirect(), times=5)
    async with px.exports.stream(retrieved, "csv") as body:
        assert b"".join([block async for block in body]) == server.content(export.id, "csv")
    server.inject(Redirect(), times=6)
    with pytest.raises(StorageError, match="redirects more than 5 times"):
        async with px.exports.stream(retrieved, "csv"):
            pytest.fail("it was refused before")


@pytest.mark.parametrize(
    "location",
    ["http://storage.example/a", "file:///etc/passwd", "https://user@storage.example/a", "https://a b/"],
)
async def test_trap_11_unsafe_redirect_is_refused(server: Emulator, px: AsyncPackageX, location: str) -> None:
    """To plain http, to another scheme, with a user, or malformed."""
    export = server.add_export(rows=3)
    server.inject(Redirect(location))
    with pytest.raises(StorageError, match="the URL is not allowed"):
        async with px.exports.stream(export.id, "csv"):
            pytest.fail("it was refused before")


async def test_redirect_without_a_location_is_an_error(server: Emulator, px: AsyncPackageX) -> None:
    """It is reported with its status."""
    export = server.add_export(rows=3)
    server.inject(Status(302, on="storage"))
    with pytest.raises(StorageError, match="answered 302"):
        async with px.exports.stream(export.id, "csv"):
            pytest.fail("it was refused before")


async def test_expired_link_is_distinguished_from_other_refusals(server: Emulator, px: AsyncPackageX) -> None:
    """By the body of the error response, complete or truncated."""
    export = server.add_export(rows=3)
    server.inject(Expired(), times=2)
    server.inject(Status(403, body=b"<Code>AccessDenied</Code>" + b" " * 10_000, on="storage"))
    server.inject(Status(403, body=b"", on="storage"))
    for kind in (LinkExpiredError, StorageError, StorageError):
        with pytest.raises(kind) as caught:
            async with px.exports.stream(export.id, "csv"):
                pytest.fail("it was refused before")
        assert type(caught.value) is kind


@pytest.mark.usefixtures("limits")
async def test_unreachable_and_stalled_hosts_are_distinguished(server: Emulator) -> None:
    """After all attempts of the policy."""
    export = server.add_export(rows=3)
    async with server.client(retry=RetryPolicy(attempts=2, wait_initial=0), **LIMITED) as px:
        server.inject(Refuse(), times=2)
        with pytest.raises(StorageUnreachableError, match="closed the connection before the response"):
            async with px.exports.stream(export.id, "csv"):
                pytest.fail("there is no response")
        server.inject(Stall(0), times=2)
        with pytest.raises(StalledError, match="the body stalled after 0 of"):
            async with px.exports.stream(export.id, "csv") as body:
                [block async for block in body]


async def test_interrupted_error_response_is_still_a_refusal(server: Emulator, px: AsyncPackageX) -> None:
    """The status is sufficient."""
    export = server.add_export(rows=3)
    retrieved = await px.exports.retrieve(export.id, include_csv=True, include_json=True)
    broken = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99\r\n\r\n<Error>")
        writer.close()
        await writer.wait_closed()
        broken.set()

    storage = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with storage:
        host, port = storage.sockets[0].getsockname()
        server.inject(Redirect(f"http://{host}:{port}/a"))
        with pytest.raises(StorageError, match="answered 403"):
            async with px.exports.stream(retrieved, "csv"):
                pytest.fail("it was refused before")
        await broken.wait()


async def test_redirect_to_a_long_url_is_followed() -> None:
    """Signed URLs may be long."""
    seen: list[str] = []

    async def handler(connection: Connection) -> None:
        while True:
            seen.append(await connection.request())
            if "export" in seen[-1]:
                body = json.dumps({"id": "exp_1", "status": "completed", "_csv_url": f"{server.url}/a"})
                await connection.send(response(body.encode()))
            elif "sig" in seen[-1]:
                await connection.send(response(b"a,b\n"))
            else:
                location = f"Location: {server.url}/b?sig={'x' * 50_000}\r\n"
                await connection.send(response(b"", status="302 Found", headers=location))

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE) as px:
            async with px.exports.stream("exp_1", "csv") as content:
                assert [block async for block in content] == [b"a,b\n"]
    assert seen[-1] == f"GET /b?sig={'x' * 50_000}"


async def test_a_body_has_smaller_buffers_while_others_are_received(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is saved where it is used several times."""
    size = 4_000_000
    tune(
        monkeypatch,
        direct_read_min_size=1,
        buffer_size=40_000,
        shared_buffer_size=10_000,
        fill_timeout=TIMEOUT_SECONDS,
    )

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(response(bytes(size)))
        await connection.closed()

    async with Server(handler) as server, AsyncPackageX("key", base_url=server.url) as px:
        export = Export(id="exp_1", csv_url=f"{server.url}/a", json_url=f"{server.url}/b")
        async with px.exports.stream(export, "csv") as first, px.exports.stream(export, "json") as second:
            blocks = [[len(block) async for block in body] for body in (first, second)]
    assert [sum(sizes) for sizes in blocks] == [size, size]
    # The first block has the bytes that aiohttp has read together with the head of the response.
    assert [max(sizes[1:]) for sizes in blocks] == [40_000, 10_000]
