"""The base of the TCP servers that tests run on the loopback interface."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from types import TracebackType
from typing import ClassVar, Self


class TcpServer(ABC):
    """A server on 127.0.0.1 that runs while its block is open.

    Args:
        context: The TLS context; `None` for plain connections.

    Attributes:
        host: The name or address in `origin`.
    """

    host: ClassVar[str] = "127.0.0.1"

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._context else 'http'}://{self.host}:{self.port}"

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

    @abstractmethod
    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it."""

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.ensure_future(self.handle(reader, writer)))


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and ignore errors of the peer."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with an RST, which discards the data in transit."""
    # With a linger time of zero, the close sends an RST.
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
