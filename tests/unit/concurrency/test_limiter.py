"""One budget of connections: fair, never deadlocked, smaller at a refusal, slowly larger again."""

from __future__ import annotations

import asyncio

import aiohttp
import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from packagex_async import Artifact, AsyncPackageX, RateLimitError, StorageError
from packagex_async._concurrency.limiter import AdaptiveLimiter
from packagex_async.testing import Emulator, Status
from tests.support import FakeClock, examples, exports_on

CROWD = 200


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@attrs.define
class StandingClock:
    """A clock that stands still until it is moved."""

    now: float = 0.0
    _sleepers: list[tuple[float, asyncio.Future[None]]] = attrs.field(factory=list)

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleepers.append((self.now + seconds, wake))
        await wake

    def jitter(self, most: float) -> float:
        return most / 2

    def move(self, seconds: float) -> None:
        self.now += seconds
        for due, wake in self._sleepers:
            if due <= self.now and not wake.done():
                wake.set_result(None)


class Held:
    """One who wants a place, gets it, and gives it back when told."""

    def __init__(self, budget: AdaptiveLimiter) -> None:
        self.got = False
        self._end: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(self._hold(budget))

    async def _hold(self, budget: AdaptiveLimiter) -> None:
        async with budget.place():
            self.got = True
            if (error := await self._end) is not None:
                raise error

    async def end(self, error: Exception | None = None) -> None:
        self._end.set_result(error)
        await asyncio.gather(self.task, return_exceptions=True)


def refusal(retry_after: float | None = None, status: int = 503) -> StorageError:
    return StorageError(
        "busy", export_id="exp_1", artifact=Artifact.CSV, status=status, retry_after=retry_after
    )


async def crowd(budget: AdaptiveLimiter, size: int) -> list[Held]:
    held = [Held(budget) for _ in range(size)]
    await settle()
    return held


async def dismiss(*held: Held) -> None:
    for one in held:
        one.task.cancel()
    await asyncio.gather(*(one.task for one in held), return_exceptions=True)


async def test_places_are_handed_out_in_the_order_they_are_asked_for() -> None:
    """As many at a time as there are."""
    budget = AdaptiveLimiter(2, FakeClock())
    held = await crowd(budget, 5)
    for first in range(4):
        assert [one.got for one in held] == [place < first + 2 for place in range(5)]
        await held[first].end()
        await settle()
    await held[4].end()
    assert budget.used == 0


async def test_a_burst_of_refusals_halves_once() -> None:
    """Requests that began before it tell nothing new; those after it do. There is always one place."""
    budget = AdaptiveLimiter(8, FakeClock())
    for one in await crowd(budget, 8):
        await one.end(refusal(status=429))
        assert budget.allowed == 4
    for allowed in (2, 1, 1):
        (one,) = await crowd(budget, 1)
        await one.end(refusal())
        assert budget.allowed == allowed


async def test_success_brings_a_place_back_a_round_at_a_time() -> None:
    """From 2 to the limit of 4 it takes 2 + 3 good ends; another failure than a refusal changes nothing."""
    budget = AdaptiveLimiter(4, FakeClock())
    budget.refused(None, budget.burst)
    sizes = []
    for end in (None, refusal(status=404), None, None, None, None, None, None):
        (one,) = await crowd(budget, 1)
        await one.end(end)
        sizes.append(budget.allowed)
    assert sizes == [2, 2, 3, 3, 3, 4, 4, 4]


async def test_a_new_place_is_handed_to_who_waits() -> None:
    """At once, not when the next is given back."""
    budget = AdaptiveLimiter(4, FakeClock())
    budget.refused(None, 0)
    held = await crowd(budget, 4)
    await held[0].end()
    await held[1].end()
    await settle()
    assert (budget.allowed, [one.got for one in held]) == (3, [True] * 4)
    await dismiss(*held[2:])


async def test_nobody_gets_a_place_before_retry_after_is_over() -> None:
    """And then one after another, not as a herd."""
    clock = StandingClock()
    budget = AdaptiveLimiter(64, clock)
    (one,) = await crowd(budget, 1)
    await one.end(refusal(retry_after=30))
    held = await crowd(budget, 3)
    counts = []
    for seconds in (29.9, 0.1, 0.04, 0.01, 0.05):
        clock.move(seconds)
        await settle()
        counts.append(sum(one.got for one in held))
    assert counts == [0, 1, 1, 2, 3]
    await dismiss(*held)


async def test_a_pause_is_over_when_one_round_was_handed_out() -> None:
    """However many wait: then only the places themselves are the measure."""
    clock = StandingClock()
    budget = AdaptiveLimiter(4, clock)
    budget.refused(30, 0)
    held = await crowd(budget, 6)
    clock.move(30)
    await settle()
    clock.move(0.05)
    await settle()
    clock.move(0.05)
    for one in held[:4]:
        await settle()
        await one.end()
    await settle()
    assert [one.got for one in held] == [True] * 6
    await dismiss(*held)


async def test_a_pause_grows_while_it_lasts_and_never_shrinks() -> None:
    """The latest end of all that were asked for holds, for borrowers, too."""
    clock = StandingClock()
    budget = AdaptiveLimiter(4, clock)
    budget.refused(10, 0)
    held = await crowd(budget, 1)
    budget.refused(20, 0)
    budget.refused(5, 0)
    clock.move(10)
    await settle()
    assert not held[0].got
    clock.move(10)
    await settle()
    assert held[0].got
    await dismiss(*held)


