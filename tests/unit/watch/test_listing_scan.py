"""The position of the scan of the whole listing."""

from __future__ import annotations

from packagex_async import Pagination
from packagex_async._watch.listing_scan import MAX_FAILURES, ListingScan
from packagex_async._watch.page_summary import PageSummary


def page(number: int, *ids: str, has_more: bool = True) -> PageSummary:
    return PageSummary(
        number=number, ids=frozenset(ids), item_count=len(ids), pagination=Pagination(has_more=has_more)
    )


def test_first_scan_is_oldest_first() -> None:
    """The second scan starts at page 1, newest first."""
    scan = ListingScan(5.0)
    assert (scan.page, scan.direction, scan.started_at) == (1, "asc", 5.0)
    assert not scan.advance(page(1, "a"))
    assert (scan.page, scan.advance(page(2, "b", has_more=False))) == (2, True)
    scan.restart(9.0)
    assert (scan.page, scan.direction, scan.started_at) == (1, "desc", 9.0)


def test_repeated_page_is_the_last_one() -> None:
    """A server that ignores `page` repeats the exports. Pages of malformed items have no ids to compare."""
    scan = ListingScan(0.0)
    malformed = PageSummary(number=1, ids=frozenset(), item_count=3, pagination=Pagination(has_more=True))
    assert not scan.advance(malformed)
    assert not scan.advance(malformed)
    assert not scan.advance(page(3, "a", "b"))
    assert scan.advance(page(4, "b", "a"))


def test_page_that_fails_repeatedly_is_skipped() -> None:
    """Failures count only if no success is between them."""
    scan = ListingScan(0.0)
    for _ in range(MAX_FAILURES - 1):
        scan.fail()
    scan.advance(page(1, "a"))
    for _ in range(MAX_FAILURES - 1):
        scan.fail()
    assert (scan.page, scan.is_complete) == (2, True)
    scan.fail()
    assert (scan.page, scan.is_complete) == (3, False)
    scan.restart(1.0)
    assert scan.is_complete
