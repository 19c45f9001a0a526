"""Exactly once: which page of a listing to ask for next, and which of its exports are new.

The walk goes forward, page after page, and tells exports apart by id. What is inserted meanwhile makes pages
repeat exports, which does no harm. What is deleted before the place the walk has reached moves later exports
to pages it has passed. Such a deletion leaves a trace in the answers themselves; when there is one, the walk
looks back over the pages once more at its end:

- The total count fell, or grew by less than the exports that were seen to be created meanwhile and the
  places on the pages that repeated an export.
- An export that was listed reached the 24 hours after which it is deleted.
- An export was listed twice though its listing is ordered by something that changes.

Looking back goes by creation, oldest first, from the last page down to the first. In that order what is
inserted joins at the end, and what is deleted moves exports only towards pages still to be asked for. Nothing
that stays alive can slip through, and the whole costs at most twice the requests of the plain walk.

Pages asked ahead are pictures of different moments, in any order, so that insertions, too, can move an export
past the walk. It is noticed all the same, by counting: full pages hold as many places as the last total count
says. Take away the places that repeat an export, and the exports created since page 1 was answered: what
is left were there then. When they are fewer than page 1's total count, one of those is gone or was missed.
That is the first trace, put the other way round, and all it asks of the order is that page 1 came first.

Where the listing ends:

- `has_more` decides if the API tells it. If it is false although the total count says that exports remain,
  one more page is asked for.
- If the API does not tell `has_more`, the total count decides. If that is missing too, the listing ends at
  the first page that is empty, or where pages bring nothing new.

A page that repeats earlier exports may be the result of insertions, or of a server that ignores `page`. To
tell these apart, page 1 is requested again: after insertions it has changed. If page 1 and the total count
are the same as before, the server ignores `page`. If the total count is unknown or has changed, the same has
to happen for one more page.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

import attrs

from packagex_async._api.converters import LazyPage
from packagex_async.errors import PaginationError
from packagex_async.models import LIFETIME, Export, Page

DATING = timedelta(seconds=5)
"""How long after it was read from the database a page may be dated."""

MAX_BARREN_PAGES = 5
"""Pages in a row that may bring nothing new before the walk is given up."""

MAX_BELIEVED_REPEATS = 100
"""The same, for pages that repeat others in a listing whose total count says that more is to come."""


PART = 200
"""Items of a page that are read before other tasks run."""


@attrs.frozen(repr=False)
class PageRequest:
    """A page to ask for.

    Attributes:
        page: Its number.
        back: Ask for it by creation, oldest first, whatever the listing's own order.
        check: Ask only to learn whether the server heeds `page`; no export is taken from the answer.
        probe: The listing may have ended before this page, so an answer that there is no such page is none.
    """

    page: int
    back: bool = False
    check: bool = False
    probe: bool = attrs.field(default=False, eq=False)


@attrs.define(eq=False, repr=False)
class ChangeDetector:
    """What the answers of a walk give away of insertions and deletions.

    `began` and `now` are the server's time at the first and the latest answer, where it told.
    """

    reorders: bool
    began: datetime | None = None
    now: datetime | None = None
    first_total: int | None = None
    total: int | None = None
    created: int = 0
    repeated: int = 0
    next_expiry: datetime | None = None
    deleted: bool = False

    def answered(self, served: datetime | None) -> None:
        # Of two pages asked for side by side, the first may be served last.
        self.now = max(filter(None, (self.now, served)), default=None)
        self.began = self.began or served

    def counted(self, total: int | None, *, repeated: int) -> None:
        self._count(total)
        self.repeated += repeated
        self.deleted |= self.reorders and repeated > 0

    def _count(self, total: int | None) -> None:
        if total is None:
            return
        if self.first_total is None:
            self.first_total = total
        self.deleted |= self.total is not None and total < self.total
        self.total = total

    def dated(self, created: datetime | None) -> None:
        if created is None or self.began is None:
            return
        self.created += self.began < created <= (self.now or self.began)
        expiry = created + LIFETIME
        if expiry > self.began - DATING and (self.next_expiry is None or expiry < self.next_expiry):
            self.next_expiry = expiry

    def tell_of_deletion(self) -> bool:
        """Whether something may have been deleted since the first page."""
        expired = self.next_expiry and self.now and self.next_expiry <= self.now
        if self.deleted or expired:
            return True
        if self.first_total is None or self.total is None:
            return False
        return self.total < self.first_total + self.created + self.repeated


@attrs.define(eq=False, repr=False)
class Paginator:
    """The walk over one listing: ask for `step`, hand it to `take` with the answer, until `step` is `None`.

    Args:
        start: The first page to ask for. Only a walk from page 1 looks back.
        by_creation: Whether the listing is ordered by creation, oldest first.
        reorders: Whether it is ordered by something that changes while an export lives.
        limit: How many exports a page is asked for.
    """

    start: int = 1
    by_creation: bool = True
    reorders: bool = False
    limit: int = 1
    step: PageRequest | None = attrs.field(init=False)
    _traces: ChangeDetector = attrs.field(init=False)
    _seen: set[str] = attrs.field(init=False, factory=set)
    _told_page: int | None = attrs.field(init=False, default=None)
    _barren: int = attrs.field(init=False, default=0)
    _heeds_page: bool = attrs.field(init=False, default=False)
    _is_doubted: bool = attrs.field(init=False, default=False)
    _repetition: tuple[PageRequest, Page | LazyPage, set[str]] = attrs.field(init=False)
    _places: int = attrs.field(init=False, default=0)
    _last_page: int = attrs.field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.step = PageRequest(self.start)
        self._traces = ChangeDetector(self.reorders)

    def take(self, step: PageRequest, page: Page | LazyPage, served: datetime | None) -> tuple[Export, ...]:
        """The exports of the page asked for in `step` that are new; `served` is the server's time, if told.

        Raises:
            PaginationError: The listing repeats a page, does not advance, or goes on with empty pages.
        """
        return tuple(chain.from_iterable(self.parts(step, page, served)))

    def parts(
        self, step: PageRequest, page: Page | LazyPage, served: datetime | None
    ) -> Iterator[tuple[Export, ...]]:
        """The same, in parts of limited size; all of them have to be taken."""
        if step.check:
            yield from self._check(page)
            return
        if not step.back:
            self._traces.answered(served)
        fresh: list[Export] = []
        listed = new = 0
        repeated: set[str] = set()
        for number, export in enumerate(page, 1):
            if export is not None:
                listed += 1
                if self._is_new(step, export):
                    new += 1
                    fresh.append(export)
                elif not new:
                    repeated.add(export.id)
            if number % PART == 0:
                yield tuple(fresh)
                fresh.clear()
        if not step.back:
            self._traces.counted(page.pagination.total_count, repeated=listed - new)
            self._places += places(page)
            self._last_page = _last_page(page)
            self._barren = 0 if new else self._barren + 1
        self.step = self._next(step, page, repeated if not new else None)
        yield tuple(fresh)

    def _is_new(self, step: PageRequest, export: Export) -> bool:
        if export.id in self._seen:
            return False
        self._seen.add(export.id)
        if not step.back:
            self._traces.dated(export.created_at)
        return True

    def _check(self, first: Page | LazyPage) -> Iterator[tuple[Export, ...]]:
        """Compare page 1, asked for again, with a page that brought nothing new."""
        ids = set()
        for number, export in enumerate(first, 1):
            if export is not None:
                ids.add(export.id)
            if number % PART == 0:
                yield ()
        self.step = self._after_check(ids, first.pagination.total_count)

    def following(self, most: int) -> tuple[PageRequest, ...]:
        """Up to `most` steps behind `step`: those sure to follow by the latest page's total count.

        None in a walk that does not look back, or is doing so: it rests on the order of the answers.
        """
        if self.step is None or self.step.back or self.step.check or self.start > 1:
            return ()
        after = self.step.page + 1
        return tuple(PageRequest(number) for number in range(after, min(after + most, self._last_page + 1)))

    def _next(
        self, step: PageRequest, page: Page | LazyPage, repeated: set[str] | None
    ) -> PageRequest | None:
        """The step behind `step`; `repeated` are the exports of a page that brings nothing new."""
        if step.back:
            return PageRequest(step.page - 1, back=True) if step.page > 1 else None
        if not self._goes_on(page, barren=repeated is not None):
            return self._look_back(step)
        self._check_advance(step, page, repeated)
        if repeated and not self._heeds_page:
            self._repetition = step, page, repeated
            return PageRequest(1, check=True)
        return _following(step, page)

    def _goes_on(self, page: Page | LazyPage, *, barren: bool) -> bool:
        told = page.pagination
        # 1. The API says that there is more.
        if told.has_more and not told.inferred:
            return True
        # 2. Nothing is on the page, or nothing new on one that is said to be the last.
        if not places(page) or (barren and not told.inferred):
            return False
        # 3. The total count says whether there is more than the pages so far had places for.
        if told.total_count is not None and self.start == 1:
            return self._places < told.total_count
        # 4. Nobody says: until a page of a server that heeds `page` brings nothing new.
        return told.inferred and not (barren and self._heeds_page)

    def _look_back(self, step: PageRequest) -> PageRequest | None:
        # In its own order the last page was read this moment, and nothing can move onto it from before.
        last = step.page - 1 if self.by_creation else step.page
        looks_back = self.start == 1 and last >= 1 and self._traces.tell_of_deletion()
        return PageRequest(last, back=True) if looks_back else None

    def _check_advance(self, step: PageRequest, page: Page | LazyPage, repeated: set[str] | None) -> None:
        told, self._told_page = self._told_page, page.pagination.page
        if repeated is None:
            return
        if told is not None and page.pagination.page == told and not _is_untold(page):
            raise PaginationError(
                f"the listing does not advance: asked for page {step.page}, got page {told} again"
            )
        if self._barren > _most_barren(step.page, page, repeated):
            what = "repeat what came before" if repeated else "are empty though has_more is true"
            raise PaginationError(
                f"the listing does not advance: {self._barren} pages up to page {step.page} {what}"
            )

    def _after_check(self, first: set[str], total: int | None) -> PageRequest | None:
        step, page, repeated = self._repetition
        if first != repeated:
            self._heeds_page = True
            return _following(step, page)
        if _is_untold(page) and places(page) < self.limit:
            # A server that knows one page, and no parameters.
            return None
        is_still = total is not None and total == page.pagination.total_count == self._traces.first_total
        if not is_still and not self._is_doubted:
            # An insertion and a deletion at the right moments look the same; twice in a row they do not.
            self._is_doubted = True
            return _following(step, page)
        raise PaginationError(
            f"the listing does not advance: page {step.page} is page 1 again, so the server ignores `page`"
        )


def places(page: Page | LazyPage) -> int:
    """Return how many items a page has, malformed ones included."""
    return page.item_count if isinstance(page, LazyPage) else len(page) + page.malformed


def _following(step: PageRequest, page: Page | LazyPage) -> PageRequest:
    return PageRequest(step.page + 1, probe=page.pagination.inferred or not page.pagination.has_more)


def _is_untold(page: Page | LazyPage) -> bool:
    """Return whether the API says nothing of what remains."""
    return page.pagination.inferred and page.pagination.total_count is None


def _last_page(page: Page | LazyPage) -> int:
    total, size = page.pagination.total_count, places(page)
    return -(-total // size) if total and size else 0


def _most_barren(number: int, page: Page | LazyPage, repeated: set[str]) -> int:
    # Newest first, as many insertions as a page holds repeat a whole page. Where the total count says that
    # the listing really goes on behind this page, such repeats are believed for longer.
    total = page.pagination.total_count
    goes_on = repeated and total is not None and number * places(page) < total
    return MAX_BELIEVED_REPEATS if goes_on else MAX_BARREN_PAGES