async def test_trap_14_a_pause_beyond_the_cap_is_not_waited_for() -> None:
    """Its request fails; the others ask for themselves."""
    budget = AdaptiveLimiter(4, FakeClock(), retry_after_max=120)
    budget.refused(1800, 0)
    assert budget.borrow()


async def test_a_place_is_lent_only_when_nobody_needs_it() -> None:
    """Neither beyond the budget, nor past who waits, nor during a pause."""
    budget = AdaptiveLimiter(2, StandingClock())
    assert (budget.borrow(), budget.borrow(), budget.borrow()) == (True, True, False)
    held = await crowd(budget, 1)
    budget.give_back()
    assert not budget.borrow()
    await settle()
    assert held[0].got
    budget.give_back()
    budget.refused(10, 0)
    assert not budget.borrow()
    await dismiss(*held)


@pytest.mark.parametrize("victim", range(4))
async def test_a_waiter_that_is_cancelled_takes_no_place_with_it(victim: int) -> None:
    """Whether it held a place, was next, or stood in the queue."""
    budget = AdaptiveLimiter(1, FakeClock())
    held = await crowd(budget, 4)
    await dismiss(held.pop(victim))
    for one in held:
        await settle()
        assert one.got
        await one.end()
    assert budget.used == 0


class Rush(RuleBasedStateMachine):
    """Any order of asking, refusing, ending, cancelling and borrowing."""

    @initialize(limit=st.integers(1, 6))
    def begin(self, limit: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = StandingClock()
        self.limit = limit
        self.budget = AdaptiveLimiter(limit, self.clock)
        self.held: list[Held] = []
        self.borrowed = 0
        self.shut_until = 0.0

    def run(self, work: object = None) -> None:
        async def turn() -> None:
            if work is not None:
                await work  # type: ignore[misc]
            await settle()

        self.loop.run_until_complete(turn())

    @rule()
    @precondition(lambda self: len(self.held) < 12)
    def ask(self) -> None:
        async def enter() -> None:
            before = self.budget.used
            self.held.append(Held(self.budget))
            await settle()
            if self.clock.now < self.shut_until:
                assert self.budget.used == before

        self.run(enter())

    @rule(place=st.integers(0, 11), retry_after=st.none() | st.integers(0, 5), refused=st.booleans())
    def end(self, place: int, retry_after: int | None, refused: bool) -> None:
        holders = [one for one in self.held if one.got]
        if holders:
            one = holders[place % len(holders)]
            self.held.remove(one)
            if refused:
                self.shut_until = max(self.shut_until, self.clock.now + (retry_after or 0))
            self.run(one.end(refusal(retry_after) if refused else None))

    @rule(place=st.integers(0, 11))
    def cancel(self, place: int) -> None:
        if self.held:
            self.run(dismiss(self.held.pop(place % len(self.held))))

    @rule()
    def borrow(self) -> None:
        self.borrowed += self.budget.borrow()

    @rule()
    @precondition(lambda self: self.borrowed)
    def give_back(self) -> None:
        self.borrowed -= 1
        self.budget.give_back()
        self.run()

    @rule(seconds=st.floats(0, 3))
    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.run()

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "budget"):
            assert 1 <= self.budget.allowed <= self.limit
            assert self.budget.used == self.borrowed + sum(one.got for one in self.held)
            assert self.budget.used <= self.limit
            # First come, first served.
            got = [one.got for one in self.held]
            assert got == sorted(got, reverse=True)

    def teardown(self) -> None:
        """Whoever waits gets a place in the end."""
        if not hasattr(self, "budget"):
            return
        for _ in range(self.borrowed):
            self.budget.give_back()
        for _ in range(CROWD):
            self.clock.move(5)
            self.run()
            if not self.held:
                break
            assert self.held[0].got
            self.run(self.held.pop(0).end())
        assert self.budget.used == 0
        self.loop.close()


TestRush = Rush.TestCase
TestRush.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)


async def test_a_refusal_by_the_api_holds_its_other_requests_back(server: Emulator) -> None:
    """`Retry-After` is waited out once for all: by the one that met it, and by all that come after."""
    clock = FakeClock(dice=0)
    stored = server.add_export(rows=1)
    server.inject(Status(429, retry_after="30", on="api"))
    async with exports_on(clock, server) as exports:
        began = clock.now
        await exports.retrieve(stored.id)
        assert clock.now - began == 30
        assert [request.status for request in server.requests] == [429, 200]


async def test_a_refused_api_call_tells_the_budget(server: Emulator) -> None:
    """One that is not tried again, too: the next waits."""
    clock = FakeClock(dice=0)
    server.inject(Status(429, retry_after="30", on="api"), times=5)
    async with exports_on(clock, server) as exports:
        with pytest.raises(RateLimitError):
            await exports.retrieve("exp_1")
        began = clock.now
        assert [export async for export in exports.list()] == []
        assert clock.now - began == 30


async def test_the_clients_budget_follows_its_connector(server: Emulator) -> None:
    """100 places unless a connector says otherwise."""
    for limit, places in ((7, 7), (0, 100)):
        async with aiohttp.TCPConnector(limit=limit) as connector:
            async with server.client(connector=connector) as px:
                assert places_of(px) == places
    async with server.client() as px:
        assert places_of(px) == 100


def places_of(px: AsyncPackageX) -> int:
    return px.exports._context.limiter.allowed
