"""Exports that are still under way, retrieved again in turn, at growing intervals, until they are final."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from itertools import count

import attrs

from packagex_async._api.statuses import is_in_progress
from packagex_async._polling.retrieval import Retrieved
from packagex_async._polling.schedule import PollSchedule, outlived
from packagex_async._storage.download_urls import export_gone_error
from packagex_async.errors import NotFoundError, RequestTimeoutError
from packagex_async.models import Export
from packagex_async.retry import Clock


@attrs.frozen(order=True, repr=False)
class Turn:
    """When an export is retrieved again.

    Attributes:
        due: The moment, by a clock that never runs backwards.
        number: Tells turns of the same moment apart.
        export_id: Which export.
        status: Its status when it was last seen.
        waiting: The time that is left for it.
    """

    due: float
    number: int
    export_id: str = attrs.field(order=False)
    status: str | None = attrs.field(order=False)
    waiting: PollSchedule = attrs.field(order=False)


class PollQueue:
    """Exports under way, each with its own time limit.

    Args:
        retrieve: Retrieves an export by its id.
        clock: What tells the time.
        timeout: Seconds that each export is waited for; `None` for as long as it lives.
    """

    def __init__(
        self, retrieve: Callable[[str], Awaitable[Retrieved]], clock: Clock, timeout: float | None
    ) -> None:
        self._retrieve = retrieve
        self._clock = clock
        self._timeout = timeout
        self._turns: list[Turn] = []
        self._numbers = count()
        self._ids: dict[str, None] = {}

    @property
    def ids(self) -> tuple[str, ...]:
        """The exports that are waited for."""
        return tuple(self._ids)

    def add(self, export: Export) -> None:
        """Watch an export."""
        self._ids[export.id] = None
        self._schedule(export, PollSchedule(self._clock, self._timeout))

    def next(self) -> Turn | None:
        """Return the turn that is due first, or `None` when there is none; the caller has to `poll` it."""
        return heapq.heappop(self._turns) if self._turns else None

    async def poll(self, turn: Turn) -> Export | None:
        """Wait for the turn, and retrieve its export.

        Returns:
            The export if it is final; `None` if it is watched on.

        Raises:
            WaitTimeoutError: It was not final in time.
            ExportGoneError: It was deleted, or its 24 hours are over.
            ApiError: The API refused to tell.
            ConnectionFailedError: The API did not answer.
            DecodeError: The API's answer holds no export, or another one.
        """
        watched_on = False
        try:
            await self._clock.sleep(max(turn.due - self._clock.monotonic(), 0))
            export = await self._final(turn)
            watched_on = export is None
            return export
        finally:
            if not watched_on:
                del self._ids[turn.export_id]

    async def _final(self, turn: Turn) -> Export | None:
        retrieved = await self._retrieve_in_time(turn)
        export = retrieved.export
        if not is_in_progress(export):
            return export
        past = outlived(export, retrieved.served)
        if past or not turn.waiting.left:
            raise turn.waiting.over(export.id, export.status, outlived=past)
        self._schedule(export, turn.waiting)
        return None

    async def _retrieve_in_time(self, turn: Turn) -> Retrieved:
        try:
            async with asyncio.timeout(turn.waiting.last_look):
                return await self._retrieve(turn.export_id)
        except NotFoundError as error:
            raise export_gone_error(turn.export_id) from error
        except RequestTimeoutError:
            raise
        except TimeoutError:
            raise turn.waiting.over(turn.export_id, turn.status) from None

    def _schedule(self, export: Export, waiting: PollSchedule) -> None:
        due = self._clock.monotonic() + waiting.next_interval()
        heapq.heappush(self._turns, Turn(due, next(self._numbers), export.id, export.status, waiting))
