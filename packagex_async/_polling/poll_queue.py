"""Poll many exports until each of them is final."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from itertools import count

import attrs

from packagex_async._api.statuses import export_gone_error, is_in_progress
from packagex_async._polling.export_requests import RetrievedExport
from packagex_async._polling.schedule import PollSchedule, is_expired
from packagex_async.errors import NotFoundError, RequestTimeoutError
from packagex_async.models import Export
from packagex_async.retry import Clock


@attrs.frozen(order=True, repr=False)
class ScheduledPoll:
    """The next request for an export.

    Attributes:
        due_at: Time of the request, in seconds of the monotonic clock.
        number: Orders requests with the same time.
        export: The export in its last known state.
        schedule: Intervals and time limit of the export.
    """

    due_at: float
    number: int
    export: Export = attrs.field(order=False)
    schedule: PollSchedule = attrs.field(order=False)


class PollQueue:
    """Exports that are queued or processing, each with its own time limit.

    Args:
        retrieve: Retrieves an export by its id.
        clock: Source of time and of random numbers.
        timeout: Seconds to wait for each export; `None` waits until it is 24 hours old.
    """

    def __init__(
        self, retrieve: Callable[[str], Awaitable[RetrievedExport]], clock: Clock, timeout: float | None
    ) -> None:
        self._retrieve = retrieve
        self._clock = clock
        self._timeout = timeout
        self._heap: list[ScheduledPoll] = []
        self._numbers = count()
        self._export_ids: dict[str, None] = {}

    @property
    def export_ids(self) -> tuple[str, ...]:
        """Ids of the exports that are not final yet."""
        return tuple(self._export_ids)

    def add(self, export: Export) -> None:
        """Start to poll an export."""
        self._export_ids[export.id] = None
        self._push(export, PollSchedule(self._clock, self._timeout))

    def pop(self) -> ScheduledPoll | None:
        """Remove and return the request that is due first, or `None`. The caller has to pass it to `poll`."""
        return heapq.heappop(self._heap) if self._heap else None

    async def poll(self, scheduled: ScheduledPoll) -> Export | None:
        """Wait until the request is due, and send it.

        Returns:
            The export if it is final. Otherwise `None`, and the next request is scheduled.

        Raises:
            WaitTimeoutError: The export was not final in time.
            ExportGoneError: The export was deleted, or is 24 hours old.
            ApiError: The API refused the request.
            ConnectionFailedError: The API did not respond.
            DecodeError: The response contains no export, or a different one.
        """
        is_rescheduled = False
        try:
            await self._clock.sleep(max(scheduled.due_at - self._clock.monotonic(), 0))
            export = await self._retrieve_final(scheduled)
            is_rescheduled = export is None
            return export
        finally:
            if not is_rescheduled:
                del self._export_ids[scheduled.export.id]

    async def _retrieve_final(self, scheduled: ScheduledPoll) -> Export | None:
        retrieved = await self._retrieve_in_time(scheduled)
        export, schedule = retrieved.export, scheduled.schedule
        if not is_in_progress(export):
            return export
        has_expired = is_expired(export, retrieved.server_date)
        if has_expired or not schedule.remaining:
            raise schedule.timeout_error(export.id, export.status, is_expired=has_expired)
        self._push(export, schedule)
        return None

    async def _retrieve_in_time(self, scheduled: ScheduledPoll) -> RetrievedExport:
        try:
            async with asyncio.timeout(scheduled.schedule.request_timeout):
                return await self._retrieve(scheduled.export.id)
        except NotFoundError as error:
            raise export_gone_error(scheduled.export.id) from error
        except RequestTimeoutError:
            raise
        except TimeoutError:
            raise scheduled.schedule.timeout_error(scheduled.export.id, scheduled.export.status) from None

    def _push(self, export: Export, schedule: PollSchedule) -> None:
        due_at = self._clock.monotonic() + schedule.next_interval()
        heapq.heappush(self._heap, ScheduledPoll(due_at, next(self._numbers), export, schedule))
