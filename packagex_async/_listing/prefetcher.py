"""Pages asked for ahead of their consumer, in a window that opens while the listing keeps still.

The window opens at one page and doubles with every page that tells the total count and the size of the page
before it. It closes where the count changes, where count or time are not told, where a page is of another
size, and where a page had to be asked for again. What comes back is taken in the order of the listing, and
only where it tells the count of the page before it; otherwise all that was asked ahead is dropped, and asked
for anew.

Pages asked side by side are pictures of different moments, in any order. `_paging` says why none is missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Self

import attrs

from packagex_async._api.converters import LazyPage
from packagex_async._listing.paginator import PageRequest, Paginator, places
from packagex_async.errors import BadRequestError, NotFoundError
from packagex_async.models import Page, Pagination
from packagex_async.retry import Retries


@attrs.frozen(eq=False, repr=False)
class Answered:
    """A page, and the server's time when it answered, if told."""

    page: Page | LazyPage
    served: datetime | None


_NO_SUCH_PAGE = Answered(Page(data=(), pagination=Pagination(has_more=False)), None)


@attrs.frozen(eq=False, repr=False)
class _Asked:
    """A page on its way; `retries` tells whether it had to be asked for again."""

    task: asyncio.Task[Answered]
    retries: Retries
    ahead: bool


class PagePrefetcher:
    """Asks for the pages of a walk, and for those that are sure to follow; leaving its block cancels them.

    Args:
        walk: The walk.
        fetch: Asks for a page, and counts its tries in the `Retries` it is handed.
        retries: Makes those.
        most: The most pages asked for ahead of the one that is waited for; 0 for none.
    """

    def __init__(
        self,
        walk: Paginator,
        fetch: Callable[[PageRequest, Retries], Coroutine[Any, Any, Answered]],
        retries: Callable[[], Retries],
        most: int,
    ) -> None:
        self._walk = walk
        self._fetch = fetch
        self._retries = retries
        self._most = most
        self._width = 0
        self._before: Page | LazyPage | None = None
        self._asked: dict[PageRequest, _Asked] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._drop()

    async def answer(self, step: PageRequest) -> Answered:
        """The answer for `step`, the walk's next; what went wrong with it is raised here, and not before.

        That there is no such page is the end of the listing where it may have ended before.
        """
        try:
            return await self._answer(step)
        except (NotFoundError, BadRequestError):
            if step.probe:
                return _NO_SUCH_PAGE
            raise

    async def _answer(self, step: PageRequest) -> Answered:
        if step.check:
            return await self._ask(step, ahead=False).task
        asked = self._asked.pop(step, None) or self._ask(step, ahead=False)
        self._reach_out(asked)
        answered = await asked.task
        if asked.ahead and not self._follows(answered.page):
            await self._drop()
            asked = self._ask(step, ahead=False)
            answered = await asked.task
        untroubled = answered.served is not None and not asked.retries.failures
        self._widen(answered.page, untroubled=untroubled)
        return answered

    def _ask(self, step: PageRequest, *, ahead: bool) -> _Asked:
        retries = self._retries()
        task = asyncio.create_task(self._fetch(step, retries))
        task.add_done_callback(_heard)
        return _Asked(task, retries, ahead)

    def _reach_out(self, current: _Asked) -> None:
        # A server that is asked again has enough to do.
        if any(asked.retries.failures for asked in (current, *self._asked.values())):
            return
        for step in self._walk.following(self._width):
            if step not in self._asked:
                self._asked[step] = self._ask(step, ahead=True)

    def _widen(self, page: Page | LazyPage, *, untroubled: bool) -> None:
        before = self._before
        still = before is None or (self._follows(page) and places(page) == places(before))
        self._width = min(self._most, 2 * self._width or 1) if still and untroubled else 0
        self._before = page

    def _follows(self, page: Page | LazyPage) -> bool:
        total = page.pagination.total_count
        return self._before is not None and total is not None and total == self._before.pagination.total_count

    async def _drop(self) -> None:
        tasks = [asked.task for asked in self._asked.values()]
        self._asked.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(task: asyncio.Task[Answered]) -> None:
    # The page may never be reached, and then its failure is no one's concern.
    if not task.cancelled():
        task.exception()
