"""Pagination of one listing: the next page to request, and the exports of a page that are new.

The API has page numbers and no cursor, so inserted and deleted exports move other exports between pages. The
paginator yields every export that exists throughout the listing, and yields it once:

1. It requests page after page in the order of the listing, and identifies exports by id. Inserted exports
   make pages repeat exports. Repeated exports are skipped.
2. A deleted export moves all later exports towards the first page, possibly to pages that were already read.
   The paginator looks for signs of deletions in the responses (see below). If there is one, it reads the
   pages again after the last page. This rescan is ordered by creation, oldest first, and goes from the last
   page down to the first. In that order new exports are added at the end, and deletions move exports only
   towards pages that are still to be requested. So the rescan misses nothing, and at most doubles the number
   of requests.

Signs of deletions:

- The total count decreased, or it increased by less than expected. Expected are the exports created since the
  first page, plus the items that repeat an export.
- An export that was listed reached the age of 24 hours, at which the API deletes it.
- An export was listed twice, and the listing is ordered by a field that changes.

Prefetched pages may be answered in any order. Then insertions can hide exports, too. The first sign detects
this as well: the pages have as many items as the last total count. Without the repeated items, and without
the exports created since page 1, the exports that already existed at page 1 remain. If they are fewer than
the total count of page 1, an export was deleted or missed. This holds in any order, provided that page 1 is
answered first.

End of the listing:

- If the API sends `has_more`, it decides. If it is false although the total count says that exports remain,
  one more page is requested.
- Otherwise the total count decides. If it is missing, too, the listing ends at the first page that is empty,
  or when pages contain no new exports.

A page that contains only repeated exports has two possible causes: insertions, or a server that ignores
`page`. The paginator requests page 1 again to distinguish them: after insertions, it has changed. If page 1
and the total count are unchanged, the server ignores `page`. If the total count is missing or has changed,
one more page has to give the same result.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import attrs

from packagex_async._api.converters import LazyPage
from packagex_async.errors import PaginationError
from packagex_async.models import LIFETIME, Export, Page

DATE_TOLERANCE = timedelta(seconds=5)
"""Maximum delay between the database query for a page and the `Date` header of its response."""

MAX_PAGES_WITHOUT_NEW = 5
"""Maximum number of consecutive pages without new exports."""

MAX_REPEATED_PAGES = 100
"""Maximum number of consecutive pages of repeated exports if, by the total count, more exports remain."""

BATCH_SIZE = 200
"""Items of a page that are decoded before other tasks get to run."""

AnyPage = Page | LazyPage


@attrs.frozen(repr=False)
class PageRequest:
    """A request for one page.

    Attributes:
        page: Page number, from 1.
        is_rescan: Use the order of creation, oldest first, instead of the order of the listing.
        is_check: Request the page only to find out whether the server ignores `page`; skip its exports.
        may_be_past_end: The listing may end before this page. An error response that the page does not exist
            is then the end of the listing.
    """

    page: int
    is_rescan: bool = False
    is_check: bool = False
    may_be_past_end: bool = attrs.field(default=False, eq=False)


class ChangeDetector:
    """Detects in the responses of a listing that exports may have been deleted.

    Attributes:
        is_reorderable: Whether the listing is ordered by a field that changes.
        started_at: Server time of the first response, if known.
        latest: Latest server time of any response, if known.
        first_total: First total count of the listing.
        total: Latest total count of the listing.
        created_count: Exports created since `started_at`.
        repeated_count: Items that repeat an export.
        next_expiry: The earliest time at which a listed export reaches the age of 24 hours.
        has_deletions: Whether a response proves a deletion, or a move.
    """

    def __init__(self, *, is_reorderable: bool) -> None:
        self.is_reorderable = is_reorderable
        self.started_at: datetime | None = None
        self.latest: datetime | None = None
        self.first_total: int | None = None
        self.total: int | None = None
        self.created_count = 0
        self.repeated_count = 0
        self.next_expiry: datetime | None = None
        self.has_deletions = False

    def on_response(self, server_date: datetime | None) -> None:
        """Record the server time of a response."""
        # Concurrent requests may be answered in any order.
        self.latest = max(filter(None, (self.latest, server_date)), default=None)
        self.started_at = self.started_at or server_date

    def on_page(self, total: int | None, *, repeated: int) -> None:
        """Record the total count of a page, and its number of repeated items."""
        self._on_total(total)
        self.repeated_count += repeated
        self.has_deletions |= self.is_reorderable and repeated > 0

    def _on_total(self, total: int | None) -> None:
        if total is None:
            return
        if self.first_total is None:
            self.first_total = total
        self.has_deletions |= self.total is not None and total < self.total
        self.total = total

    def on_export(self, created_at: datetime | None) -> None:
        """Record the creation time of a new export."""
        if created_at is None or self.started_at is None:
            return
        self.created_count += self.started_at < created_at <= (self.latest or self.started_at)
        expiry = created_at + LIFETIME
        is_alive = expiry > self.started_at - DATE_TOLERANCE
        if is_alive and (self.next_expiry is None or expiry < self.next_expiry):
            self.next_expiry = expiry

    def may_have_deletions(self) -> bool:
        """Return whether an export may have been deleted, or missed, since the first page."""
        has_expired = self.next_expiry and self.latest and self.next_expiry <= self.latest
        if self.has_deletions or has_expired:
            return True
        if self.first_total is None or self.total is None:
            return False
        return self.total < self.first_total + self.created_count + self.repeated_count


class Paginator:
    """State of the pagination of one listing.

    Send `next_request`, pass its response to `process`, and repeat until `next_request` is `None`.

    Args:
        first_page: Number of the first page to request. Only a listing from page 1 is rescanned.
        by_creation: Whether the listing is ordered by creation, oldest first.
        is_reorderable: Whether the listing is ordered by a field that changes.
        limit: Requested number of exports per page.
    """

    def __init__(
        self,
        first_page: int = 1,
        *,
        by_creation: bool = True,
        is_reorderable: bool = False,
        limit: int = 1,
    ) -> None:
        self._first_page = first_page
        self._by_creation = by_creation
        self._limit = limit
        self.next_request: PageRequest | None = PageRequest(first_page)
        self._changes = ChangeDetector(is_reorderable=is_reorderable)
        self._seen_ids: set[str] = set()
        self._reported_page: int | None = None
        self._pages_without_new = 0
        self._honors_page = self._has_unclear_check = False
        self._repeated_page: tuple[PageRequest, AnyPage, set[str]]
        self._total_items = self._last_page = 0

    def process(
        self, request: PageRequest, page: AnyPage, server_date: datetime | None
    ) -> Iterator[tuple[Export, ...]]:
        """Yield the new exports of a page in batches, and update `next_request` after the last one.

        Args:
            request: The request for the page.
            page: The page.
            server_date: Server time of the response, if known.

        Raises:
            PaginationError: The listing repeats a page, does not advance, or continues with empty pages.
        """
        if request.is_check:
            yield from self._check(page)
            return
        if not request.is_rescan:
            self._changes.on_response(server_date)
        batch: list[Export] = []
        export_count = new_count = 0
        repeated_ids: set[str] = set()
        for number, export in enumerate(page, 1):
            if export is not None:
                export_count += 1
                if self._is_new(request, export):
                    new_count += 1
                    batch.append(export)
                elif not new_count:
                    repeated_ids.add(export.id)
            if number % BATCH_SIZE == 0:
                yield tuple(batch)
                batch.clear()
        if not request.is_rescan:
            self._changes.on_page(page.pagination.total_count, repeated=export_count - new_count)
            self._total_items += item_count(page)
            self._last_page = _last_page(page)
            self._pages_without_new = 0 if new_count else self._pages_without_new + 1
        self.next_request = self._next(request, page, None if new_count else repeated_ids)
        yield tuple(batch)

    def upcoming(self, max_count: int) -> tuple[PageRequest, ...]:
        """Return the requests that follow `next_request` according to the total count, at most `max_count`.

        The result is empty when the order of the responses matters: during a rescan, and in a listing that is
        not rescanned.
        """
        request = self.next_request
        if request is None or request.is_rescan or request.is_check or self._first_page > 1:
            return ()
        first = request.page + 1
        return tuple(PageRequest(page) for page in range(first, min(first + max_count, self._last_page + 1)))

    def _is_new(self, request: PageRequest, export: Export) -> bool:
        if export.id in self._seen_ids:
            return False
        self._seen_ids.add(export.id)
        if not request.is_rescan:
            self._changes.on_export(export.created_at)
        return True

    def _check(self, first_page: AnyPage) -> Iterator[tuple[Export, ...]]:
        """Compare the second response for page 1 with the page that contained no new exports."""
        ids = set()
        for number, export in enumerate(first_page, 1):
            if export is not None:
                ids.add(export.id)
            if number % BATCH_SIZE == 0:
                yield ()
        self.next_request = self._after_check(ids, first_page.pagination.total_count)

    def _next(self, request: PageRequest, page: AnyPage, repeated_ids: set[str] | None) -> PageRequest | None:
        """Return the request after `request`; `repeated_ids` is `None` if the page has new exports."""
        if request.is_rescan:
            return PageRequest(request.page - 1, is_rescan=True) if request.page > 1 else None
        if not self._has_more(page, has_new=repeated_ids is None):
            return self._first_of_rescan(request)
        self._check_advance(request, page, repeated_ids)
        if repeated_ids and not self._honors_page:
            self._repeated_page = request, page, repeated_ids
            return PageRequest(1, is_check=True)
        return _following(request, page)

    def _has_more(self, page: AnyPage, *, has_new: bool) -> bool:
        pagination = page.pagination
        # 1. The API says that there is more.
        if pagination.has_more and not pagination.inferred:
            return True
        # 2. The page is empty, or the API says that it is the last one and it has nothing new.
        if not item_count(page) or not (has_new or pagination.inferred):
            return False
        # 3. The total count is larger than the number of items so far.
        if pagination.total_count is not None and self._first_page == 1:
            return self._total_items < pagination.total_count
        # 4. The API says nothing. Continue until a server that honors `page` sends a page without new
        # exports.
        return pagination.inferred and (has_new or not self._honors_page)

    def _first_of_rescan(self, request: PageRequest) -> PageRequest | None:
        # In a listing by creation, the last page is already up to date: nothing can move onto it from before.
        last = request.page - 1 if self._by_creation else request.page
        is_needed = self._first_page == 1 and last >= 1 and self._changes.may_have_deletions()
        return PageRequest(last, is_rescan=True) if is_needed else None

    def _check_advance(self, request: PageRequest, page: AnyPage, repeated_ids: set[str] | None) -> None:
        previous, self._reported_page = self._reported_page, page.pagination.page
        if repeated_ids is None:
            return
        if previous is not None and page.pagination.page == previous and not _has_no_pagination(page):
            raise PaginationError(
                f"the listing does not advance: requested page {request.page}, got page {previous} again"
            )
        if self._pages_without_new > _max_pages_without_new(request.page, page, repeated_ids):
            problem = "repeat earlier exports" if repeated_ids else "are empty although has_more is true"
            raise PaginationError(
                f"the listing does not advance: {self._pages_without_new} pages up to page {request.page} "
                f"{problem}"
            )

    def _after_check(self, first_page_ids: set[str], total: int | None) -> PageRequest | None:
        request, page, repeated_ids = self._repeated_page
        if first_page_ids != repeated_ids:
            self._honors_page = True
            return _following(request, page)
        if _has_no_pagination(page) and item_count(page) < self._limit:
            # The server has one page and ignores all parameters.
            return None
        is_unchanged = total is not None and total == page.pagination.total_count == self._changes.first_total
        if not is_unchanged and not self._has_unclear_check:
            # An insertion and a deletion can have the same effect once, but not on two consecutive pages.
            self._has_unclear_check = True
            return _following(request, page)
        raise PaginationError(
            f"the listing does not advance: page {request.page} is the same as page 1, "
            "so the server ignores `page`"
        )


def item_count(page: AnyPage) -> int:
    """Return the number of items of a page, malformed ones included."""
    return page.item_count if isinstance(page, LazyPage) else len(page) + page.malformed


def _following(request: PageRequest, page: AnyPage) -> PageRequest:
    is_known = page.pagination.has_more and not page.pagination.inferred
    return PageRequest(request.page + 1, may_be_past_end=not is_known)


def _has_no_pagination(page: AnyPage) -> bool:
    """Return whether the API sent neither `has_more` nor a total count."""
    return page.pagination.inferred and page.pagination.total_count is None


def _last_page(page: AnyPage) -> int:
    total, size = page.pagination.total_count, item_count(page)
    return -(-total // size) if total and size else 0


def _max_pages_without_new(number: int, page: AnyPage, repeated_ids: set[str]) -> int:
    # In a listing with the newest exports first, insertions make whole pages repeat. Accept this for longer
    # if the total count confirms that the listing continues after this page.
    total = page.pagination.total_count
    continues = repeated_ids and total is not None and number * item_count(page) < total
    return MAX_REPEATED_PAGES if continues else MAX_PAGES_WITHOUT_NEW
