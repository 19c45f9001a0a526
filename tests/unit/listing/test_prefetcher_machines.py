"""Every export is yielded exactly once while concurrent requests are answered in any order."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packagex_async import Export
from packagex_async._listing.paginator import Paginator
from tests.listing import Consumer, FakeListing, ManualServer, ReorderableListing, run_ready_tasks
from tests.support import examples


class ConcurrentRequests(RuleBasedStateMachine):
    """Concurrent requests are answered in any order while the listing changes."""

    orders: ClassVar[list[type[FakeListing]]] = [FakeListing, ReorderableListing]

    @initialize(
        limit=st.integers(1, 5),
        count=st.integers(0, 40),
        newest_first=st.booleans(),
        order=st.integers(0, 1),
        max_pages=st.integers(1, 8),
    )
    def start(self, limit: int, count: int, newest_first: bool, order: int, max_pages: int) -> None:
        kind = self.orders[order % len(self.orders)]
        self.listing = kind(limit, newest_first)
        self.listing.fill(count)
        self.server = ManualServer(self.listing)
        is_reorderable = kind is ReorderableListing
        paginator = Paginator(by_creation=not (newest_first or is_reorderable), is_reorderable=is_reorderable)
        self.reader = Consumer(self.server, max_pages, paginator)
        self.page_count = -(-count // limit) or 1
        self.survivors: set[str] = set()
        self.has_changed = False
        self.loop = asyncio.new_event_loop()
        self.task = self.loop.create_task(self.reader.read())
        self.loop.run_until_complete(run_ready_tasks())

    @rule(indexes=st.lists(st.integers(0, 8), min_size=1, max_size=8))
    def answer_several(self, indexes: list[int]) -> None:
        for index in indexes:
            if not self.task.done():
                self.answer(index)

    def answer(self, index: int) -> None:
        if self.listing.requests == 0:
            self.survivors = {export.id for export in self.listing.exports}
        requests = list(self.server.pending)
        self.server.answer(requests[index % len(requests)])
        self.loop.run_until_complete(run_ready_tasks())

    @invariant()
    def pending_pages_are_limited(self) -> None:
        assert len(self.server.pending) <= self.reader.max_pages + 1

    def on_deletion(self, *exports: Export) -> None:
        self.survivors -= {export.id for export in exports}
        self.has_changed = True

    def insert_export(self) -> None:
        self.listing.insert()
        self.on_deletion(*self.listing.delete_expired())

    def teardown(self) -> None:
        try:
            while not self.task.done():
                self.answer(0)
            self.task.result()
        finally:
            self.task.cancel()
            self.loop.run_until_complete(run_ready_tasks())
            self.loop.close()
        ids = self.reader.ids
        assert len(ids) == len(set(ids))
        assert self.survivors <= set(ids)
        if not self.has_changed:
            assert sorted(self.server.requested) == list(range(1, self.page_count + 1))


class UnchangedTotal(ConcurrentRequests):
    """Every deletion is balanced by an insertion, and exports change their order."""

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.listing.exports)
    def swap(self, index: int) -> None:
        self.on_deletion(self.listing.delete(index % len(self.listing.exports)))
        self.insert_export()

    @rule()
    @precondition(lambda self: self.listing.exports)
    def replace_expired(self) -> None:
        expired = self.listing.expire()
        self.on_deletion(*expired)
        for _ in expired:
            self.insert_export()

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: isinstance(self.listing, ReorderableListing) and bool(self.listing.exports))
    def update(self, index: int) -> None:
        assert isinstance(self.listing, ReorderableListing)
        self.listing.update(index % len(self.listing.exports))
        self.has_changed = True


class ChangedTotal(UnchangedTotal):
    """Deletions and insertions also happen independently."""

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.listing.exports)
    def delete(self, index: int) -> None:
        self.on_deletion(self.listing.delete(index % len(self.listing.exports)))

    @rule()
    @precondition(lambda self: self.listing.exports)
    def expire(self) -> None:
        self.on_deletion(*self.listing.expire())

    @rule()
    def insert(self) -> None:
        self.insert_export()


class NewMatches(ConcurrentRequests):
    """Old exports start to match the filter; they cannot be distinguished from the others."""

    orders: ClassVar[list[type[FakeListing]]] = [FakeListing]

    @rule(index=st.integers(0, 30))
    @precondition(lambda self: self.listing.exports)
    def insert_old(self, index: int) -> None:
        self.listing.insert_old(index % len(self.listing.exports))
        self.has_changed = True


for machine in (UnchangedTotal, ChangedTotal, NewMatches):
    machine.TestCase.settings = settings(
        max_examples=examples(40),
        stateful_step_count=40,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        deadline=None,
    )
TestUnchangedTotal = UnchangedTotal.TestCase
TestChangedTotal = ChangedTotal.TestCase
TestNewMatches = NewMatches.TestCase
