"""An adaptive limit for concurrent requests: halved when a server throttles, then raised step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from packagex_async.errors import ApiError, StorageError
from packagex_async.retry import Clock

DEFAULT_LIMIT = 100
"""Concurrent requests if no limit is given; the default of aiohttp's connectors."""

_MAX_SPACING = 0.1
"""Maximum seconds between two requests that start after a `Retry-After`."""

_THROTTLING_STATUSES = frozenset({429, 503})

OnThrottled = Callable[[float | None, bool], object]
"""Called with the seconds of a `Retry-After`, and whether the limit was halved."""


class AdaptiveLimiter:
    """Limits concurrent requests, first come, first served (additive increase, multiplicative decrease).

    Args:
        max_limit: The maximum number of concurrent requests.
        clock: The source of time.
        retry_after_max: Seconds. A longer `Retry-After` does not delay other requests.

    Attributes:
        limit: The current limit, from 1 to `max_limit`.
        in_use: The number of acquired slots. After a decrease it may exceed `limit` for a while.
        decreases: The number of times that the limit was halved. A request that started before the latest
            decrease does not cause another one.
        notify: Called when a request of this limiter was refused; `None` calls nothing.
    """

    def __init__(self, max_limit: int, clock: Clock, *, retry_after_max: float = 120.0) -> None:
        self.limit: int = max_limit
        self.in_use: int = 0
        self.decreases: int = 0
        self.notify: OnThrottled | None = None
        self._max_limit = max_limit
        self._clock = clock
        self._retry_after_max = retry_after_max
        self._successes = 0
        self._waiting = 0
        self._paused_until = float("-inf")
        self._to_space = 0
        # The holder of the lock is the next to acquire a slot.
        self._queue = asyncio.Lock()
        self._changed = asyncio.Event()

    def slot(self) -> Slot:
        """Return a context manager that holds a slot for one request, including its body."""
        return Slot(self)

    def try_acquire(self) -> bool:
        """Acquire a slot if one is free and no request waits; return whether it was acquired."""
        if self._waiting or self._pause() > 0 or self.in_use >= self.limit:
            return False
        self.in_use += 1
        return True

    async def acquire(self) -> None:
        """Acquire a slot, after all requests that asked for one earlier."""
        self._waiting += 1
        try:
            async with self._queue:
                await self._wait()
                self.in_use += 1
        finally:
            self._waiting -= 1

    def release(self) -> None:
        """Release a slot."""
        self.in_use -= 1
        self._changed.set()

    def resize(self, max_limit: int) -> None:
        """Change the maximum number of concurrent requests. A limit that was lowered is not raised."""
        is_lowered = self.limit < self._max_limit
        self._max_limit = max_limit
        self.limit = min(self.limit, max_limit) if is_lowered else max_limit
        self._changed.set()

    def on_throttled(self, retry_after: float | None, decreases: int) -> bool:
        """Lower the limit, because the server has refused a request with a 429 or a 503.

        Args:
            retry_after: Seconds from the `Retry-After` of the response. No request starts earlier.
            decreases: The value of `decreases` when the request started.

        Returns:
            Whether the limit was halved.
        """
        self._successes = 0
        is_first = decreases == self.decreases
        if is_first:
            self.decreases += 1
            self.limit = max(self.limit // 2, 1)
        if retry_after is not None and retry_after <= self._retry_after_max:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + retry_after)
            self._to_space = self.limit
        return is_first

    def on_success(self) -> None:
        """Count a successful request; after `limit` of them, raise the limit by one."""
        if self.limit == self._max_limit:
            return
        self._successes += 1
        if self._successes >= self.limit:
            self._successes = 0
            self.limit += 1
            self._changed.set()

    async def _wait(self) -> None:
        while True:
            if (seconds := self._pause()) > 0:
                await self._clock.sleep(seconds)
            elif self.in_use >= self.limit:
                self._changed.clear()
                await self._changed.wait()
            else:
                break
        if self._to_space:
            # Requests that the same pause has delayed do not all start at once.
            self._to_space -= 1
            self._paused_until = self._clock.monotonic() + self._clock.jitter(_MAX_SPACING)

    def _pause(self) -> float:
        """Return the remaining seconds of the pause."""
        return self._paused_until - self._clock.monotonic()


class Slot:
    """A slot of a limiter, held by one request. Its outcome adjusts the limit."""

    __slots__ = ("_decreases", "_limiter")

    def __init__(self, limiter: AdaptiveLimiter) -> None:
        self._limiter = limiter
        self._decreases = 0

    async def __aenter__(self) -> None:
        if not self._limiter.try_acquire():
            await self._limiter.acquire()
        self._decreases = self._limiter.decreases

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._limiter.on_success()
        elif isinstance(error, (ApiError, StorageError)) and error.status in _THROTTLING_STATUSES:
            is_halved = self._limiter.on_throttled(error.retry_after, self._decreases)
            if self._limiter.notify is not None:
                self._limiter.notify(error.retry_after, is_halved)
        self._limiter.release()
