"""One budget of connections for all that go to one far side: smaller when it refuses, slowly larger again."""

from __future__ import annotations

import asyncio
from types import TracebackType

from packagex_async.errors import ApiError, StorageError
from packagex_async.retry import Clock

DEFAULT_LIMIT = 100
"""Places where nobody has said how many; aiohttp's connectors allow as many connections."""

_SPREAD = 0.1
"""The most seconds between two places that are handed out after a pause the far side has asked for."""

_TOO_MANY = frozenset({429, 503})


class AdaptiveLimiter:
    """Places that requests hold while they are under way, handed out in the order they are asked for.

    Args:
        limit: The most places.
        clock: What tells the time.
        retry_after_max: Seconds; a far side that asks for a longer pause is not waited for.

    Attributes:
        allowed: How many places there are at the moment, from 1 to the limit.
        used: How many are held. After a refusal these may be more than are allowed, until enough are back.
        burst: How often the budget was halved. A request that began in an earlier burst tells nothing new.
    """

    def __init__(self, limit: int, clock: Clock, *, retry_after_max: float = 120.0) -> None:
        self.allowed: int = limit
        self.used: int = 0
        self.burst: int = 0
        self._limit = limit
        self._clock = clock
        self._retry_after_max = retry_after_max
        self._served = 0
        self._waiting = 0
        self._opens = float("-inf")
        self._held = 0
        # Whoever holds it is the next to get a place.
        self._turnstile = asyncio.Lock()
        self._changed = asyncio.Event()

    def place(self) -> Slot:
        """`async with` it around a request and its body; refusals and successes are told to the budget."""
        return Slot(self)

    def borrow(self) -> bool:
        """Take a place if one is free and nobody waits for it; whether that worked. `give_back` it."""
        if self._waiting or self._shut() > 0 or self.used >= self.allowed:
            return False
        self.used += 1
        return True

    def give_back(self) -> None:
        """Return a place."""
        self.used -= 1
        self._changed.set()

    def refused(self, retry_after: float | None, burst: int) -> None:
        """The far side has refused a request, begun in `burst`, for there are too many.

        Args:
            retry_after: Seconds it asked to wait, if it did: nobody gets a place before they are over.
            burst: What `burst` was when the request began.
        """
        self._served = 0
        if burst == self.burst:
            self.burst += 1
            self.allowed = max(self.allowed // 2, 1)
        if retry_after is not None and retry_after <= self._retry_after_max:
            self._opens = max(self._opens, self._clock.monotonic() + retry_after)
            self._held = self.allowed

    def served(self) -> None:
        """A request has come to a good end; as many of them as there are places bring one more place."""
        if self.allowed == self._limit:
            return
        self._served += 1
        if self._served >= self.allowed:
            self._served = 0
            self.allowed += 1
            self._changed.set()

    async def wait_for_place(self) -> None:
        """Take a place, after all who have asked before."""
        self._waiting += 1
        try:
            async with self._turnstile:
                await self._turn()
                self.used += 1
        finally:
            self._waiting -= 1

    async def _turn(self) -> None:
        while True:
            if (seconds := self._shut()) > 0:
                await self._clock.sleep(seconds)
            elif self.used >= self.allowed:
                self._changed.clear()
                await self._changed.wait()
            else:
                break
        if self._held:
            # Those whom the same pause has held do not rush in together.
            self._held -= 1
            self._opens = self._clock.monotonic() + self._clock.jitter(_SPREAD)

    def _shut(self) -> float:
        return self._opens - self._clock.monotonic()


class Slot:
    """One place of a budget, held by one request."""

    __slots__ = ("_budget", "_burst")

    def __init__(self, budget: AdaptiveLimiter) -> None:
        self._budget = budget
        self._burst = 0

    async def __aenter__(self) -> None:
        if not self._budget.borrow():
            await self._budget.wait_for_place()
        self._burst = self._budget.burst

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._budget.served()
        elif isinstance(error, (ApiError, StorageError)) and error.status in _TOO_MANY:
            self._budget.refused(error.retry_after, self._burst)
        self._budget.give_back()
