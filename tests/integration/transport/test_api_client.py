"""Requests to the API: retries, errors, and the size of responses."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import tracemalloc
import zlib
from email.utils import formatdate

import pytest
from aioresponses import aioresponses

from packagex_async import (
    ApiError,
    AsyncPackageX,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DecodeError,
    NotFoundError,
    PackageXError,
    RateLimitError,
    RequestTimeoutError,
    RetryPolicy,
    ServerError,
    UnconfirmedError,
)
from packagex_async._transport import api_client
from packagex_async._transport.api_client import MAX_BODY_SIZE
from packagex_async.testing import Emulator, Garbage, Redirect, Refuse, Reset, Stall, Status
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.integration.transport.server import Connection, Server, response
from tests.support import NO_BACKOFF, FakeClock, open_exports
from tests.time_limits import LIMITED

ONCE = RetryPolicy(attempts=1)
MIB = 1024 * 1024
LIMIT = 1 * MIB


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce the maximum size of a response."""
    monkeypatch.setattr(api_client, "MAX_BODY_SIZE", LIMIT)


@functools.cache
def bomb(size: int, wbits: int) -> bytes:
    """Return compressed zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join([*(packer.compress(bytes(MIB)) for _ in range(size // MIB)), packer.flush()])


async def error_of(head: bytes, *, rest: bytes = b"", method: str = "retrieve") -> BaseException:
    """Return the error for a response, after which `rest` is sent for as long as it is read."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)
        while rest:
            await connection.send(rest)

    async with asyncio.timeout(TIMEOUT_SECONDS), Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=ONCE, timeout=TIMEOUT_SECONDS) as px:
            with pytest.raises(PackageXError) as caught:
                await (px.exports.create("contact") if method == "create" else px.exports.retrieve("exp_1"))
    return caught.value


