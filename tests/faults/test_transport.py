"""Transport: connections that are refused, reset or closed early, and TLS failures."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import attrs
import pytest
import trustme

from packagex_async import RetryPolicy, StorageUnreachableError
from packagex_async.testing import Refuse
from tests.faults.responses import NO_HASH, altered_response, correct_response, truncated_response
from tests.faults.scenario import DownloadScenario, RawDownloadScenario
from tests.faults.storage_server import ConnectionEnd, RawResponse, RawStorageServer, Request, StoredObject

AFTER = 30_000


async def test_reset_before_response_head(raw: RawDownloadScenario) -> None:
    """A reset instead of a response ends the attempt."""
    raw.respond_with(lambda _, __: ConnectionEnd.RST)
    assert (await raw.download()).attempts == 2


async def test_reset_within_body(raw: RawDownloadScenario) -> None:
    """Bytes received before a reset are kept or downloaded again, and never mixed up."""
    raw.respond_with(*[truncated_response(AFTER, ConnectionEnd.RST)] * 3)
    await raw.download()


async def test_reset_always(raw: RawDownloadScenario) -> None:
    """The artifact fails after all attempts."""
    raw.always_respond_with(lambda _, __: ConnectionEnd.RST)
    await raw.download_error(StorageUnreachableError)
    assert len(raw.storage.requests) == 5


@pytest.mark.one_connection
async def test_closed_within_body(raw: RawDownloadScenario) -> None:
    """A closed connection does not end the body, and the transfer resumes."""
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed


@pytest.mark.one_connection
async def test_half_closed_within_body(raw: RawDownloadScenario) -> None:
    """A host that closes its sending side is not waited for."""
    raw.respond_with(truncated_response(AFTER, ConnectionEnd.HALF_CLOSE))
    assert (await raw.download()).resumed


async def test_closed_after_response(raw: RawDownloadScenario) -> None:
    """A connection that is closed while idle costs at most one attempt."""
    raw.always_respond_with(altered_response(ending=ConnectionEnd.FIN))
    async with aiohttp.TCPConnector(limit=1) as connector:
        raw.options["connector"] = connector
        for _ in range(3):
            await raw.download(overwrite=True)


async def test_closed_on_reuse(scenario: DownloadScenario) -> None:
    """A connection that is closed on its second request fails only that attempt."""
    scenario.server.inject(Refuse(artifact="csv"))
    async with aiohttp.TCPConnector(limit=1) as connector:
        scenario.options["connector"] = connector
        report = await scenario.run(artifacts=None, concurrency=1)
    assert [file.attempts for file in report.files] == [1, 2, 1, 1]


async def test_unrequested_response(raw: RawDownloadScenario) -> None:
    """A response on an idle connection is not used for the next request."""
    raw.set_headers(NO_HASH)
    async with raw.client() as px:
        for _ in range(2):
            raw.respond_with(_with_trailing_response)
            await px.exports.download(raw.export_id, raw.folder, artifacts="csv", overwrite=True)
            assert raw.path().read_bytes() == raw.content
            await raw.storage.wait_until_sent()


async def test_refused_connection(raw: RawDownloadScenario) -> None:
    """A refused connection is reported as an unreachable host."""
    with socket.socket() as unused:
        # A bound port that does not listen refuses connections, and no other process can take it.
        unused.bind(("127.0.0.1", 0))
        raw.server.origin = f"http://127.0.0.1:{unused.getsockname()[1]}"
        await raw.download_error(StorageUnreachableError)


async def test_tls(raw: RawDownloadScenario, authority: trustme.CA) -> None:
    """The object arrives over TLS with a context that trusts the authority."""
    async with serve_with_tls(raw, authority):
        assert (await raw.download()).attempts == 1


@pytest.mark.one_connection
async def test_tls_aborted_within_body(raw: RawDownloadScenario, authority: trustme.CA) -> None:
    """A connection without `close_notify` is resumed like any other interruption."""
    async with serve_with_tls(raw, authority) as host:
        host.respond_with(truncated_response(AFTER, ConnectionEnd.ABORT))
        assert (await raw.download()).resumed


@pytest.mark.hashes
async def test_tls_aborted_after_undeclared_body(raw: RawDownloadScenario, authority: trustme.CA) -> None:
    """The hash confirms a body without a length whose connection ended without `close_notify`."""
    async with serve_with_tls(raw, authority) as host:
        host.respond_with(
            altered_response(
                version="HTTP/1.0",
                headers={"Content-Length": None},
                truncate_at=AFTER,
                ending=ConnectionEnd.ABORT,
            )
        )
        assert (await raw.download()).verified == "checksum"


async def test_tls_with_unknown_authority(raw: RawDownloadScenario, authority: trustme.CA) -> None:
    """An untrusted certificate is refused before any request is sent."""
    async with serve_with_tls(raw, authority) as host:
        raw.options["ssl"] = ssl.create_default_context()
        # A wait before a second attempt would exceed the time limit of the case.
        raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
        assert "was rejected: its issuer is unknown" in str(await raw.download_error(StorageUnreachableError))
    assert host.requests == []


async def test_tls_with_other_host_name(raw: RawDownloadScenario) -> None:
    """A certificate for another name is refused before any request is sent."""
    async with serve_with_tls(raw, trustme.CA(), "storage.example") as host:
        await raw.download_error(StorageUnreachableError)
    assert host.requests == []


async def test_tls_to_plain_host(raw: RawDownloadScenario) -> None:
    """A failed handshake is reported as an unreachable host."""

    def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        raw.server.origin = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await raw.download_error(StorageUnreachableError)


def _with_trailing_response(request: Request, stored: StoredObject) -> RawResponse:
    """Respond correctly, then send a second response of the same length with other bytes."""
    response = correct_response(request, stored)
    assert isinstance(response, RawResponse)
    other = attrs.evolve(response, body=bytes(len(response.body)))
    return attrs.evolve(response, trailing_bytes=other.encode())


@asynccontextmanager
async def serve_with_tls(
    raw: RawDownloadScenario, authority: trustme.CA, name: str = "127.0.0.1"
) -> AsyncIterator[RawStorageServer]:
    """Serve the object over TLS with a certificate for `name`; the client trusts `authority`."""
    server_context, client_context = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(),
    )
    authority.issue_cert(name).configure_cert(server_context)
    authority.configure_trust(client_context)
    raw.options["ssl"] = client_context
    async with RawStorageServer(raw.storage.stored, correct_response, tls=server_context) as host:
        raw.server.origin = host.origin
        yield host


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Provide the authority that issues the certificate of the server."""
    return trustme.CA()
