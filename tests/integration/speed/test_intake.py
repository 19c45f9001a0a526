"""A large body comes whole past the parser, and whatever breaks it is told when its bytes have been taken."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import attrs
import pytest
import trustme

from packagex_async._transport import body_reader, sessions, storage_response
from packagex_async._transport.body_reader import BUFFER_SIZE, BUFFERS, BodyReader
from packagex_async.testing import Emulator
from tests.faults.host import turns
from tests.support import AT_ONCE
from tests.ways import force

Play = Callable[[asyncio.StreamWriter], Awaitable[None]]

BODY = random.Random("intake").randbytes(3 * BUFFER_SIZE + 7)
PATIENCE = 30.0


@attrs.frozen
class Security:
    """What both sides speak TLS with, if they do."""

    there: ssl.SSLContext | None = None
    here: ssl.SSLContext | None = None


@pytest.fixture(params=["plain", "tls"], scope="module")
def security(request: pytest.FixtureRequest) -> Security:
    """Without and with TLS."""
    if request.param == "plain":
        return Security()
    there, here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").configure_cert(there)
    authority.configure_trust(here)
    return Security(there, here)


class Heir(asyncio.Protocol):
    """Whose connection it was: it is to learn of its end, and of nothing else."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        pytest.fail("it is not to read any more")


@attrs.frozen
class Line:
    """A connection whose body an intake reads."""

    intake: BodyReader
    transport: asyncio.Transport
    heir: Heir


@asynccontextmanager
async def line(
    play: Play, security: Security, *, length: int = len(BODY), first: bytes = b"", patience: float = PATIENCE
) -> AsyncIterator[Line]:
    """An intake for `length` bytes, `first` among them, of a far side that plays `play`."""
    served: list[asyncio.Task[None]] = []

    async def serve(writer: asyncio.StreamWriter) -> None:
        try:
            await play(writer)
        except OSError:
            pass  # the client has gone
        finally:
            writer.transport.abort()

    def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.ensure_future(serve(writer)))

    async with asyncio.timeout(PATIENCE):
        server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=security.there)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, heir = await loop.create_connection(Heir, "127.0.0.1", port, ssl=security.here)
        transport.pause_reading()
        try:
            yield Line(BodyReader(transport, first, length - len(first), patience), transport, heir)
        finally:
            transport.close()
            await heir.lost.wait()
            server.close()
            for task in served:
                task.cancel()
            await asyncio.wait(served)
            await server.wait_closed()


def sends(body: bytes) -> Play:
    """All of `body`, and then nothing more."""

    async def play(writer: asyncio.StreamWriter) -> None:
        await send(writer, body)
        await forever()

    return play


async def send(writer: asyncio.StreamWriter, body: bytes) -> None:
    """Send it in pieces, none of which waits for another in memory."""
    for start in range(0, len(body), 100_000):
        writer.write(body[start : start + 100_000])
        await writer.drain()


async def forever() -> None:
    """Keep the connection until the end of the test."""
    await asyncio.Event().wait()


async def drained(intake: BodyReader) -> bytes:
    """The body; every block is looked at when the far side has had time to send more."""
    body = b""
    while block := await intake.read():
        assert len(block) <= BUFFER_SIZE
        await turns()
        body += block
    return body


async def broken(intake: BodyReader) -> bytes:
    """What comes before the body breaks off, with an error that is told again and again."""
    body = b""
    while True:
        try:
            body += await intake.read()
        except OSError as error:
            with pytest.raises(type(error)) as again:
                await intake.read()
            assert again.value is error
            return body


@pytest.mark.parametrize(
    "size", [1, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1, 2 * BUFFER_SIZE, len(BODY)]
)
async def test_a_body_comes_whole(security: Security, size: int) -> None:
    """Of any length, and with its end there is no more."""
    async with line(sends(BODY[:size]), security, length=size) as there:
        assert await drained(there.intake) == BODY[:size]
        assert len(await there.intake.read()) == 0


@pytest.mark.parametrize("ahead", [1, 300_000, BUFFER_SIZE])
async def test_what_had_been_read_before_comes_first(security: Security, ahead: int) -> None:
    """As it came with the answer's head."""
    async with line(sends(BODY[ahead:]), security, first=BODY[:ahead]) as there:
        assert await drained(there.intake) == BODY


