"""A storage server that sends raw bytes: each response is correct or wrong, as the test specifies."""

from __future__ import annotations

import asyncio
import enum
import re
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import ClassVar, Self

import attrs
from multidict import CIMultiDict

from packagex_async.testing.data.blobs import Blob
from tests.tcp_server import reset

_RANGE = re.compile(r"bytes=(\d+)-(\d*)\Z")


class ConnectionEnd(enum.Enum):
    """The treatment of the connection after a response."""

    KEEP_ALIVE = "kept alive"
    FIN = "closed"
    HALF_CLOSE = "closed for writing only"
    RST = "reset"
    ABORT = "closed without a TLS close_notify"
    STALL = "kept open without sending anything"


@attrs.frozen(kw_only=True)
class Request:
    """A request of the client."""

    target: str
    headers: CIMultiDict[str]

    @property
    def url_number(self) -> int:
        """The number of the download URL, in the order in which the API issued them."""
        return int(self.target.partition("&link=")[2].partition("&")[0])

    @property
    def range_start(self) -> int | None:
        """The first byte of the requested range; `None` without a range."""
        return None if self._range is None else int(self._range[1])

    @property
    def range_end(self) -> int | None:
        """The last byte of the requested range; `None` without a range or with an open one."""
        return int(self._range[2]) if self._range and self._range[2] else None

    @property
    def _range(self) -> re.Match[str] | None:
        return _RANGE.match(self.headers.get("Range", ""))


@attrs.frozen(kw_only=True)
class StoredObject:
    """The object behind every URL, and the headers that correct responses describe it with."""

    content: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, content: bytes, *, version: int = 1) -> StoredObject:
        """Create an object with all validators and hashes: strong ETag, generation, date, md5 and crc32c."""
        blob = Blob(content=content, generation=version, modified=1_700_000_000.0 + version)
        return cls(content=content, headers=blob.headers)

    def with_headers(self, headers: Mapping[str, str | None]) -> StoredObject:
        """Return the object with changed headers; `None` removes a header."""
        return attrs.evolve(self, headers=_merged(self.headers, headers))


@attrs.frozen(kw_only=True)
class RawResponse:
    """A response as it is sent.

    Attributes:
        status: Status code and reason phrase.
        headers: Its headers.
        body: Its body, already encoded.
        ending: The treatment of the connection after the response.
        version: The HTTP version.
        head_complete: Whether the empty line after the headers is sent.
        trailing_bytes: Bytes sent a few turns of the event loop later.
    """

    status: str
    headers: Mapping[str, str]
    body: bytes
    ending: ConnectionEnd = ConnectionEnd.KEEP_ALIVE
    version: str = "HTTP/1.1"
    head_complete: bool = True
    trailing_bytes: bytes = b""

    def with_headers(self, headers: Mapping[str, str | None]) -> RawResponse:
        """Return the response with changed headers; `None` removes a header."""
        return attrs.evolve(self, headers=_merged(self.headers, headers))

    def encode(self) -> bytes:
        """Return head and body as bytes."""
        lines = [f"{self.version} {self.status}", *(f"{name}: {text}" for name, text in self.headers.items())]
        return "\r\n".join([*lines, "", ""][: None if self.head_complete else -1]).encode() + self.body


ServerAction = RawResponse | bytes | ConnectionEnd
"""A response; or bytes, after which the connection is closed; or only an end of the connection."""

Responder = Callable[[Request, StoredObject], ServerAction]
"""Computes the reaction to one request."""


class RawStorageServer:
    """A server of one object.

    Args:
        stored: The object.
        default_responder: Answers the requests that no responder was queued for.
        tls: The TLS context; `None` for plain HTTP.

    Attributes:
        chunk_size: Bytes that are sent at a time, with some turns of the event loop in between; `None` for
            all at once.
    """

    chunk_size: ClassVar[int | None] = None

    def __init__(
        self, stored: StoredObject, default_responder: Responder, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self.stored = stored
        self.default_responder = default_responder
        self.requests: list[Request] = []
        self._responders: deque[Responder] = deque()
        self._tls = tls
        self._held: asyncio.Event | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """Scheme, address and port."""
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"

    @property
    def requested_ranges(self) -> list[str | None]:
        """The `Range` header of each request."""
        return [request.headers.get("Range") for request in self.requests]

    def respond_with(self, *responders: Responder) -> None:
        """Queue responders, one for each of the next requests."""
        self._responders += responders

    def hold_first_response(self) -> None:
        """Send three quarters of the first response only after another request was answered."""
        self._held = asyncio.Event()

    def release_first_response(self) -> None:
        """Send the rest of the response that is held."""
        if self._held is not None:
            self._held.set()

    async def wait_until_sent(self) -> None:
        """Wait until all trailing bytes are sent."""
        await yield_to_event_loop()
        await yield_to_event_loop()

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
            # `drain` then waits until all bytes are sent. With TLS on uvloop it would never return.
            writer.transport.set_write_buffer_limits(high=0)
        try:
            while await self._respond(reader, writer) is ConnectionEnd.KEEP_ALIVE:
                pass
            writer.close()
            await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        self._writers.discard(writer)

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> ConnectionEnd:
        request = _parse(await reader.readuntil(b"\r\n\r\n"))
        self.requests.append(request)
        responder = self._responders.popleft() if self._responders else self.default_responder
        action = responder(request, self.stored)
        raw, ending = _encode(action)
        is_first = len(self.requests) == 1
        try:
            await self._send(writer, raw, held=self._held if is_first else None)
        finally:
            if self._held is not None:
                self._held.set()
        if isinstance(action, RawResponse) and action.trailing_bytes:
            await yield_to_event_loop()
            writer.write(action.trailing_bytes)
        await _end(ending, reader, writer)
        return ending

    async def _send(
        self, writer: asyncio.StreamWriter, raw: bytes, *, held: asyncio.Event | None = None
    ) -> None:
        for start in range(0, len(raw), self.chunk_size or max(len(raw), 1)):
            if start:
                await yield_to_event_loop()
            if held is not None and start > len(raw) // 4:
                await held.wait()
            if writer.transport.is_closing():
                raise ConnectionResetError
            writer.write(raw[start:][: self.chunk_size])
            await writer.drain()


async def yield_to_event_loop() -> None:
    """Give the client, which runs on the same event loop, some turns to process what has arrived."""
    for _ in range(8):
        await asyncio.sleep(0)


def _encode(action: ServerAction) -> tuple[bytes, ConnectionEnd]:
    """Return the bytes to send, and what to do with the connection afterwards."""
    match action:
        case RawResponse():
            return action.encode(), action.ending
        case ConnectionEnd():
            return b"", action
        case _:
            return action, ConnectionEnd.FIN


async def _end(ending: ConnectionEnd, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if ending is ConnectionEnd.RST:
        reset(writer)
    if ending is ConnectionEnd.ABORT:
        writer.transport.abort()
    if ending is ConnectionEnd.HALF_CLOSE:
        writer.write_eof()
    if ending in (ConnectionEnd.HALF_CLOSE, ConnectionEnd.STALL):
        await wait_for_end(reader)


async def wait_for_end(reader: asyncio.StreamReader) -> None:
    """Wait until the client closes the connection."""
    await reader.read()


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return Request(
        target=first.split(" ")[1], headers=CIMultiDict({name: text.strip() for name, _, text in pairs})
    )


def _merged(headers: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in {**headers, **changes}.items() if text is not None}
