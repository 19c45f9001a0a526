"""A TCP proxy that passes on what it is given, and cuts connections in the middle."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

import attrs

_BLOCK = 64 * 1024
_RANGE = re.compile(rb"\r\nRange: bytes=(\d+)-\r\n")
_IF_RANGE = re.compile(rb"\r\nIf-Range: ([^\r]+)\r\n")


@attrs.frozen
class Cut:
    """A connection's end after that many bytes towards the client; `rst` drops what is still on the way."""

    after: int
    rst: bool = False


@attrs.frozen
class Asked:
    """What matters here of a request: the byte it starts from, and the ETag it holds on to."""

    start: int | None
    tag: str | None

    @classmethod
    def of(cls, head: bytes) -> Asked:
        """Read it off a request's head."""
        start, tag = _RANGE.search(head), _IF_RANGE.search(head)
        return cls(int(start[1]) if start else None, tag[1].decode() if tag else None)


class CuttingProxy:
    """A proxy on 127.0.0.1, for as long as its block is open.

    Args:
        port: The port of 127.0.0.1 that everything is passed on to.
        cuts: What befalls each connection in turn; `None`, or no item left, lets one live. The next item
            is taken when a connection comes, before anything of it is passed on.

    Attributes:
        asked: The requests that came through.
    """

    def __init__(self, port: int, cuts: Iterable[Cut | None] = ()) -> None:
        self.asked: list[Asked] = []
        self._port = port
        self._cuts = iter(cuts)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def starts(self) -> list[int | None]:
        """The first byte that each request asked for; `None` is a request for the whole."""
        return [asked.start for asked in self.asked]

    @property
    def origin(self) -> str:
        """Scheme, address and port of the proxy."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer, next(self._cuts, None)))
        self._tasks.add(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None
    ) -> None:
        try:
            # Whichever end hangs up, the other is told by the close.
            with suppress(ConnectionError):
                await self._connect(reader, writer, cut)
        finally:
            if cut is not None and cut.rst:
                _reset(writer)
            await _close(writer)

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None
    ) -> None:
        answers, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        asking = asyncio.create_task(self._pass_requests(reader, upstream))
        try:
            await _pass_answers(answers, writer, cut)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            await _close(upstream)

    async def _pass_requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        # A GET is its head and nothing more.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.asked.append(Asked.of(head))
                upstream.write(head)
        # What answers no one more hangs up, which ends the other direction, too.
        upstream.close()


async def _pass_answers(answers: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None) -> None:
    left = cut.after if cut else None
    while block := await answers.read(_BLOCK if left is None else min(_BLOCK, left)):
        writer.write(block)
        await writer.drain()
        left = None if left is None else left - len(block)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    # Lingering for no time at all turns the close into an RST.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
