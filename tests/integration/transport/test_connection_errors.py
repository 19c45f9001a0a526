"""Errors of connections: the messages contain the reason, and nothing from the response."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import trustme

from packagex_async import (
    AsyncPackageX,
    ConnectionFailedError,
    Export,
    PackageXError,
    RetryPolicy,
    StorageUnreachableError,
)
from packagex_async._transport.connection_errors import classify
from tests.faults.scenario import TIMEOUT_SECONDS
from tests.integration.transport.server import Connection, Security, Server, response
from tests.support import NO_BACKOFF

CANARY = "CANARY"
NO_RETRY_IN_TIME = RetryPolicy(attempts=5, wait_initial=1000, wait_max=1000)
"""A policy whose delays would exceed the time limit of a test."""


async def _ask_api(px: AsyncPackageX, url: str) -> PackageXError:
    """Return the error of a request to the API."""
    with pytest.raises(ConnectionFailedError) as caught:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await px.exports.retrieve("exp_1")
    return caught.value


async def _ask_storage(px: AsyncPackageX, url: str) -> PackageXError:
    """Return the error of a request to a storage host."""
    with pytest.raises(StorageUnreachableError) as caught:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            async with px.exports.stream(Export(id="exp_1", csv_url=f"{url}/a?sig={CANARY}"), "csv"):
                pytest.fail("there is no response")
    return caught.value


ASKS = [_ask_api, _ask_storage]
Ask = Callable[[AsyncPackageX, str], Awaitable[PackageXError]]

HEADS = {
    "a long status line": (
        f"HTTP/1.1 200 {CANARY}".encode() + b"x" * 100_000 + b"\r\n\r\n",
        "a line of the response head is too large",
    ),
    "a long header": (
        f"HTTP/1.1 302 Found\r\nLocation: https://h/?{CANARY}".encode() + b"x" * 100_000 + b"\r\n\r\n",
        "a line of the response head is too large",
    ),
    "no HTTP": (f"SSH-2.0-{CANARY}\r\n".encode(), "the response is not HTTP: its status line is malformed"),
    "no status": (
        f"HTTP/1.1 {CANARY} OK\r\n\r\n".encode(),
        "the response is not HTTP: its status line is malformed",
    ),
    "a NUL": (
        f"HTTP/1.1 200 OK\r\nX-Sig: {CANARY}\0\r\n\r\n".encode(),
        "the response is malformed",
    ),
    "a header without a name": (
        f"HTTP/1.1 200 OK\r\n: {CANARY}\r\n\r\n".encode(),
        "the response is malformed",
    ),
    "nothing": (b"", "the server closed the connection before the response"),
    "half a head": (
        f"HTTP/1.1 200 OK\r\nX-Sig: {CANARY}".encode(),
        "the server closed the connection before the response",
    ),
}


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(("head", "message"), HEADS.values(), ids=HEADS)
async def test_malformed_head_is_not_quoted(
    security: Security, ask: Ask, head: bytes, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the error nor the log contains a byte of it."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)

    caplog.set_level(logging.DEBUG)
    async with Server(handler, security.server) as server:
        options: dict[str, Any] = {"ssl": security.client, "retry": NO_BACKOFF}
        async with AsyncPackageX("key", base_url=server.url, **options) as px:
            error = await ask(px, server.url)
    assert message in str(error)
    assert server.connections == 5
    for text in (str(error), repr(error), repr(error.__cause__), repr(error.__context__), caplog.text):
        assert CANARY not in text


@pytest.mark.parametrize(
    "body",
    [b"zz\r\nCANARY\r\n", b"5\r\nCANARY\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n"],
    ids=["no size", "a wrong size", "a negative size"],
)
async def test_malformed_body_is_not_quoted(body: bytes) -> None:
    """The error says that the body is malformed."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await connection.send(body)

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=NO_BACKOFF) as px:
            error = await _ask_api(px, server.url)
    assert "malformed" in str(error)
    assert CANARY not in str(error)


