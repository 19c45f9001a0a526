"""What is said of a connection that fails: the kind of failure, and nothing that the other side has sent."""

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
from tests.faults.trial import PATIENCE
from tests.integration.transport.server import Connection, Security, Server, response
from tests.support import AT_ONCE

CANARY = "CANARY"
PATIENT = RetryPolicy(attempts=5, wait_initial=1000, wait_max=1000)
"""A wait between two tries would last until the end of all patience."""


async def _ask_api(px: AsyncPackageX, url: str) -> PackageXError:
    with pytest.raises(ConnectionFailedError) as caught:
        async with asyncio.timeout(PATIENCE):
            await px.exports.retrieve("exp_1")
    return caught.value


async def _ask_storage(px: AsyncPackageX, url: str) -> PackageXError:
    with pytest.raises(StorageUnreachableError) as caught:
        async with asyncio.timeout(PATIENCE):
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
@pytest.mark.parametrize(("head", "says"), HEADS.values(), ids=HEADS)
async def test_a_head_that_cannot_be_read_is_not_quoted(
    security: Security, ask: Ask, head: bytes, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error says what is wrong with it; neither the error nor the log holds a byte of it."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(head)

    caplog.set_level(logging.DEBUG)
    async with Server(handler, security.server) as server:
        options: dict[str, Any] = {"ssl": security.client, "retry": AT_ONCE}
        async with AsyncPackageX("key", base_url=server.url, **options) as px:
            error = await ask(px, server.url)
    assert says in str(error)
    assert server.connections == 5
    for text in (str(error), repr(error), repr(error.__cause__), repr(error.__context__), caplog.text):
        assert CANARY not in text


@pytest.mark.parametrize(
    "body",
    [b"zz\r\nCANARY\r\n", b"5\r\nCANARY\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n"],
    ids=["no size", "a wrong size", "a negative size"],
)
async def test_a_body_that_is_framed_wrongly_is_not_quoted(body: bytes) -> None:
    """The error says that the body is malformed."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await connection.send(body)

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=AT_ONCE) as px:
            error = await _ask_api(px, server.url)
    assert "malformed" in str(error)
    assert CANARY not in str(error)


async def test_a_body_that_cannot_be_decompressed_says_so() -> None:
    """It is asked for again, as a body that was damaged on its way."""

    async def handler(connection: Connection) -> None:
        await connection.request()
        await connection.send(response(b"CANARY", headers="Content-Encoding: gzip\r\n"))

    async with Server(handler) as server:
        async with AsyncPackageX("key", base_url=server.url, retry=AT_ONCE) as px:
            error = await _ask_api(px, server.url)
    assert str(error) == "GET /v1/exports/exp_1: the response body cannot be decompressed"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("name", "options", "trusted", "says"),
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
async def test_a_rejected_certificate_ends_the_request_at_once(
    authority: trustme.CA, ask: Ask, name: str, options: dict[str, Any], trusted: bool, says: str
) -> None:
    """Another attempt would not help; the error names the check that failed."""
    security = Security.issued_by(authority, name, **options)
    context = security.client if trusted else ssl.create_default_context()

    async with Server(_never_asked, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=context, retry=PATIENT) as px:
            error = await ask(px, server.url)
        assert f"the TLS certificate of 127.0.0.1:{server.port} was rejected: {says}" in str(error)
    assert isinstance(error, ConnectionFailedError)
    assert not error.retryable


async def test_a_certificate_for_another_name_is_told_apart(authority: trustme.CA) -> None:
    """The URL has a name, and the certificate is for another one."""
    security = Security.issued_by(authority, "other.example")
    async with Server(_never_asked, security.server) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        async with AsyncPackageX("key", base_url=url, ssl=security.client, retry=PATIENT) as px:
            error = await _ask_api(px, url)
    assert "was rejected: it is for another host" in str(error)


async def test_another_fingerprint_ends_the_request_at_once(authority: trustme.CA) -> None:
    """The caller has pinned a certificate, and the server shows another one."""
    security = Security.issued_by(authority, "127.0.0.1")
    pinned: Any = aiohttp.Fingerprint(bytes(32))
    async with Server(_never_asked, security.server) as server:
        async with AsyncPackageX("key", base_url=server.url, ssl=pinned, retry=PATIENT) as px:
            error = await _ask_api(px, server.url)
    assert "was rejected: it has another fingerprint" in str(error)


@pytest.mark.parametrize("ask", ASKS)
async def test_a_server_that_rejects_the_client_ends_the_request_at_once(
    authority: trustme.CA, ask: Ask
) -> None:
    """It asks for a certificate of the client, which has none."""
    security = Security.issued_by(authority, "127.0.0.1")
    context = security.server
    assert context
    context.verify_mode = ssl.CERT_REQUIRED

    def refuse(listening: socket.socket) -> None:
        # asyncio's servers close the connection without a word.
        accepted, _ = listening.accept()
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as connection:
            with contextlib.suppress(ssl.SSLError):
                connection.do_handshake()
            # What is not read when a socket is closed makes the system take back what was sent.
            connection.shutdown(socket.SHUT_WR)
            while os.read(connection.fileno(), 1000):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        refusing = asyncio.create_task(asyncio.to_thread(refuse, listening))
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        async with AsyncPackageX("key", base_url=url, ssl=security.client, retry=PATIENT) as px:
            error = await ask(px, url)
        await refusing
    assert "the server rejected the TLS certificate of this client" in str(error)


async def test_a_server_without_tls_says_so() -> None:
    """The port is that of plain http."""

    async def handler(connection: Connection) -> None:
        await connection.send(response(CANARY.encode()))

    async with Server(handler) as server:
        url = server.url.replace("http:", "https:")
        async with AsyncPackageX("key", base_url=url, retry=AT_ONCE) as px:
            error = await _ask_api(px, url)
    assert "the TLS handshake failed; check that the server speaks TLS on this port" in str(error)
    assert CANARY not in str(error)


class Proxy:
    """A proxy that answers each request for a tunnel with a status."""

    def __init__(self, status: str) -> None:
        self._status = status

    async def __call__(self, connection: Connection) -> None:
        await connection.request()
        await connection.send(response(CANARY.encode(), status=self._status, headers=f"X-Why: {CANARY}\r\n"))


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("status", "says"),
    [
        (f"407 {CANARY}", "with status 407 (Proxy Authentication Required): check the user and the password"),
        (f"403 {CANARY}", "with status 403 (Forbidden)"),
        (f"401 {CANARY}", "with status 401 (Unauthorized)"),
        (f"405 {CANARY}", "with status 405 (Method Not Allowed)"),
        (f"599 {CANARY}", "with status 599"),
        (f"301 {CANARY}", "with status 301 (Moved Permanently)"),
    ],
)
async def test_a_refusal_of_the_proxy_ends_the_request_at_once(ask: Ask, status: str, says: str) -> None:
    """The error says that it is the proxy's, and quotes nothing of it."""
    async with Server(Proxy(status)) as proxy:
        options: dict[str, Any] = {"proxy": f"http://user:{CANARY}@127.0.0.1:{proxy.port}", "retry": PATIENT}
        async with AsyncPackageX("key", **options) as px:
            error = await ask(px, "https://storage.example")
        assert proxy.connections == 1
    assert f"the proxy refused to connect, {says}" in str(error)
    assert CANARY not in f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"])
async def test_a_proxy_in_trouble_is_asked_again(ask: Ask, status: str) -> None:
    """It may reach the host the next time."""
    async with Server(Proxy(status)) as proxy:
        async with AsyncPackageX("key", proxy=f"http://127.0.0.1:{proxy.port}", retry=AT_ONCE) as px:
            error = await ask(px, "https://storage.example")
        assert proxy.connections == 5
    assert f"with status {status[:3]}" in str(error)


@pytest.mark.parametrize("ask", ASKS)
async def test_a_proxy_that_is_not_there_is_named(ask: Ask) -> None:
    """The failure is not taken for one of the API or of the storage host."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with AsyncPackageX("key", proxy=proxy, retry=AT_ONCE) as px:
            error = await ask(px, "https://storage.example")
    assert "could not connect to the proxy: connection refused" in str(error)


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("code", "says"),
    [
        (socket.EAI_NONAME, "the name api.packagex.io could not be resolved"),
        (socket.EAI_AGAIN, "could not be resolved: the name server did not answer"),
    ],
)
async def test_a_name_that_is_not_resolved_is_named(
    ask: Ask, code: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver finds no address."""

    def refuse(*_: object) -> None:
        raise socket.gaierror(code, CANARY)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    async with AsyncPackageX("key", retry=AT_ONCE) as px:
        error = await ask(px, "https://api.packagex.io")
    assert says in str(error)
    assert CANARY not in str(error)


async def test_an_unknown_exception_is_a_closed_connection() -> None:
    """What no other case is for still has words."""
    assert classify(aiohttp.ClientConnectionError(CANARY)).text == "the connection was closed"
    assert classify(OSError(CANARY)).text == "the connection failed"
    assert classify(OSError(errno.ENOBUFS, CANARY)).text == os.strerror(errno.ENOBUFS)


async def _never_asked(connection: Connection) -> None:
    await connection.request()
    pytest.fail("the connection cannot be used")
