"""A server that runs a handler of the test for each connection."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import attrs
import trustme


@attrs.frozen
class Security:
    """The TLS contexts of server and client; `None` for plain http."""

    server: ssl.SSLContext | None
    client: ssl.SSLContext | None

    @classmethod
    def none(cls) -> Security:
        """No TLS."""
        return cls(None, None)

    @classmethod
    def issued_by(cls, authority: trustme.CA, *names: str, **options: Any) -> Security:
        """TLS with a certificate for `names`, which the client trusts."""
        server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
        authority.issue_cert(*names, **options).configure_cert(server)
        authority.configure_trust(client)
        return cls(server, client)


class Connection:
    """One connection of a client.

    Attributes:
        number: The number of the connection, starting at 1.
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
        """Send bytes without waiting."""
        self._writer.write(piece)

    async def send(self, *pieces: bytes) -> None:
        """Send pieces one after another."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def closed(self) -> bytes:
        """Wait until the client closes the connection; return what it sent before."""
        return await self._reader.read()

    def end(self) -> None:
        """Shut down the sending side. The system of the client is notified before this returns."""
        number = os.dup(self._writer.get_extra_info("socket").fileno())
        with socket.socket(fileno=number) as same:
            same.shutdown(socket.SHUT_WR)


Handler = Callable[[Connection], Awaitable[object]]


class Server:
    """Runs `handler` for each connection while the block is open.

    Attributes:
        connections: The number of connections.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self._handler = handler
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Scheme, address and port."""
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
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
        self.connections += 1
        connection = Connection(self.connections, reader, writer)
        self._tasks.add(asyncio.ensure_future(self._serve(connection, writer)))

    async def _serve(self, connection: Connection, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handler(connection)
            writer.close()
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise


def response(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a complete response."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def export(export_id: str, **fields: Any) -> bytes:
    """Return a complete response of the API with an export."""
    body = json.dumps({"id": export_id, "object": "export", "status": "completed", **fields})
    return response(body.encode(), headers="Content-Type: application/json\r\n")


def id_of(request: str) -> str:
    """Return the id in the path of a request."""
    return request.split("/v1/exports/")[1].partition("?")[0]


async def forever() -> None:
    """Wait until the end of the test."""
    await asyncio.Event().wait()
