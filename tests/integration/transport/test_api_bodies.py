"""A response of the API is read up to a limit, however it is compressed or framed."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from typing import Any

import pytest

from packagex_async import (
    AsyncPackageX,
    DecodeError,
    PackageXError,
    RetryPolicy,
    ServerError,
    UnconfirmedError,
)
from packagex_async._transport import api_client
from packagex_async._transport.api_client import MAX_BODY_SIZE
from tests.faults.trial import PATIENCE
from tests.integration.transport.server import Connection, Server, response

ONCE = RetryPolicy(attempts=1)
MIB = 1024 * 1024
LIMIT = 1 * MIB


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is soon reached."""
    monkeypatch.setattr(api_client, "MAX_BODY_SIZE", LIMIT)


def bomb(size: int, wbits: int) -> bytes:
    """Zeros, compressed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


async def error_of(answer: bytes, *, rest: bytes = b"", method: str = "retrieve") -> BaseException:
    """Send a response, and `rest` for as long as it is read; return what the client makes of it."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)
        while rest:
            await connection.send(rest)

    async with asyncio.timeout(PATIENCE), Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE, timeout=PATIENCE) as px:
            with pytest.raises(PackageXError) as caught:
                await (px.exports.create("contact") if method == "create" else px.exports.retrieve("exp_1"))
    return caught.value


@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
async def test_a_compressed_body_is_not_decompressed_beyond_the_limit(coding: str, wbits: int) -> None:
    """A few hundred KiB that swell to 256 MiB take no more memory than the limit."""
    body = bomb(256 * MIB, wbits)
    tracemalloc.start()
    try:
        error = await error_of(response(body, headers=f"Content-Encoding: {coding}\r\n"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, DecodeError)
    assert str(error) == f"GET /v1/exports/exp_1: the response has more than {MAX_BODY_SIZE} bytes"
    assert peak < 3 * MAX_BODY_SIZE


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        ("Content-Length: 999999999999", b"x" * 10_000),
        ("Transfer-Encoding: chunked", b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
        ("Connection: close", b"x" * 10_000),
    ],
    ids=["length", "chunked", "until the end"],
)
@pytest.mark.usefixtures("small_limit")
async def test_a_body_without_an_end_is_not_read_on(head: str, rest: bytes) -> None:
    """The connection is closed at the limit."""
    error = await error_of(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode(), rest=rest)
    assert isinstance(error, DecodeError)


@pytest.mark.usefixtures("small_limit")
async def test_a_refusal_that_is_too_large_is_a_refusal() -> None:
    """The status says enough."""
    head = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n"
    error = await error_of(head, rest=b"x" * 10_000)
    assert isinstance(error, ServerError)
    assert error.status == 500


@pytest.mark.usefixtures("small_limit")
async def test_a_creation_whose_response_is_too_large_is_in_doubt() -> None:
    """The export may have been created."""
    error = await error_of(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", rest=b"x" * 10_000, method="create"
    )
    assert isinstance(error, UnconfirmedError)
    assert isinstance(error.__cause__, DecodeError)


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_body_within_the_limit_is_read(compressed: bool) -> None:
    """Some MiB, in many blocks."""
    body = json.dumps({"id": "exp_1", "name": "x" * 5 * MIB}).encode()
    answer = response(body)
    if compressed:
        answer = response(gzip.compress(body), headers="Content-Encoding: gzip\r\n")

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(answer)

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE) as px:
            export = await px.exports.retrieve("exp_1")
    assert export.name == "x" * 5 * MIB


@pytest.mark.parametrize(("count", "size"), [(1, 10_000), (1, 60_000), (250, 100)])
async def test_large_headers_are_taken(count: int, size: int) -> None:
    """Up to 64 KiB each, and up to 256 of them, on both sessions."""
    large: dict[str, Any] = {"headers": f"X-Policy: {'x' * size}\r\n" * count}

    async def handler(connection: Connection) -> None:
        while True:
            request = await connection.request()
            body = json.dumps({"id": "exp_1", "status": "completed", "_csv_url": f"{server.url}/a"})
            await connection.send(response(body.encode() if "/v1/" in request else b"a,b\n", **large))

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE) as px:
            async with px.exports.stream("exp_1", "csv") as content:
                assert [block async for block in content] == [b"a,b\n"]


async def test_a_redirect_to_a_long_address_is_followed() -> None:
    """Signed URLs grow long."""
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
