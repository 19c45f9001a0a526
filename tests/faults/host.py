"""A storage host of raw bytes: it answers as it is told, right or wrong, on a socket of its own."""

from __future__ import annotations

import asyncio
import enum
import re
import socket
import ssl
import struct
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import ClassVar, Self

import attrs
from multidict import CIMultiDict

from packagex_async.testing.data.blobs import Blob

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


class Ending(enum.Enum):
    """What becomes of the connection once an answer has left."""

    KEEP = "kept alive"
    FIN = "closed"
    HALF = "closed on the host's side only"
    RST = "reset"
    DROP = "closed without TLS's farewell"
    HOLD = "held, in silence"


@attrs.frozen(kw_only=True)
class Request:
    """What the client asked for."""

    target: str
    headers: CIMultiDict[str]

    @property
    def link(self) -> int:
        """The number of the link it came by."""
        return int(self.target.partition("&link=")[2].partition("&")[0])

    @property
    def first(self) -> int | None:
        """The first byte of the range it asks for, if it asks for one."""
        return None if self._range is None else int(self._range[1])

    @property
    def last(self) -> int | None:
        """The last byte of that range, if it says which."""
        return int(self._range[2]) if self._range and self._range[2] else None

    @property
    def _range(self) -> re.Match[str] | None:
        return _RANGE.match(self.headers.get("Range", ""))


@attrs.frozen(kw_only=True)
class Stored:
    """The object behind every link, and what the host says of it with every answer."""

    content: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, content: bytes, *, version: int = 1) -> Stored:
        """An object with all its names: strong ETag, generation, date, and hashes."""
        blob = Blob(content=content, generation=version, modified=1_700_000_000.0 + version)
        return cls(content=content, headers=blob.headers)

    def having(self, headers: Mapping[str, str | None]) -> Stored:
        """The same object of which other things are said; `None` leaves one unsaid."""
        return attrs.evolve(self, headers=_merged(self.headers, headers))


@attrs.frozen(kw_only=True)
class Answer:
    """An answer, as it leaves; a head that is not `finished` lacks its last line; `behind` follows later."""

    status: str
    headers: Mapping[str, str]
    body: bytes
    ending: Ending = Ending.KEEP
    version: str = "HTTP/1.1"
    finished: bool = True
    behind: bytes = b""

    def having(self, headers: Mapping[str, str | None]) -> Answer:
        """The same answer with other headers; `None` leaves one out."""
        return attrs.evolve(self, headers=_merged(self.headers, headers))

    def encode(self) -> bytes:
        """Its bytes."""
        lines = [f"{self.version} {self.status}", *(f"{name}: {text}" for name, text in self.headers.items())]
        return "\r\n".join([*lines, "", ""][: None if self.finished else -1]).encode() + self.body


Sent = Answer | bytes | Ending
"""An answer; or bare bytes, behind which the connection is closed; or how it ends without any."""

Play = Callable[[Request, Stored], Sent]
"""How one request is answered."""


class Host:
    """The host: a play for each of the next requests, and honest answers behind them.

    Args:
        stored: Its one object.
        honest: How requests are answered that no play is for.
        tls: What to speak TLS with, if at all.

    Attributes:
        piece: Bytes that leave at a time, with some turns of the loop between; `None` for all at once.
    """

    piece: ClassVar[int | None] = None

    def __init__(self, stored: Stored, honest: Play, *, tls: ssl.SSLContext | None = None) -> None:
        self.stored = stored
        self.otherwise = honest
        self.requests: list[Request] = []
        self._script: deque[Play] = deque()
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """Its scheme, address and port."""
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"

    @property
    def ranges(self) -> list[str | None]:
        """The ranges it was asked for, request by request."""
        return [request.headers.get("Range") for request in self.requests]

    def plays(self, *plays: Play) -> None:
        """Answer the next requests like this, one play each."""
        self._script += plays

    async def quiet(self) -> None:
        """Wait until everything has left that nobody asked for."""
        await turns()
        await turns()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self._tls is None:
            # A drained connection is one whose bytes have all left; over TLS uvloop would drain for ever.
            writer.transport.set_write_buffer_limits(high=0)
        try:
            while await self._answer(reader, writer) is Ending.KEEP:
                pass
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        self._writers.discard(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Ending:
        request = _parse(await reader.readuntil(b"\r\n\r\n"))
        self.requests.append(request)
        play = self._script.popleft() if self._script else self.otherwise
        sent = play(request, self.stored)
        raw, ending = _settled(sent)
        await self._send(writer, raw)
        if isinstance(sent, Answer) and sent.behind:
            await turns()
            writer.write(sent.behind)
        await _end(ending, reader, writer)
        return ending

    async def _send(self, writer: asyncio.StreamWriter, raw: bytes) -> None:
        for start in range(0, len(raw), self.piece or max(len(raw), 1)):
            if start:
                await turns()
            if writer.transport.is_closing():
                raise ConnectionResetError
            writer.write(raw[start:][: self.piece])
            await writer.drain()


async def turns() -> None:
    """Let the client, on the same loop, deal with what it has."""
    for _ in range(8):
        await asyncio.sleep(0)


def _settled(sent: Sent) -> tuple[bytes, Ending]:
    """The bytes that leave, and what becomes of the connection."""
    match sent:
        case Answer():
            return sent.encode(), sent.ending
        case Ending():
            return b"", sent
        case _:
            return sent, Ending.FIN


async def _end(ending: Ending, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if ending is Ending.RST:
        # Lingering for no time at all turns the close into an RST.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    if ending in (Ending.RST, Ending.DROP):
        writer.transport.abort()
    if ending is Ending.HALF:
        writer.write_eof()
    if ending in (Ending.HALF, Ending.HOLD):
        await reader.read()


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Request(
        target=first.split(" ")[1], headers=CIMultiDict({name: text.strip() for name, _, text in pairs})
    )


def _merged(headers: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in {**headers, **changes}.items() if text is not None}
