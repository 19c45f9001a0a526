"""A watch yields each final export once, and sends few requests."""

from __future__ import annotations

import random

import attrs
import pytest

from packagex_async.testing import Dialect
from packagex_async.testing.data.store import Store
from packagex_async.testing.faults import Fault
from packagex_async.testing.server.api import is_list_request
from packagex_async.testing.server.reply import Reply
from packagex_async.testing.server.request import RecordedRequest
from tests.watching import Watched, open_watched

FINAL = ("completed", "failed", "timed_out")
HOUR = 3600.0


def add_many(watched: Watched, count: int, *, status: str = "completed", hours: float = 12) -> list[str]:
    """Add exports, one second apart, the first of which is `hours` old; return their ids."""
    start = watched.clock.now - hours * HOUR
    return [watched.server.add_export(status=status, created_at=start + i).id for i in range(count)]


async def test_final_exports_come_first(watched: Watched) -> None:
    """Completed, failed and timed out exports are yielded by the first poll, the oldest first."""
    ids = add_many(watched, 250)
    for number, status in enumerate(("failed", "timed_out", "queued", "processing", "archived")):
        ids += add_many(watched, 1, status=status, hours=5 - number)
    await watched.run(1)
    assert watched.ids == ids[:-3]


async def test_export_is_yielded_when_it_becomes_final(watched: Watched) -> None:
    """The first poll after the change yields the export; an unknown status is waited for."""
    ids = [watched.server.add_export(status="queued").id for _ in FINAL]

    def change(number: int) -> None:
        if number == 1:
            watched.server.update_export(ids[0], status="processing")
            watched.server.update_export(ids[1], status="archiving")
        elif number <= 4:
            watched.server.update_export(ids[number - 2], status=FINAL[number - 2])

    await watched.run(6, change)
    assert list(zip(watched.ids, watched.polls_at_yield, strict=True)) == list(
        zip(ids, (2, 3, 4), strict=True)
    )
    assert [export.status for export in watched.yielded] == list(FINAL)


@pytest.mark.parametrize("count", [0, 100, 101, 1000])
async def test_requests_of_an_idle_poll(watched: Watched, count: int) -> None:
    """An idle poll sends one request for a listing of any size."""
    ids = add_many(watched, count)
    await watched.run(60)
    assert watched.ids == ids
    assert max(watched.requests_per_poll[1:]) == 1


async def test_export_of_an_idle_listing(watched: Watched) -> None:
    """A new export is found by the next poll, which may have been one without the newest exports."""
    add_many(watched, 300)
    new: list[str] = []

    def change(number: int) -> None:
        if number in (10, 21):
            new.append(watched.server.add_export().id)

    await watched.run(50, change)
    assert watched.ids[300:] == new
    assert watched.polls_at_yield[300:] == [10, 21]
    assert watched.requests_per_poll[1:10] == [1] * 9
    assert watched.requests_per_poll[35:] == [1] * 15


