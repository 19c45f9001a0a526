"""What stands between a client and the emulator in a company's network: a forward proxy, and a TLS front."""

from __future__ import annotations

import asyncio
import re
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_BLOCK = 64 * 1024
_CREDENTIALS = re.compile(rb"\r\nProxy-Authorization: ([^\r]+)")


class Relay(ABC):
    """A server on 127.0.0.1, for as long as its block is open, that passes on what it is given.

    Args:
        context: The certificate it shows; without one it speaks plain http.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://localhost:{self._server.sockets[0].getsockname()[1]}"

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
    async def upstream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Where a connection leads to; what has been read from it is passed on already."""

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                answers, upstream = await self.upstream(reader, writer)
                await _pass_on_both(((reader, upstream), (answers, writer)))
        finally:
            await _close(writer)


class TlsFront(Relay):
    """The emulator's API over https, behind a certificate.

    Args:
        url: Where the API is.
        context: The certificate.
    """

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        super().__init__(context)
        self._port = urlsplit(url).port

    async def upstream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


class ForwardProxy(Relay):
    """A proxy that is asked for whole URLs, and for tunnels; it leads to 127.0.0.1, whatever the host.

    Attributes:
        asked: Method and host of each request that came.
        credentials: What each of them said for itself, or `None`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.credentials: list[str | None] = []

    async def upstream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b" ", 2)
        given = _CREDENTIALS.search(head)
        self.credentials.append(given[1].decode() if given else None)
        tunnel = method == b"CONNECT"
        address = urlsplit(f"//{target.decode()}" if tunnel else target.decode())
        self.asked.append(f"{method.decode()} {address.netloc}")
        answers, upstream = await asyncio.open_connection("127.0.0.1", address.port)
        if tunnel:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            # Requests of the same connection would have to be told apart to be passed on.
            path = target.removeprefix(f"http://{address.netloc}".encode())
            head = head.replace(target, path, 1).removesuffix(b"\r\n") + b"Connection: close\r\n\r\n"
            upstream.write(head)
        return answers, upstream


async def _pass_on_both(ways: Iterable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    """Until either end hangs up; then the other one is hung up on."""
    tasks = [asyncio.create_task(_pass_on(*way)) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while block := await reader.read(_BLOCK):
            writer.write(block)
            await writer.drain()
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
