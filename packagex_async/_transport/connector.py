"""A wrapper of a connection pool that never reuses a connection with unexpected bytes.

aiohttp only checks that an idle connection is open. It would interpret bytes that arrive between two
responses as the next response. Therefore, an idle connection that receives bytes is closed, and a connection
with unread bytes is not reused.
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


def max_connections(pool: aiohttp.BaseConnector) -> int | None:
    """Return the maximum number of connections to one host; `None` if it is unlimited."""
    # A limit of 0 means unlimited.
    return min((limit for limit in (pool.limit, pool.limit_per_host) if limit), default=None)


class ConnectorError(aiohttp.ClientConnectionError):
    """The pool cannot be used. The message is the reason."""


class CheckedConnector(aiohttp.BaseConnector):
    """Returns checked connections of another pool, and updates the deadline of the request.

    Args:
        inner: The pool. It is not closed together with this one.
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
        deadline = _deadline()
        traces = [*traces, _QUEUE_TRACE]
        task = cast("asyncio.Task[object]", asyncio.current_task())
        cancelling = task.cancelling()
        while not self._inner.closed:
            try:
                connection = await self._inner.connect(req, traces, timeout)
            except asyncio.CancelledError:
                # Closing a pool cancels the tasks that wait for a connection.
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
    """Updates the deadline of the current request when it waits for a free connection."""

    def __init__(self) -> None:
        super().__init__(cast(aiohttp.ClientSession, None), _NO_HOOKS, _NO_CONTEXT)

    async def send_connection_reuseconn(self) -> None:
        pass

    async def send_connection_queued_start(self) -> None:
        _deadline().start_queueing()

    async def send_connection_queued_end(self) -> None:
        _deadline().start_connecting()


_QUEUE_TRACE = _QueueTrace()


def _deadline() -> RequestDeadline:
    return cast(RequestDeadline, current_deadline.get())


class _IdleGuard(asyncio.Protocol):
    """The protocol of an idle connection. It closes the connection when bytes arrive."""

    def __init__(self, handler: ResponseHandler, transport: asyncio.Transport) -> None:
        self._handler = handler
        self._transport = transport
        self._parser = handler._parser  # pyright: ignore[reportPrivateUsage]  # tested

    def data_received(self, data: bytes) -> None:
        # While asyncio closes a TLS connection, it delivers the bytes that were not read yet. Aborting the
        # connection then makes `close` raise a `RuntimeError`.
        if self._transport.is_closing():
            return
        if self._handler._parser is self._parser:  # pyright: ignore[reportPrivateUsage]  # tested
            self._transport.abort()
        else:
            # Another session with the same connector uses the connection.
            self._transport.set_protocol(self._handler)
            self._handler.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._handler.connection_lost(exc)

    def pause_writing(self) -> None:
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        self._handler.resume_writing()


def _is_usable(handler: ResponseHandler, transport: asyncio.Transport) -> bool:
    """Return whether a connection is new, or has received only complete responses."""
    if isinstance(transport.get_protocol(), _IdleGuard):
        transport.set_protocol(handler)
    parser = handler._parser  # pyright: ignore[reportPrivateUsage]  # tested
    # A new connection has no parser. Its socket may contain TLS session tickets.
    if parser is None:
        return True
    return not (handler.should_close or _holds_partial_head(parser) or _is_readable(transport))


def _guard(handler: ResponseHandler) -> None:
    """Guard a connection that returns to the pool, unless another protocol reads from it."""
    transport = handler.transport
    if transport is not None and transport.get_protocol() is handler:
        transport.set_protocol(_IdleGuard(handler, transport))


def _holds_partial_head(parser: HttpParser[Any]) -> bool:
    """Return whether the parser of the previous response has started to parse another one."""
    try:
        # The parser is not used again: each response gets a new one.
        return parser.feed_eof() is not None
    except Exception:
        return True


def _is_readable(transport: asyncio.Transport) -> bool:
    """Return whether the socket has bytes, an end of stream or an error that was not read yet."""
    socket = transport.get_extra_info("socket")
    return socket is not None and _has_events(socket.fileno())


def _poll(fd: int) -> bool:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(0))


# Windows has no `poll`. On other systems, `select` supports only file descriptors up to 1023.
_has_events = _poll if hasattr(select, "poll") else lambda fd: bool(select.select([fd], [], [], 0)[0])
