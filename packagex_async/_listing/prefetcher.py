"""Concurrent requests for the next pages of a listing, as long as the listing does not change.

The number of prefetched pages starts at one and doubles with every page that has the same total count and the
same number of items as the previous page. It returns to zero when the total count changes, when the total
count or the server time is missing, when the number of items differs, and when a request had to be repeated.

Pages are returned in the order of the listing. A prefetched page whose total count differs from that of the
previous page is discarded together with all other prefetched pages, and requested again.

`_listing.paginator` explains why prefetched pages do not hide exports.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Self

import attrs

from packagex_async._listing.paginator import AnyPage, PageRequest, Paginator, item_count
from packagex_async.errors import BadRequestError, NotFoundError
from packagex_async.models import Page, Pagination
from packagex_async.retry import Retries


@attrs.frozen(eq=False, repr=False)
class FetchedPage:
    """A page, and the server time of its response, if known."""

    page: AnyPage
    server_date: datetime | None


_END = FetchedPage(Page(data=(), pagination=Pagination(has_more=False)), None)
"""Result of a request past the end of the listing."""


@attrs.frozen(eq=False, repr=False)
class _PendingPage:
    """A page that is being requested, with the retries of the request."""

    task: asyncio.Task[FetchedPage]
    retries: Retries
    is_prefetched: bool


class PagePrefetcher:
    """Requests the pages of a listing, some of them ahead of time.

    Leaving the `async with` block cancels all pending requests.

    Args:
        paginator: Determines which pages to request.
        fetch: Requests a page; counts its failures in the given `Retries`.
        retries: Creates the `Retries` of a request.
        max_pages: Maximum number of prefetched pages; 0 disables prefetching.
    """

    def __init__(
        self,
        paginator: Paginator,
        fetch: Callable[[PageRequest, Retries], Coroutine[Any, Any, FetchedPage]],
        retries: Callable[[], Retries],
        max_pages: int,
    ) -> None:
        self._paginator = paginator
        self._fetch = fetch
        self._retries = retries
        self._max_pages = max_pages
        self._window = 0
        self._previous: AnyPage | None = None
        self._pending: dict[PageRequest, _PendingPage] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cancel_pending()

    async def get(self, request: PageRequest) -> FetchedPage:
        """Return the page of the paginator's next request.

        An error response that the page does not exist is an empty page if the request may be past the end.

        Raises:
            PackageXError: The request for this page failed. Failures of other prefetched pages are not
                raised.
        """
        try:
            return await self._get(request)
        except (NotFoundError, BadRequestError):
            if request.may_be_past_end:
                return _END
            raise

    async def _get(self, request: PageRequest) -> FetchedPage:
        if request.is_check:
            return await self._start(request).task
        pending = self._pending.pop(request, None) or self._start(request)
        self._prefetch(pending)
        fetched = await pending.task
        if pending.is_prefetched and not self._has_same_total(fetched.page):
            await self._cancel_pending()
            pending = self._start(request)
            fetched = await pending.task
        is_regular = fetched.server_date is not None and not pending.retries.failures
        self._adjust_window(fetched.page, is_regular=is_regular)
        return fetched

    def _start(self, request: PageRequest, *, is_prefetched: bool = False) -> _PendingPage:
        retries = self._retries()
        task = asyncio.create_task(self._fetch(request, retries))
        task.add_done_callback(_retrieve_exception)
        return _PendingPage(task, retries, is_prefetched)

    def _prefetch(self, current: _PendingPage) -> None:
        # Do not add load to a server that fails.
        if any(pending.retries.failures for pending in (current, *self._pending.values())):
            return
        for request in self._paginator.upcoming(self._window):
            if request not in self._pending:
                self._pending[request] = self._start(request, is_prefetched=True)

    def _adjust_window(self, page: AnyPage, *, is_regular: bool) -> None:
        previous = self._previous
        is_stable = previous is None or (
            self._has_same_total(page) and item_count(page) == item_count(previous)
        )
        self._window = min(self._max_pages, 2 * self._window or 1) if is_stable and is_regular else 0
        self._previous = page

    def _has_same_total(self, page: AnyPage) -> bool:
        total = page.pagination.total_count
        previous = self._previous
        return previous is not None and total is not None and total == previous.pagination.total_count

    async def _cancel_pending(self) -> None:
        tasks = [pending.task for pending in self._pending.values()]
        self._pending.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _retrieve_exception(task: asyncio.Task[FetchedPage]) -> None:
    # A prefetched page may never be needed. asyncio must not log its exception as "never retrieved".
    if not task.cancelled():
        task.exception()
