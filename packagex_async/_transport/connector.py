"""Connections from a pool, each checked before it is used again: it must hold no bytes but responses.

aiohttp's pool only checks that a connection is open. Bytes that arrive between two responses would be taken
for the next response. So an idle connection that receives anything is closed, and one that holds bytes, read
or not, is not used again.
"""

from __future__ import annotations

import asyncio
import select
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_parser import HttpParser
from aiohttp.tracing import Trace

from packagex_async._transport.request_deadline import RequestDeadline, current_deadline

_NO_HOOKS = aiohttp.TraceConfig()
_NO_HOOKS.freeze()
_NO_CONTEXT = SimpleNamespace()


def capacity(pool: aiohttp.BaseConnector) -> int | None:
    """Return how many connections to one host a pool has at most; `None` for any number."""
    # A limit of 0 is none.
    return min((limit for limit in (pool.limit, pool.limit_per_host) if limit), default=None)


class ConnectorError(aiohttp.ClientConnectionError):
    """The pool cannot be used; the text says why."""


class CheckedConnector(aiohttp.BaseConnector):
    """Hands out the connections of `inner`, and tells the deadline of a request how far it has come.

    Args:
        inner: The pool; it is not closed with this one.
    """

    def __init__(self, inner: aiohttp.BaseConnector) -> None:
        super().__init__()
        self._inner = inner
        self.allowed_protocol_schema_set = inner.allowed_protocol_schema_set

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        if self._inner._loop is not self._loop:
            raise ConnectorError("the connector belongs to another event loop")
        deadline = cast(RequestDeadline, current_deadline.get())
        traces = [*traces, _QueueTrace(deadline)]
        task = cast("asyncio.Task[object]", asyncio.current_task())
        cancelling = task.cancelling()
        while not self._inner.closed:
            try:
                connection = await self._inner.connect(req, traces, timeout)
            except asyncio.CancelledError:
                # A pool that is closed cancels those who wait for it.
                if self._inner.closed and task.cancelling() == cancelling:
                    break
                raise
            handler, transport = connection.protocol, connection.transport
            if handler is None or transport is None or transport.is_closing():
                connection.close()
                raise aiohttp.ServerDisconnectedError
            if _is_usable(handler, transport):
                connection.add_callback(partial(_guard, handler))
                deadline.start_responding()
                return connection
            connection.close()
        raise ConnectorError("the connector was closed")


class _QueueTrace(Trace):
    """Tells a deadline when the request waits for a free connection."""

    def __init__(self, deadline: RequestDeadline) -> None:
        super().__init__(cast(aiohttp.ClientSession, None), _NO_HOOKS, _NO_CONTEXT)
        self._deadline = deadline

    async def send_connection_reuseconn(self) -> None:
        pass

    async def send_connection_queued_start(self) -> None:
        self._deadline.start_queueing()

    async def send_connection_queued_end(self) -> None:
        self._deadline.start_connecting()


class _IdleGuard(asyncio.Protocol):
    """Reads an idle connection in place of its handler, and closes it when it receives anything."""

    def __init__(self, handler: ResponseHandler, transport: asyncio.Transport) -> None:
        self._handler = handler
        self._transport = transport
        self._parser = handler._parser  # pyright: ignore[reportPrivateUsage]  # tested

    def data_received(self, data: bytes) -> None:
        if self._handler._parser is self._parser:  # pyright: ignore[reportPrivateUsage]  # tested
            self._transport.abort()
        else:
            # Another session of the caller's connector uses the connection again.
            self._transport.set_protocol(self._handler)
            self._handler.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()


def _is_usable(handler: ResponseHandler, transport: asyncio.Transport) -> bool:
    """Whether a connection is new, or has received nothing but whole responses."""
    if isinstance(transport.get_protocol(), _IdleGuard):
        transport.set_protocol(handler)
    parser = handler._parser  # pyright: ignore[reportPrivateUsage]  # tested
    # A new connection has no parser. What its socket holds may be tickets of TLS.
    if parser is None:
        return True
    return not (handler.should_close or _holds_partial_head(parser) or _is_readable(transport))


def _guard(handler: ResponseHandler) -> None:
    """Have a connection that goes back to the pool guarded, unless something else reads from it."""
    transport = handler.transport
    if transport is not None and transport.get_protocol() is handler:
        transport.set_protocol(_IdleGuard(handler, transport))


def _holds_partial_head(parser: HttpParser[Any]) -> bool:
    """Whether the parser of the previous response has begun to read another one."""
    try:
        # The parser is not used again: the next response gets a new one.
        return parser.feed_eof() is not None
    except Exception:
        return True


def _is_readable(transport: asyncio.Transport) -> bool:
    """Whether the socket holds bytes, an end or an error that the event loop has not read yet."""
    socket = transport.get_extra_info("socket")
    return socket is not None and _has_events(socket.fileno())


def _poll(number: int) -> bool:
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return bool(poll.poll(0))


# Windows has no `poll`. Elsewhere, `select` takes no numbers above 1023.
_has_events = _poll if hasattr(select, "poll") else lambda number: bool(select.select([number], [], [], 0)[0])
