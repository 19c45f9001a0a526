"""Transport: connections that are refused, reset, half closed or closed without a farewell."""

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


async def test_reset_before_the_head(raw: RawDownloadScenario) -> None:
    """An RST in place of an answer is a failed try."""
    raw.respond_with(lambda _, __: ConnectionEnd.RST)
    assert (await raw.download()).attempts == 2


async def test_reset_within_the_body(raw: RawDownloadScenario) -> None:
    """What came before an RST is kept or fetched again, but never mixed up."""
    raw.respond_with(*[truncated_response(AFTER, ConnectionEnd.RST)] * 3)
    await raw.download()


async def test_reset_for_ever(raw: RawDownloadScenario) -> None:
    """It ends in an error, with all tries spent."""
    raw.always_respond_with(lambda _, __: ConnectionEnd.RST)
    await raw.download_error(StorageUnreachableError)
    assert len(raw.storage.requests) == 5


@pytest.mark.one_connection
async def test_closed_within_the_body(raw: RawDownloadScenario) -> None:
    """A FIN is an end of the connection, not of the body."""
    raw.respond_with(truncated_response(AFTER))
    assert (await raw.download()).resumed


@pytest.mark.one_connection
async def test_half_closed_within_the_body(raw: RawDownloadScenario) -> None:
    """A host that sends no more but keeps listening is not waited for."""
    raw.respond_with(truncated_response(AFTER, ConnectionEnd.HALF_CLOSE))
    assert (await raw.download()).resumed


async def test_closed_behind_a_whole_answer(raw: RawDownloadScenario) -> None:
    """A connection that is closed while it is kept for the next request costs a try at most."""
    raw.always_respond_with(altered_response(ending=ConnectionEnd.FIN))
    async with aiohttp.TCPConnector(limit=1) as connector:
        raw.options["connector"] = connector
        for _ in range(3):
            await raw.download(overwrite=True)


async def test_closed_when_it_is_used_again(scenario: DownloadScenario) -> None:
    """One connection for four artifacts, closed at the second request on it: only that try fails."""
    scenario.server.inject(Refuse(artifact="csv"))
    async with aiohttp.TCPConnector(limit=1) as connector:
        scenario.options["connector"] = connector
        report = await scenario.run(artifacts=None, concurrency=1)
    assert [file.attempts for file in report.files] == [1, 2, 1, 1]


async def test_a_response_that_nobody_asked_for(raw: RawDownloadScenario) -> None:
    """It arrives on a connection between two downloads, and is not taken for what the second one asks for."""
    raw.set_headers(NO_HASH)
    async with raw.client() as px:
        for _ in range(2):
            raw.respond_with(_with_another_response)
            await px.exports.download(raw.export_id, raw.folder, artifacts="csv", overwrite=True)
            assert raw.path().read_bytes() == raw.content
            await raw.storage.wait_until_sent()


async def test_nobody_listens(raw: RawDownloadScenario) -> None:
    """A refused connection is a host that cannot be reached."""
    with socket.socket() as deaf:
        # Bound and not listening: nobody else can get the port meanwhile.
        deaf.bind(("127.0.0.1", 0))
        raw.server.origin = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        await raw.download_error(StorageUnreachableError)


async def test_tls(raw: RawDownloadScenario, authority: trustme.CA) -> None:
    """The object arrives over TLS, from a host whose authority the caller's context trusts."""
    async with secure(raw, authority):
        assert (await raw.download()).attempts == 1


@pytest.mark.one_connection
async def test_tls_without_a_farewell_within_the_body(
    raw: RawDownloadScenario, authority: trustme.CA
) -> None:
    """A connection cut below TLS is an end of the connection, and the transfer goes on."""
    async with secure(raw, authority) as host:
        host.respond_with(truncated_response(AFTER, ConnectionEnd.ABORT))
        assert (await raw.download()).resumed


async def test_tls_without_a_farewell_behind_an_undeclared_body(
    raw: RawDownloadScenario, authority: trustme.CA
) -> None:
    """Without length and last chunk, the hash tells whether the end of the connection was the body's."""
    async with secure(raw, authority) as host:
        host.respond_with(
            altered_response(
                version="HTTP/1.0",
                headers={"Content-Length": None},
                truncate_at=AFTER,
                ending=ConnectionEnd.ABORT,
            )
        )
        assert (await raw.download()).verified == "checksum"


async def test_tls_of_an_unknown_authority(raw: RawDownloadScenario, authority: trustme.CA) -> None:
    """A certificate that nobody vouches for is refused, and not a byte is asked for."""
    async with secure(raw, authority) as host:
        raw.options["ssl"] = ssl.create_default_context()
        # A wait before another try would last until the end of all patience.
        raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
        assert "was rejected: its issuer is unknown" in str(await raw.download_error(StorageUnreachableError))
    assert host.requests == []


async def test_tls_of_another_host(raw: RawDownloadScenario) -> None:
    """As is one for another name."""
    async with secure(raw, trustme.CA(), "storage.example") as host:
        await raw.download_error(StorageUnreachableError)
    assert host.requests == []


async def test_tls_to_a_host_that_speaks_none(raw: RawDownloadScenario) -> None:
    """The handshake fails, and the error is a host that cannot be reached."""

    def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        raw.server.origin = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await raw.download_error(StorageUnreachableError)


def _with_another_response(request: Request, stored: StoredObject) -> RawResponse:
    """The object, and behind it a response of the same length with other bytes."""
    answer = correct_response(request, stored)
    assert isinstance(answer, RawResponse)
    other = attrs.evolve(answer, body=bytes(len(answer.body)))
    return attrs.evolve(answer, trailing_bytes=other.encode())


@asynccontextmanager
async def secure(
    raw: RawDownloadScenario, authority: trustme.CA, name: str = "127.0.0.1"
) -> AsyncIterator[RawStorageServer]:
    """The object on a host with TLS, whose certificate is for `name`; the client trusts `authority`."""
    there, here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(there)
    authority.configure_trust(here)
    raw.options["ssl"] = here
    async with RawStorageServer(raw.storage.stored, correct_response, tls=there) as host:
        raw.server.origin = host.origin
        yield host


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for the secure host."""
    return trustme.CA()
