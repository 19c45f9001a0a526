"""The open streams of a client. Each one occupies a connection, even while its consumer does not read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar

T = TypeVar("T")


class OpenStreams:
    """Tracks open streams, and how long their consumers have not read."""

    def __init__(self) -> None:
        self._idle_since: dict[object, float | None] = {}

    @asynccontextmanager
    async def track(self, items: AsyncIterator[T]) -> AsyncGenerator[AsyncGenerator[T, None], None]:
        """Count a stream as open while the block runs; yield a generator to read instead of `items`.

        The caller closes `items`.
        """
        stream = object()
        self._idle_since[stream] = _now()
        try:
            async with aclosing(self._read(stream, items)) as tracked:
                yield tracked
        finally:
            del self._idle_since[stream]

    def count_idle(self, seconds: float) -> int:
        """Return how many consumers have not read for at least `seconds`."""
        limit = _now() - seconds
        return sum(since is not None and since <= limit for since in self._idle_since.values())

    async def _read(self, stream: object, items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        self._idle_since[stream] = None
        async for item in items:
            self._idle_since[stream] = _now()
            yield item
            self._idle_since[stream] = None


def _now() -> float:
    return asyncio.get_running_loop().time()