@pytest.mark.parametrize("after", [0, 10, BUFFER_SIZE, BUFFER_SIZE + 10, len(BODY) - 1])
async def test_a_body_that_is_cut(security: Security, after: int) -> None:
    """Every byte that came is handed on before the error."""

    async def cut(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:after])
        writer.close()
        await writer.wait_closed()

    async with line(cut, security) as there:
        assert await broken(there.intake) == BODY[:after]


@pytest.mark.parametrize("after", [0, BUFFER_SIZE + 10])
async def test_a_connection_that_is_reset(security: Security, after: int) -> None:
    """It is an error; what is handed on before it is the beginning of the body."""

    async def reset(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:after])
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()

    async with line(reset, security) as there:
        assert BODY.startswith(await broken(there.intake))


async def test_silence(security: Security) -> None:
    """It is a timeout behind the bytes that came, and no error of the connection: it may speak again."""
    speak = asyncio.Event()

    async def pause(writer: asyncio.StreamWriter) -> None:
        await send(writer, BODY[:10])
        await speak.wait()
        await sends(BODY[10:])(writer)

    async with line(pause, security, patience=0.05) as there:
        assert await there.intake.read() == BODY[:10]
        with pytest.raises(TimeoutError):
            await there.intake.read()
        speak.set()
        assert await drained(there.intake) == BODY[10:]


