"""The connections that bring one artifact: a first one, and others beside it for as long as they help."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async._download.segments import Segment, SegmentQueue
from packagex_async._download.throughput import ConnectionScaler
from packagex_async._utils.aio import run_shielded
from packagex_async.errors import DownloadError
from packagex_async.retry import Clock

_PROGRESS = 64 * 1024


class SegmentWorkers:
    """Hands out spans to the first connection, and runs the others.

    The second connection is on trial: only when it has proved that the storage host honours ranges do others
    follow. One that fails without having brought anything leaves its span to the rest and is not replaced.

    Args:
        bring: Brings a span, and returns whether the answer was what follows there.
        most: The most connections there may be.
        clock: Tells the time.
        budget: Where connections beside the first are borrowed from, when there are any to spare.
    """

    def __init__(
        self, bring: Callable[[Segment], Awaitable[bool]], most: int, clock: Clock, budget: AdaptiveLimiter
    ) -> None:
        self._bring = bring
        self._most = most
        self._clock = clock
        self._budget = budget
        self._tasks: set[asyncio.Task[None]] = set()
        self.begin(SegmentQueue(()), alone=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.dismiss()
        # Whoever brings holds this crew: until the garbage collector finds them, both would stay.
        del self._bring

    def begin(self, work: SegmentQueue, *, alone: bool) -> None:
        """Start on `work`; `alone` keeps it to the first connection."""
        self.work = work
        self._received = 0
        self._gain = ConnectionScaler(1 if alone else self._most)
        self._proven = False
        self._trial_began: float | None = None
        self.encourage()

    def distrust(self) -> None:
        """Keep to the first connection from now on: something that came did not fit."""
        self._most = self._gain.most = 1

    def encourage(self) -> None:
        """Forget who has failed: there is a fresh link."""
        self._failed = 0

    @property
    def hired(self) -> int:
        """How many connections there are beside the first."""
        return len(self._tasks)

    async def dismiss(self) -> None:
        """End all connections but the first."""
        if self._tasks:
            self._cancel()
            await run_shielded(asyncio.wait(self._tasks))
            # What they may have failed with is of no account any more.
            self._failures()

    async def next_span(self) -> Segment | None:
        """What the first connection is to bring next, or `None` when everything is here.

        Raises:
            DiskError: Another connection could not write.
        """
        while (span := self.work.claim()) is None and self._tasks:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._settle()
        return span

    def advanced(self, received: int) -> None:
        """Take note that `received` bytes are here, and see to it that the right number are at work.

        Raises:
            DiskError: Another connection could not write.
        """
        self._received = received
        self._settle()
        if self._gain.most == 1:
            return
        wanted = self._gain.connections(
            self._clock.monotonic(),
            received,
            self.work.left,
            working=1 + self.hired * self._proven,
            sharing=self._budget.in_use,
        )
        if wanted == 1:
            self._cancel()
        else:
            self._hire((wanted - 1 if self._proven else 1) - self._failed)

    def proved(self, span: Segment) -> None:
        """Take note that the answer for `span` has begun, with the very bytes that were asked for.

        Raises:
            DiskError: Another connection could not write.
        """
        span.flows = True
        if not self._proven:
            self._proven = True
            if self._trial_began is not None:
                self.work.lead = self._gain.carried(self._clock.monotonic() - self._trial_began)
        self.advanced(self._received)

    def _hire(self, most: int) -> None:
        while self.hired < most and self.work.divisible and self._budget.try_acquire():
            if not self._proven:
                self._trial_began = self._clock.monotonic()
            task = asyncio.create_task(self._work_on())
            task.add_done_callback(lambda _: self._budget.release())
            self._tasks.add(task)

    def _settle(self) -> None:
        for failure in self._failures() if self._tasks else ():
            raise failure

    def _failures(self) -> list[BaseException]:
        """What the connections that have ended failed with; they are no longer counted."""
        ended = {task for task in self._tasks if task.done()}
        self._tasks -= ended
        failures = [task.exception() for task in ended if not task.cancelled()]
        return [failure for failure in failures if failure is not None]

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _work_on(self) -> None:
        while span := self.work.claim():
            start = span.position
            try:
                followed = await self._bring(span)
            except DownloadError:
                followed = span.position - start >= _PROGRESS
            finally:
                self.work.release(span)
            if not followed:
                self._failed += 1
                return
