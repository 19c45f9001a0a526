"""Every export is yielded exactly once while a random sequence of changes happens between pages."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from packagex_async import PaginationError
from packagex_async._listing.paginator import PageRequest, Paginator
from tests.listing import FakeListing, process
from tests.support import examples


class ExactlyOnce(RuleBasedStateMachine):
    """Deletes and inserts exports between pages; every surviving export is yielded once."""

    has_total = True

    @initialize(limit=st.integers(1, 7), count=st.integers(0, 25), newest_first=st.booleans())
    def start(self, limit: int, count: int, newest_first: bool) -> None:
        self.listing = FakeListing(limit, newest_first, has_total=self.has_total)
        self.listing.fill(count)
        self.paginator = Paginator(by_creation=not newest_first)
        self.received: list[str] = []
        self.survivors: set[str] = set()
        self.has_changed = False
        self.page_count = 0

    @rule()
    @precondition(lambda self: self.paginator.next_request is not None)
    def request_page(self) -> None:
        request = self.paginator.next_request
        assert request is not None
        if self.listing.requests == 0:
            self.survivors = {export.id for export in self.listing.exports}
        page = self.listing.page(request)
        self.received += [
            export.id for export in process(self.paginator, request, page, self.listing.server_date)
        ]
        self.page_count += not request.is_rescan

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.has_total and self.listing.exports)
    def delete(self, index: int) -> None:
        deleted = self.listing.delete(index % len(self.listing.exports))
        self.survivors.discard(deleted.id)
        self.has_changed = True

    @rule()
    @precondition(lambda self: self.listing.exports)
    def expire(self) -> None:
        self.survivors -= {export.id for export in self.listing.expire()}
        self.has_changed = True

    @rule()
    def insert(self) -> None:
        self.listing.insert()
        self.survivors -= {export.id for export in self.listing.delete_expired()}
        self.has_changed = True

    def teardown(self) -> None:
        while self.paginator.next_request is not None:
            self.request_page()
        assert len(self.received) == len(set(self.received))
        assert self.survivors <= set(self.received)
        assert self.listing.requests <= 2 * self.page_count
        if not self.has_changed:
            assert self.listing.requests == self.page_count


class ExactlyOnceWithoutTotal(ExactlyOnce):
    """Without a total count this holds if exports are deleted only because they expire.

    Insertions that repeat several whole pages look like a listing that does not advance: an error.
    """

    has_total = False

    @rule()
    @precondition(lambda self: self.paginator.next_request is not None)
    def request_page(self) -> None:
        try:
            super().request_page()
        except PaginationError:
            assert self.listing.newest_first
            self.paginator.next_request, self.survivors, self.page_count = None, set(), self.listing.requests


for machine in (ExactlyOnce, ExactlyOnceWithoutTotal):
    machine.TestCase.settings = settings(
        max_examples=examples(80),
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        deadline=None,
    )
TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnceWithoutTotal = ExactlyOnceWithoutTotal.TestCase


@given(limit=st.integers(1, 9), count=st.integers(0, 30), deletions=st.lists(st.integers(0, 3), max_size=30))
def test_newest_first_without_total_count_yields_every_survivor(
    limit: int, count: int, deletions: list[int]
) -> None:
    """Expired exports disappear at the end of the listing and move no other export."""
    listing = FakeListing(limit, newest_first=True, has_total=False, has_date=False)
    listing.fill(count)
    schedule = iter(deletions)

    def change(_request: PageRequest) -> None:
        for _ in range(min(next(schedule, 0), len(listing.exports))):
            listing.delete(0)
        listing.insert()

    paginator = Paginator(by_creation=False)
    ids = {export.id for export in listing.exports}
    received: list[str] = []
    while (request := paginator.next_request) is not None:
        try:
            received += [export.id for export in process(paginator, request, listing.page(request), None)]
        except PaginationError:
            assert limit == 1
            return
        change(request)
    assert len(received) == len(set(received))
    assert ids & {export.id for export in listing.exports} <= set(received)
