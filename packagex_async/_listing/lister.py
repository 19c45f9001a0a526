"""One listing: its pages in turn, up to its certain end, and what is malformed on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import attrs

from packagex_async import _logs
from packagex_async._api import requests, responses
from packagex_async._api.converters import LazyPage
from packagex_async._context import ClientContext
from packagex_async._listing.paginator import PART, PageRequest, Paginator, places
from packagex_async._listing.prefetcher import Answered, PagePrefetcher
from packagex_async.errors import DecodeError
from packagex_async.models import Export, Page
from packagex_async.retry import Retries


@attrs.frozen(eq=False, repr=False)
class _Part:
    """Exports of one page.

    Attributes:
        step: What the page was asked for.
        page: The page.
        exports: Those that no earlier page held.
        is_last: Whether nothing of the page follows; such a part is empty.
    """

    step: PageRequest
    page: Page | LazyPage
    exports: tuple[Export, ...]
    is_last: bool = False


async def list_exports(
    listing: requests.ListQuery, context: ClientContext, prefetch: int
) -> AsyncGenerator[Export, None]:
    """Yield the exports of a listing, each once.

    Raises:
        DecodeError: At the end: items of the pages were no exports.
        PackageXError: What stopped the listing.
    """
    async with aclosing(_steps(listing, context, prefetch)) as parts:
        async for part in parts:
            for export in part.exports:
                if context.operations.closed:
                    context.operations.check_open()
                yield export


async def list_pages(
    listing: requests.ListQuery, context: ClientContext, prefetch: int
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a listing, without the exports that an earlier page held.

    Raises:
        DecodeError: At the end: items of the pages were no exports.
        PackageXError: What stopped the listing.
    """
    exports: list[Export] = []
    async with aclosing(_steps(listing, context, prefetch)) as parts:
        async for part in parts:
            exports += part.exports
            if part.is_last:
                data = tuple(exports)
                exports.clear()
                if data or not (part.step.back or part.step.check or part.step.probe):
                    yield _page_of(part.page, data)


def _steps(listing: requests.ListQuery, context: ClientContext, prefetch: int) -> AsyncGenerator[_Part, None]:
    return context.operations.steps("the listing", _parts(listing, context, prefetch))


async def _parts(
    listing: requests.ListQuery, context: ClientContext, prefetch: int
) -> AsyncGenerator[_Part, None]:
    async def fetch(step: PageRequest, retries: Retries) -> Answered:
        asked = listing.sorted_oldest_first() if step.back else listing
        # Pages that are requested ahead are on their way while no step of the listing runs.
        with context.operations.running("the listing"):
            answer = await context.api.get(asked.target(step.page), retries)
        return Answered(responses.parse_page(answer), answer.server_date)

    walk = Paginator(
        start=listing.page,
        by_creation=listing.is_oldest_first,
        reorders=listing.has_unstable_order,
        limit=listing.limit,
    )
    malformed = _Malformed()
    async with PagePrefetcher(walk, fetch, context.retries, prefetch) as ahead:
        while (step := walk.step) is not None:
            answer = await ahead.answer(step)
            for exports in walk.parts(step, answer.page, answer.served):
                for export in exports:
                    _logs.unread(export)
                yield _Part(step, answer.page, exports)
                if places(answer.page) > PART:
                    await asyncio.sleep(0)
            malformed.add(step, answer.page)
            yield _Part(step, answer.page, (), is_last=True)
    malformed.raise_if_any()


def _page_of(page: Page | LazyPage, data: tuple[Export, ...]) -> Page:
    return page.with_exports(data) if isinstance(page, LazyPage) else attrs.evolve(page, data=data)


@attrs.define(eq=False, repr=False)
class _Malformed:
    """The items of a listing that are no exports."""

    count: int = 0
    first: str = ""

    def add(self, step: PageRequest, page: Page | LazyPage) -> None:
        """Log and count those of a page; a page that is asked for a second time has been counted."""
        if page.malformed and not (step.back or step.check):
            _logs.malformed(step.page, page.malformed, page.first_malformed)
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