async def test_body_that_cannot_be_decompressed_is_an_error() -> None:
    """The request is retried."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(response(b"CANARY", headers="Content-Encoding: gzip\r\n"))

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=NO_BACKOFF) as px:
            error = await _ask_api(px, server.url)
    assert str(error) == "GET /v1/exports/exp_1: the response body cannot be decompressed"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("name", "options", "trusted", "message"),
    [
        (
            "127.0.0.1",
            {"not_after": datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)},
            True,
            "it has expired",
        ),
        (
            "127.0.0.1",
            {"not_before": datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)},
            True,
            "it is not valid yet",
        ),
        ("127.0.0.1", {}, False, "its issuer is unknown"),
        ("127.0.0.2", {}, True, "it is for another IP address"),
    ],
    ids=["expired", "not valid yet", "unknown issuer", "another host"],
)
async def test_rejected_certificate_is_not_retried(
    authority: trustme.CA, ask: Ask, name: str, options: dict[str, Any], trusted: bool, message: str
) -> None:
    """The error contains the reason."""
    security = Security.issued_by(authority, name, **options)
    context = security.client if trusted else ssl.create_default_context()

    async with Server(_fail_on_request, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=context, retry=NO_RETRY_IN_TIME) as px:
            error = await ask(px, server.url)
        assert f"the TLS certificate of 127.0.0.1:{server.port} was rejected: {message}" in str(error)
    assert isinstance(error, ConnectionFailedError)
    assert not error.retryable


async def test_certificate_for_another_name_is_rejected(authority: trustme.CA) -> None:
    """For a host name instead of an address."""
    security = Security.issued_by(authority, "other.example")
    async with Server(_fail_on_request, security.server) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        async with AsyncPackageX("key", base_url=url, ssl=security.client, retry=NO_RETRY_IN_TIME) as px:
            error = await _ask_api(px, url)
    assert "was rejected: it is for another host" in str(error)


async def test_wrong_fingerprint_is_not_retried(authority: trustme.CA) -> None:
    """The caller has pinned another certificate."""
    security = Security.issued_by(authority, "127.0.0.1")
    pinned: Any = aiohttp.Fingerprint(bytes(32))
    async with Server(_fail_on_request, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=pinned, retry=NO_RETRY_IN_TIME) as px:
            error = await _ask_api(px, server.url)
    assert "was rejected: its fingerprint does not match" in str(error)


@pytest.mark.parametrize("ask", ASKS)
async def test_missing_client_certificate_is_not_retried(authority: trustme.CA, ask: Ask) -> None:
    """The server requires one."""
    security = Security.issued_by(authority, "127.0.0.1")
    context = security.server
    assert context
    context.verify_mode = ssl.CERT_REQUIRED

    def reject_client(listening: socket.socket) -> None:
        # The servers of asyncio do not send a TLS alert.
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
            with contextlib.suppress(ssl.SSLError):
                connection.do_handshake()
            # Closing a socket with unread bytes would reset the connection.
            connection.shutdown(socket.SHUT_WR)
            while os.read(connection.fileno(), 1000):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        refusing = asyncio.create_task(asyncio.to_thread(reject_client, listening))
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        async with AsyncPackageX("key", base_url=url, ssl=security.client, retry=NO_RETRY_IN_TIME) as px:
            error = await ask(px, url)
        await refusing
    assert "the server rejected the TLS certificate of this client" in str(error)


async def test_server_without_tls_is_an_error() -> None:
    """The port is that of a plain http server."""

    async def handler(connection: Connection) -> None:
        await connection.send(response(CANARY.encode()))

    async with Server(handler) as server:
        url = server.url.replace("http:", "https:")
        async with AsyncPackageX("key", base_url=url, retry=NO_BACKOFF) as px:
            error = await _ask_api(px, url)
    assert "the TLS handshake failed; check that the server speaks TLS on this port" in str(error)
    assert CANARY not in str(error)


class Proxy:
    """A proxy that answers each CONNECT with a status."""

    def __init__(self, status: str) -> None:
        self._status = status

    async def __call__(self, connection: Connection) -> None:
        await connection.request()
        await connection.send(response(CANARY.encode(), status=self._status, headers=f"X-Why: {CANARY}\r\n"))


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (f"407 {CANARY}", "with status 407 (Proxy Authentication Required): check the user and the password"),
        (f"403 {CANARY}", "with status 403 (Forbidden)"),
        (f"401 {CANARY}", "with status 401 (Unauthorized)"),
        (f"405 {CANARY}", "with status 405 (Method Not Allowed)"),
        (f"599 {CANARY}", "with status 599"),
        (f"301 {CANARY}", "with status 301 (Moved Permanently)"),
    ],
)
async def test_refusal_of_a_proxy_is_not_retried(ask: Ask, status: str, message: str) -> None:
    """The error contains the status, but nothing else of the response."""
    async with Server(Proxy(status)) as proxy:
        options: dict[str, Any] = {
            "proxy": f"http://user:{CANARY}@127.0.0.1:{proxy.port}",
            "retry": NO_RETRY_IN_TIME,
        }
        async with AsyncPackageX("key", **options) as px:
            error = await ask(px, "https://storage.example")
        assert proxy.connections == 1
    assert f"the proxy refused to connect, {message}" in str(error)
    assert CANARY not in f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
async def test_temporary_failure_of_a_proxy_is_retried(ask: Ask, status: str) -> None:
    """It may reach the host later."""
    async with Server(Proxy(status)) as proxy:
        async with AsyncPackageX("key", proxy=f"http://127.0.0.1:{proxy.port}", retry=NO_BACKOFF) as px:
            error = await ask(px, "https://storage.example")
        assert proxy.connections == 5
    assert f"with status {status[:3]}" in str(error)


@pytest.mark.parametrize("ask", ASKS)
async def test_unreachable_proxy_is_named(ask: Ask) -> None:
    """The error does not blame the API or the storage host."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with AsyncPackageX("key", proxy=proxy, retry=NO_BACKOFF) as px:
            error = await ask(px, "https://storage.example")
    assert "could not connect to the proxy: connection refused" in str(error)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("code", "message"),
    [
        (socket.EAI_NONAME, "the name api.packagex.io could not be resolved"),
        (socket.EAI_AGAIN, "could not be resolved: the name server did not respond"),
    ],
)
async def test_unresolved_name_is_named(
    ask: Ask, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error contains the name, but not the text of the system."""

    def refuse(*_: object) -> None:
        raise socket.gaierror(code, CANARY)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    async with AsyncPackageX("key", retry=NO_BACKOFF) as px:
        error = await ask(px, "https://api.packagex.io")
    assert message in str(error)
    assert CANARY not in str(error)


async def test_unknown_exception_has_a_reason() -> None:
    """Without its own text."""
    assert classify(aiohttp.ClientConnectionError(CANARY)).text == "the connection was closed"
    assert classify(OSError(CANARY)).text == "the connection failed"
    assert classify(OSError(errno.ENOBUFS, CANARY)).text == os.strerror(errno.ENOBUFS)


async def _fail_on_request(connection: Connection) -> None:
    """Fail if a request arrives."""
    await connection.request()
    pytest.fail("the connection cannot be used")


@pytest.mark.parametrize(
    ("code", "reason"),
    [(None, "it is malformed"), (10, "it has expired"), (99, "OpenSSL reports verification error 99")],
)
def test_rejected_certificate_has_a_reason(code: int | None, reason: str) -> None:
    """Without the text of OpenSSL."""
    cause = ssl.SSLCertVerificationError(CANARY)
    if code is not None:
        cause.verify_code = code
    key: Any = SimpleNamespace(host="storage.example", port=443, is_ssl=True, ssl=True)
    failure = classify(aiohttp.ClientConnectorCertificateError(key, cause))
    assert failure.text == f"the TLS certificate of storage.example:443 was rejected: {reason}"
    assert not failure.retryable
