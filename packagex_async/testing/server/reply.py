"""A response as a value, and the function that sends it."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import Callable, Iterator, Mapping

import attrs
from aiohttp import web
from multidict import CIMultiDict

_CHUNK_SIZE = 256 * 1024


class ConnectionAction(enum.Enum):
    """The action of the server on the connection after the body."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"
    HOLD = "hold"


def _ignore_end() -> None:
    """Do nothing."""


@attrs.frozen(kw_only=True)
class Reply:
    """A response of the emulator, possibly changed by a fault.

    Attributes:
        status: The HTTP status.
        headers: The headers, without `Content-Length`.
        body: The bytes to send.
        content_length: The value of `Content-Length`, or `None` for a chunked response.
        connection: The action of the server on the connection after the body.
        silent: Whether the server sends no response at all.
        chunk_size: Bytes per write.
        delay: Seconds to wait after each write.
        on_end: Called when the response was sent, or its connection was closed.
    """

    status: int
    headers: CIMultiDict[str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    content_length: int | None
    connection: ConnectionAction = ConnectionAction.KEEP
    silent: bool = False
    chunk_size: int = _CHUNK_SIZE
    delay: float = 0.0
    on_end: Callable[[], object] = _ignore_end

    @classmethod
    def of(cls, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """Return a regular response: the complete `body` with its correct length."""
        return cls(status=status, headers=CIMultiDict(headers or {}), body=body, content_length=len(body))

    def with_headers(self, headers: Mapping[str, str | None]) -> Reply:
        """Return a copy with these headers set, and those that are `None` removed."""
        merged = self.headers.copy()
        for name, value in headers.items():
            merged.popall(name, None)
            if value is not None:
                merged[name] = value
        return attrs.evolve(self, headers=merged)

    def chunks(self) -> Iterator[memoryview]:
        """Yield the body, one write at a time. An empty body is one empty write."""
        view = memoryview(self.body)
        for start in range(0, max(len(view), 1), self.chunk_size):
            yield view[start : start + self.chunk_size]


async def send_reply(request: web.BaseRequest, reply: Reply, closing: asyncio.Event) -> web.StreamResponse:
    """Send `reply`, then close or keep the connection as it says. `closing` ends every wait at once."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if not reply.silent:
        # The client may have closed the connection.
        with contextlib.suppress(ConnectionError):
            await _send(request, response, reply, closing)
    if reply.connection is ConnectionAction.HOLD:
        await _hold(request, closing)
    if reply.connection is not ConnectionAction.KEEP:
        _close_connection(request, reply.connection)
    return response


async def _send(
    request: web.BaseRequest, response: web.StreamResponse, reply: Reply, closing: asyncio.Event
) -> None:
    response.content_length = reply.content_length
    await response.prepare(request)
    if request.method == "HEAD":
        return
    for chunk in reply.chunks():
        await response.write(chunk)
        await _sleep(reply.delay, closing)
    transport = request.transport
    if transport is not None and reply.content_length is not None:
        # aiohttp writes no more than Content-Length. Write the excess of a wrong length directly.
        transport.write(reply.body[reply.content_length :])


async def _sleep(seconds: float, closing: asyncio.Event) -> None:
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), seconds)


async def _hold(_: web.BaseRequest, closing: asyncio.Event) -> None:
    await closing.wait()


def _close_connection(request: web.BaseRequest, action: ConnectionAction) -> None:
    if action is ConnectionAction.RESET:
        # SO_LINGER with a timeout of 0 makes the close an RST.
        linger = struct.pack("ii", 1, 0)
        request.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.protocol.force_close()
