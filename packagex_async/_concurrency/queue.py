"""A bounded queue of exports; the export that the API deletes first is next."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime
from itertools import count

from packagex_async.models import Export

# An export of unknown age may be deleted at any time, so it comes first.
_UNKNOWN_AGE = datetime.min.replace(tzinfo=UTC)


class ExportQueue:
    """A bounded priority queue with several producers.

    Args:
        max_size: Maximum number of exports in the queue.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._heap: list[tuple[datetime, int, Export]] = []
        self._numbers = count()
        self._producers = 0
        self._changed = asyncio.Condition()

    def add_producer(self) -> None:
        """Register a producer, which has to call `remove_producer` after its last export."""
        self._producers += 1

    async def remove_producer(self) -> None:
        """Unregister a producer. The queue ends when the last one is unregistered."""
        async with self._changed:
            self._producers -= 1
            self._changed.notify_all()

    async def put(self, export: Export) -> None:
        """Add an export; wait while the queue is full."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._heap) < self._max_size)
            heapq.heappush(self._heap, (export.created_at or _UNKNOWN_AGE, next(self._numbers), export))
            self._changed.notify_all()

    async def get(self) -> Export | None:
        """Remove and return the oldest export; wait while the queue is empty.

        Returns:
            The export, or `None` if the queue is empty and has no producers.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._heap or not self._producers)
            if not self._heap:
                return None
            _, _, export = heapq.heappop(self._heap)
            self._changed.notify_all()
            return export
