"""Exactly once, whatever is deleted or inserted between pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from packagex_async import Export, Page, PaginationError
from packagex_async._api.converters import UnreadPage, pagination_from_json
from packagex_async._listing.paginator import (
    MAX_BARREN_PAGES,
    MAX_BELIEVED_REPEATS,
    PART,
    PageRequest,
    Paginator,
)
from packagex_async._polling.schedule import outlived
from packagex_async._utils.http_headers import EARLIEST, LATEST
from packagex_async.models import LIFETIME, Pagination
from tests.listing import START, Listing
from tests.support import examples


def expire_oldest(listing: Listing) -> Callable[[PageRequest], None]:
    return lambda step: None if step.back else void(listing.delete(0))


def void(_: object) -> None:
    return None


def test_an_unchanged_listing_costs_no_request_more_than_the_plain_walk() -> None:
    """None extra when nothing changed, in either direction, at any limit."""
    for newest_first in (False, True):
        for limit in range(1, 12):
            listing = Listing(limit, newest_first)
            listing.fill(10)
            ids = [export.id for export in listing.alive]
            assert listing.walk() == (ids[::-1] if newest_first else ids)
            assert listing.requests == math.ceil(10 / limit)


def test_trap_25_exports_that_expire_oldest_first_do_not_hide_live_ones() -> None:
    """The default walk misses nothing while its oldest exports expire, at no more than twice the requests."""
    listing = Listing(limit=2)
    listing.fill(12)
    ids = [export.id for export in listing.alive]
    yielded = listing.walk(expire_oldest(listing))
    assert sorted(yielded) == sorted(set(yielded))
    assert {export.id for export in listing.alive} <= set(yielded) <= set(ids)
    assert listing.requests <= 2 * 6


def test_an_insertion_that_hides_a_deletion_from_the_count_is_noticed() -> None:
    """As many born as died: the count stands still, the dates tell."""
    listing = Listing(limit=2)
    listing.fill(6)
    survivors = {export.id for export in listing.alive[1:]}

    def swap(step: PageRequest) -> None:
        if step == PageRequest(1):
            listing.delete(0)
            listing.insert()

    assert survivors <= set(listing.walk(swap))


def test_a_repetition_that_the_count_does_not_account_for_is_noticed() -> None:
    """Pages of different moments: as many places as there are exports, and one of them shown twice."""
    first, second, third = (Export(id=f"exp_{number}") for number in (1, 2, 3))
    for repeats in (False, True):
        walk = Paginator()
        for number, export in ((1, first), (2, second), (3, first if repeats else third)):
            page = Page(data=(export,), pagination=Pagination(has_more=number < 3, total_count=3))
            walk.take(PageRequest(number), page, None)
        assert walk.step == (PageRequest(2, back=True) if repeats else None)


def test_without_a_count_an_expiry_is_known_by_its_date() -> None:
    """An export that reaches its 24 hours during the walk makes it look back."""
    listing = Listing(limit=2, counts=False)
    listing.fill(6)
    survivors = {export.id for export in listing.alive[1:]}
    listing.now = START + LIFETIME

    def expire(step: PageRequest) -> None:
        if step == PageRequest(1):
            listing.now += timedelta(seconds=1)
            listing.delete(0)

    assert survivors <= set(listing.walk(expire))


def test_without_a_count_and_dates_nothing_is_yielded_twice() -> None:
    """Nothing tells of a deletion then; what is promised is that nothing repeats."""
    listing = Listing(limit=2, counts=False, dates=False)
    listing.fill(6)
    yielded = listing.walk(expire_oldest(listing))
    assert len(yielded) == len(set(yielded))


def test_a_listing_that_reorders_looks_back_when_an_export_moved() -> None:
    """By `updated_at`, an update moves a listed export to the end and hides another."""
    first, second, third = (Export(id=f"exp_{n}") for n in (1, 2, 3))
    walk = Paginator(by_creation=False, reorders=True)
    pages = [
        (PageRequest(1), (first,), True),
        (PageRequest(2), (third,), True),
        (PageRequest(3), (first,), False),
        (PageRequest(3, back=True), (third,), False),
        (PageRequest(2, back=True), (second,), True),
        (PageRequest(1, back=True), (first,), True),
    ]
    yielded: list[Export] = []
    for expected, data, has_more in pages:
        assert walk.step == expected
        page = Page(data=data, pagination=Pagination(has_more=has_more))
        yielded += walk.take(expected, page, None)
    assert walk.step is None
    assert yielded == [first, third, second]


def test_a_walk_from_a_later_page_does_not_look_back() -> None:
    """What lies before the page asked for was not asked for."""
    walk = Paginator(start=2)
    walk.take(
        PageRequest(2),
        Page(data=(Export(id="a"),), pagination=Pagination(has_more=True, total_count=9)),
        None,
    )
    walk.take(
        PageRequest(3),
        Page(data=(Export(id="b"),), pagination=Pagination(has_more=False, total_count=5)),
        None,
    )
    assert walk.step is None


def endless(data: tuple[Export, ...], *, heeded: bool = False, **told: Any) -> int:
    """How many answers it takes until a walk over the same page again and again is given up.

    With `heeded`, page 1 is another one when it is asked for again, as after insertions.
    """
    walk = Paginator()
    for number in range(1, 1000):
        assert walk.step is not None
        checked = heeded and walk.step.check
        page = Page(
            data=(Export(id="new"),) if checked else data, pagination=Pagination(**{"has_more": True} | told)
        )
        try:
            walk.take(walk.step, page, None)
        except PaginationError as error:
            assert "does not advance" in str(error)
            return number
    pytest.fail("the walk goes on for ever")


def test_trap_25_a_server_that_ignores_page_is_an_error_not_a_loop() -> None:
    """A page that says of itself that it is the one before is refused at once."""
    assert endless((Export(id="a"),), page=1) == 2


@pytest.mark.parametrize(
    "told", [{}, {"total_count": 20}, {"total_count": 1000}, {"inferred": True, "total_count": 9}]
)
@pytest.mark.parametrize("count", [1, 3])
def test_trap_25_a_page_that_is_page_1_again_is_an_error_not_a_loop(told: dict[str, Any], count: int) -> None:
    """Page 1, requested again, is the same page. Without a total count, that has to happen twice."""
    requests = endless(tuple(Export(id=f"{number}") for number in range(count)), **told)
    assert requests == (3 if "total_count" in told else 5)


def test_a_changing_total_count_means_a_changing_listing() -> None:
    """An insertion before page 2 and a deletion before the check look like a server that ignores `page`."""
    paginator = Paginator()
    data = (Export(id="a"),)
    for page, total in ((PageRequest(1), 3), (PageRequest(2), 4), (PageRequest(1, check=True), 3)):
        assert paginator.step == page
        paginator.take(page, Page(data=data, pagination=Pagination(has_more=True, total_count=total)), None)
    assert paginator.step == PageRequest(3)


def test_a_server_that_shuffles_its_one_page_is_an_error_not_a_loop() -> None:
    """The order of the exports does not matter."""
    first, second = Export(id="a"), Export(id="b")
    walk = Paginator()
    told = Pagination(has_more=True, total_count=9)
    for step, data in ((PageRequest(1), (first, second)), (PageRequest(2), (second, first))):
        walk.take(step, Page(data=data, pagination=told), None)
    assert walk.step == PageRequest(1, check=True)
    with pytest.raises(PaginationError, match="page 2 is page 1 again, so the server ignores `page`"):
        walk.take(PageRequest(1, check=True), Page(data=(first, second), pagination=told), None)


def test_a_page_that_repeats_is_an_error_not_a_loop() -> None:
    """Without a total count the walk is given up after a few pages that bring nothing new."""
    assert endless((Export(id="a"),), heeded=True) == MAX_BARREN_PAGES + 3


def test_a_page_that_repeats_is_believed_no_longer_than_the_total_count_allows() -> None:
    """As many pages as the listing can have, and a hundred at the most."""
    assert endless((Export(id="a"),), heeded=True, total_count=20) == 21
    assert endless((Export(id="a"),), heeded=True, total_count=10**6) == MAX_BELIEVED_REPEATS + 3


def test_empty_pages_with_more_behind_them_are_bounded() -> None:
    """An empty page does not end the walk silently, and many in a row end it loudly."""
    assert endless(()) == endless((), total_count=10**6) == MAX_BARREN_PAGES + 1


def test_nothing_is_taken_from_a_page_that_is_asked_for_as_a_check() -> None:
    """It was not asked for, and a walk from a later page has no place for it."""
    walk = Paginator(start=3)
    export, other = Export(id="a"), Export(id="b")
    for number in (3, 4):
        walk.take(PageRequest(number), Page(data=(export,), pagination=Pagination(has_more=True)), None)
    assert walk.step == PageRequest(1, check=True)
    assert walk.following(8) == ()
    again = Page(data=(other,), pagination=Pagination(has_more=True))
    assert walk.take(PageRequest(1, check=True), again, None) == ()
    assert walk.step == PageRequest(5)
    last = Page(data=(other,), pagination=Pagination(has_more=False))
    assert walk.take(PageRequest(5), last, None) == (other,)


# Where the API does not say whether there is more.


@attrs.define
class Terse(Listing):
    """A server that tells no `has_more`, caps its pages, and answers pages past the end in its own way.

    Attributes:
        cap: The most exports of a page.
        past_end: What lies behind the last page: `empty`, the `last` page again, or the `first`.
        ignores_page: Every page is the first.
    """

    cap: int = 25
    past_end: str = "empty"
    ignores_page: bool = False

    def page(self, step: PageRequest) -> Page:
        self.requests += 1
        number, last = step.page, max(-(-len(self.alive) // self.cap), 1)
        if number > last and self.past_end != "empty":
            number = last if self.past_end == "last" else 1
        start = 0 if self.ignores_page else (number - 1) * self.cap
        data = tuple((self.alive if step.back else self.ordered())[start : start + self.cap])
        total = len(self.alive) if self.counts else None
        return Page(data=data, pagination=pagination_from_json({"total_count": total}, count=len(data)))

    def walked(self, limit: int = 100) -> list[str]:
        walk = Paginator(by_creation=not self.newest_first, limit=limit)
        yielded = []
        while (step := walk.step) is not None:
            yielded += [export.id for export in walk.take(step, self.page(step), self.served)]
        return yielded


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("past_end", ["empty", "last", "first"])
@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 50, 60])
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_listing_that_tells_no_has_more_is_read_to_its_certain_end(
    counts: bool, past_end: str, count: int, newest_first: bool
) -> None:
    """A server that caps the page hides nothing; the total count spares the page past the end."""
    listing = Terse(100, newest_first, counts=counts, past_end=past_end)
    listing.fill(count)
    assert sorted(listing.walked()) == sorted(export.id for export in listing.alive)
    pages = max(-(-count // 25), 1)
    assert listing.requests == pages if counts else listing.requests <= pages + 3


@pytest.mark.parametrize("has_more", [True, False])
def test_a_page_past_the_certain_end_is_asked_for_as_a_probe(has_more: bool) -> None:
    """So that an answer that there is no such page is none; where `has_more` is true, it is an error."""
    export = Export(id="a")
    for inferred in (True, False):
        walk = Paginator()
        pagination = Pagination(has_more=has_more, inferred=inferred, total_count=2)
        walk.take(PageRequest(1), Page(data=(export,), pagination=pagination), None)
        assert walk.step == PageRequest(2)
        assert walk.step is not None
        assert walk.step.probe == (inferred or not has_more)


def test_a_server_that_knows_one_page_and_tells_nothing_of_it_is_at_its_end() -> None:
    """It has fewer exports than were asked for, and the same whatever the page."""
    listing = Terse(100, counts=False, ignores_page=True)
    listing.fill(20)
    assert len(listing.walked()) == 20
    assert listing.requests == 3


def test_a_full_page_again_and_again_is_an_error_even_if_nothing_is_told_of_it() -> None:
    """There may be more exports than it has room for."""
    listing = Terse(25, counts=False, ignores_page=True)
    listing.fill(60)
    with pytest.raises(PaginationError, match="the server ignores `page`"):
        listing.walked(limit=25)
    assert listing.requests == 5


def test_has_more_that_contradicts_the_total_count_costs_one_more_page() -> None:
    """What is there is had; and when there is nothing, the listing ends well."""
    listing = Listing(limit=25)
    listing.fill(60)
    walk = Paginator(limit=100)
    yielded: list[Export] = []
    while (step := walk.step) is not None:
        page = listing.page(step)
        said_to_be_last = attrs.evolve(page.pagination, has_more=False)
        yielded += walk.take(step, attrs.evolve(page, pagination=said_to_be_last), None)
    assert (len(yielded), listing.requests) == (60, 3)
    # A repetition that the count does not account for is looked into, as ever.
    for data, following in (((), None), ((Export(id="a"),), PageRequest(1, back=True))):
        walk = Paginator()
        last = Pagination(has_more=False, total_count=1000)
        walk.take(PageRequest(1), Page(data=(Export(id="a"),), pagination=last), None)
        assert walk.step == PageRequest(2)
        walk.take(PageRequest(2), Page(data=data, pagination=last), None)
        assert walk.step == following


def test_trap_24_places_of_malformed_items_count_as_places() -> None:
    """A page of nothing else is passed over, and the total count is still made up."""
    walk = Paginator()
    pages = [((Export(id="a"),), 1), ((), 2), ((Export(id="b"), Export(id="c")), 0)]
    for number, (data, malformed) in enumerate(pages, 1):
        assert walk.step == PageRequest(number)
        pagination = Pagination(has_more=True, inferred=True, total_count=6)
        walk.take(PageRequest(number), Page(data=data, malformed=malformed, pagination=pagination), None)
    assert walk.step is None


def test_a_large_page_is_taken_in_parts() -> None:
    """With the same outcome as at once, malformed items or not, and also as a check."""
    exports = tuple(Export(id=f"exp_{number}") for number in range(PART * 3 - 1))
    page = Page(data=exports, pagination=Pagination(has_more=False))
    parts = list(Paginator().parts(PageRequest(1), page, None))
    assert list(map(len, parts)) == [PART, PART, PART - 1]
    assert tuple(chain.from_iterable(parts)) == exports == Paginator().take(PageRequest(1), page, None)
    items: list[Any] = [{"id": export.id} for export in exports]
    items[PART : PART * 2] = [None] * PART
    unread = UnreadPage(items, page.pagination, "data")
    assert list(map(len, Paginator().parts(PageRequest(1), unread, None))) == [PART, 0, PART - 1]
    assert (unread.malformed, unread.first_malformed) == (PART, f"data[{PART}] is not an export but null")
    walk = Paginator()
    endless = attrs.evolve(page, pagination=Pagination(has_more=True, total_count=PART * 9))
    for number in (1, 2):
        walk.take(PageRequest(number), endless, None)
    again: list[Any] = [None, *({"id": export.id} for export in exports[::-1]), None]
    with pytest.raises(PaginationError):
        walk.take(PageRequest(1, check=True), UnreadPage(again, endless.pagination, "data"), None)


@pytest.mark.parametrize("edge", [EARLIEST, LATEST])
def test_no_date_that_is_read_overflows(edge: datetime) -> None:
    """Neither of an export nor of an answer; what is further out is not read as a date."""
    for created, served in ((edge, START), (START, edge), (edge, edge)):
        walk = Paginator()
        page = Page(data=(Export(id="a", created_at=created),), pagination=Pagination(has_more=False))
        assert len(walk.take(PageRequest(1), page, served)) == 1
        assert outlived(page.data[0], served) in (True, False)


def test_an_empty_page_with_more_behind_it_is_passed_over() -> None:
    """What comes after an empty page is not lost."""
    walk = Paginator()
    assert walk.take(PageRequest(1), Page(data=(), pagination=Pagination(has_more=True)), None) == ()
    export = Export(id="a")
    last = Page(data=(export,), pagination=Pagination(has_more=False))
    assert walk.take(PageRequest(2), last, None) == (export,)
    assert walk.step is None


def test_a_barren_last_page_ends_the_walk() -> None:
    """A last page that only repeats is no error."""
    walk = Paginator()
    export = Export(id="a")
    walk.take(PageRequest(1), Page(data=(export,), pagination=Pagination(has_more=True)), None)
    assert walk.take(PageRequest(2), Page(data=(export,), pagination=Pagination(has_more=False)), None) == ()
    assert walk.step is None


def test_an_export_listed_twice_on_one_page_is_yielded_once() -> None:
    """Deduplication holds within a page, too."""
    export = Export(id="a")
    page = Page(data=(export, export), pagination=Pagination(has_more=False))
    assert Paginator().take(PageRequest(1), page, None) == (export,)


class ExactlyOnce(RuleBasedStateMachine):
    """Deletes anywhere and inserts between the pages of a walk; at its end, survivors were yielded once."""

    counts = True

    @initialize(limit=st.integers(1, 7), count=st.integers(0, 25), newest_first=st.booleans())
    def begin(self, limit: int, count: int, newest_first: bool) -> None:
        self.listing = Listing(limit, newest_first, counts=self.counts)
        self.listing.fill(count)
        self.walk = Paginator(by_creation=not newest_first)
        self.yielded: list[str] = []
        self.throughout: set[str] = set()
        self.changed = False
        self.walked = 0

    @rule()
    @precondition(lambda self: self.walk.step is not None)
    def ask(self) -> None:
        step = self.walk.step
        assert step is not None
        if self.listing.requests == 0:
            self.throughout = {export.id for export in self.listing.alive}
        page = self.listing.page(step)
        self.yielded += [export.id for export in self.walk.take(step, page, self.listing.served)]
        self.walked += not step.back

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.counts and self.listing.alive)
    def delete(self, index: int) -> None:
        gone = self.listing.delete(index % len(self.listing.alive))
        self.throughout.discard(gone.id)
        self.changed = True

    @rule()
    @precondition(lambda self: self.listing.alive)
    def expire(self) -> None:
        self.throughout -= {export.id for export in self.listing.expire()}
        self.changed = True

    @rule()
    def insert(self) -> None:
        self.listing.insert()
        self.throughout -= {export.id for export in self.listing.sweep()}
        self.changed = True

    def teardown(self) -> None:
        while self.walk.step is not None:
            self.ask()
        assert len(self.yielded) == len(set(self.yielded))
        assert self.throughout <= set(self.yielded)
        assert self.listing.requests <= 2 * self.walked
        if not self.changed:
            assert self.listing.requests == self.walked


class ExactlyOnceWithoutCount(ExactlyOnce):
    """Without a total count the promise holds for the documented life: the oldest expire, new ones are born.

    Births that repeat a handful of whole pages look like a listing that does not advance: a loud refusal.
    """

    counts = False

    @rule()
    @precondition(lambda self: self.walk.step is not None)
    def ask(self) -> None:
        try:
            super().ask()
        except PaginationError:
            assert self.listing.newest_first
            self.walk.step, self.throughout, self.walked = None, set(), self.listing.requests


for machine in (ExactlyOnce, ExactlyOnceWithoutCount):
    machine.TestCase.settings = settings(
        max_examples=examples(80),
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        deadline=None,
    )
TestExactlyOnce = ExactlyOnce.TestCase
TestExactlyOnceWithoutCount = ExactlyOnceWithoutCount.TestCase


@given(limit=st.integers(1, 9), count=st.integers(0, 30), deaths=st.lists(st.integers(0, 3), max_size=30))
def test_without_a_count_newest_first_misses_nothing_that_does_not_expire(
    limit: int, count: int, deaths: list[int]
) -> None:
    """Newest first, expiry takes from the end: even without a count every survivor is yielded once."""
    listing = Listing(limit, newest_first=True, counts=False, dates=False)
    listing.fill(count)
    schedule = iter(deaths)

    def live(_: PageRequest) -> None:
        for _death in range(min(next(schedule, 0), len(listing.alive))):
            listing.delete(0)
        listing.insert()

    walk = Paginator(by_creation=False)
    ids = {export.id for export in listing.alive}
    yielded: list[str] = []
    while (step := walk.step) is not None:
        try:
            yielded += [export.id for export in walk.take(step, listing.page(step), None)]
        except PaginationError:
            assert limit == 1
            return
        live(step)
    assert len(yielded) == len(set(yielded))
    assert ids & {export.id for export in listing.alive} <= set(yielded)
