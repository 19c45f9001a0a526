"""A fake listing of the API that changes between pages, requests in progress, and a consumer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from packagex_async import Export, Page, RetryPolicy
from packagex_async._listing.paginator import PageRequest, Paginator
from packagex_async._listing.prefetcher import Answered, PagePrefetcher
from packagex_async.models import LIFETIME, Pagination
from packagex_async.retry import Retries, SystemClock

START = datetime(2024, 5, 1, 12, tzinfo=UTC)

TURNS = 12
"""Turns of the event loop after which all tasks are waiting."""


@attrs.define
class Listing:
    """A listing of exports in order of creation, served page by page."""

    limit: int
    newest_first: bool = False
    counts: bool = True
    dates: bool = True
    now: datetime = START
    alive: list[Export] = attrs.field(factory=list)
    born: int = 0
    requests: int = 0

    def insert(self) -> None:
        self.now += timedelta(seconds=1)
        self.born += 1
        self.alive.append(Export(id=f"exp_{self.born}", created_at=self.now))

    def enter(self, index: int) -> None:
        """Insert an older export, which matches the filter after a change."""
        self.now += timedelta(seconds=1)
        self.born += 1
        self.alive.insert(index, attrs.evolve(self.alive[index], id=f"exp_{self.born}"))

    def fill(self, count: int) -> None:
        for _ in range(count):
            self.insert()
        self.now += timedelta(seconds=1)

    def delete(self, index: int) -> Export:
        self.now += timedelta(seconds=1)
        return self.alive.pop(index)

    def expire(self) -> list[Export]:
        """Advance the clock until the oldest export expires, and delete all expired ones."""
        oldest = self.alive[0].created_at
        assert oldest is not None
        self.now = max(self.now + timedelta(seconds=1), oldest + LIFETIME)
        return self.sweep()

    def sweep(self) -> list[Export]:
        due = self.now - LIFETIME
        gone = [export for export in self.alive if export.created_at and export.created_at <= due]
        del self.alive[: len(gone)]
        return gone

    def page(self, step: PageRequest) -> Page:
        self.requests += 1
        listed = self.alive if step.back else self.ordered()
        end = step.page * self.limit
        total = len(listed) if self.counts else None
        return Page(
            data=tuple(listed[end - self.limit : end]),
            pagination=Pagination(has_more=end < len(listed), page=step.page, total_count=total),
        )

    def ordered(self) -> list[Export]:
        return self.alive[::-1] if self.newest_first else self.alive

    @property
    def served(self) -> datetime | None:
        return self.now if self.dates else None

    def walk(self, meanwhile: Callable[[PageRequest], None] = lambda _: None) -> list[str]:
        walk = Paginator(by_creation=not self.newest_first)
        yielded = []
        while (step := walk.step) is not None:
            page = self.page(step)
            yielded += [export.id for export in walk.take(step, page, self.served)]
            meanwhile(step)
        return yielded


@attrs.define
class Reordered(Listing):
    """A listing in order of the latest change, as with `order_by="updated_at"`."""

    touched: dict[str, datetime] = attrs.field(factory=dict)

    def touch(self, index: int) -> None:
        self.now += timedelta(seconds=1)
        self.touched[self.alive[index].id] = self.now

    def ordered(self) -> list[Export]:
        def changed(export: Export) -> datetime:
            return self.touched.get(export.id, export.created_at or START)

        return sorted(self.alive, key=changed, reverse=self.newest_first)


async def settle() -> None:
    """Run the tasks of the event loop that are ready."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@attrs.define
class Far:
    """The requests of a paginator, which the test answers in any order."""

    listing: Listing
    asked: list[int] = attrs.field(factory=list)
    waiting: dict[PageRequest, asyncio.Future[Answered]] = attrs.field(factory=dict)

    async def fetch(self, step: PageRequest, _: Retries) -> Answered:
        self.asked.append(step.page)
        self.waiting[step] = asyncio.get_running_loop().create_future()
        try:
            return await self.waiting[step]
        finally:
            del self.waiting[step]

    def serve(self, step: PageRequest) -> None:
        self.waiting[step].set_result(Answered(self.listing.page(step), self.listing.served))

    async def answer(self, *numbers: int) -> None:
        """Answer the requests for these pages, one after another, and run the ready tasks."""
        for number in numbers:
            self.serve(PageRequest(number))
            await settle()

    def on_the_way(self) -> list[int]:
        return [step.page for step in self.waiting]


@attrs.define
class Reader:
    """A consumer that reads every page as soon as possible.

    Attributes:
        far: The requests for its pages.
        most: The maximum number of prefetched pages.
        walk: Its paginator.
        yielded: The ids of the exports it received.
        pages: The number of pages of the first pass that it received.
    """

    far: Far
    most: int
    walk: Paginator = attrs.field(factory=Paginator)
    yielded: list[str] = attrs.field(factory=list)
    pages: int = 0

    async def read(self) -> None:
        policy = RetryPolicy()
        async with PagePrefetcher(
            self.walk, self.far.fetch, lambda: Retries(policy, SystemClock()), self.most
        ) as ahead:
            while (step := self.walk.step) is not None:
                answer = await ahead.answer(step)
                self.yielded += [export.id for export in self.walk.take(step, answer.page, answer.served)]
                self.pages += not step.back
