"""Pages asked for ahead: in order, exactly once, and no more of them than the listing's calm allows."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import attrs
import pytest

from packagex_async import (
    AsyncPackageX,
    ConfigurationError,
    NotFoundError,
    Page,
    RateLimitError,
    ServerError,
)
from packagex_async._listing.paginator import PageRequest, Paginator
from packagex_async._listing.prefetcher import Answered
from packagex_async.models import Pagination
from packagex_async.testing import Emulator, Stall, Status
from packagex_async.testing.server.request import RecordedRequest
from tests.listing import Far, Listing, Reader, settle
from tests.support import AT_ONCE, FakeClock, exports_on


def reader(count: int, *, limit: int = 2, most: int = 8, **options: Any) -> Reader:
    listing = Listing(limit, **options)
    listing.fill(count)
    return Reader(Far(listing), most)


Start = Callable[[Reader], Awaitable[asyncio.Task[None]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Lets a reader read on a task of its own until the test ends."""
    async with asyncio.TaskGroup() as group:
        tasks = []

        async def begin(who: Reader) -> asyncio.Task[None]:
            tasks.append(group.create_task(who.read()))
            await settle()
            return tasks[-1]

        yield begin
        for task in tasks:
            task.cancel()


async def test_the_window_opens_at_one_page_and_doubles_while_the_count_stands(start: Start) -> None:
    """Alone first, then one ahead, two, four, and never more than `prefetch`."""
    who = reader(100, most=6)
    await start(who)
    assert who.far.on_the_way() == [1]
    for newest, number in [(3, 1), (5, 2), (8, 3), (11, 4), (12, 5), (13, 6)]:
        await who.far.answer(number)
        assert who.far.on_the_way() == list(range(number + 1, newest + 1))


async def test_pages_are_taken_in_order_whatever_order_they_arrive_in(start: Start) -> None:
    """A late page holds up those behind it, and every page is asked for once."""
    who = reader(14)
    task = await start(who)
    await who.far.answer(1, 3, 2, 7, 6, 5)
    assert who.yielded == [f"exp_{number}" for number in range(1, 7)]
    await who.far.answer(4)
    assert who.yielded == [f"exp_{number}" for number in range(1, 15)]
    assert task.done()
    assert sorted(who.far.asked) == list(range(1, 8))


async def test_no_page_beyond_the_last_is_asked_for(start: Start) -> None:
    """The total count says where the listing ends."""
    who = reader(5)
    await start(who)
    await who.far.answer(1, 2)
    assert who.far.asked == [1, 2, 3]


async def test_prefetch_0_asks_for_one_page_after_another(start: Start) -> None:
    """And is the plain walk."""
    who = reader(10, most=0)
    task = await start(who)
    for number in range(1, 6):
        assert who.far.on_the_way() == [number]
        await who.far.answer(number)
    assert task.done()


async def test_a_page_that_fails_ahead_is_an_error_only_when_it_is_reached(start: Start) -> None:
    """What came before it is had all the same; the error leaves no other request on its way."""
    who = reader(20)
    task = asyncio.create_task(who.read())
    await settle()
    await who.far.answer(1, 2)
    who.far.waiting[PageRequest(4)].set_exception(ServerError("down", status=500))
    await settle()
    assert not task.done()
    await who.far.answer(3)
    assert len(who.yielded) == 6
    with pytest.raises(ServerError, match="down"):
        await task
    assert who.far.on_the_way() == []


async def test_a_page_asked_ahead_and_not_needed_is_no_error(start: Start) -> None:
    """Where `has_more` says that the listing has ended, one more page is asked for, and need not be there."""
    who = reader(20)
    task = await start(who)
    await who.far.answer(1, 2)
    who.far.waiting[PageRequest(4)].set_exception(NotFoundError("no such page", status=404))
    end = Page(
        data=who.far.listing.page(PageRequest(3)).data, pagination=Pagination(has_more=False, total_count=20)
    )
    who.far.waiting[PageRequest(3)].set_result(Answered(end, None))
    await settle()
    assert task.done()
    assert len(who.yielded) == 6


@pytest.mark.parametrize("untold", ["counts", "dates"])
async def test_without_a_total_count_or_a_date_nothing_is_asked_for_ahead(start: Start, untold: str) -> None:
    """Nobody knows what is sure to follow, or can tell what was there from what has come."""
    who = reader(10, **{untold: False})
    await start(who)
    for number in range(1, 6):
        assert who.far.on_the_way() == [number]
        await who.far.answer(number)


async def test_a_count_that_changes_closes_the_window_and_what_was_asked_ahead_is_asked_anew(
    start: Start,
) -> None:
    """Then it opens again, from one page."""
    who = reader(60)
    task = await start(who)
    await who.far.answer(1, 2, 3)
    assert who.far.on_the_way() == [4, 5, 6, 7, 8]
    who.far.listing.insert()
    await who.far.answer(4)
    assert who.far.on_the_way() == [4]
    await who.far.answer(4)
    assert who.far.on_the_way() == [5]
    await who.far.answer(5)
    assert who.far.on_the_way() == [6, 7]
    while not task.done():
        await who.far.answer(who.far.on_the_way()[0])
    assert who.yielded == [f"exp_{number}" for number in range(1, 62)]


