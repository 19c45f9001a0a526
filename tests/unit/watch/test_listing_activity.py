"""Whether a listing changes."""

from __future__ import annotations

import attrs
import pytest

from packagex_async import Pagination
from packagex_async._watch.listing_activity import ListingActivity
from packagex_async._watch.page_summary import PageSummary

PAGE = PageSummary(
    number=1, ids=frozenset(), item_count=100, pagination=Pagination(has_more=True, total_count=200)
)
CHANGED = attrs.evolve(PAGE, has_changes=True)


def settled() -> ListingActivity:
    """Return the state after a first scan with two pages."""
    activity = ListingActivity()
    for _ in range(2):
        activity.on_page(CHANGED, is_first_scan=True)
        assert not activity.is_settled
    activity.on_scan_end(2)
    assert activity.is_settled
    return activity


@pytest.mark.parametrize(
    "page",
    [
        CHANGED,
        attrs.evolve(PAGE, pagination=Pagination(has_more=True, total_count=201)),
        attrs.evolve(PAGE, pagination=Pagination(has_more=True)),
    ],
    ids=["new export", "other total count", "no total count"],
)
def test_changes(page: PageSummary) -> None:
    """After a change, one complete scan without changes is needed."""
    activity = settled()
    activity.on_page(PAGE, is_first_scan=False)
    assert activity.is_settled
    activity.on_page(page, is_first_scan=False)
    assert not activity.is_settled
    activity.on_scan_end(2)
    assert not activity.is_settled
    activity.on_page(page if page is not CHANGED else PAGE, is_first_scan=False)
    activity.on_scan_end(2)
    assert activity.is_settled == (page.pagination.total_count is not None)


def test_listing_with_one_page() -> None:
    """Each scan reads all of it, so nothing can be left out."""
    activity = ListingActivity()
    activity.on_page(CHANGED, is_first_scan=True)
    activity.on_scan_end(1)
    assert not activity.is_settled


def test_total_count_that_appears_during_the_first_scan() -> None:
    """The first page with a total count is compared with the next ones."""
    activity = ListingActivity()
    activity.on_page(CHANGED, is_first_scan=True)
    activity.on_page(attrs.evolve(CHANGED, pagination=Pagination(has_more=False)), is_first_scan=True)
    activity.on_scan_end(2)
    assert not activity.is_settled