async def test_a_trickle_is_handed_on_before_a_buffer_is_full(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that whoever watches the pace sees every byte; each is handed on once."""
    monkeypatch.setattr(body_reader, "LINGER", 0.001)
    taken = asyncio.Semaphore(0)

    async def trickle(writer: asyncio.StreamWriter) -> None:
        for byte in range(50):
            writer.write(BODY[byte : byte + 1])
            await taken.acquire()
        await sends(BODY[50:])(writer)

    async with line(trickle, security) as there:
        for byte in range(50):
            assert await there.intake.read() == BODY[byte : byte + 1]
            taken.release()
        assert await drained(there.intake) == BODY[50:]


def told_from(there: Line) -> int:
    """How many bytes the system waits for before it tells of any."""
    connection: socket.socket = there.transport.get_extra_info("socket")
    return connection.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)


async def test_of_a_fast_line_is_told_in_bulk(security: Security, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as there surely is more to come than that."""
    monkeypatch.setattr(body_reader, "LINGER", PATIENCE)
    body = BODY * 3
    async with line(sends(body), security, length=len(body)) as there:
        assert told_from(there) == 1
        first = bytes(await there.intake.read())
        assert len(first) == BUFFER_SIZE
        assert told_from(there) == BUFFER_SIZE // 4
        assert first + await drained(there.intake) == body
        assert told_from(there) == 1


async def test_systems_that_may_not_bear_it_tell_of_everything(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that stands still until its reader gives up waiting would be slow."""
    monkeypatch.setattr(body_reader, "LINGER", PATIENCE)
    monkeypatch.setattr(body_reader, "_TOLD_IN_BULK", False)
    body = BODY * 3
    async with line(sends(body), security, length=len(body)) as there:
        first = bytes(await there.intake.read())
        assert told_from(there) == 1
        assert first + await drained(there.intake) == body


async def test_a_line_that_slows_down_is_told_of_byte_by_byte(
    security: Security, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few bytes are not kept back because there had been many."""
    monkeypatch.setattr(body_reader, "LINGER", PATIENCE)
    taken = asyncio.Event()
    body, few = BODY * 3, 3 * BUFFER_SIZE + 1000

    async def slow_down(writer: asyncio.StreamWriter) -> None:
        await send(writer, body[:few])
        await taken.wait()
        await sends(body[few:])(writer)

    async with line(slow_down, security, length=len(body)) as there:
        got = b"".join([bytes(await there.intake.read()) for _ in range(2)])
        assert len(got) == 2 * BUFFER_SIZE
        assert told_from(there) > 1
        monkeypatch.setattr(body_reader, "LINGER", 0.001)
        while len(got) < few:
            got += await there.intake.read()
        taken.set()
        assert got + await drained(there.intake) == body


async def test_a_slow_reader_is_waited_for(security: Security) -> None:
    """With all buffers full nothing more is read, and no other one is made."""
    body = BODY * 5
    async with line(sends(body), security, length=len(body)) as there:
        while there.transport.is_reading():
            await asyncio.sleep(0)
        tracemalloc.start()
        received = 0
        while block := await there.intake.read():
            assert block == body[received : received + len(block)]
            received += len(block)
            await turns()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert received == len(body)
    # A copy of a block for the comparison, and what the far side and the loop have in hand.
    assert peak < 2 * BUFFER_SIZE


async def test_a_few_buffers_are_all_it_takes(security: Security) -> None:
    """However long the body is."""
    async with line(sends(BODY[:10]), security, length=10) as there:
        assert await drained(there.intake) == BODY[:10]
        tracemalloc.start()
        BodyReader(there.transport, b"", 10**12, PATIENCE)
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    assert held < BUFFERS * BUFFER_SIZE + 100_000


async def test_surplus_bytes_are_not_read(security: Security) -> None:
    """The body ends where its length says."""
    async with line(sends(BODY + b"surplus" * 100_000), security) as there:
        assert await drained(there.intake) == BODY
        await turns()
        assert len(await there.intake.read()) == 0


async def test_a_read_that_is_cancelled_can_be_asked_for_again(security: Security) -> None:
    """No byte is lost by it."""
    asked = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await asked.wait()
        await sends(BODY)(writer)

    async with line(late, security) as there:
        task = asyncio.create_task(asyncio.wait_for(there.intake.read(), None))
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        asked.set()
        assert await drained(there.intake) == BODY


async def test_a_connection_that_is_closed_amid_a_read_ends_it(security: Security) -> None:
    """By our own side, as when a client is closed: the read fails, and the heir knows."""
    async with line(sends(BODY[:10]), security) as there:
        assert await there.intake.read() == BODY[:10]
        task = asyncio.create_task(there.intake.read())
        await turns()
        there.transport.close()
        with pytest.raises(OSError, match="closed amid the body"):
            await task
        await there.heir.lost.wait()


@pytest.mark.parametrize("limit", [1, 0])
async def test_a_connector_closes_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """A connection that was taken over is closed, gives its place to the next, and lets nobody wait."""
    force("intake", monkeypatch)
    taken: list[object] = []
    made = BodyReader.__init__

    def count(intake: BodyReader, *args: object, **options: object) -> None:
        taken.append(intake)
        made(intake, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(BodyReader, "__init__", count)
    async with asyncio.timeout(PATIENCE), Emulator(populate=False) as server:
        content = {"csv": BODY, "json": BODY[::-1]}
        export = server.add_export(content=content)
        async with aiohttp.TCPConnector(limit=limit) as connector:
            async with server.client(retry=AT_ONCE, connector=connector) as px:
                report = await px.exports.download(export.id, tmp_path)
            await connector.close()
    assert len(taken) == 2
    assert {file.artifact: file.path.read_bytes() for file in report.files} == content


async def test_a_body_that_aiohttp_has_read_to_its_end_is_taken_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking what it holds may bring the end to light: nothing of it is lost, nothing is taken over."""
    monkeypatch.setattr(storage_response, "_WORTH_A_CONNECTION", 1)
    monkeypatch.setattr(sessions, "READ_SIZE", 1_000)
    async with asyncio.timeout(PATIENCE), Emulator(populate=False) as server:
        export = server.add_export(content={"csv": BODY[:50_000]})
        async with server.client(retry=AT_ONCE) as px:
            report = await px.exports.download(export.id, tmp_path)
    file = report.files["csv"]
    assert (file.path.read_bytes(), file.attempts) == (BODY[:50_000], 1)


async def test_a_body_stays_whole_though_another_lets_its_connection_go_on(security: Security) -> None:
    """aiohttp hands on a connection whose last answer was not read to its end; reading that resumes it."""
    body = BODY * 3
    async with line(sends(body + b"surplus" * 1000), security, length=len(body)) as there:
        got = bytearray()
        while block := await there.intake.read():
            got += block
            for _ in range(20):
                there.transport.resume_reading()
                await asyncio.sleep(0)
        there.transport.resume_reading()
        await turns()
    assert got == body
