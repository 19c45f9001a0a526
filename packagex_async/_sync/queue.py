"""Exports that wait for their download: not too many, and the one that is deleted first comes first."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime
from itertools import count

from packagex_async.models import Export

# Who does not tell its age may be about to be deleted.
_UNDATED = datetime.min.replace(tzinfo=UTC)


class Pending:
    """A bounded queue between those who find exports and those who download them.

    Args:
        room: How many exports it holds; who finds more has to wait.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._heap: list[tuple[datetime, int, Export]] = []
        self._numbers = count()
        self._feeders = 0
        self._changed = asyncio.Condition()

    def expect(self) -> None:
        """Somebody is going to call `put`, and `done` at the end."""
        self._feeders += 1

    async def done(self) -> None:
        """One of those that were expected has nothing more; after the last of them, nobody has."""
        async with self._changed:
            self._feeders -= 1
            self._changed.notify_all()

    async def put(self, export: Export) -> None:
        """Add an export, once there is room."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._heap) < self._room)
            heapq.heappush(self._heap, (export.created_at or _UNDATED, next(self._numbers), export))
            self._changed.notify_all()

    async def take(self) -> Export | None:
        """The oldest export, once there is one, or `None` when none will ever be."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._heap or not self._feeders)
            if not self._heap:
                return None
            _, _, export = heapq.heappop(self._heap)
            self._changed.notify_all()
            return export
