"""A fake listing whose exports change between requests, and requests that the test answers in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import attrs

from packagex_async import Export, Page, RetryPolicy
from packagex_async._listing.paginator import AnyPage, PageRequest, Paginator
from packagex_async._listing.prefetcher import FetchedPage, PagePrefetcher
from packagex_async.models import LIFETIME, Pagination
from packagex_async.retry import Retries, SystemClock

START = datetime(2024, 5, 1, 12, tzinfo=UTC)

LOOP_CYCLES = 12
"""Iterations of the event loop after which all tasks that can run have run."""


def process(
    paginator: Paginator, request: PageRequest, page: AnyPage, server_date: datetime | None = None
) -> tuple[Export, ...]:
    """Return the new exports of a page."""
    return tuple(export for batch in paginator.process(request, page, server_date) for export in batch)


@attrs.define
class FakeListing:
    """A fake server: exports in the order of creation, sent in pages."""

    limit: int
    newest_first: bool = False
    has_total: bool = True
    has_date: bool = True
    now: datetime = START
    exports: list[Export] = attrs.field(factory=list)
    created_count: int = 0
    requests: int = 0

    def insert(self) -> None:
        self.now += timedelta(seconds=1)
        self.created_count += 1
        self.exports.append(Export(id=f"exp_{self.created_count}", created_at=self.now))

    def insert_old(self, index: int) -> None:
        """Add an export as old as the one at `index`, which did not match the filter before."""
        self.now += timedelta(seconds=1)
        self.created_count += 1
        export = attrs.evolve(self.exports[index], id=f"exp_{self.created_count}")
        self.exports.insert(index, export)

    def fill(self, count: int) -> None:
        for _ in range(count):
            self.insert()
        self.now += timedelta(seconds=1)

    def delete(self, index: int) -> Export:
        self.now += timedelta(seconds=1)
        return self.exports.pop(index)

    def expire(self) -> list[Export]:
        """Advance the time until the oldest export is 24 hours old; return the deleted exports."""
        oldest = self.exports[0].created_at
        assert oldest is not None
        self.now = max(self.now + timedelta(seconds=1), oldest + LIFETIME)
        return self.delete_expired()

    def delete_expired(self) -> list[Export]:
        limit = self.now - LIFETIME
        expired = [export for export in self.exports if export.created_at and export.created_at <= limit]
        del self.exports[: len(expired)]
        return expired

    def page(self, request: PageRequest) -> Page:
        self.requests += 1
        listed = self.exports if request.is_rescan else self.ordered()
        end = request.page * self.limit
        total = len(listed) if self.has_total else None
        return Page(
            data=tuple(listed[end - self.limit : end]),
            pagination=Pagination(has_more=end < len(listed), page=request.page, total_count=total),
        )

    def ordered(self) -> list[Export]:
        return self.exports[::-1] if self.newest_first else self.exports

    @property
    def server_date(self) -> datetime | None:
        return self.now if self.has_date else None

    def read_all(self, after_each: Callable[[PageRequest], None] = lambda _: None) -> list[str]:
        """Return the ids of all exports; call `after_each` after each page."""
        paginator = Paginator(by_creation=not self.newest_first)
        ids = []
        while (request := paginator.next_request) is not None:
            page = self.page(request)
            ids += [export.id for export in process(paginator, request, page, self.server_date)]
            after_each(request)
        return ids


@attrs.define
class ReorderableListing(FakeListing):
    """A listing ordered by the time of the last update, like `order_by="updated_at"`."""

    updated: dict[str, datetime] = attrs.field(factory=dict)

    def update(self, index: int) -> None:
        self.now += timedelta(seconds=1)
        self.updated[self.exports[index].id] = self.now

    def ordered(self) -> list[Export]:
        def updated_at(export: Export) -> datetime:
            return self.updated.get(export.id, export.created_at or START)

        return sorted(self.exports, key=updated_at, reverse=self.newest_first)


async def run_ready_tasks() -> None:
    """Run the event loop until all tasks wait."""
    for _ in range(LOOP_CYCLES):
        await asyncio.sleep(0)


@attrs.define
class ManualServer:
    """Concurrent requests for pages, which the test answers in any order."""

    listing: FakeListing
    requested: list[int] = attrs.field(factory=list)
    pending: dict[PageRequest, asyncio.Future[FetchedPage]] = attrs.field(factory=dict)

    async def fetch(self, request: PageRequest, _: Retries) -> FetchedPage:
        self.requested.append(request.page)
        self.pending[request] = asyncio.get_running_loop().create_future()
        try:
            return await self.pending[request]
        finally:
            del self.pending[request]

    def answer(self, request: PageRequest) -> None:
        page = self.listing.page(request)
        self.pending[request].set_result(FetchedPage(page, self.listing.server_date))

    async def answer_pages(self, *numbers: int) -> None:
        """Answer the requests for these pages in this order, and let the reader continue after each."""
        for number in numbers:
            self.answer(PageRequest(number))
            await run_ready_tasks()

    def pending_pages(self) -> list[int]:
        return [request.page for request in self.pending]


@attrs.define
class Consumer:
    """A consumer that reads every page as soon as it is available.

    Attributes:
        server: Answers the requests.
        max_pages: Maximum number of prefetched pages.
        paginator: Determines the next page.
        ids: Ids of the exports that were yielded.
    """

    server: ManualServer
    max_pages: int
    paginator: Paginator = attrs.field(factory=Paginator)
    ids: list[str] = attrs.field(factory=list)

    async def read(self) -> None:
        policy, paginator = RetryPolicy(), self.paginator
        async with PagePrefetcher(
            paginator, self.server.fetch, lambda: Retries(policy, SystemClock()), self.max_pages
        ) as prefetcher:
            while (request := paginator.next_request) is not None:
                fetched = await prefetcher.get(request)
                new = process(paginator, request, fetched.page, fetched.server_date)
                self.ids += [export.id for export in new]
