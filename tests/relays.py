"""Servers between a client and the emulator, as in a company network: a forward proxy and a TLS proxy."""

from __future__ import annotations

import asyncio
import re
import ssl
from abc import abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from typing import ClassVar
from urllib.parse import urlsplit

from tests.tcp_server import TcpServer, close

_BLOCK = 64 * 1024
_CREDENTIALS = re.compile(rb"\r\nProxy-Authorization: ([^\r]+)")

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Relay(TcpServer):
    """A server that forwards each connection to another server."""

    host: ClassVar[str] = "localhost"

    @abstractmethod
    async def upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
        """Connect to the other server, and forward the bytes already read."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward in both directions until either side closes."""
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                upstream_reader, upstream_writer = await self.upstream(reader, writer)
                await _forward_both(((reader, upstream_writer), (upstream_reader, writer)))
        finally:
            await close(writer)


class TlsProxy(Relay):
    """A TLS proxy in front of the API of the emulator.

    Args:
        url: The URL of the API.
        context: The TLS context with the certificate.
    """

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        super().__init__(context)
        self._port = urlsplit(url).port

    async def upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
        """Connect to the API."""
        return await asyncio.open_connection("127.0.0.1", self._port)


class ForwardProxy(Relay):
    """A forward proxy for absolute URLs and tunnels; it connects to 127.0.0.1 for every host name.

    Attributes:
        forwarded_requests: Method and host of each request.
        credentials: The `Proxy-Authorization` header of each request, or `None`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.forwarded_requests: list[str] = []
        self.credentials: list[str | None] = []

    async def upstream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Connection:
        """Read the head of the request, and connect to its host."""
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        credentials = _CREDENTIALS.search(head)
        self.credentials.append(credentials[1].decode() if credentials else None)
        tunnel = method == b"CONNECT"
        address = urlsplit(f"//{target.decode()}" if tunnel else target.decode())
        self.forwarded_requests.append(f"{method.decode()} {address.netloc}")
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", address.port)
        if tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            # One request per connection, so that the proxy does not have to separate them.
            path = target.removeprefix(f"http://{address.netloc}".encode())
            head = head.replace(target, path, 1).removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
            upstream_writer.write(head)
        return upstream_reader, upstream_writer


async def _forward_both(directions: Iterable[Connection]) -> None:
    """Forward until either side closes; then close the other one."""
    tasks = [asyncio.create_task(_forward(*direction)) for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    finally:
        await close(writer)