@pytest.mark.parametrize(("coding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
async def test_compressed_body_is_limited_after_decompression(coding: str, wbits: int) -> None:
    """A few hundred KiB that decompress to 256 MiB take no more memory than the limit."""
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
async def test_endless_body_is_limited(head: str, rest: bytes) -> None:
    """The connection is closed at the limit."""
    error = await error_of(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode(), rest=rest)
    assert isinstance(error, DecodeError)


@pytest.mark.usefixtures("small_limit")
async def test_large_error_response_is_still_an_api_error() -> None:
    """The status is sufficient."""
    head = b"HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n"
    error = await error_of(head, rest=b"x" * 10_000)
    assert isinstance(error, ServerError)
    assert error.status == 500


@pytest.mark.usefixtures("small_limit")
async def test_creation_with_a_large_response_is_unconfirmed() -> None:
    """The export may have been created."""
    error = await error_of(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", rest=b"x" * 10_000, method="create"
    )
    assert isinstance(error, UnconfirmedError)
    assert isinstance(error.__cause__, DecodeError)


@pytest.mark.parametrize("compressed", [False, True])
async def test_body_below_the_limit_is_read(compressed: bool) -> None:
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


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_temporary_failure_is_retried(server: Emulator, status: int) -> None:
    """After growing delays with full jitter."""
    export = server.add_export(rows=1)
    server.inject(Status(status, on="api"), times=3)
    clock = FakeClock(jitter_fraction=1.0)
    async with open_exports(clock, server) as exports:
        assert (await exports.retrieve(export.id)).id == export.id
    assert clock.sleeps == [0.5, 1.0, 2.0]
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("status", "kind"), [(400, ApiError), (404, NotFoundError), (501, ServerError), (302, ApiError)]
)
async def test_permanent_failure_is_raised_immediately(
    server: Emulator, status: int, kind: type[ApiError]
) -> None:
    """Another attempt would fail, too."""
    server.inject(Status(status, on="api"))
    clock = FakeClock()
    async with open_exports(clock, server) as exports:
        with pytest.raises(kind) as caught:
            await exports.retrieve("exp_1")
    assert caught.value.status == status
    assert caught.value.endpoint == "GET /v1/exports/exp_1"
    assert clock.sleeps == []


async def test_last_failure_is_raised(server: Emulator) -> None:
    """After all attempts of the policy."""
    server.inject(Status(503, on="api"), times=None)
    clock = FakeClock(jitter_fraction=0.0)
    async with open_exports(clock, server) as exports:
        with pytest.raises(ServerError):
            await exports.retrieve("exp_1")
    assert len(server.requests) == 5
    assert len(clock.sleeps) == 4


async def test_trap_14_retry_after_is_respected(server: Emulator) -> None:
    """In seconds and as a date, with additional jitter."""
    export = server.add_export(rows=1)
    clock = FakeClock(jitter_fraction=0.5)
    server.inject(Status(429, retry_after="30", on="api"))
    server.inject(Status(503, retry_after=formatdate(server.now() + 60, usegmt=True), on="api"))
    async with open_exports(clock, server) as exports:
        await exports.retrieve(export.id)
    assert clock.sleeps[0] == 30.25
    assert 58 <= clock.sleeps[1] <= 61


@pytest.mark.parametrize("late", ["121", formatdate(4_102_444_800, usegmt=True)])
async def test_trap_14_retry_after_above_the_maximum_is_an_error(server: Emulator, late: str) -> None:
    """The error contains the requested delay."""
    server.inject(Status(429, retry_after=late, on="api"))
    clock = FakeClock()
    async with open_exports(clock, server) as exports:
        with pytest.raises(RateLimitError) as caught:
            await exports.retrieve("exp_1")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after > 120
    assert clock.sleeps == []


@pytest.mark.parametrize("fault", [Refuse(on="api"), Reset(3, on="api")])
async def test_failed_connection_is_retried(server: Emulator, fault: Refuse | Reset) -> None:
    """Before and within the response."""
    export = server.add_export(rows=1)
    server.inject(fault, times=2)
    clock = FakeClock()
    async with open_exports(clock, server) as exports:
        await exports.retrieve(export.id)
    assert len(clock.sleeps) == 2


async def test_trap_14_one_attempt_is_one_request(server: Emulator) -> None:
    """No other layer repeats requests."""
    async with server.client(retry=ONCE) as px:
        for fault in (Refuse(on="api"), Reset(3, on="api"), Status(503, on="api")):
            server.inject(fault)
            with pytest.raises(PackageXError):
                await px.exports.retrieve("exp_1")
    assert len(server.requests) == 3


@pytest.mark.usefixtures("limits")
async def test_silent_api_is_a_timeout(server: Emulator) -> None:
    """After `timeout` seconds. The message names the request."""
    server.inject(Stall(0, on="api"), times=None)
    async with server.client(retry=ONCE, **LIMITED) as px:
        with pytest.raises(RequestTimeoutError, match=r"GET /v1/exports/exp_1: no response within 3 seconds"):
            await px.exports.retrieve("exp_1")


async def test_closed_port_is_a_failed_connection(server: Emulator) -> None:
    """The message contains the reason."""
    await server.aclose()
    async with server.client(retry=NO_BACKOFF) as px:
        with pytest.raises(
            ConnectionFailedError, match=r"GET /v1/exports/exp_1: could not connect to .+: connection refused"
        ):
            await px.exports.retrieve("exp_1")


async def test_web_page_is_a_decode_error(server: Emulator) -> None:
    """For example, the page of a captive portal."""
    server.inject(Garbage())
    async with server.client() as px:
        with pytest.raises(DecodeError, match="is not JSON"):
            await px.exports.retrieve("exp_1")


async def test_trap_08_redirect_of_the_api_is_not_followed(server: Emulator, px: AsyncPackageX) -> None:
    """The key is not sent to another host."""
    server.inject(Redirect(f"{server.base_url}/v1/exports", on="api"))
    with pytest.raises(ApiError, match="redirects are not followed"):
        await px.exports.retrieve("exp_1")
    assert len(server.requests) == 1


async def test_closed_client_sends_no_request(server: Emulator) -> None:
    """The error says that the client is closed."""
    px = server.client()
    await px.aclose()
    with pytest.raises(ConfigurationError, match="the client is closed"):
        await px.exports.retrieve("exp_1")


async def test_wrong_key_is_an_authentication_error(server: Emulator) -> None:
    """The message says what to do."""
    async with AsyncPackageX("px_wrong", base_url=server.base_url) as px:
        with pytest.raises(AuthenticationError, match="check the key"):
            await px.exports.retrieve("exp_1")


async def test_request_contains_the_parameters(api: aioresponses) -> None:
    """As documented for the API."""
    url = "https://api.packagex.io/v1/exports/exp_1?include_csv=true&include_json=true"
    api.get(url, payload={"id": "exp_1", "_json_url": "https://storage.example/a?sig=1"})
    async with AsyncPackageX("px_key") as px:
        export = await px.exports.retrieve("exp_1", include_csv=True, include_json=True)
    assert export.json_url == "https://storage.example/a?sig=1"
