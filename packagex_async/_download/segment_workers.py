"""The connections of one artifact: the first one, and others while they make the transfer faster."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import Self

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._concurrency.throughput import ConnectionScaler
from packagex_async._concurrency.tuning import TransferTuning
from packagex_async._download.segments import Segment, new_queue
from packagex_async._utils.aio import run_shielded
from packagex_async._utils.byte_ranges import ByteRange
from packagex_async.errors import DownloadError
from packagex_async.retry import Clock


class SegmentWorkers:
    """Gives segments to the first connection, and runs the other connections.

    The second connection is a trial: others follow only after it has shown that the host honours ranges.
    A connection that fails without progress returns its segment and is not replaced.

    Args:
        transfer: Transfers one segment; returns whether the response was the requested range.
        max_connections: The upper limit.
        clock: The source of time.
        limiter: Grants slots for the connections after the first one.
        tuning: When further connections are used.
        window: The maximum distance in bytes between the first missing byte and the end of a segment;
            `None` if chunks may arrive in any order.
    """

    def __init__(
        self,
        transfer: Callable[[Segment], Awaitable[bool]],
        max_connections: int,
        clock: Clock,
        limiter: AdaptiveLimiter,
        tuning: TransferTuning,
        *,
        window: int | None = None,
    ) -> None:
        self._transfer = transfer
        self._max_connections = max_connections
        self._clock = clock
        self._limiter = limiter
        self._tuning = tuning
        self._window = window
        self._tasks: set[asyncio.Task[None]] = set()
        self.start((), parallel=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        # The callback refers to the owner of this object. Without it, both are freed at once.
        del self._transfer

    def start(self, gaps: Iterable[ByteRange], *, parallel: bool) -> None:
        """Begin with the missing ranges `gaps`; without `parallel`, on the first connection only."""
        self._queue = new_queue(gaps, self._tuning.min_segment_size, self._window)
        self._received, self._waited = 0, 0.0
        self._scaler = ConnectionScaler(self._max_connections if parallel else 1, self._tuning)
        self._is_confirmed = False
        self._trial_started_at: float | None = None
        self.forget_failures()

    def start_with_response(self, length: int | None, *, parallel: bool) -> Segment:
        """Begin with a response that carries the whole object; return the segment that it fills.

        Args:
            length: The number of bytes, if known.
            parallel: Whether other connections may take over parts of it.

        Raises:
            DiskError: Another connection could not write.
        """
        self.start((), parallel=parallel)
        segment = self._queue.activate(Segment(0, sys.maxsize if length is None else length))
        segment.receiving = True
        self.advance(0)
        return segment

    def disable_segments(self) -> None:
        """Use only the first connection from now on: a response did not fit."""
        self._max_connections = self._scaler.max_connections = 1

    def forget_failures(self) -> None:
        """Allow connections in place of failed ones, because the URL is new."""
        self._failed = 0

    async def stop(self) -> None:
        """End all connections but the first."""
        if self._tasks:
            self._cancel(self._tasks)
            await run_shielded(asyncio.wait(self._tasks))
            # Their errors do not matter any more, but must be retrieved.
            self._collect_errors()

    async def next_segment(self) -> Segment | None:
        """Return the next segment for the first connection, or `None` when everything was received.

        Raises:
            DiskError: Another connection could not write.
        """
        while (segment := self._queue.claim()) is None and self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._raise_errors()
        return segment

    def release(self, segment: Segment) -> None:
        """Return the rest of `segment` to the queue."""
        self._queue.release(segment)

    def advance(self, received: int, waited: float = 0.0) -> None:
        """Record that `received` bytes of the artifact were received, and adjust the connections.

        Args:
            received: The number of bytes.
            waited: The seconds for which the transfer has waited for its target. More connections would not
                make that faster.

        Raises:
            asyncio.CancelledError: The current task is a connection that is not needed any more.
            DiskError: Another connection could not write.
        """
        self._received, self._waited = received, waited
        if self._tasks:
            self._raise_errors()
        if self._scaler.max_connections == 1:
            return
        wanted = self._scaler.connections(
            self._clock.monotonic() - waited,
            received,
            self._queue.remaining,
            active=1 + len(self._tasks) * self._is_confirmed,
            sharing=self._limiter.in_use,
        )
        self._queue.set_min_size(self._min_segment_size())
        if wanted == 1:
            self._end_connections()
        else:
            self._add_connections((wanted - 1 if self._is_confirmed else 1) - self._failed)

    def confirm_ranges(self, segment: Segment) -> None:
        """Record that the response for `segment` has begun, with the requested range.

        Raises:
            DiskError: Another connection could not write.
        """
        segment.receiving = True
        if not self._is_confirmed:
            self._is_confirmed = True
            if self._trial_started_at is not None:
                elapsed = self._clock.monotonic() - self._trial_started_at
                self._queue.startup_bytes = self._scaler.received_alone(elapsed)
        self.advance(self._received, self._waited)

    def _min_segment_size(self) -> int:
        tuning, rate = self._tuning, self._scaler.connection_rate
        if rate is None:
            return tuning.min_segment_size
        slow = max(int(rate * tuning.min_segment_time), tuning.min_slow_segment_size)
        return min(slow, tuning.min_segment_size)

    def _add_connections(self, limit: int) -> None:
        while len(self._tasks) < limit and self._queue.is_divisible and self._limiter.try_acquire():
            if not self._is_confirmed:
                self._trial_started_at = self._clock.monotonic()
            task = asyncio.create_task(self._run())
            task.add_done_callback(lambda _: self._limiter.release())
            self._tasks.add(task)

    def _raise_errors(self) -> None:
        for error in self._collect_errors():
            raise error

    def _collect_errors(self) -> list[BaseException]:
        """Remove the tasks that have ended; return their errors."""
        ended = {task for task in self._tasks if task.done()}
        self._tasks -= ended
        errors = [task.exception() for task in ended if not task.cancelled()]
        return [error for error in errors if error is not None]

    def _end_connections(self) -> None:
        current = asyncio.current_task()
        self._cancel(self._tasks - {current})
        if current in self._tasks:
            # A task that cancels itself may continue: `asyncio.timeout` ignores the cancellation if its time
            # is over during the next await.
            raise asyncio.CancelledError

    def _cancel(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()

    async def _run(self) -> None:
        while segment := self._queue.claim():
            start = segment.position
            try:
                is_useful = await self._transfer(segment)
            except DownloadError:
                is_useful = segment.position - start >= self._tuning.min_segment_progress
            finally:
                self._queue.release(segment)
            if not is_useful:
                self._failed += 1
                return
