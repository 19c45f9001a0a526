"""The end of the listing, for all combinations of pagination fields."""

from __future__ import annotations

import pytest

from packagex_async import Pagination
from packagex_async._watch.page_summary import PageSummary


@pytest.mark.parametrize(
    ("number", "count", "pagination", "is_last"),
    [
        (1, 0, Pagination(has_more=True, total_count=5), True),
        (2, 10, Pagination(has_more=True, total_count=5), False),
        (2, 5, Pagination(has_more=False), True),
        (2, 5, Pagination(has_more=False, limit=10, total_count=15), True),
        (2, 5, Pagination(has_more=False, limit=10, total_count=16), False),
        (2, 5, Pagination(has_more=False, total_count=10), True),
        (1, 10, Pagination(has_more=True, inferred=True), False),
        (1, 10, Pagination(has_more=True, inferred=True, limit=100, total_count=11), False),
        (1, 10, Pagination(has_more=True, inferred=True, limit=100, total_count=10), True),
    ],
)
def test_last_page(number: int, count: int, pagination: Pagination, is_last: bool) -> None:
    """`has_more` decides, then the total count, then an empty page."""
    page = PageSummary(number=number, ids=frozenset("a"), item_count=count, pagination=pagination)
    assert page.is_last is is_last


def test_page_past_the_end() -> None:
    """A page that does not exist is the last one."""
    page = PageSummary.past_end(7)
    assert (page.is_last, page.number, page.final) == (True, 7, ())
