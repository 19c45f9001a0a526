"""The time limits of one request: for the connection and for the response."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Self, cast


class Phase(enum.Enum):
    """The phases of a request, by what it waits for."""

    CONNECTING = "a connection that is being opened"
    QUEUED = "a free connection of the pool"
    RESPONDING = "the response"


class RequestDeadline:
    """Limits the time of one request. Its block raises a `TimeoutError` when the time is over.

    Waiting for a free connection is not limited, unless the pool is blocked.

    Args:
        connect: Seconds to open a connection, including name resolution, proxy and TLS.
        respond: Seconds for the response after the connection is open. `None` applies `connect` to connection
            and response together.
        is_blocked: Returns whether no connection of the pool can become free.

    Attributes:
        phase: The current phase, or the phase in which the time was over.
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
        # Timers of aiohttp copy the context and keep this object alive. It must not keep the client alive.
        current_deadline.set(None)
        del self._is_blocked
        # Counts cancellations like `asyncio.timeout`, which takes twice as long.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    @property
    def connected(self) -> bool:
        """Whether a connection was open, so that the request may have been sent."""
        return self.phase is Phase.RESPONDING

    @property
    def seconds(self) -> float:
        """The time limit of the current phase, in seconds."""
        return self._respond if self.connected and self._respond is not None else self._connect

    def start_queueing(self) -> None:
        """Suspend the time limit, because all connections are in use."""
        self.phase = Phase.QUEUED

    def start_connecting(self) -> None:
        """Start the time limit for the connection."""
        self.phase = Phase.CONNECTING
        self._due = self._loop.time() + self._connect

    def start_responding(self) -> None:
        """Start the time limit for the response."""
        self.phase = Phase.RESPONDING
        if self._respond is not None:
            self._due = self._loop.time() + self._respond

    def _check(self) -> None:
        # One timer serves all phases, because a timer for each phase would make every request slower.
        is_over = self._is_blocked() if self.phase is Phase.QUEUED else self._loop.time() >= self._due
        if is_over:
            self._expired = True
            self._task.cancel()
        else:
            self._check_later()

    def _check_later(self) -> None:
        # A phase that starts before the next check cannot end before it.
        next_check = self._loop.time() + self._interval
        when = next_check if self.phase is Phase.QUEUED else min(next_check, self._due)
        self._timer = self._loop.call_at(when, self._check)


current_deadline: ContextVar[RequestDeadline | None] = ContextVar("current_deadline", default=None)
"""The deadline of the request in the current task."""
