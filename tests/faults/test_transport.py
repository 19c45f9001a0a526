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
from tests.faults.host import Answer, Ending, Host, Request, Stored
from tests.faults.plays import NO_HASH, but, cut, honest
from tests.faults.trial import Raw, Trial

AFTER = 30_000


async def test_reset_before_the_head(raw: Raw) -> None:
    """An RST in place of an answer is a failed try."""
    raw.plays(lambda _, __: Ending.RST)
    assert (await raw.arrives()).attempts == 2


async def test_reset_within_the_body(raw: Raw) -> None:
    """What came before an RST is kept or fetched again, but never mixed up."""
    raw.plays(*[cut(AFTER, Ending.RST)] * 3)
    await raw.arrives()


async def test_reset_for_ever(raw: Raw) -> None:
    """It ends in an error, with all tries spent."""
    raw.always(lambda _, __: Ending.RST)
    await raw.fails(StorageUnreachableError)
    assert len(raw.host.requests) == 5


@pytest.mark.one_connection
async def test_closed_within_the_body(raw: Raw) -> None:
    """A FIN is an end of the connection, not of the body."""
    raw.plays(cut(AFTER))
    assert (await raw.arrives()).resumed


@pytest.mark.one_connection
async def test_half_closed_within_the_body(raw: Raw) -> None:
    """A host that sends no more but keeps listening is not waited for."""
    raw.plays(cut(AFTER, Ending.HALF))
    assert (await raw.arrives()).resumed


async def test_closed_behind_a_whole_answer(raw: Raw) -> None:
    """A connection that is closed while it is kept for the next request costs a try at most."""
    raw.always(but(ending=Ending.FIN))
    async with aiohttp.TCPConnector(limit=1) as connector:
        raw.options["connector"] = connector
        for _ in range(3):
            await raw.arrives(overwrite=True)


async def test_closed_when_it_is_used_again(trial: Trial) -> None:
    """One connection for four artifacts, closed at the second request on it: only that try fails."""
    trial.server.inject(Refuse(artifact="csv"))
    async with aiohttp.TCPConnector(limit=1) as connector:
        trial.options["connector"] = connector
        report = await trial.report(artifacts=None, concurrency=1)
    assert [file.attempts for file in report.files] == [1, 2, 1, 1]


async def test_a_response_that_nobody_asked_for(raw: Raw) -> None:
    """It arrives on a connection between two downloads, and is not taken for what the second one asks for."""
    raw.tells(NO_HASH)
    async with raw.client() as px:
        for _ in range(2):
            raw.plays(_with_another_response)
            await px.exports.download(raw.export_id, raw.folder, artifacts="csv", overwrite=True)
            assert raw.path().read_bytes() == raw.content
            await raw.host.quiet()


async def test_nobody_listens(raw: Raw) -> None:
    """A refused connection is a host that cannot be reached."""
    with socket.socket() as deaf:
        # Bound and not listening: nobody else can get the port meanwhile.
        deaf.bind(("127.0.0.1", 0))
        raw.server.origin = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        await raw.fails(StorageUnreachableError)


async def test_tls(raw: Raw, authority: trustme.CA) -> None:
    """The object arrives over TLS, from a host whose authority the caller's context trusts."""
    async with secure(raw, authority):
        assert (await raw.arrives()).attempts == 1


@pytest.mark.one_connection
async def test_tls_without_a_farewell_within_the_body(raw: Raw, authority: trustme.CA) -> None:
    """A connection cut below TLS is an end of the connection, and the transfer goes on."""
    async with secure(raw, authority) as host:
        host.plays(cut(AFTER, Ending.DROP))
        assert (await raw.arrives()).resumed


async def test_tls_without_a_farewell_behind_an_undeclared_body(raw: Raw, authority: trustme.CA) -> None:
    """Without length and last chunk, the hash tells whether the end of the connection was the body's."""
    async with secure(raw, authority) as host:
        host.plays(but(version="HTTP/1.0", headers={"Content-Length": None}, cut=AFTER, ending=Ending.DROP))
        assert (await raw.arrives()).verified == "checksum"


async def test_tls_of_an_unknown_authority(raw: Raw, authority: trustme.CA) -> None:
    """A certificate that nobody vouches for is refused, and not a byte is asked for."""
    async with secure(raw, authority) as host:
        raw.options["ssl"] = ssl.create_default_context()
        # A wait before another try would last until the end of all patience.
        raw.options["retry"] = RetryPolicy(wait_initial=1000, wait_max=1000)
        assert "was rejected: its issuer is unknown" in str(await raw.fails(StorageUnreachableError))
    assert host.requests == []


async def test_tls_of_another_host(raw: Raw) -> None:
    """As is one for another name."""
    async with secure(raw, trustme.CA(), "storage.example") as host:
        await raw.fails(StorageUnreachableError)
    assert host.requests == []


async def test_tls_to_a_host_that_speaks_none(raw: Raw) -> None:
    """The handshake fails, and the error is a host that cannot be reached."""

    def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        raw.server.origin = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await raw.fails(StorageUnreachableError)


def _with_another_response(request: Request, stored: Stored) -> Answer:
    """The object, and behind it a response of the same length with other bytes."""
    answer = honest(request, stored)
    assert isinstance(answer, Answer)
    other = attrs.evolve(answer, body=bytes(len(answer.body)))
    return attrs.evolve(answer, behind=other.encode())


@asynccontextmanager
async def secure(raw: Raw, authority: trustme.CA, name: str = "127.0.0.1") -> AsyncIterator[Host]:
    """The object on a host with TLS, whose certificate is for `name`; the client trusts `authority`."""
    there, here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert(name).configure_cert(there)
    authority.configure_trust(here)
    raw.options["ssl"] = here
    async with Host(raw.host.stored, honest, tls=there) as host:
        raw.server.origin = host.origin
        yield host


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for the secure host."""
    return trustme.CA()
