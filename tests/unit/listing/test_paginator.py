"""Pagination: every export once, an exact end, and no endless loops."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import attrs
import pytest

from packagex_async import Export, Page, PaginationError
from packagex_async._api.converters import LazyPage, pagination_from_json
from packagex_async._listing.paginator import (
    BATCH_SIZE,
    MAX_PAGES_WITHOUT_NEW,
    MAX_REPEATED_PAGES,
    PageRequest,
    Paginator,
)
from packagex_async._polling.schedule import is_expired
from packagex_async._utils.http_headers import EARLIEST, LATEST
from packagex_async.models import LIFETIME, Pagination
from tests.listing import START, FakeListing, process


def expire_oldest(listing: FakeListing) -> Callable[[PageRequest], None]:
    def expire(request: PageRequest) -> None:
        if not request.is_rescan:
            listing.delete(0)

    return expire


def test_unchanged_listing_needs_one_request_per_page() -> None:
    """This holds in both directions and for every limit."""
    for newest_first in (False, True):
        for limit in range(1, 12):
            listing = FakeListing(limit, newest_first)
            listing.fill(10)
            ids = [export.id for export in listing.exports]
            assert listing.read_all() == (ids[::-1] if newest_first else ids)
            assert listing.requests == math.ceil(10 / limit)


def test_trap_25_expiring_exports_hide_no_live_export() -> None:
    """The oldest exports expire between pages. The listing needs at most twice as many requests."""
    listing = FakeListing(limit=2)
    listing.fill(12)
    ids = [export.id for export in listing.exports]
    received = listing.read_all(expire_oldest(listing))
    assert sorted(received) == sorted(set(received))
    assert {export.id for export in listing.exports} <= set(received) <= set(ids)
    assert listing.requests <= 2 * 6


def test_deletion_with_unchanged_total_count_is_detected() -> None:
    """An insertion balances the total count, but its creation date reveals the deletion."""
    listing = FakeListing(limit=2)
    listing.fill(6)
    survivors = {export.id for export in listing.exports[1:]}

    def swap(request: PageRequest) -> None:
        if request == PageRequest(1):
            listing.delete(0)
            listing.insert()

    assert survivors <= set(listing.read_all(swap))


def test_unexplained_repetition_causes_a_rescan() -> None:
    """The pages have as many items as the total count says, but one export twice."""
    first, second, third = (Export(id=f"exp_{number}") for number in (1, 2, 3))
    for repeats in (False, True):
        paginator = Paginator()
        for number, export in ((1, first), (2, second), (3, first if repeats else third)):
            page = Page(data=(export,), pagination=Pagination(has_more=number < 3, total_count=3))
            process(paginator, PageRequest(number), page)
        assert paginator.next_request == (PageRequest(2, is_rescan=True) if repeats else None)


def test_expiry_is_detected_without_total_count() -> None:
    """An export that becomes 24 hours old during the listing causes a rescan."""
    listing = FakeListing(limit=2, has_total=False)
    listing.fill(6)
    survivors = {export.id for export in listing.exports[1:]}
    listing.now = START + LIFETIME

    def expire(request: PageRequest) -> None:
        if request == PageRequest(1):
            listing.now += timedelta(seconds=1)
            listing.delete(0)

    assert survivors <= set(listing.read_all(expire))


def test_no_export_is_yielded_twice_without_total_count_and_dates() -> None:
    """Deletions cannot be detected then, but exports are still yielded only once."""
    listing = FakeListing(limit=2, has_total=False, has_date=False)
    listing.fill(6)
    received = listing.read_all(expire_oldest(listing))
    assert len(received) == len(set(received))


def test_moved_export_causes_a_rescan() -> None:
    """With `updated_at`, an update moves a listed export to the end, and another one out of view."""
    first, second, third = (Export(id=f"exp_{n}") for n in (1, 2, 3))
    paginator = Paginator(by_creation=False, is_reorderable=True)
    pages = [
        (PageRequest(1), (first,), True),
        (PageRequest(2), (third,), True),
        (PageRequest(3), (first,), False),
        (PageRequest(3, is_rescan=True), (third,), False),
        (PageRequest(2, is_rescan=True), (second,), True),
        (PageRequest(1, is_rescan=True), (first,), True),
    ]
    received: list[Export] = []
    for expected, data, has_more in pages:
        assert paginator.next_request == expected
        page = Page(data=data, pagination=Pagination(has_more=has_more))
        received += process(paginator, expected, page)
    assert paginator.next_request is None
    assert received == [first, third, second]


def test_listing_from_a_later_page_is_not_rescanned() -> None:
    """The pages before it were not requested."""
    paginator = Paginator(first_page=2)
    process(
        paginator,
        PageRequest(2),
        Page(data=(Export(id="a"),), pagination=Pagination(has_more=True, total_count=9)),
        None,
    )
    process(
        paginator,
        PageRequest(3),
        Page(data=(Export(id="b"),), pagination=Pagination(has_more=False, total_count=5)),
        None,
    )
    assert paginator.next_request is None


def endless(data: tuple[Export, ...], *, honors_page: bool = False, **pagination: Any) -> int:
    """Return the number of responses, all with the same page, until the paginator raises an error.

    With `honors_page`, page 1 has changed when it is requested again.
    """
    paginator = Paginator()
    for number in range(1, 1000):
        assert paginator.next_request is not None
        is_check = honors_page and paginator.next_request.is_check
        page = Page(
            data=(Export(id="new"),) if is_check else data,
            pagination=Pagination(**{"has_more": True} | pagination),
        )
        try:
            process(paginator, paginator.next_request, page)
        except PaginationError as error:
            assert "does not advance" in str(error)
            return number
    pytest.fail("the paginator does not stop")


def test_trap_25_unchanged_page_number_is_an_error() -> None:
    """A response with the page number of the previous response is an error at once."""
    assert endless((Export(id="a"),), page=1) == 2


@pytest.mark.parametrize(
    "pagination", [{}, {"total_count": 20}, {"total_count": 1000}, {"inferred": True, "total_count": 9}]
)
@pytest.mark.parametrize("count", [1, 3])
def test_trap_25_server_that_ignores_page_is_an_error(pagination: dict[str, Any], count: int) -> None:
    """Page 1, requested again, is the same page. Without a total count, this has to happen twice."""
    requests = endless(tuple(Export(id=f"{number}") for number in range(count)), **pagination)
    assert requests == (3 if "total_count" in pagination else 5)


def test_changed_total_count_excuses_one_repeated_page() -> None:
    """An insertion before page 2 and a deletion before the check look like a server that ignores `page`."""
    paginator = Paginator()
    data = (Export(id="a"),)
    for page, total in ((PageRequest(1), 3), (PageRequest(2), 4), (PageRequest(1, is_check=True), 3)):
        assert paginator.next_request == page
        process(paginator, page, Page(data=data, pagination=Pagination(has_more=True, total_count=total)))
    assert paginator.next_request == PageRequest(3)


def test_shuffled_page_counts_as_repeated() -> None:
    """The order of the exports does not matter."""
    first, second = Export(id="a"), Export(id="b")
    paginator = Paginator()
    pagination = Pagination(has_more=True, total_count=9)
    for request, data in ((PageRequest(1), (first, second)), (PageRequest(2), (second, first))):
        process(paginator, request, Page(data=data, pagination=pagination))
    assert paginator.next_request == PageRequest(1, is_check=True)
    with pytest.raises(PaginationError, match="page 2 is the same as page 1, so the server ignores `page`"):
        process(paginator, PageRequest(1, is_check=True), Page(data=(first, second), pagination=pagination))


def test_repeated_pages_without_total_count_are_limited() -> None:
    """A few consecutive pages without new exports are an error."""
    assert endless((Export(id="a"),), honors_page=True) == MAX_PAGES_WITHOUT_NEW + 3


def test_repeated_pages_are_limited_by_total_count() -> None:
    """The limit is the number of pages that the total count allows, but at most 100."""
    assert endless((Export(id="a"),), honors_page=True, total_count=20) == 21
    assert endless((Export(id="a"),), honors_page=True, total_count=10**6) == MAX_REPEATED_PAGES + 3


def test_consecutive_empty_pages_are_limited() -> None:
    """One empty page does not end the listing. Several consecutive ones are an error."""
    assert endless(()) == endless((), total_count=10**6) == MAX_PAGES_WITHOUT_NEW + 1


def test_exports_of_a_check_are_not_yielded() -> None:
    """A listing from a later page must not contain exports of page 1."""
    paginator = Paginator(first_page=3)
    export, other = Export(id="a"), Export(id="b")
    for number in (3, 4):
        process(paginator, PageRequest(number), Page(data=(export,), pagination=Pagination(has_more=True)))
    assert paginator.next_request == PageRequest(1, is_check=True)
    assert paginator.upcoming(8) == ()
    again = Page(data=(other,), pagination=Pagination(has_more=True))
    assert process(paginator, PageRequest(1, is_check=True), again, None) == ()
    assert paginator.next_request == PageRequest(5)
    last = Page(data=(other,), pagination=Pagination(has_more=False))
    assert process(paginator, PageRequest(5), last, None) == (other,)


# Responses without `has_more`.


@attrs.define
class ListingWithoutHasMore(FakeListing):
    """A server that sends no `has_more` and caps the number of items per page.

    Attributes:
        cap: Maximum number of items per page.
        past_end: Content of pages past the end: `empty`, the `last` page or the `first` page.
        ignores_page: Send the first page for every page number.
    """

    cap: int = 25
    past_end: str = "empty"
    ignores_page: bool = False

    def page(self, request: PageRequest) -> Page:
        self.requests += 1
        number, last = request.page, max(-(-len(self.exports) // self.cap), 1)
        if number > last and self.past_end != "empty":
            number = last if self.past_end == "last" else 1
        start = 0 if self.ignores_page else (number - 1) * self.cap
        data = tuple((self.exports if request.is_rescan else self.ordered())[start : start + self.cap])
        total = len(self.exports) if self.has_total else None
        return Page(data=data, pagination=pagination_from_json({"total_count": total}, count=len(data)))

    def read_with_limit(self, limit: int = 100) -> list[str]:
        paginator = Paginator(by_creation=not self.newest_first, limit=limit)
        received = []
        while (request := paginator.next_request) is not None:
            received += [
                export.id for export in process(paginator, request, self.page(request), self.server_date)
            ]
        return received


@pytest.mark.parametrize("has_total", [True, False])
@pytest.mark.parametrize("past_end", ["empty", "last", "first"])
@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 50, 60])
@pytest.mark.parametrize("newest_first", [False, True])
def test_listing_without_has_more_is_complete(
    has_total: bool, past_end: str, count: int, newest_first: bool
) -> None:
    """Capped pages hide no export. A total count avoids requests past the end."""
    listing = ListingWithoutHasMore(100, newest_first, has_total=has_total, past_end=past_end)
    listing.fill(count)
    assert sorted(listing.read_with_limit()) == sorted(export.id for export in listing.exports)
    pages = max(-(-count // 25), 1)
    assert listing.requests == pages if has_total else listing.requests <= pages + 3


@pytest.mark.parametrize("has_more", [True, False])
def test_request_may_be_past_end_unless_has_more_is_true(has_more: bool) -> None:
    """An error response for such a page is the end of the listing."""
    export = Export(id="a")
    for inferred in (True, False):
        paginator = Paginator()
        pagination = Pagination(has_more=has_more, inferred=inferred, total_count=2)
        process(paginator, PageRequest(1), Page(data=(export,), pagination=pagination))
        assert paginator.next_request == PageRequest(2)
        assert paginator.next_request is not None
        assert paginator.next_request.may_be_past_end == (inferred or not has_more)


def test_one_short_page_for_every_number_is_the_whole_listing() -> None:
    """The server sends no pagination, ignores `page`, and has fewer exports than requested."""
    listing = ListingWithoutHasMore(100, has_total=False, ignores_page=True)
    listing.fill(20)
    assert len(listing.read_with_limit()) == 20
    assert listing.requests == 3


def test_one_full_page_for_every_number_is_an_error() -> None:
    """The server may have more exports than fit on the page."""
    listing = ListingWithoutHasMore(25, has_total=False, ignores_page=True)
    listing.fill(60)
    with pytest.raises(PaginationError, match="the server ignores `page`"):
        listing.read_with_limit(25)
    assert listing.requests == 5


def test_total_count_overrides_has_more() -> None:
    """One more page is requested. If it is empty, the listing ends without an error."""
    listing = FakeListing(limit=25)
    listing.fill(60)
    paginator = Paginator(limit=100)
    received: list[Export] = []
    while (request := paginator.next_request) is not None:
        page = listing.page(request)
        said_to_be_last = attrs.evolve(page.pagination, has_more=False)
        received += process(paginator, request, attrs.evolve(page, pagination=said_to_be_last))
    assert (len(received), listing.requests) == (60, 3)
    # A repeated export that the total count does not explain causes a rescan.
    for data, following in (((), None), ((Export(id="a"),), PageRequest(1, is_rescan=True))):
        paginator = Paginator()
        last = Pagination(has_more=False, total_count=1000)
        process(paginator, PageRequest(1), Page(data=(Export(id="a"),), pagination=last))
        assert paginator.next_request == PageRequest(2)
        process(paginator, PageRequest(2), Page(data=data, pagination=last))
        assert paginator.next_request == following


def test_trap_24_malformed_items_count_towards_the_total() -> None:
    """A page of malformed items is skipped, and the listing still reaches the total count."""
    paginator = Paginator()
    pages = [((Export(id="a"),), 1), ((), 2), ((Export(id="b"), Export(id="c")), 0)]
    for number, (data, malformed) in enumerate(pages, 1):
        assert paginator.next_request == PageRequest(number)
        pagination = Pagination(has_more=True, inferred=True, total_count=6)
        process(paginator, PageRequest(number), Page(data=data, malformed=malformed, pagination=pagination))
    assert paginator.next_request is None


def test_large_page_is_processed_in_batches() -> None:
    """The exports are the same, also with malformed items and for a check."""
    exports = tuple(Export(id=f"exp_{number}") for number in range(BATCH_SIZE * 3 - 1))
    page = Page(data=exports, pagination=Pagination(has_more=False))
    batches = list(Paginator().process(PageRequest(1), page, None))
    assert list(map(len, batches)) == [BATCH_SIZE, BATCH_SIZE, BATCH_SIZE - 1]
    assert tuple(chain.from_iterable(batches)) == exports == process(Paginator(), PageRequest(1), page)
    items: list[Any] = [{"id": export.id} for export in exports]
    items[BATCH_SIZE : BATCH_SIZE * 2] = [None] * BATCH_SIZE
    unread = LazyPage(items, page.pagination, "data")
    assert list(map(len, Paginator().process(PageRequest(1), unread, None))) == [
        BATCH_SIZE,
        0,
        BATCH_SIZE - 1,
    ]
    assert (unread.malformed, unread.first_malformed) == (
        BATCH_SIZE,
        f"data[{BATCH_SIZE}] is not an export but null",
    )
    paginator = Paginator()
    endless = attrs.evolve(page, pagination=Pagination(has_more=True, total_count=BATCH_SIZE * 9))
    for number in (1, 2):
        process(paginator, PageRequest(number), endless)
    again: list[Any] = [None, *({"id": export.id} for export in exports[::-1]), None]
    with pytest.raises(PaginationError):
        process(paginator, PageRequest(1, is_check=True), LazyPage(again, endless.pagination, "data"))


@pytest.mark.parametrize("edge", [EARLIEST, LATEST])
def test_extreme_dates_do_not_overflow(edge: datetime) -> None:
    """The earliest and the latest valid dates work for exports and for responses."""
    for created_at, server_date in ((edge, START), (START, edge), (edge, edge)):
        paginator = Paginator()
        page = Page(data=(Export(id="a", created_at=created_at),), pagination=Pagination(has_more=False))
        assert len(process(paginator, PageRequest(1), page, server_date)) == 1
        assert is_expired(page.data[0], server_date) in (True, False)


def test_empty_page_does_not_end_the_listing() -> None:
    """The exports of the next page are yielded."""
    paginator = Paginator()
    assert process(paginator, PageRequest(1), Page(data=(), pagination=Pagination(has_more=True)), None) == ()
    export = Export(id="a")
    last = Page(data=(export,), pagination=Pagination(has_more=False))
    assert process(paginator, PageRequest(2), last, None) == (export,)
    assert paginator.next_request is None


def test_last_page_may_repeat_an_export() -> None:
    """A last page without new exports is not an error."""
    paginator = Paginator()
    export = Export(id="a")
    process(paginator, PageRequest(1), Page(data=(export,), pagination=Pagination(has_more=True)))
    assert (
        process(paginator, PageRequest(2), Page(data=(export,), pagination=Pagination(has_more=False)), None)
        == ()
    )
    assert paginator.next_request is None


def test_export_listed_twice_on_one_page_is_yielded_once() -> None:
    """Duplicates within a page are skipped."""
    export = Export(id="a")
    page = Page(data=(export, export), pagination=Pagination(has_more=False))
    assert process(Paginator(), PageRequest(1), page, None) == (export,)
