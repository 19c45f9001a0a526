"""Exports that are still under way, asked for again in turn, at growing intervals, until they are final."""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable
from itertools import count

import attrs

from packagex_async._links import gone
from packagex_async._states import is_under_way
from packagex_async.errors import NotFoundError
from packagex_async.models import Export
from packagex_async.retry import Clock

_FIRST = 2.0
_LONGEST = 30.0
_GROWTH = 1.5


@attrs.frozen(order=True, repr=False)
class Turn:
    """When an export is asked for again.

    Attributes:
        due: The moment, by a clock that never runs backwards.
        number: What tells turns of one moment apart.
        export_id: Which export.
        interval: Seconds since its turn before.
    """

    due: float
    number: int
    export_id: str
    interval: float


class Watch:
    """Exports under way; of each, no more is held than its id.

    Args:
        retrieve: Retrieves an export by its id.
        clock: What tells the time.
    """

    def __init__(self, retrieve: Callable[[str], Awaitable[Export]], clock: Clock) -> None:
        self._retrieve = retrieve
        self._clock = clock
        self._turns: list[Turn] = []
        self._numbers = count()

    def add(self, export_id: str, interval: float = _FIRST) -> None:
        """Watch an export, first after `interval` seconds or a little less."""
        delay = interval / 2 + self._clock.jitter(interval / 2)
        turn = Turn(self._clock.monotonic() + delay, next(self._numbers), export_id, interval)
        heapq.heappush(self._turns, turn)

    def next(self) -> Turn | None:
        """Whose turn is next, or `None` when nothing is watched; who takes a turn has to see it through."""
        return heapq.heappop(self._turns) if self._turns else None

    async def look(self, turn: Turn) -> Export | None:
        """Wait for the turn; then the export if it is final, or `None` and it is watched on.

        Raises:
            ExportGoneError: It was deleted.
            ApiError: The API refused to tell.
            ConnectionFailedError: The API did not answer.
            DecodeError: The API's answer holds no export.
        """
        await self._clock.sleep(max(turn.due - self._clock.monotonic(), 0))
        try:
            export = await self._retrieve(turn.export_id)
        except NotFoundError as error:
            raise gone(turn.export_id) from error
        if not is_under_way(export):
            return export
        self.add(turn.export_id, min(turn.interval * _GROWTH, _LONGEST))
        return None
