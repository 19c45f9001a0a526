"""The time that one request has: to open a connection, and to get a response."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Self, cast


class Phase(enum.Enum):
    """What a request waits for."""

    CONNECTING = "a connection that is being opened"
    QUEUED = "a free connection of the pool"
    RESPONDING = "the response"


class RequestDeadline:
    """Limits the time of one request; its block raises a `TimeoutError` when the time is over.

    Waiting for a free connection is not limited, unless the pool is blocked.

    Args:
        connect: Seconds to open a connection: name lookup, proxy and TLS included.
        respond: Seconds for the response from the moment there is a connection; `None` leaves what is left of
            `connect` for both.
        is_blocked: Whether no connection can become free.

    Attributes:
        phase: What the request waits for, or waited for when its time was over.
    """

    def __init__(self, connect: float, respond: float | None, is_blocked: Callable[[], bool]) -> None:
        self.phase = Phase.CONNECTING
        self._connect = connect
        self._respond = respond
        self._is_blocked = is_blocked
        self._interval = connect if respond is None else min(connect, respond)
        self._loop = asyncio.get_running_loop()
        self._expired = False

    def __enter__(self) -> Self:
        self._task = cast("asyncio.Task[object]", asyncio.current_task())
        self._cancelling = self._task.cancelling()
        current_deadline.set(self)
        self._due = self._loop.time() + self._connect
        self._check_later()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        # A context that a timer of aiohttp has copied may keep this object; it must not keep the client.
        current_deadline.set(None)
        del self._is_blocked
        # Cancellations are counted as `asyncio.timeout` counts them, which takes twice the time.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    @property
    def connected(self) -> bool:
        """Whether the request has had a connection, and may have been sent."""
        return self.phase is Phase.RESPONDING

    @property
    def seconds(self) -> float:
        """The seconds allowed for the present phase."""
        return self._respond if self.connected and self._respond is not None else self._connect

    def start_queueing(self) -> None:
        """Stop the time: all connections are in use."""
        self.phase = Phase.QUEUED

    def start_connecting(self) -> None:
        """Start the time for a connection: one may be opened now."""
        self.phase = Phase.CONNECTING
        self._due = self._loop.time() + self._connect

    def start_responding(self) -> None:
        """Start the time for the response: there is a connection."""
        self.phase = Phase.RESPONDING
        if self._respond is not None:
            self._due = self._loop.time() + self._respond

    def _check(self) -> None:
        # One timer serves all phases: a timer for each phase would cost every request more.
        is_over = self._is_blocked() if self.phase is Phase.QUEUED else self._loop.time() >= self._due
        if is_over:
            self._expired = True
            self._task.cancel()
        else:
            self._check_later()

    def _check_later(self) -> None:
        # No phase that begins until then ends before.
        soon = self._loop.time() + self._interval
        when = soon if self.phase is Phase.QUEUED else min(soon, self._due)
        self._timer = self._loop.call_at(when, self._check)


current_deadline: ContextVar[RequestDeadline | None] = ContextVar("current_deadline", default=None)
"""The deadline of the request that the current task sends."""
