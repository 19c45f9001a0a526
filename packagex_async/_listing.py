"""One listing: its pages in turn, up to its certain end, and what is malformed on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import attrs

from packagex_async import _log, _wire
from packagex_async._ahead import Ahead, Answered
from packagex_async._aio import run_in_slices
from packagex_async._operations import Operations
from packagex_async._paging import Step, Walk
from packagex_async._tools import Tools
from packagex_async.errors import BadRequestError, DecodeError, NotFoundError
from packagex_async.models import Export, Page, Pagination
from packagex_async.retry import Retries

_SLICE = 1000
"""Exports that are handed out before other tasks run."""

_NO_SUCH_PAGE = Answered(Page(data=(), pagination=Pagination(has_more=False)), None)


async def list_pages(listing: _wire.Listing, tools: Tools, prefetch: int) -> AsyncGenerator[Page, None]:
    """Yield the pages of a listing, without the exports that an earlier page held.

    Raises:
        DecodeError: At the end: items of the pages were no exports.
        PackageXError: What stopped the listing.
    """

    async def fetch(step: Step, retries: Retries) -> Answered:
        asked = listing.oldest_first() if step.back else listing
        # Pages that are requested ahead are on their way while no step of the listing runs.
        with tools.operations.running("the listing"):
            answer = await tools.http.get(asked.target(step.page), retries)
            return Answered(await _wire.read_page(answer), answer.served)

    walk = Walk(
        start=listing.page,
        by_creation=listing.by_creation,
        reorders=listing.reorders,
        limit=listing.limit,
    )
    malformed = _Malformed()
    async with Ahead(walk, fetch, tools.retries, prefetch) as ahead:
        while (step := walk.step) is not None:
            answer = await _answer(ahead, step)
            fresh = await run_in_slices(walk.taking(step, answer.page, answer.served))
            malformed.add(step, answer.page)
            if fresh or not (step.back or step.check or step.probe):
                await _log_unread(fresh)
                yield attrs.evolve(answer.page, data=fresh)
    malformed.raise_if_any()


async def list_exports(
    pages: AsyncGenerator[Page, None], operations: Operations
) -> AsyncGenerator[Export, None]:
    """Yield the exports of `pages`, until the client is closed."""
    async with aclosing(pages):
        async for page in pages:
            for number, export in enumerate(page, 1):
                operations.check_open()
                yield export
                if number % _SLICE == 0:
                    await asyncio.sleep(0)


async def _answer(ahead: Ahead, step: Step) -> Answered:
    try:
        return await ahead.answer(step)
    except (NotFoundError, BadRequestError):
        if step.probe:
            return _NO_SUCH_PAGE
        raise


async def _log_unread(exports: tuple[Export, ...]) -> None:
    for number, export in enumerate(exports, 1):
        _log.unread(export)
        if number % _SLICE == 0:
            await asyncio.sleep(0)


@attrs.define(eq=False, repr=False)
class _Malformed:
    """The items of a listing that are no exports."""

    count: int = 0
    first: str = ""

    def add(self, step: Step, page: Page) -> None:
        """Log and count those of a page; a page that is asked for a second time has been counted."""
        if page.malformed and not (step.back or step.check):
            _log.malformed(step.page, page)
            self.first = self.first or f"page {step.page}: {page.first_malformed}"
            self.count += page.malformed

    def raise_if_any(self) -> None:
        """Raise an error that names the first of them.

        Raises:
            DecodeError: There are some.
        """
        if self.count:
            more = f" (and {self.count - 1} more)" if self.count > 1 else ""
            raise DecodeError(f"{self.first}{more}; all other exports of the listing were returned")
