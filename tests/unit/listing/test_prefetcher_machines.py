"""Exactly once with pages on their way side by side, each a picture of a moment of its own."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packagex_async import Export
from packagex_async._listing.paginator import Paginator
from tests.listing import Far, Listing, Reader, Reordered, settle
from tests.support import examples


class SideBySide(RuleBasedStateMachine):
    """Pages are on their way side by side, each answered at a moment of its own, while the listing lives."""

    orders: ClassVar[list[type[Listing]]] = [Listing, Reordered]

    @initialize(
        limit=st.integers(1, 5),
        count=st.integers(0, 40),
        newest_first=st.booleans(),
        order=st.integers(0, 1),
        most=st.integers(1, 8),
    )
    def begin(self, limit: int, count: int, newest_first: bool, order: int, most: int) -> None:
        kind = self.orders[order % len(self.orders)]
        self.listing = kind(limit, newest_first)
        self.listing.fill(count)
        self.far = Far(self.listing)
        reorders = kind is Reordered
        walk = Paginator(by_creation=not (newest_first or reorders), reorders=reorders)
        self.reader = Reader(self.far, most, walk)
        self.plain = -(-count // limit) or 1
        self.throughout: set[str] = set()
        self.changed = False
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(self.reader.read())
        self.loop.run_until_complete(settle())

    @rule(places=st.lists(st.integers(0, 8), min_size=1, max_size=8))
    def answer(self, places: list[int]) -> None:
        for place in places:
            if not self.task.done():
                self.serve(place)

    def serve(self, place: int) -> None:
        if self.listing.requests == 0:
            self.throughout = {export.id for export in self.listing.alive}
        steps = list(self.far.waiting)
        self.far.serve(steps[place % len(steps)])
        self.loop.run_until_complete(settle())

    @invariant()
    def bounded(self) -> None:
        assert len(self.far.waiting) <= self.reader.most + 1

    def deleted(self, *exports: Export) -> None:
        self.throughout -= {export.id for export in exports}
        self.changed = True

    def inserted(self) -> None:
        self.listing.insert()
        self.deleted(*self.listing.sweep())

    def teardown(self) -> None:
        try:
            while not self.task.done():
                self.serve(0)
            self.task.result()
        finally:
            self.task.cancel()
            self.loop.run_until_complete(settle())
            self.loop.close()
        yielded = self.reader.yielded
        assert len(yielded) == len(set(yielded))
        assert self.throughout <= set(yielded)
        if not self.changed:
            assert sorted(self.far.asked) == list(range(1, self.plain + 1))


class StandingCount(SideBySide):
    """For each that is born another one dies, in the same moment, and exports trade their places."""

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.listing.alive)
    def swap(self, index: int) -> None:
        self.deleted(self.listing.delete(index % len(self.listing.alive)))
        self.inserted()

    @rule()
    @precondition(lambda self: self.listing.alive)
    def renew(self) -> None:
        gone = self.listing.expire()
        self.deleted(*gone)
        for _ in gone:
            self.inserted()

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: isinstance(self.listing, Reordered) and bool(self.listing.alive))
    def touch(self, index: int) -> None:
        assert isinstance(self.listing, Reordered)
        self.listing.touch(index % len(self.listing.alive))
        self.changed = True


class ChangingCount(StandingCount):
    """Any of it, and births and deaths of their own."""

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.listing.alive)
    def delete(self, index: int) -> None:
        self.deleted(self.listing.delete(index % len(self.listing.alive)))

    @rule()
    @precondition(lambda self: self.listing.alive)
    def expire(self) -> None:
        self.deleted(*self.listing.expire())

    @rule()
    def insert(self) -> None:
        self.inserted()


class Entering(SideBySide):
    """Under a filter, exports of any age come to match it; nothing tells them from those that always did."""

    orders: ClassVar[list[type[Listing]]] = [Listing]

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.listing.alive)
    def enter(self, index: int) -> None:
        self.listing.enter(index % len(self.listing.alive))
        self.changed = True


for machine in (StandingCount, ChangingCount, Entering):
    machine.TestCase.settings = settings(
        max_examples=examples(80),
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        deadline=None,
    )
TestStandingCount = StandingCount.TestCase
TestChangingCount = ChangingCount.TestCase
TestEntering = Entering.TestCase
