"""Listings over real sockets: request counts, retries, early exit and closing."""

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
    RateLimitError,
)
from packagex_async.testing import Emulator, Stall, Status
from packagex_async.testing.server.request import RecordedRequest
from tests.listing import run_ready_tasks
from tests.support import NO_BACKOFF, FakeClock, open_exports


def add_exports(server: Emulator, count: int) -> list[str]:
    base = server.now() - 3600
    return [server.add_export(rows=1, created_at=base + number).id for number in range(count)]


def requested_pages(server: Emulator) -> list[int]:
    return [int(request.query["page"]) for request in server.requests]


@attrs.frozen
class StatusOnPages(Status):
    """A `Status` for the pages `first` to `last` of a listing."""

    first: int = attrs.field(kw_only=True)
    last: int = attrs.field(kw_only=True)
    on: Any = attrs.field(default="api", kw_only=True)

    def matches(self, request: RecordedRequest) -> bool:
        return self.first <= int(request.query["page"]) <= self.last


@attrs.frozen
class StalledPages(Stall):
    """A response that never arrives, for page `first` and all later pages."""

    after: int = 0
    first: int = attrs.field(kw_only=True)

    def matches(self, request: RecordedRequest) -> bool:
        return int(request.query["page"]) >= self.first


@pytest.mark.parametrize("prefetch", [-1, 1.5, True, "8", None])
def test_invalid_prefetch_is_a_configuration_error(prefetch: Any) -> None:
    """The call raises it, before any request."""
    px = AsyncPackageX("px_key")
    for listing in (px.exports.list, px.exports.pages):
        with pytest.raises(ConfigurationError, match="prefetch must be a whole number from 0 up"):
            listing(prefetch=prefetch)


@pytest.mark.parametrize("direction", ["asc", "desc"])
async def test_prefetching_needs_no_additional_requests(
    server: Emulator, px: AsyncPackageX, direction: Any
) -> None:
    """Every page is requested once, and the exports are in order."""
    expected = add_exports(server, 47)[:: 1 if direction == "asc" else -1]
    for prefetch in (0, 1, 16, 100):
        earlier = len(server.requests)
        options: dict[str, Any] = {"limit": 2, "direction": direction, "prefetch": prefetch}
        assert [export.id async for export in px.exports.list(**options)] == expected
        assert sorted(requested_pages(server)[earlier:]) == list(range(1, 25))


async def test_no_request_before_the_first_iteration(server: Emulator, px: AsyncPackageX) -> None:
    """The first iteration causes one request, the second at most two more."""
    add_exports(server, 20)
    pages = px.exports.pages(limit=2)
    async with aclosing(pages):
        await run_ready_tasks()
        assert server.requests == []
        await anext(pages)
        await run_ready_tasks()
        assert requested_pages(server) == [1]
        await anext(pages)
    assert set(requested_pages(server)) <= {1, 2, 3}


async def test_prefetched_pages_are_retried(
    server: Emulator,
) -> None:
    """`Retry-After` is respected, and every export is yielded once."""
    expected = add_exports(server, 24)
    server.inject(StatusOnPages(429, "7", first=2, last=2))
    server.inject(StatusOnPages(503, "9", first=6, last=6))
    clock = FakeClock(jitter_fraction=0)
    async with open_exports(clock, server) as exports:
        assert [export.id async for export in exports.list(limit=2)] == expected
    assert sorted(clock.sleeps) == [7, 9]
    assert sorted(requested_pages(server)) == sorted([*range(1, 13), 2, 6])


async def test_exports_before_a_failed_page_are_yielded(server: Emulator) -> None:
    """The error of a prefetched page is raised after the exports of earlier pages."""
    expected = add_exports(server, 24)
    server.inject(StatusOnPages(429, first=6, last=99), times=None)
    listed = []
    async with server.client(retry=NO_BACKOFF) as px:
        with pytest.raises(RateLimitError):
            async for export in px.exports.list(limit=2):
                listed.append(export.id)
    assert listed == expected[:10]


@attrs.define
class ManualClock(FakeClock):
    """A clock whose `sleep` returns when the test sets `released`."""

    released: asyncio.Event = attrs.field(factory=asyncio.Event)
    asleep: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await self.released.wait()


async def test_nothing_is_prefetched_while_a_request_waits_for_a_retry(
    server: Emulator,
) -> None:
    """Prefetching starts again after the response."""
    expected = add_exports(server, 40)
    server.inject(StatusOnPages(503, first=5, last=5))
    clock = ManualClock()
    async with open_exports(clock, server) as exports:
        pages = exports.pages(limit=2)
        async with aclosing(pages):
            listed = [await anext(pages) for _ in range(3)]
            await clock.asleep.wait()
            listed.append(await anext(pages))
            await run_ready_tasks()
            assert max(requested_pages(server)) == 5
            clock.released.set()
            listed += [page async for page in pages]
    assert [export.id for page in listed for export in page] == expected
    assert sorted(requested_pages(server)) == sorted([*range(1, 21), 5])


class ConsumerError(Exception):
    """The consumer stops with an error."""


async def leave_by_break(px: AsyncPackageX) -> None:
    async with aclosing(px.exports.pages(limit=2)) as pages:
        async for page in pages:
            if page.pagination.page == 3:
                break


async def leave_by_error(px: AsyncPackageX) -> None:
    async with aclosing(px.exports.list(limit=2)) as exports:
        with pytest.raises(ConsumerError):
            async for number in count(exports):
                if number == 5:
                    raise ConsumerError


async def leave_by_cancellation(px: AsyncPackageX) -> None:
    reached = asyncio.Event()

    async def read() -> None:
        async for number in count(px.exports.list(limit=2)):
            if number == 6:
                reached.set()

    task = asyncio.create_task(read())
    await reached.wait()
    await run_ready_tasks()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_without_closing(px: AsyncPackageX) -> None:
    async for page in px.exports.pages(limit=2):
        if page.pagination.page == 3:
            break
    gc.collect()
    await run_ready_tasks()


async def leave_by_timeout(px: AsyncPackageX) -> None:
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
    [leave_by_break, leave_by_error, leave_by_cancellation, leave_without_closing, leave_by_timeout],
    ids=lambda leave: leave.__name__,
)
async def test_trap_28_early_exit_leaves_no_requests(
    packagex_emulator: Emulator, leave: Callable[[AsyncPackageX], Awaitable[None]]
) -> None:
    """Pending and failed requests of prefetched pages leave no task and no unhandled exception."""
    server = packagex_emulator
    add_exports(server, 40)
    server.inject(StatusOnPages(401, first=5, last=5))
    server.inject(StalledPages(first=4), times=None)
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    async with server.client(retry=NO_BACKOFF) as px:
        before = asyncio.all_tasks()
        await leave(px)
        assert asyncio.all_tasks() == before
    gc.collect()
    await run_ready_tasks()
    assert errors == []


async def test_closed_client_ends_the_listing(packagex_emulator: Emulator) -> None:
    """The next iteration raises an error although some pages were prefetched."""
    add_exports(packagex_emulator, 40)
    async with packagex_emulator.client(retry=NO_BACKOFF) as px:
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
