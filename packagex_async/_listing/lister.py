"""Async generators over the exports and the pages of one listing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import attrs

from packagex_async import _logs
from packagex_async._api import responses
from packagex_async._api.converters import LazyPage
from packagex_async._api.list_query import ListQuery
from packagex_async._context import ClientContext
from packagex_async._listing.creation_filter import CreationFilter
from packagex_async._listing.paginator import BATCH_SIZE, AnyPage, PageRequest, Paginator, item_count
from packagex_async._listing.prefetcher import FetchedPage, PagePrefetcher
from packagex_async.errors import DecodeError
from packagex_async.models import Export, Page
from packagex_async.retry import Retries


@attrs.frozen(eq=False, repr=False)
class _Batch:
    """New exports of one page.

    Attributes:
        request: The request for the page.
        page: The page.
        exports: Exports that are on no earlier page.
        is_last: Whether this is the last batch of the page; it is always empty.
    """

    request: PageRequest
    page: AnyPage
    exports: tuple[Export, ...]
    is_last: bool = False


async def list_exports(
    query: ListQuery, context: ClientContext, prefetch: int, created: CreationFilter | None = None
) -> AsyncGenerator[Export, None]:
    """Yield the exports of a listing that `created` accepts, each once.

    Raises:
        DecodeError: At the end, if pages contained malformed items.
        PackageXError: A request failed, or the listing does not advance.
    """
    async with aclosing(_run(query, context, prefetch, created)) as batches:
        async for batch in batches:
            for export in batch.exports:
                if context.operations.closed:
                    context.operations.check_open()
                yield export


async def list_pages(
    query: ListQuery, context: ClientContext, prefetch: int, created: CreationFilter | None = None
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a listing, without the exports of earlier pages, or that `created` rejects.

    Raises:
        DecodeError: At the end, if pages contained malformed items.
        PackageXError: A request failed, or the listing does not advance.
    """
    exports: list[Export] = []
    async with aclosing(_run(query, context, prefetch, created)) as batches:
        async for batch in batches:
            exports += batch.exports
            if batch.is_last:
                data = tuple(exports)
                exports.clear()
                if data or not _is_extra(batch.request):
                    yield _with_data(batch.page, data)


def _is_extra(request: PageRequest) -> bool:
    return request.is_rescan or request.is_check or request.may_be_past_end


def _with_data(page: AnyPage, data: tuple[Export, ...]) -> Page:
    return page.with_exports(data) if isinstance(page, LazyPage) else attrs.evolve(page, data=data)


def _run(
    query: ListQuery, context: ClientContext, prefetch: int, created: CreationFilter | None
) -> AsyncGenerator[_Batch, None]:
    return context.operations.steps("the listing", _batches(query, context, prefetch, created))


async def _batches(
    query: ListQuery, context: ClientContext, prefetch: int, created: CreationFilter | None
) -> AsyncGenerator[_Batch, None]:
    async def fetch(request: PageRequest, retries: Retries) -> FetchedPage:
        page_query = query.sorted_oldest_first() if request.is_rescan else query
        # Prefetching continues while the generator is suspended, so it is an operation by itself.
        with context.operations.running("the listing"):
            response = await context.api.get(page_query.target(request.page), retries)
        return FetchedPage(responses.parse_page(response), response.server_date)

    paginator = Paginator(
        first_page=query.page,
        by_creation=query.is_oldest_first,
        is_reorderable=query.has_unstable_order,
        limit=query.limit,
    )
    malformed = _MalformedItems()
    async with PagePrefetcher(paginator, fetch, context.retries, prefetch) as prefetcher:
        while (request := paginator.next_request) is not None:
            fetched = await prefetcher.get(request)
            for exports in paginator.process(request, fetched.page, fetched.server_date):
                if created is not None:
                    exports = tuple(filter(created.accepts, exports))
                for export in exports:
                    _logs.unread_fields(export)
                yield _Batch(request, fetched.page, exports)
                if item_count(fetched.page) > BATCH_SIZE:
                    await asyncio.sleep(0)
            malformed.add(request, fetched.page)
            yield _Batch(request, fetched.page, (), is_last=True)
    malformed.raise_if_any()


class _MalformedItems:
    """The malformed items of a listing: items that are not exports, or have no usable id."""

    def __init__(self) -> None:
        self.count = 0
        self.first = ""

    def add(self, request: PageRequest, page: AnyPage) -> None:
        """Log and count the malformed items of a page, unless the page was already counted."""
        if page.malformed and not (request.is_rescan or request.is_check):
            _logs.malformed_items(request.page, page.malformed, page.first_malformed)
            self.first = self.first or f"page {request.page}: {page.first_malformed}"
            self.count += page.malformed

    def raise_if_any(self) -> None:
        """Raise an error that describes the first malformed item, if there is one.

        Raises:
            DecodeError: The listing has malformed items.
        """
        if self.count:
            more = f" (and {self.count - 1} more)" if self.count > 1 else ""
            raise DecodeError(f"{self.first}{more}; all other exports of the listing were returned")
