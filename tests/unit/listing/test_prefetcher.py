"""Prefetched pages: in order, each export once, and only while the listing does not change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from packagex_async import (
    NotFoundError,
    Page,
    ServerError,
)
from packagex_async._listing.paginator import PageRequest, Paginator
from packagex_async._listing.prefetcher import FetchedPage
from packagex_async.models import Pagination
from tests.listing import Consumer, FakeListing, ManualServer, run_ready_tasks


def make_reader(count: int, *, limit: int = 2, max_pages: int = 8, **options: Any) -> Consumer:
    listing = FakeListing(limit, **options)
    listing.fill(count)
    return Consumer(ManualServer(listing), max_pages)


Start = Callable[[Consumer], Awaitable[asyncio.Task[None]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a reader in a task that runs until the end of the test."""
    async with asyncio.TaskGroup() as group:
        tasks = []

        async def run(reader: Consumer) -> asyncio.Task[None]:
            tasks.append(group.create_task(reader.read()))
            await run_ready_tasks()
            return tasks[-1]

        yield run
        for task in tasks:
            task.cancel()


async def test_window_doubles_while_the_total_count_is_unchanged(start: Start) -> None:
    """One page is prefetched, then two, four, and at most `prefetch`."""
    reader = make_reader(100, max_pages=6)
    await start(reader)
    assert reader.server.pending_pages() == [1]
    for newest, number in [(3, 1), (5, 2), (8, 3), (11, 4), (12, 5), (13, 6)]:
        await reader.server.answer_pages(number)
        assert reader.server.pending_pages() == list(range(number + 1, newest + 1))


async def test_pages_are_yielded_in_order(start: Start) -> None:
    """A late page delays later pages. Every page is requested once."""
    reader = make_reader(14)
    task = await start(reader)
    await reader.server.answer_pages(1, 3, 2, 7, 6, 5)
    assert reader.ids == [f"exp_{number}" for number in range(1, 7)]
    await reader.server.answer_pages(4)
    assert reader.ids == [f"exp_{number}" for number in range(1, 15)]
    assert task.done()
    assert sorted(reader.server.requested) == list(range(1, 8))


async def test_no_page_past_the_end_is_prefetched(start: Start) -> None:
    """The total count determines the last page."""
    reader = make_reader(5)
    await start(reader)
    await reader.server.answer_pages(1, 2)
    assert reader.server.requested == [1, 2, 3]


async def test_prefetch_0_requests_one_page_after_another(start: Start) -> None:
    """No page is requested before the previous one has arrived."""
    reader = make_reader(10, max_pages=0)
    task = await start(reader)
    for number in range(1, 6):
        assert reader.server.pending_pages() == [number]
        await reader.server.answer_pages(number)
    assert task.done()


async def test_failure_of_a_prefetched_page_is_raised_in_order(start: Start) -> None:
    """Earlier pages are yielded first. The error cancels all other requests."""
    reader = make_reader(20)
    task = asyncio.create_task(reader.read())
    await run_ready_tasks()
    await reader.server.answer_pages(1, 2)
    reader.server.pending[PageRequest(4)].set_exception(ServerError("down", status=500))
    await run_ready_tasks()
    assert not task.done()
    await reader.server.answer_pages(3)
    assert len(reader.ids) == 6
    with pytest.raises(ServerError, match="down"):
        await task
    assert reader.server.pending_pages() == []


async def test_failure_of_an_unneeded_page_is_ignored(start: Start) -> None:
    """`has_more` may end the listing before a page that the total count promised."""
    reader = make_reader(20)
    task = await start(reader)
    await reader.server.answer_pages(1, 2)
    reader.server.pending[PageRequest(4)].set_exception(NotFoundError("no such page", status=404))
    last = Page(
        data=reader.server.listing.page(PageRequest(3)).data,
        pagination=Pagination(has_more=False, total_count=20),
    )
    reader.server.pending[PageRequest(3)].set_result(FetchedPage(last, None))
    await run_ready_tasks()
    assert task.done()
    assert len(reader.ids) == 6


@pytest.mark.parametrize("missing", ["has_total", "has_date"])
async def test_nothing_is_prefetched_without_total_count_or_date(start: Start, missing: str) -> None:
    """Without them, missed exports could not be detected."""
    reader = make_reader(10, **{missing: False})
    await start(reader)
    for number in range(1, 6):
        assert reader.server.pending_pages() == [number]
        await reader.server.answer_pages(number)


async def test_changed_total_count_discards_prefetched_pages(
    start: Start,
) -> None:
    """They are requested again, and the window starts at one page."""
    reader = make_reader(60)
    task = await start(reader)
    await reader.server.answer_pages(1, 2, 3)
    assert reader.server.pending_pages() == [4, 5, 6, 7, 8]
    reader.server.listing.insert()
    await reader.server.answer_pages(4)
    assert reader.server.pending_pages() == [4]
    await reader.server.answer_pages(4)
    assert reader.server.pending_pages() == [5]
    await reader.server.answer_pages(5)
    assert reader.server.pending_pages() == [6, 7]
    while not task.done():
        await reader.server.answer_pages(reader.server.pending_pages()[0])
    assert reader.ids == [f"exp_{number}" for number in range(1, 62)]


async def test_page_with_fewer_items_closes_the_window(start: Start) -> None:
    """Pages that were already requested are used."""
    reader = make_reader(40)
    await start(reader)
    await reader.server.answer_pages(1, 2)
    short = Page(
        data=tuple(reader.server.listing.exports[4:5]), pagination=Pagination(has_more=True, total_count=40)
    )
    reader.server.pending[PageRequest(3)].set_result(FetchedPage(short, reader.server.listing.server_date))
    await run_ready_tasks()
    assert reader.server.pending_pages() == [4, 5]
    await reader.server.answer_pages(4)
    assert reader.server.pending_pages() == [5]


async def test_nothing_is_prefetched_from_a_later_page(start: Start) -> None:
    """Such a listing is not rescanned, so it cannot find exports that prefetching missed."""
    reader = make_reader(10)
    reader.paginator = Paginator(first_page=2)
    await start(reader)
    for number in range(2, 6):
        assert reader.server.pending_pages() == [number]
        await reader.server.answer_pages(number)
    assert reader.ids == [f"exp_{number}" for number in range(3, 11)]


async def test_rescan_requests_one_page_at_a_time(start: Start) -> None:
    """A rescan is only correct if each page is requested after the previous one."""
    reader = make_reader(10)
    task = await start(reader)
    await reader.server.answer_pages(1)
    reader.server.listing.delete(0)
    await reader.server.answer_pages(2, 3)
    while not task.done():
        pending = list(reader.server.pending)
        assert len(pending) == 1 or not pending[0].is_rescan
        reader.server.answer(pending[0])
        await run_ready_tasks()
    assert sorted(reader.ids) == sorted(f"exp_{number}" for number in range(1, 11))


async def test_change_between_concurrent_requests_hides_no_export(start: Start) -> None:
    """The last page is answered first, so the total count is unchanged and no new export is visible."""
    reader = make_reader(10)
    task = await start(reader)
    await reader.server.answer_pages(1, 2)
    await reader.server.answer_pages(3, 5)
    reader.server.listing.delete(0)
    reader.server.listing.insert()
    await reader.server.answer_pages(4)
    assert "exp_7" not in reader.ids
    while not task.done():
        reader.server.answer(next(iter(reader.server.pending)))
        await run_ready_tasks()
    assert {export.id for export in reader.server.listing.exports[:9]} <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
