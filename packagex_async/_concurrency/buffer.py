"""A bounded buffer of exports that is emptied in batches."""

from __future__ import annotations

import asyncio
from collections import deque

from packagex_async.models import Export


class ExportBuffer:
    """A bounded buffer between one producer and several consumers, in order.

    Args:
        max_size: Maximum number of exports in the buffer.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._exports: deque[Export] = deque()
        self._has_ended = False
        self._changed = asyncio.Event()

    async def put(self, export: Export) -> None:
        """Add an export; wait while the buffer is full."""
        while len(self._exports) >= self._max_size:
            await self._wait()
        self._exports.append(export)
        self._changed.set()

    def end(self) -> None:
        """End the buffer after its last export."""
        self._has_ended = True
        self._changed.set()

    async def get_batch(self, max_size: int) -> list[Export]:
        """Remove and return the exports of the buffer, at most `max_size`; wait while it is empty.

        Returns:
            The exports, or an empty list after the last one.
        """
        while not (self._exports or self._has_ended):
            await self._wait()
        batch = [self._exports.popleft() for _ in range(min(max_size, len(self._exports)))]
        self._changed.set()
        return batch

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