async def test_a_page_of_another_size_closes_the_window(start: Start) -> None:
    """What is on its way stays good."""
    who = reader(40)
    await start(who)
    await who.far.answer(1, 2)
    short = Page(data=tuple(who.far.listing.alive[4:5]), pagination=Pagination(has_more=True, total_count=40))
    who.far.waiting[PageRequest(3)].set_result(Answered(short, who.far.listing.served))
    await settle()
    assert who.far.on_the_way() == [4, 5]
    await who.far.answer(4)
    assert who.far.on_the_way() == [5]


async def test_from_a_later_page_nothing_is_asked_for_ahead(start: Start) -> None:
    """Such a walk does not look back, so it has nothing to make up for what a window may miss."""
    who = reader(10)
    who.walk = Paginator(start=2)
    await start(who)
    for number in range(2, 6):
        assert who.far.on_the_way() == [number]
        await who.far.answer(number)
    assert who.yielded == [f"exp_{number}" for number in range(3, 11)]


async def test_looking_back_goes_one_page_at_a_time(start: Start) -> None:
    """What makes it safe is that each page is asked for after the one behind it."""
    who = reader(10)
    task = await start(who)
    await who.far.answer(1)
    who.far.listing.delete(0)
    await who.far.answer(2, 3)
    while not task.done():
        waiting = list(who.far.waiting)
        assert len(waiting) == 1 or not waiting[0].back
        who.far.serve(waiting[0])
        await settle()
    assert sorted(who.yielded) == sorted(f"exp_{number}" for number in range(1, 11))


async def test_a_swap_between_pages_asked_side_by_side_hides_nothing(start: Start) -> None:
    """The last page is served before it, so that the count stands and no new export is seen."""
    who = reader(10)
    task = await start(who)
    await who.far.answer(1, 2)
    await who.far.answer(3, 5)
    who.far.listing.delete(0)
    who.far.listing.insert()
    await who.far.answer(4)
    assert "exp_7" not in who.yielded
    while not task.done():
        who.far.serve(next(iter(who.far.waiting)))
        await settle()
    assert {export.id for export in who.far.listing.alive[:9]} <= set(who.yielded)
    assert len(who.yielded) == len(set(who.yielded))


def fill(server: Emulator, count: int) -> list[str]:
    base = server.now() - 3600
    return [server.add_export(rows=1, created_at=base + number).id for number in range(count)]


def pages_asked(server: Emulator) -> list[int]:
    return [int(request.query["page"]) for request in server.requests]


@attrs.frozen
class OnPages(Status):
    """A `Status` that strikes listings from page `first` up to page `last`."""

    first: int = attrs.field(kw_only=True)
    last: int = attrs.field(kw_only=True)
    on: Any = attrs.field(default="api", kw_only=True)

    def matches(self, request: RecordedRequest) -> bool:
        return self.first <= int(request.query["page"]) <= self.last


@attrs.frozen
class Silence(Stall):
    """Pages from `first` on are never answered."""

    after: int = 0
    first: int = attrs.field(kw_only=True)

    def matches(self, request: RecordedRequest) -> bool:
        return int(request.query["page"]) >= self.first


@pytest.mark.parametrize("prefetch", [-1, 1.5, True, "8", None])
def test_a_prefetch_that_makes_no_sense_is_refused_at_the_call(prefetch: Any) -> None:
    """Before any request, and by its name."""
    px = AsyncPackageX("px_key")
    for listing in (px.exports.list, px.exports.pages):
        with pytest.raises(ConfigurationError, match="prefetch must be a whole number from 0 up"):
            listing(prefetch=prefetch)


@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_a_listing_that_keeps_still_costs_the_requests_of_the_plain_walk(
    server: Emulator, px: AsyncPackageX, direction: Any
) -> None:
    """The same pages, each once, and the same exports in the same order."""
    expected = fill(server, 47)[:: 1 if direction == "asc" else -1]
    for prefetch in (0, 1, 16, 100):
        asked = len(server.requests)
        options: dict[str, Any] = {"limit": 2, "direction": direction, "prefetch": prefetch}
        assert [export.id async for export in px.exports.list(**options)] == expected
        assert sorted(pages_asked(server)[asked:]) == list(range(1, 25))


async def test_nothing_is_asked_for_before_the_first_step(server: Emulator, px: AsyncPackageX) -> None:
    """And a consumer that stops at the first page has caused one request; at the second, one in excess."""
    fill(server, 20)
    pages = px.exports.pages(limit=2)
    async with aclosing(pages):
        await settle()
        assert server.requests == []
        await anext(pages)
        await settle()
        assert pages_asked(server) == [1]
        await anext(pages)
    assert set(pages_asked(server)) <= {1, 2, 3}


