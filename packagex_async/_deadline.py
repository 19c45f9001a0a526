"""The time that one request has: to open a connection, and to get a response."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Self

_CHECKS = 4
"""How often, within the seconds for a connection, a request in the queue asks whether the pool is blocked."""


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
        self._limit = asyncio.timeout(connect)
        self._check: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        current_deadline.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_checking()
        # What belongs to a client must not outlive it here.
        current_deadline.set(None)
        await self._limit.__aexit__(kind, error, trace)

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
        self._limit.reschedule(None)
        self._check_later()

    def start_connecting(self) -> None:
        """Start the time for a connection: one may be opened now."""
        self.phase = Phase.CONNECTING
        self._stop_checking()
        self._restart(self._connect)

    def start_responding(self) -> None:
        """Start the time for the response: there is a connection."""
        self.phase = Phase.RESPONDING
        if self._respond is not None:
            self._restart(self._respond)

    def _restart(self, seconds: float) -> None:
        self._limit.reschedule(asyncio.get_running_loop().time() + seconds)

    def _check_later(self) -> None:
        self._check = asyncio.get_running_loop().call_later(self._connect / _CHECKS, self._check_pool)

    def _check_pool(self) -> None:
        if self._is_blocked():
            self._restart(0)
        else:
            self._check_later()

    def _stop_checking(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None


current_deadline: ContextVar[RequestDeadline | None] = ContextVar("current_deadline", default=None)
"""The deadline of the request that the current task sends."""
