"""A TCP proxy that interrupts connections after a number of bytes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress

import attrs

from tests.tcp_server import TcpServer, close, reset

_BLOCK = 64 * 1024
_RANGE = re.compile(rb"\r\nRange: bytes=(\d+)-\r\n")
_IF_RANGE = re.compile(rb"\r\nIf-Range: ([^\r]+)\r\n")


@attrs.frozen
class Cut:
    """The end of a connection after that many bytes to the client; `rst` discards the bytes in transit."""

    after: int
    rst: bool = False


@attrs.frozen
class ForwardedRequest:
    """A forwarded request: the first requested byte, and the ETag in `If-Range`."""

    start: int | None
    etag: str | None

    @classmethod
    def parse(cls, head: bytes) -> ForwardedRequest:
        """Parse the head of a request."""
        start, etag = _RANGE.search(head), _IF_RANGE.search(head)
        return cls(int(start[1]) if start else None, etag[1].decode() if etag else None)


class CuttingProxy(TcpServer):
    """A proxy on 127.0.0.1.

    Args:
        port: The port on 127.0.0.1 that connections are forwarded to.
        cuts: One item for each connection; `None`, or no remaining item, forwards it completely. The next
            item is taken when a connection is accepted.

    Attributes:
        requests: The forwarded requests.
    """

    def __init__(self, port: int, cuts: Iterable[Cut | None] = ()) -> None:
        super().__init__()
        self.requests: list[ForwardedRequest] = []
        self._port = port
        self._cuts = iter(cuts)

    @property
    def starts(self) -> list[int | None]:
        """The first byte that each request asks for; `None` without a range."""
        return [request.start for request in self.requests]

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection, and interrupt it if there is a cut for it."""
        cut = next(self._cuts, None)
        try:
            with suppress(ConnectionError):
                await self._forward(reader, writer, cut)
        finally:
            if cut is not None and cut.rst:
                reset(writer)
            await close(writer)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None
    ) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        requests = asyncio.create_task(self._forward_requests(reader, upstream_writer))
        try:
            await _forward_responses(upstream_reader, writer, cut)
        finally:
            requests.cancel()
            await asyncio.gather(requests, return_exceptions=True)
            await close(upstream_writer)

    async def _forward_requests(self, reader: asyncio.StreamReader, upstream: asyncio.StreamWriter) -> None:
        # GET requests have no body.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(ForwardedRequest.parse(head))
                upstream.write(head)
        # The server closes its side too, which ends the other direction.
        upstream.close()


async def _forward_responses(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: Cut | None
) -> None:
    remaining = cut.after if cut else None
    while block := await reader.read(_BLOCK if remaining is None else min(_BLOCK, remaining)):
        writer.write(block)
        await writer.drain()
        remaining = None if remaining is None else remaining - len(block)