async def test_a_page_that_is_refused_for_a_while_is_asked_for_again_under_the_policy(
    server: Emulator,
) -> None:
    """Whether it was asked ahead or not; `Retry-After` is waited out, and nothing is lost or repeated."""
    expected = fill(server, 24)
    server.inject(OnPages(429, "7", first=2, last=2))
    server.inject(OnPages(503, "9", first=6, last=6))
    clock = FakeClock(dice=0)
    async with exports_on(clock, server) as exports:
        assert [export.id async for export in exports.list(limit=2)] == expected
    assert sorted(clock.slept) == [7, 9]
    assert sorted(pages_asked(server)) == sorted([*range(1, 13), 2, 6])


async def test_a_page_refused_for_good_is_an_error_when_it_is_reached(server: Emulator) -> None:
    """The pages before it have been had."""
    expected = fill(server, 24)
    server.inject(OnPages(429, first=6, last=99), times=None)
    listed = []
    async with server.client(retry=AT_ONCE) as px:
        with pytest.raises(RateLimitError):
            async for export in px.exports.list(limit=2):
                listed.append(export.id)
    assert listed == expected[:10]


@attrs.define
class Gate(FakeClock):
    """A clock whose sleepers wait until the gate is opened."""

    opened: asyncio.Event = attrs.field(factory=asyncio.Event)
    asleep: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await self.opened.wait()


async def test_while_a_page_waits_for_another_try_no_further_page_is_asked_for_ahead(
    server: Emulator,
) -> None:
    """The server has enough to do; when it has answered, the window opens anew."""
    expected = fill(server, 40)
    server.inject(OnPages(503, first=5, last=5))
    clock = Gate()
    async with exports_on(clock, server) as exports:
        pages = exports.pages(limit=2)
        async with aclosing(pages):
            listed = [await anext(pages) for _ in range(3)]
            await clock.asleep.wait()
            listed.append(await anext(pages))
            await settle()
            assert max(pages_asked(server)) == 5
            clock.opened.set()
            listed += [page async for page in pages]
    assert [export.id for page in listed for export in page] == expected
    assert sorted(pages_asked(server)) == sorted([*range(1, 21), 5])


class LeftError(Exception):
    """Why a consumer leaves."""


async def leave_by_break(px: AsyncPackageX) -> None:
    async with aclosing(px.exports.pages(limit=2)) as pages:
        async for page in pages:
            if page.pagination.page == 3:
                break


async def leave_by_error(px: AsyncPackageX) -> None:
    async with aclosing(px.exports.list(limit=2)) as exports:
        with pytest.raises(LeftError):
            async for number in count(exports):
                if number == 5:
                    raise LeftError


async def leave_by_cancellation(px: AsyncPackageX) -> None:
    reached = asyncio.Event()

    async def read() -> None:
        async for number in count(px.exports.list(limit=2)):
            if number == 6:
                reached.set()

    task = asyncio.create_task(read())
    await reached.wait()
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_by_forgetting(px: AsyncPackageX) -> None:
    async for page in px.exports.pages(limit=2):
        if page.pagination.page == 3:
            break
    gc.collect()
    await settle()


async def leave_by_a_timeout(px: AsyncPackageX) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            async for _ in px.exports.list(limit=2):
                pass


async def count(exports: AsyncIterator[object]) -> AsyncIterator[int]:
    number = 0
    async for _ in exports:
        number += 1
        yield number


@pytest.mark.parametrize(
    "leave",
    [leave_by_break, leave_by_error, leave_by_cancellation, leave_by_forgetting, leave_by_a_timeout],
    ids=lambda leave: leave.__name__,
)
async def test_trap_28_a_consumer_that_leaves_leaves_no_request_behind(
    packagex_emulator: Emulator, leave: Callable[[AsyncPackageX], Awaitable[None]]
) -> None:
    """With pages on their way that are never answered, and others that have failed unheard."""
    server = packagex_emulator
    fill(server, 40)
    server.inject(OnPages(401, first=5, last=5))
    server.inject(Silence(first=4), times=None)
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    async with server.client(retry=AT_ONCE) as px:
        before = asyncio.all_tasks()
        await leave(px)
        assert asyncio.all_tasks() == before
    gc.collect()
    await settle()
    assert heard == []


async def test_a_client_closed_under_a_walk_says_so(packagex_emulator: Emulator) -> None:
    """The next step of the loop says why there are no more pages, though some had arrived ahead."""
    fill(packagex_emulator, 40)
    async with packagex_emulator.client(retry=AT_ONCE) as px:
        pages = px.exports.pages(limit=2)
        before = asyncio.all_tasks()
        for _ in range(3):
            await anext(pages)
        while asyncio.all_tasks() != before:
            await asyncio.sleep(0)
        await px.aclose()
        with pytest.raises(ConfigurationError, match="the client is closed"):
            async for _ in pages:
                pass
    assert asyncio.all_tasks() == before
