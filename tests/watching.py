"""Helpers for tests of a watch: a clock that changes the server between polls, and ends the watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs

from packagex_async import AsyncExports, Bucket, DownloadReport, Export, RetryPolicy
from packagex_async.testing import Dialect, Emulator
from tests.support import FakeClock, open_exports

INTERVAL = 60.0
"""Seconds between two polls."""


@attrs.define
class PollClock(FakeClock):
    """A clock whose sleeps return at once, until the last poll.

    Attributes:
        interval: The seconds between two polls.
        polls: The number of polls that have ended.
        last_poll: The number of the last poll. The sleep after it never returns.
        between_polls: Called with the number of each poll after it has ended.
        ended: Set after the last poll.
    """

    interval: float = INTERVAL
    polls: int = 0
    last_poll: int = 1
    between_polls: Callable[[int], Awaitable[object]] | None = None
    ended: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        if seconds == self.interval:
            self.polls += 1
            if self.between_polls is not None:
                await self.between_polls(self.polls)
            if self.polls >= self.last_poll:
                self.ended.set()
                await asyncio.Event().wait()
        await FakeClock.sleep(self, seconds)


@attrs.define
class Watched:
    """An emulator, a client with a `PollClock`, and the exports that a watch has yielded.

    Attributes:
        clock: The clock of the client and of the emulator.
        server: The emulator.
        exports: The exports resource of the client.
        yielded: The yielded exports.
        polls_at_yield: For each of them, the number of polls that had ended before.
        requests_per_poll: The number of requests of each poll.
        reports: The reports of downloads.
    """

    clock: PollClock
    server: Emulator
    exports: AsyncExports
    yielded: list[Export] = attrs.field(factory=list)
    polls_at_yield: list[int] = attrs.field(factory=list)
    requests_per_poll: list[int] = attrs.field(factory=list)
    reports: list[DownloadReport[Any]] = attrs.field(factory=list)

    @property
    def ids(self) -> list[str]:
        """The ids of the yielded exports."""
        return [export.id for export in self.yielded]

    async def run(
        self,
        polls: int,
        change: Callable[[int], object] | None = None,
        *,
        interval: float = INTERVAL,
        **filters: Any,
    ) -> None:
        """Watch for a number of polls; call `change` with the number of each poll after it has ended."""
        sent = 0

        async def between_polls(number: int) -> None:
            nonlocal sent
            self.requests_per_poll.append(len(self.server.requests) - sent)
            sent = len(self.server.requests)
            if change is not None:
                change(number)

        self.clock.interval = interval
        self.clock.between_polls = between_polls
        await self._run(self._collect(filters), polls)

    async def follow(
        self,
        polls: int,
        destination: Path | Bucket,
        change: Callable[[int], Awaitable[object]] | None = None,
        **options: Any,
    ) -> None:
        """Download for a number of polls; call `change` with the number of each poll after it has ended."""
        self.clock.between_polls = change
        await self._run(self._download(destination, options), polls)

    async def reported(self, count: int) -> None:
        """Wait until there is a number of reports."""
        while len(self.reports) < count:
            await asyncio.sleep(0)

    async def _run(self, work: Coroutine[Any, Any, None], polls: int) -> None:
        self.clock.last_poll = polls
        self.clock.ended.clear()
        watching = asyncio.create_task(work)
        ending = asyncio.create_task(self.clock.ended.wait())
        await asyncio.wait([watching, ending], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            ending.cancel()
            await watching
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)

    async def _collect(self, filters: dict[str, Any]) -> None:
        async with aclosing(self.exports.watch(interval=self.clock.interval, **filters)) as exports:
            async for export in exports:
                self.yielded.append(export)
                self.polls_at_yield.append(self.clock.polls)

    async def _download(self, destination: Path | Bucket, options: dict[str, Any]) -> None:
        reports: AsyncGenerator[DownloadReport[Any], None] = self.exports.download_all(
            destination,
            follow=True,
            interval=self.clock.interval,
            **options,
        )
        async with aclosing(reports):
            async for report in reports:
                self.reports.append(report)


@asynccontextmanager
async def open_watched(
    *, policy: RetryPolicy | None = None, dialect: Dialect | None = None, limit_cap: int = 100
) -> AsyncIterator[Watched]:
    """Start an empty emulator, in which the status of exports changes only on request, and a client."""
    clock = PollClock()
    async with Emulator(
        populate=False, now=clock.time, pending=None, dialect=dialect, limit_cap=limit_cap
    ) as server:
        async with open_exports(clock, server, policy=policy) as exports:
            yield Watched(clock, server, exports)