@pytest.mark.parametrize(("count", "polls"), [(300, 8), (1000, 22)])
async def test_late_arrival_while_another_export_is_deleted(watched: Watched, count: int, polls: int) -> None:
    """The total count does not change, but the scan finds the export."""
    ids = add_many(watched, count)

    def change(number: int) -> None:
        if number == 1:
            watched.server.delete_export(ids[count // 2])
            watched.server.add_export(export_id="exp_late", created_at=watched.clock.now - 20 * HOUR)

    await watched.run(polls, change)
    assert watched.ids[count:] == ["exp_late"]


@pytest.mark.parametrize("count", [40, 130])
async def test_exports_in_progress_take_one_request(watched: Watched, count: int) -> None:
    """An idle poll sends three requests for any number of exports in progress."""
    add_many(watched, count, status="processing", hours=20)
    add_many(watched, count, status="archiving", hours=19)
    add_many(watched, 300)
    await watched.run(12)
    assert max(watched.requests_per_poll[1:]) == 3
    assert {request.export_id for request in watched.server.requests} == {None}


async def test_change_without_a_new_date_is_found_by_the_next_poll(watched: Watched) -> None:
    """An export in progress that keeps its `updated_at` is retrieved when it leaves the pending exports."""
    pending = add_many(watched, 40, status="processing", hours=20)
    add_many(watched, 2000)

    def change(number: int) -> None:
        if number == 3:
            export = watched.server.update_export(
                pending[7], status="completed", updated_at=watched.clock.now
            )
            watched.server.update_export(pending[7], updated_at=export.created_at)
            watched.server.delete_export(pending[8])

    await watched.run(5, change)
    assert (watched.ids[-1], watched.polls_at_yield[-1]) == (pending[7], 3)
    assert watched.requests_per_poll[1:] == [3, 3, 5, 3]


async def test_more_pending_exports_than_a_page_are_checked_page_by_page(watched: Watched) -> None:
    """A change without a new date is found when all pages of pending exports were read."""
    pending = add_many(watched, 250, status="queued", hours=20)
    add_many(watched, 3000)

    def change(number: int) -> None:
        if number == 2:
            created = watched.clock.now - 20 * HOUR
            watched.server.update_export(pending[3], status="failed", updated_at=created)

    await watched.run(9, change)
    assert watched.ids[3000:] == [pending[3]]
    assert watched.polls_at_yield[-1] <= 2 + 2 * 3
    assert max(watched.requests_per_poll[1:]) <= 4


@pytest.mark.parametrize(("count", "polls"), [(300, 6), (5000, 52)])
async def test_late_arrival_with_old_dates(watched: Watched, count: int, polls: int) -> None:
    """An export that appears with old dates is found after as many polls as the listing has pages."""
    add_many(watched, count)
    late = "exp_late"

    def change(number: int) -> None:
        if number == 1:
            watched.server.add_export(export_id=late, created_at=watched.clock.now - 23 * HOUR)

    await watched.run(polls, change)
    assert watched.ids[count:] == [late]
    assert max(watched.requests_per_poll[1:]) == 2


async def test_many_new_exports_are_found_by_one_poll(watched: Watched) -> None:
    """Pages of new exports are read in the same poll."""
    add_many(watched, 150)
    new: list[str] = []

    def change(number: int) -> None:
        if number == 2:
            new.extend(add_many(watched, 250, hours=0.1))

    await watched.run(4, change)
    assert sorted(watched.ids[150:]) == sorted(new)
    assert set(watched.polls_at_yield[150:]) == {2}


async def test_ids_are_forgotten_after_the_lifetime(watched: Watched) -> None:
    """An export that is listed for longer than 24 hours is yielded once. An id may be used again later."""
    (kept,) = add_many(watched, 1, hours=0)
    watched.server.update_export(kept, created_at=watched.clock.now + 100 * HOUR)

    def change(number: int) -> None:
        if number == 40:
            watched.server.delete_export(kept)
        elif number == 70:
            watched.server.add_export(export_id=kept)

    await watched.run(72, change, interval=HOUR)
    assert (watched.ids, watched.polls_at_yield) == ([kept, kept], [0, 70])


async def test_filters(watched: Watched) -> None:
    """Filters select the exports; the client filters by status, so that pending exports are known."""
    add_many(watched, 2, status="failed")
    ids = add_many(watched, 2)
    watched.server.add_export(resource="tracker")
    await watched.run(2, statuses=["completed", "queued"], resource="contact")
    assert watched.ids == ids
    assert {request.query.get("resource") for request in watched.server.requests} == {"contact"}


async def test_without_total_count_and_page() -> None:
    """`has_more` alone is enough."""
    async with open_watched(dialect=Dialect(pagination_fields=frozenset()), limit_cap=10) as watched:
        ids = add_many(watched, 35)
        await watched.run(8)
        assert watched.ids == ids
        assert max(watched.requests_per_poll[1:]) == 2


@attrs.frozen
class Rewrite(Fault):
    """The server ignores query parameters of a listing.

    Attributes:
        ignored: The names of the parameters.
    """

    ignored: frozenset[str]

    def matches(self, request: RecordedRequest) -> bool:
        return is_list_request(request)

    def rewrite_request(self, request: RecordedRequest, store: Store) -> RecordedRequest:
        path, _, query = request.target.partition("?")
        kept = [text for text in query.split("&") if text.partition("=")[0] not in self.ignored]
        return attrs.evolve(request, target=f"{path}?{'&'.join(kept)}")


async def test_large_pages() -> None:
    """A page may have more exports than are converted at once."""
    async with open_watched(limit_cap=1000) as watched:
        ids = add_many(watched, 450)
        await watched.run(2, limit=1000)
        assert (watched.ids, watched.requests_per_poll) == (ids, [1, 1])


async def test_server_that_ignores_the_page(watched: Watched) -> None:
    """The scan ends at the repeated page."""
    ids = add_many(watched, 150)
    watched.server.inject(Rewrite(frozenset({"page"})), times=None)
    await watched.run(3)
    assert sorted(watched.ids) == sorted(ids)
    assert max(watched.requests_per_poll) <= 4


async def test_server_that_ignores_the_statuses(watched: Watched) -> None:
    """One pending export is retrieved per poll instead."""
    pending = add_many(watched, 40, status="processing", hours=20)
    add_many(watched, 900)
    watched.server.inject(Rewrite(frozenset({"statuses", "order_by", "direction"})), times=None)

    def change(number: int) -> None:
        if number == 3:
            watched.server.update_export(pending[5], status="completed")

    await watched.run(60, change)
    assert watched.ids[900:] == [pending[5]]


async def test_page_past_the_end_may_be_an_error(watched: Watched) -> None:
    """A 404 for a later page ends the scan."""
    ids = add_many(watched, 101)

    @attrs.frozen
    class NoSuchPage(Fault):
        def matches(self, request: RecordedRequest) -> bool:
            return request.query.get("page") == "2"

        def rewrite_response(self, reply: Reply, request: RecordedRequest) -> Reply:
            return Reply.of(404, b"{}")

    watched.server.inject(NoSuchPage(), times=None)
    await watched.run(5)
    assert sorted(watched.ids) == sorted(ids)
    assert watched.requests_per_poll[1:] == [2, 2, 2, 2]


@attrs.define
class RandomChanges:
    """Random changes of exports, and the polls after which each export was final and was deleted."""

    watched: Watched
    random: random.Random
    pending: list[str] = attrs.field(factory=list)
    final_after: dict[str, int] = attrs.field(factory=dict)
    deleted_after: dict[str, int] = attrs.field(factory=dict)

    def apply(self, number: int) -> None:
        for _ in range(self.random.choice((0, 0, 1, 3))):
            self.add(number)
        if self.pending and self.random.random() < 0.5:
            self.finish(number)
        if self.random.random() < 0.1:
            export = self.random.choice(self.watched.server.exports)
            self.watched.server.delete_export(export.id)
            self.deleted_after[export.id] = number

    def add(self, number: int) -> None:
        status = self.random.choice(("queued", "processing", "archiving", *FINAL))
        age = self.random.choice((0, 0, 60, HOUR, 12 * HOUR, -HOUR))
        export = self.watched.server.add_export(status=status, created_at=self.watched.clock.now - age)
        if status in FINAL:
            self.final_after[export.id] = number
        else:
            self.pending.append(export.id)

    def finish(self, number: int) -> None:
        export_id = self.pending.pop(self.random.randrange(len(self.pending)))
        for export in self.watched.server.exports:
            if export.id == export_id:
                date = self.random.choice((self.watched.clock.now, export.updated_at))
                status = self.random.choice(FINAL)
                self.watched.server.update_export(export_id, status=status, updated_at=date)
                self.final_after[export_id] = number


@pytest.mark.parametrize("seed", range(3))
async def test_any_sequence_of_changes(seed: int) -> None:
    """Each export that is final for as many polls as two scans take is yielded once, and no other export."""
    async with open_watched(limit_cap=7) as watched:
        changes = RandomChanges(watched, random.Random(seed))
        for _ in range(50):
            changes.add(0)

        def change(number: int) -> None:
            if number <= 150:
                changes.apply(number)

        await watched.run(250, change)
        two_scans = 2 * (len(watched.server.exports) // 7 + 2)
        assert two_scans < 100
        found = {
            export_id
            for export_id, number in changes.final_after.items()
            if changes.deleted_after.get(export_id, 250) - number > two_scans
        }
        assert len(set(watched.ids)) == len(watched.ids)
        assert found <= set(watched.ids) <= set(changes.final_after)
        assert len(found) > 100
