"""A server that does with each connection what a test tells it to."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trustme

from tests.tcp_server import TcpServer


@attrs.frozen
class Security:
    """The TLS contexts of both sides; `None` where they speak plain http."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None

    @classmethod
    def none(cls) -> Security:
        """No TLS."""
        return cls(None, None)

    @classmethod
    def issued_by(cls, authority: trustme.CA, *names: str, **options: Any) -> Security:
        """TLS with a certificate for `names`, which the client trusts."""
        server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.issue_cert(*names, **options).configure_cert(server)
        authority.configure_trust(client)
        return cls(server, client)


class Connection:
    """One connection of a client.

    Attributes:
        number: Which connection it is, from 1.
    """

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self._reader = reader
        self._writer = writer

    async def request(self) -> str:
        """Read a request; return its method and target."""
        request, size = await self.head()
        await self.body(size)
        return request

    async def head(self) -> tuple[str, int]:
        """Read the head of a request; return its method and target, and the length of its body."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        method, target, _ = head.split(" ", 2)
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        return f"{method} {target}", int(length[1]) if length else 0

    async def body(self, size: int) -> None:
        """Read the body of a request."""
        await self._reader.readexactly(size)

    def write(self, piece: bytes) -> None:
        """Send a piece, without a wait."""
        self._writer.write(piece)

    async def send(self, *pieces: bytes) -> None:
        """Send pieces, one after another."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def closed(self) -> bytes:
        """Wait until the client closes the connection; return what it sent before."""
        return await self._reader.read()

    def reset(self) -> None:
        """Break the connection: the client gets a reset instead of the end of the stream."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()

    def end(self) -> None:
        """Tell the client that nothing more comes: when this returns, its system knows."""
        number = os.dup(self._writer.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as same:
            same.shutdown(socket.SHUT_WR)


Handler = Callable[[Connection], Awaitable[object]]


class Server(TcpServer):
    """A server that calls `handler` for each connection.

    Attributes:
        connections: The number of accepted connections.
        requests: The requests that a handler has appended.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context)
        self.connections = 0
        self.requests: list[str] = []
        self._handler = handler

    @property
    def url(self) -> str:
        """Scheme, address and port."""
        return self.origin

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Call the handler; abort the connection after an error of the network."""
        self.connections += 1
        connection = Connection(self.connections, reader, writer)
        try:
            await self._handler(connection)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise


def response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole response."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def export(export_id: str, **fields: Any) -> bytes:
    """A whole response of the API, with an export."""
    body = json.dumps({"id": export_id, "object": "export", "status": "completed", **fields})
    return response(body.encode(), headers="Content-Type: application/json\r\n")


def id_of(request: str) -> str:
    """The id of the export that is asked for."""
    return request.split("/v1/exports/")[1].partition("?")[0]


async def forever() -> None:
    """Wait until the end of the test."""
    await asyncio.Event().wait()
