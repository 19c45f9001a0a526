"""An answer as a value, and the one place where it becomes bytes on a connection."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import Iterator, Mapping

import attrs
from aiohttp import web
from multidict import CIMultiDict

_BLOCK = 256 * 1024


class Ending(enum.Enum):
    """What becomes of the connection once the body has left."""

    KEEP = "keep"
    CLOSE = "close"
    RESET = "reset"
    HOLD = "hold"


@attrs.frozen(kw_only=True)
class Reply:
    """An answer, honest or not.

    Attributes:
        status: The HTTP status.
        headers: The headers, without `Content-Length`.
        body: The bytes that leave.
        declared: The `Content-Length`, or `None` for a chunked answer.
        ending: What becomes of the connection afterwards.
        silent: Whether not even a status line leaves.
        block: Bytes a write.
        delay: Seconds between two writes.
    """

    status: int
    headers: CIMultiDict[str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    declared: int | None
    ending: Ending = Ending.KEEP
    silent: bool = False
    block: int = _BLOCK
    delay: float = 0.0

    @classmethod
    def of(cls, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
        """An honest answer: all of `body`, and its length declared."""
        return cls(status=status, headers=CIMultiDict(headers or {}), body=body, declared=len(body))

    def having(self, headers: Mapping[str, str | None]) -> Reply:
        """The same answer with these headers set, or left out where `None`."""
        merged = self.headers.copy()
        for name, text in headers.items():
            merged.popall(name, None)
            if text is not None:
                merged[name] = text
        return attrs.evolve(self, headers=merged)

    def blocks(self) -> Iterator[memoryview]:
        """The body, a write at a time; one empty write when it is empty."""
        view = memoryview(self.body)
        for start in range(0, max(len(view), 1), self.block):
            yield view[start : start + self.block]


async def deliver(request: web.BaseRequest, reply: Reply, closing: asyncio.Event) -> web.StreamResponse:
    """Send `reply`, and end the connection as it asks; `closing` cuts every wait short."""
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if not reply.silent:
        # A client that has gone is told nothing more.
        with contextlib.suppress(ConnectionError):
            await _send(request, response, reply, closing)
    if reply.ending is Ending.HOLD:
        await closing.wait()
    if reply.ending is not Ending.KEEP:
        _hang_up(request, reply.ending)
    return response


async def _send(
    request: web.BaseRequest, response: web.StreamResponse, reply: Reply, closing: asyncio.Event
) -> None:
    response.content_length = reply.declared
    await response.prepare(request)
    if request.method == "HEAD":
        return
    for block in reply.blocks():
        await response.write(block)
        await _pause(reply.delay, closing)
    transport = request.transport
    if transport is not None and reply.declared is not None:
        # The response writes no more than it declared; a liar's surplus goes out behind its back.
        transport.write(reply.body[reply.declared :])


async def _pause(seconds: float, closing: asyncio.Event) -> None:
    if seconds > 0:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closing.wait(), seconds)


def _hang_up(request: web.BaseRequest, ending: Ending) -> None:
    if ending is Ending.RESET:
        # Lingering for no time at all turns the close into an RST.
        linger = struct.pack("ii", 1, 0)
        request.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.protocol.force_close()
